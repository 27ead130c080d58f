EXTRA_DIST += tests/config/config_tests.mk
if HAVE_CMOCKA
check_PROGRAMS += tests/config/test_config
TESTS += tests/config/test_config
tests_config_test_config_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_config_test_config_LDADD = libconfig.a libpolicy.a libbase.a \
	$(CONFUSE_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS)
endif

# The manual against the program (tests/check_manual.sh), and the check itself.
TESTS += tests/check_pages.sh tests/config/test_check_manual.sh
EXTRA_DIST += \
	tests/check_manual.py tests/check_manual.sh tests/check_pages.sh \
	tests/config/manual/hikyaku tests/config/manual/hikyaku.8 \
	tests/config/manual/hikyaku.conf.5 tests/config/manual/hikyaku.conf.example \
	tests/config/test_check_manual.sh
