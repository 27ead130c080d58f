noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	src/config/config.h \
	src/config/options.c src/config/options.h \
	src/config/types_list.c src/config/types_text.c src/config/types_word.c
EXTRA_DIST += src/config/README.md
