EXTRA_DIST += tests/delivery/delivery_tests.mk
if HAVE_CMOCKA
delivery_tests = tests/delivery/test_failure tests/delivery/test_hosts tests/delivery/test_route \
	tests/delivery/test_terms \
	tests/delivery/test_attempt tests/delivery/test_attempt_stop \
	tests/delivery/test_attempt_trouble \
	tests/delivery/test_chunking_memory tests/delivery/test_crowd tests/delivery/test_health tests/delivery/test_places \
	tests/delivery/test_hop tests/delivery/test_idle \
	tests/delivery/test_lane tests/delivery/test_notices \
	tests/delivery/test_scheduler tests/delivery/test_target \
	tests/delivery/test_certificates tests/delivery/test_claim_gate tests/delivery/test_secret \
	tests/delivery/test_relays tests/delivery/test_trouble tests/delivery/test_way tests/delivery/test_window
check_PROGRAMS += $(delivery_tests)
TESTS += $(delivery_tests)

DELIVERY_TEST_LIBS = libdelivery.a libconfig.a libsmtp.a libsasl.a libnet.a libdns.a libqueue.a \
	libevent.a libmail.a libpolicy.a libbase.a $(UV_LIBS) $(CARES_LIBS) $(GNUTLS_LIBS) \
	$(IDN2_LIBS) $(SQLITE_LIBS) $(CONFUSE_LIBS) $(JANSSON_LIBS) $(RESOLV_LIBS) $(GSASL_LIBS) \
	$(CMOCKA_LIBS) -lpthread
tests_delivery_test_failure_SOURCES = tests/delivery/test_failure.c
tests_delivery_test_failure_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_chunking_memory_SOURCES = tests/delivery/test_chunking_memory.c
tests_delivery_test_chunking_memory_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_health_SOURCES = tests/delivery/test_health.c
tests_delivery_test_health_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_places_SOURCES = tests/delivery/test_places.c
tests_delivery_test_places_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_hop_SOURCES = tests/delivery/test_hop.c
tests_delivery_test_hop_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_hosts_SOURCES = tests/delivery/test_hosts.c
tests_delivery_test_hosts_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_route_SOURCES = tests/delivery/test_route.c
tests_delivery_test_route_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_terms_SOURCES = tests/delivery/test_terms.c
tests_delivery_test_terms_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_idle_SOURCES = tests/delivery/test_idle.c
tests_delivery_test_idle_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_target_SOURCES = tests/delivery/test_target.c
tests_delivery_test_target_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_certificates_SOURCES = tests/delivery/test_certificates.c
tests_delivery_test_certificates_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=log_line
tests_delivery_test_certificates_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_claim_gate_SOURCES = tests/delivery/test_claim_gate.c
tests_delivery_test_claim_gate_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_secret_SOURCES = tests/delivery/test_secret.c
tests_delivery_test_secret_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_trouble_SOURCES = tests/delivery/test_trouble.c
tests_delivery_test_trouble_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_way_SOURCES = tests/delivery/test_way.c
tests_delivery_test_way_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_window_SOURCES = tests/delivery/test_window.c
tests_delivery_test_window_LDADD = $(DELIVERY_TEST_LIBS)

# A loop, a queue, a DNS server and an SMTP server for the tests that need them.
check_LIBRARIES += tests/delivery/libdeliverytest.a
delivery_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/dns $(UV_CFLAGS) \
	$(GNUTLS_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_delivery_libdeliverytest_a_SOURCES = \
	tests/delivery/smtp_server.c tests/delivery/smtp_server.h \
	tests/delivery/world.c tests/delivery/world.h \
	tests/dns/fake_dns.c tests/dns/fake_dns.h tests/dns/wire.c tests/dns/wire.h
tests_delivery_libdeliverytest_a_CPPFLAGS = $(delivery_test_cppflags)
delivery_world_libs = tests/delivery/libdeliverytest.a tests/net/libnettest.a \
	$(DELIVERY_TEST_LIBS)
tests_delivery_test_attempt_SOURCES = tests/delivery/test_attempt.c
tests_delivery_test_attempt_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_attempt_LDADD = $(delivery_world_libs)
tests_delivery_test_attempt_stop_SOURCES = tests/delivery/test_attempt_stop.c \
	tests/delivery/steps.h
tests_delivery_test_attempt_stop_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_attempt_stop_LDADD = $(delivery_world_libs)
tests_delivery_test_attempt_trouble_SOURCES = tests/delivery/test_attempt_trouble.c \
	tests/delivery/steps.h
tests_delivery_test_attempt_trouble_CPPFLAGS = $(delivery_test_cppflags)
# What our own side cannot begin: no version of the library fails to order.
tests_delivery_test_attempt_trouble_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=tls_check
tests_delivery_test_attempt_trouble_LDADD = $(delivery_world_libs)
tests_delivery_test_relays_SOURCES = tests/delivery/test_relays.c
tests_delivery_test_relays_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_relays_LDADD = $(delivery_world_libs)
tests_delivery_test_crowd_SOURCES = tests/delivery/test_crowd.c
tests_delivery_test_crowd_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_crowd_LDADD = $(delivery_world_libs)
tests_delivery_test_scheduler_SOURCES = tests/delivery/test_scheduler.c
tests_delivery_test_scheduler_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_scheduler_LDADD = $(delivery_world_libs)
tests_delivery_test_notices_SOURCES = tests/delivery/test_notices.c
tests_delivery_test_notices_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_notices_LDADD = $(delivery_world_libs)
tests_delivery_test_lane_SOURCES = tests/delivery/test_lane.c
tests_delivery_test_lane_CPPFLAGS = $(delivery_test_cppflags)
tests_delivery_test_lane_LDADD = $(delivery_world_libs)
endif
