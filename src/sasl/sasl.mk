noinst_LIBRARIES += libsasl.a
libsasl_a_CPPFLAGS = $(AM_CPPFLAGS) $(GSASL_CFLAGS)
libsasl_a_SOURCES = \
	src/sasl/credentials.c src/sasl/credentials.h \
	src/sasl/sasl.c src/sasl/sasl.h src/sasl/sasl_impl.h \
	src/sasl/sasl_password.c \
	src/sasl/sasl_token.c
EXTRA_DIST += src/sasl/README.md
