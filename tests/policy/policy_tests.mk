EXTRA_DIST += tests/policy/policy_tests.mk
if HAVE_CMOCKA
policy_tests = \
	tests/policy/test_check \
	tests/policy/test_decide \
	tests/policy/test_decide_route \
	tests/policy/test_edit \
	tests/policy/test_fallback \
	tests/policy/test_file \
	tests/policy/test_import \
	tests/policy/test_name \
	tests/policy/test_pattern \
	tests/policy/test_retry \
	tests/policy/test_route \
	tests/policy/test_set \
	tests/policy/test_set_routes \
	tests/policy/test_types
check_PROGRAMS += $(policy_tests)
TESTS += $(policy_tests)
policy_test_libs = libpolicy.a $(IDN2_LIBS) $(CMOCKA_LIBS)
tests_policy_test_check_SOURCES = \
	tests/policy/test_check.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_check_LDADD = $(policy_test_libs)
tests_policy_test_decide_SOURCES = \
	tests/policy/test_decide.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_decide_LDADD = $(policy_test_libs)
tests_policy_test_decide_route_SOURCES = \
	tests/policy/test_decide_route.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_decide_route_LDADD = $(policy_test_libs)
tests_policy_test_edit_SOURCES = \
	tests/policy/test_edit.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_edit_LDADD = $(policy_test_libs)
tests_policy_test_fallback_SOURCES = tests/policy/test_fallback.c tests/policy/table.h
tests_policy_test_fallback_LDADD = $(policy_test_libs)
tests_policy_test_file_SOURCES = \
	tests/policy/test_file.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_file_LDADD = $(policy_test_libs)
tests_policy_test_import_SOURCES = tests/policy/test_import.c tests/policy/table.h
tests_policy_test_import_LDADD = $(policy_test_libs)
tests_policy_test_name_SOURCES = tests/policy/test_name.c tests/policy/table.h
tests_policy_test_name_LDADD = $(policy_test_libs)
tests_policy_test_pattern_SOURCES = tests/policy/test_pattern.c tests/policy/table.h
tests_policy_test_pattern_LDADD = $(policy_test_libs)
tests_policy_test_retry_SOURCES = tests/policy/test_retry.c tests/policy/table.h
tests_policy_test_retry_LDADD = $(policy_test_libs)
tests_policy_test_route_SOURCES = tests/policy/test_route.c tests/policy/table.h
tests_policy_test_route_LDADD = $(policy_test_libs)
tests_policy_test_set_SOURCES = \
	tests/policy/test_set.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_set_LDADD = $(policy_test_libs)
tests_policy_test_set_routes_SOURCES = \
	tests/policy/test_set_routes.c tests/policy/table.h tests/policy/fixture.h
tests_policy_test_set_routes_LDADD = $(policy_test_libs)
tests_policy_test_types_SOURCES = tests/policy/test_types.c tests/policy/table.h
tests_policy_test_types_LDADD = $(policy_test_libs)
endif
