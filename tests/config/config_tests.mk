EXTRA_DIST += tests/config/config_tests.mk
if HAVE_CMOCKA
config_tests = tests/config/test_config tests/config/test_blocks
check_PROGRAMS += $(config_tests)
TESTS += $(config_tests)
CONFIG_TEST_FIXTURE = tests/config/fixture.c tests/config/fixture.h
CONFIG_TEST_LIBS = libconfig.a libpolicy.a libbase.a \
	$(CONFUSE_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS)
tests_config_test_config_SOURCES = tests/config/test_config.c $(CONFIG_TEST_FIXTURE)
tests_config_test_config_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_config_test_config_LDADD = $(CONFIG_TEST_LIBS)
tests_config_test_blocks_SOURCES = tests/config/test_blocks.c $(CONFIG_TEST_FIXTURE)
tests_config_test_blocks_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_config_test_blocks_LDADD = $(CONFIG_TEST_LIBS)
endif

# The manual against the program (tests/check_manual.sh), and the check itself.
TESTS += tests/check_pages.sh tests/config/test_check_manual.sh
EXTRA_DIST += \
	tests/check_manual.py tests/check_manual.sh tests/check_pages.sh \
	tests/config/manual/hikyaku tests/config/manual/hikyaku.8 \
	tests/config/manual/hikyaku.conf.5 tests/config/manual/hikyaku.conf.example \
	tests/config/manual/hikyaku-sendmail tests/config/manual/hikyaku-sendmail.1 \
	tests/config/test_check_manual.sh
