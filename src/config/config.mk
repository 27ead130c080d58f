noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	src/config/config.h \
	src/config/errors.c src/config/errors.h \
	src/config/lex.c src/config/lex.h \
	src/config/options.c src/config/options.h \
	src/config/scan.c src/config/scan.h \
	src/config/types_list.c src/config/types_text.c src/config/types_word.c
EXTRA_DIST += src/config/README.md
