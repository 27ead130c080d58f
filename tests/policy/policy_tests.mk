EXTRA_DIST += tests/policy/policy_tests.mk
