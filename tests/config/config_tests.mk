EXTRA_DIST += tests/config/config_tests.mk
if HAVE_CMOCKA
check_PROGRAMS += tests/config/test_config
TESTS += tests/config/test_config
tests_config_test_config_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_config_test_config_LDADD = libconfig.a libpolicy.a libbase.a \
	$(CONFUSE_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS)
endif
