# Crash tests: tests/crash/run drives them; ./runtests has a few kills.
EXTRA_DIST += tests/crash/crash_tests.mk tests/crash/README.md tests/crash/run \
	tests/crash/failpoints.txt tests/crash/test_crash.py tests/crash/test_crash_account.py \
	tests/crash/crashing/__init__.py tests/crash/crashing/campaign.py \
	tests/crash/crashing/feeders.py tests/crash/crashing/hosts.py \
	tests/crash/crashing/kinds.py tests/crash/crashing/ledger.py \
	tests/crash/crashing/mail.py tests/crash/crashing/points.py

# make check-crash [CRASH_KILLS=N] [CRASH_SEED=N] [CRASH_POINT=PART] [CRASH_DIRECTORY=PATH]
CRASH_KILLS = 1000
CRASH_SEED =
CRASH_POINT =
CRASH_DIRECTORY = crash
check-crash: hikyaku hikyaku-sendmail
	/usr/bin/python3 -B $(srcdir)/tests/crash/run --kills $(CRASH_KILLS) --build . \
		--directory $(CRASH_DIRECTORY) $(CRASH_SEED:%=--seed %) $(CRASH_POINT:%=--fail-point %)
.PHONY: check-crash
