noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	src/mail/address.c src/mail/address.h \
	src/mail/content.c src/mail/content.h \
	src/mail/envelope.c src/mail/envelope.h \
	src/mail/header.c src/mail/header.h \
	src/mail/header_address.c src/mail/header_address.h
EXTRA_DIST += src/mail/README.md
