EXTRA_DIST += tests/base/base_tests.mk

if HAVE_CMOCKA
base_tests = tests/base/test_addr tests/base/test_base64 tests/base/test_buf tests/base/test_err \
	tests/base/test_log tests/base/test_mem tests/base/test_notify tests/base/test_rng \
	tests/base/test_secret_file tests/base/test_share \
	tests/base/test_text tests/base/test_timefmt tests/base/test_user
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
endif

tests_base_test_addr_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_base64_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_buf_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_err_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_log_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_mem_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_notify_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_rng_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_secret_file_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_share_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_text_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_timefmt_LDADD = libbase.a $(CMOCKA_LIBS)
tests_base_test_user_LDADD = libbase.a $(CMOCKA_LIBS)
