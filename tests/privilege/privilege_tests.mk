EXTRA_DIST += tests/privilege/privilege_tests.mk tests/privilege/README.md \
	tests/privilege/conftest.py tests/privilege/people.py tests/privilege/test_injection.py \
	tests/privilege/test_secrets.py \
	tests/privilege/test_user.py
