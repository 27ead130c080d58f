noinst_LIBRARIES += libconfig.a
libconfig_a_CPPFLAGS = $(AM_CPPFLAGS) $(CONFUSE_CFLAGS)
libconfig_a_SOURCES = \
	src/config/block.h \
	src/config/config.c src/config/config.h \
	src/config/dump.c \
	src/config/errors.c src/config/errors.h \
	src/config/file.c src/config/file.h \
	src/config/lex.c src/config/lex.h \
	src/config/options.c src/config/options.h \
	src/config/read.c src/config/read.h \
	src/config/scan.c src/config/scan.h \
	src/config/types_list.c src/config/types_listen.c \
	src/config/types_text.c src/config/types_word.c
EXTRA_DIST += src/config/README.md
