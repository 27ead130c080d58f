noinst_LIBRARIES += libdns.a
libdns_a_SOURCES =
