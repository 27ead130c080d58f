if HAVE_CMOCKA
delivery_tests = tests/delivery/test_failure tests/delivery/test_hosts tests/delivery/test_route
check_PROGRAMS += $(delivery_tests)
TESTS += $(delivery_tests)

DELIVERY_TEST_LIBS = libdelivery.a libconfig.a libsmtp.a libnet.a libdns.a libqueue.a \
	libevent.a libmail.a libpolicy.a libbase.a $(UV_LIBS) $(CARES_LIBS) $(GNUTLS_LIBS) \
	$(IDN2_LIBS) $(SQLITE_LIBS) $(CONFUSE_LIBS) $(JANSSON_LIBS) $(RESOLV_LIBS) \
	$(CMOCKA_LIBS) -lpthread
tests_delivery_test_failure_SOURCES = tests/delivery/test_failure.c
tests_delivery_test_failure_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_hosts_SOURCES = tests/delivery/test_hosts.c
tests_delivery_test_hosts_LDADD = $(DELIVERY_TEST_LIBS)
tests_delivery_test_route_SOURCES = tests/delivery/test_route.c
tests_delivery_test_route_LDADD = $(DELIVERY_TEST_LIBS)
endif
