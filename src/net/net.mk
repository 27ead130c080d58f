noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/dial.c \
	src/net/dir_watch.c \
	src/net/listen.c src/net/listen.h \
	src/net/loop.c src/net/loop.h \
	src/net/process.c src/net/process.h src/net/process_words.c \
	src/net/stream.c src/net/stream.h src/net/stream_impl.h \
	src/net/stream_pair.c src/net/stream_pair.h \
	src/net/stream_uv.c src/net/stream_uv.h \
	src/net/stream_tls.c \
	src/net/tls.h src/net/tls_impl.h \
	src/net/tls_credentials.c \
	src/net/tls_error.c \
	src/net/tls_facts.c \
	src/net/tls_identities.c \
	src/net/tls_identity.c src/net/tls_identity.h src/net/tls_identity_impl.h \
	src/net/tls_identity_file.c src/net/tls_identity_token.c \
	src/net/tls_key.c \
	src/net/tls_global.c src/net/tls_global.h \
	src/net/tls_session.c \
	src/net/tls_store.c src/net/tls_store.h \
	src/net/tls_tickets.c \
	src/net/tls_verdict.c \
	src/net/tls_versions.c
libnet_a_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(GNUTLS_CFLAGS)
EXTRA_DIST += src/net/README.md
