# Every test speaks TAP. `make check` runs them in parallel with -j.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/run_cmocka.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(SHELL)
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	NM='$(NM)'; export NM; READELF='$(READELF)'; export READELF; CC='$(CC)'; export CC; \
	TOP_SRCDIR='$(abs_top_srcdir)'; export TOP_SRCDIR; \
	TSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/tsan.supp'; export TSAN_OPTIONS; \
	TOP_BUILDDIR='$(abs_top_builddir)'; export TOP_BUILDDIR;

EXTRA_DIST += tests/run_cmocka.sh tests/LAYERS tests/check_layers.sh tests/check_headers.sh
TESTS += tests/check_layers.sh tests/check_headers.sh tests/check_manual.sh

# It expects what configure found to work; a build with a sanitizer has no hardening.
EXTRA_DIST += tests/check_hardening.sh
if HARDENING
TESTS += tests/check_hardening.sh
AM_TESTS_ENVIRONMENT += \
	HARDEN_FLAGS='$(HARDEN_CFLAGS) $(HARDEN_LDFLAGS)'; export HARDEN_FLAGS; \
	FORTIFY_LEVEL='$(FORTIFY_LEVEL)'; export FORTIFY_LEVEL;
endif

# Those with threads in them, for a build with --enable-thread-sanitizer; of the system tests those
# with the marker `threads` (tests/pytest.ini).
thread_tests = tests/base/test_log tests/net/test_loop tests/net/test_process tests/queue/test_port \
	tests/queue/test_journal tests/queue/test_claim tests/queue/test_lease tests/delivery/test_lane \
	tests/delivery/test_scheduler tests/intake/test_listener tests/intake/test_xmail
check-threads:
	$(MAKE) check TESTS='$(thread_tests)' check_PROGRAMS='$(thread_tests)'
.PHONY: check-threads

include tests/policy/policy_tests.mk
include tests/base/base_tests.mk
include tests/config/config_tests.mk
include tests/mail/mail_tests.mk
include tests/event/event_tests.mk
include tests/queue/queue_tests.mk
include tests/dns/dns_tests.mk
include tests/net/net_tests.mk
include tests/smtp/smtp_tests.mk
include tests/sasl/sasl_tests.mk
include tests/intake/intake_tests.mk
include tests/delivery/delivery_tests.mk
include tests/report/report_tests.mk
include tests/sendmail/sendmail_tests.mk
include tests/cli/cli_tests.mk
include tests/systemd/systemd_tests.mk
include tests/privilege/privilege_tests.mk
include tests/bench/bench.mk
include tests/e2e/e2e_tests.mk
include tests/fuzz/fuzz.mk
include tests/static/static.mk
include tests/valgrind/valgrind.mk
include tests/fake/fake_tests.mk
include tests/soak/soak.mk
include tests/crash/crash_tests.mk
include tests/fault/fault_tests.mk
