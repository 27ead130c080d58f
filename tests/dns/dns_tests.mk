EXTRA_DIST += tests/dns/dns_tests.mk

if HAVE_CMOCKA
dns_tests = tests/dns/test_dns_cache tests/dns/test_dns_parse
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
