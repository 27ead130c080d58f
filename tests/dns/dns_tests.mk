EXTRA_DIST += tests/dns/dns_tests.mk

if HAVE_CMOCKA
dns_tests = tests/dns/test_dns_cache tests/dns/test_dns_cancel \
	tests/dns/test_dns_parse tests/dns/test_dns_resolver
check_PROGRAMS += $(dns_tests)
TESTS += $(dns_tests)
endif

tests_dns_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/dns
tests_dns_libs = libdns.a libbase.a $(CARES_LIBS) $(UV_LIBS) $(RESOLV_LIBS) $(CMOCKA_LIBS)

tests_dns_test_dns_cache_LDADD = $(tests_dns_libs)

tests_dns_test_dns_parse_SOURCES = tests/dns/test_dns_parse.c \
	tests/dns/describe.h tests/dns/wire.c tests/dns/wire.h
tests_dns_test_dns_parse_CPPFLAGS = $(tests_dns_cppflags)
tests_dns_test_dns_parse_LDADD = $(tests_dns_libs)

tests_dns_fixture = tests/dns/describe.h tests/dns/fake_dns.c tests/dns/fake_dns.h \
	tests/dns/fixture.c tests/dns/fixture.h tests/dns/wire.c tests/dns/wire.h

tests_dns_test_dns_resolver_SOURCES = tests/dns/test_dns_resolver.c $(tests_dns_fixture)
tests_dns_test_dns_resolver_CPPFLAGS = $(tests_dns_cppflags)
tests_dns_test_dns_resolver_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
tests_dns_test_dns_resolver_LDADD = $(tests_dns_libs)

tests_dns_test_dns_cancel_SOURCES = tests/dns/test_dns_cancel.c $(tests_dns_fixture)
tests_dns_test_dns_cancel_CPPFLAGS = $(tests_dns_cppflags)
tests_dns_test_dns_cancel_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
tests_dns_test_dns_cancel_LDADD = $(tests_dns_libs)
