noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/client.c src/smtp/client.h src/smtp/client_impl.h \
	src/smtp/client_body.c src/smtp/client_command.c \
	src/smtp/client_ehlo.c \
	src/smtp/client_mail.c \
	src/smtp/client_report.c \
	src/smtp/command.c src/smtp/command.h \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/server.h
EXTRA_DIST += src/smtp/README.md
