noinst_LIBRARIES += libintake.a
libintake_a_SOURCES = \
	src/intake/client.c src/intake/client.h \
	src/intake/listener.c src/intake/listener.h \
	src/intake/message.c src/intake/message.h \
	src/intake/message_internal.h \
	src/intake/session.c src/intake/session.h \
	src/intake/wait.c src/intake/wait.h \
	src/intake/xmail.c src/intake/xmail.h \
	src/intake/xmail_batch.c src/intake/xmail_batch.h \
	src/intake/xmail_file.c src/intake/xmail_file.h \
	src/intake/xmail_format.c src/intake/xmail_format.h \
	src/intake/xmail_refused.c src/intake/xmail_refused.h \
	src/intake/xmail_watch.c src/intake/xmail_watch.h
EXTRA_DIST += src/intake/README.md
