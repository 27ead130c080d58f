noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = \
	src/dns/dns.h \
	src/dns/dns_cache.c src/dns/dns_cache.h \
	src/dns/dns_cares.c src/dns/dns_io.h \
	src/dns/dns_parse.c src/dns/dns_parse.h \
	src/dns/dns_resolver.c
libdns_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(CARES_CFLAGS)
EXTRA_DIST += src/dns/README.md
