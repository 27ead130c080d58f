noinst_LIBRARIES += libsendmail.a
libsendmail_a_SOURCES = \
	src/sendmail/complete.c src/sendmail/complete.h \
	src/sendmail/dot.c src/sendmail/dot.h \
	src/sendmail/options.c src/sendmail/options.h \
	src/sendmail/person.c src/sendmail/person.h
EXTRA_DIST += src/sendmail/README.md
