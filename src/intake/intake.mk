noinst_LIBRARIES += libintake.a
libintake_a_SOURCES = \
	src/intake/message.c src/intake/message.h
EXTRA_DIST += src/intake/README.md
