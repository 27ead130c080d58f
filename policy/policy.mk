noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES =
EXTRA_DIST += policy/README.md
