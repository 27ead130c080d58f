noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/reply.c src/smtp/reply.h
EXTRA_DIST += src/smtp/README.md
