noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/client.c src/smtp/client.h src/smtp/client_impl.h \
	src/smtp/client_auth.c src/smtp/client_body.c src/smtp/client_command.c \
	src/smtp/client_ehlo.c \
	src/smtp/client_mail.c \
	src/smtp/client_report.c \
	src/smtp/command.c src/smtp/command.h \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/server.c src/smtp/server.h src/smtp/server_impl.h \
	src/smtp/server_command.c src/smtp/server_content.c \
	src/smtp/server_mail.c src/smtp/server_reply.c
EXTRA_DIST += src/smtp/README.md
