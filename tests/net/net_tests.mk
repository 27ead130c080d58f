EXTRA_DIST += tests/net/net_tests.mk
if HAVE_CMOCKA
check_LIBRARIES += tests/net/libnettest.a
tests_net_libnettest_a_SOURCES = \
	tests/net/identity_fixture.c tests/net/identity_fixture.h \
	tests/net/net_fixture.c tests/net/net_fixture.h tests/net/net_peer.c
tests_net_libnettest_a_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
net_test_libs = tests/net/libnettest.a libnet.a libbase.a \
	$(UV_LIBS) $(GNUTLS_LIBS) $(CMOCKA_LIBS)

net_tests = tests/net/test_dial \
	tests/net/test_dial_unix \
	tests/net/test_dir_watch \
	tests/net/test_listen \
	tests/net/test_loop \
	tests/net/test_process \
	tests/net/test_stream_uv \
	tests/net/test_stream_tls \
	tests/net/test_tls_client_cert \
	tests/net/test_tls_facts \
	tests/net/test_tls_handshake \
	tests/net/test_tls_identities \
	tests/net/test_tls_identity \
	tests/net/test_tls_store \
	tests/net/test_tls_token \
	tests/net/test_tls_verify
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
tests_net_test_dial_SOURCES = tests/net/test_dial.c
tests_net_test_dial_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_dial_LDADD = $(net_test_libs)
tests_net_test_dial_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=bind
tests_net_test_dial_unix_SOURCES = tests/net/test_dial_unix.c
tests_net_test_dial_unix_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_dial_unix_LDADD = $(net_test_libs)
tests_net_test_dir_watch_SOURCES = tests/net/test_dir_watch.c
tests_net_test_dir_watch_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_dir_watch_LDADD = $(net_test_libs)
tests_net_test_listen_SOURCES = tests/net/test_listen.c
tests_net_test_listen_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_listen_LDADD = $(net_test_libs)
tests_net_test_listen_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=timer_start
tests_net_test_loop_SOURCES = tests/net/test_loop.c
tests_net_test_loop_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_loop_LDADD = $(net_test_libs)
tests_net_test_process_SOURCES = tests/net/test_process.c
tests_net_test_process_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_process_LDADD = $(net_test_libs)
tests_net_test_stream_uv_SOURCES = tests/net/test_stream_uv.c
tests_net_test_stream_uv_CPPFLAGS = $(AM_CPPFLAGS) $(UV_CFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_stream_uv_LDADD = $(net_test_libs)
tests_net_test_stream_tls_SOURCES = tests/net/test_stream_tls.c
tests_net_test_stream_tls_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_stream_tls_LDADD = $(net_test_libs)
tests_net_test_tls_facts_SOURCES = tests/net/test_tls_facts.c
tests_net_test_tls_facts_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_facts_LDADD = $(net_test_libs)
tests_net_test_tls_facts_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=gnutls_certificate_verify_peers -Wl,--wrap=clock_wall_ms
tests_net_test_tls_handshake_SOURCES = tests/net/test_tls_handshake.c
tests_net_test_tls_handshake_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_handshake_LDADD = $(net_test_libs)
tests_net_test_tls_identity_SOURCES = tests/net/test_tls_identity.c
tests_net_test_tls_identity_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_identity_LDADD = $(net_test_libs)
tests_net_test_tls_client_cert_SOURCES = tests/net/test_tls_client_cert.c
tests_net_test_tls_client_cert_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_client_cert_LDADD = $(net_test_libs)
tests_net_test_tls_identities_SOURCES = tests/net/test_tls_identities.c
tests_net_test_tls_identities_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_identities_LDADD = $(net_test_libs)
tests_net_test_tls_token_SOURCES = tests/net/test_tls_token.c
tests_net_test_tls_token_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_token_LDADD = $(net_test_libs)
tests_net_test_tls_token_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=gnutls_privkey_import_url
tests_net_test_tls_verify_SOURCES = tests/net/test_tls_verify.c
tests_net_test_tls_verify_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_verify_LDADD = $(net_test_libs)
tests_net_test_tls_store_SOURCES = tests/net/test_tls_store.c
tests_net_test_tls_store_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_net_test_tls_store_LDADD = $(net_test_libs)
endif
