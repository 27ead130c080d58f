# The soak: tests/soak/run drives it. By name only: it takes two hours.
EXTRA_DIST += tests/soak/soak.mk tests/soak/README.md tests/soak/run \
	tests/soak/test_soak.py tests/soak/test_soak_judge.py \
	tests/soak/soaking/__init__.py tests/soak/soaking/doors.py \
	tests/soak/soaking/internet.py tests/soak/soaking/judge.py \
	tests/soak/soaking/kinds.py tests/soak/soaking/lab.py \
	tests/soak/soaking/ledger.py tests/soak/soaking/meddle.py \
	tests/soak/soaking/messages.py tests/soak/soaking/report.py \
	tests/soak/soaking/soak.py tests/soak/soaking/watch.py

# make check-soak [SOAK_SECONDS=N] [SOAK_MESSAGES=N] [SOAK_SEED=N] [SOAK_DIRECTORY=PATH]
SOAK_SECONDS = 7200
SOAK_MESSAGES = 200000
SOAK_SEED = 1
SOAK_DIRECTORY = .
check-soak: hikyaku hikyaku-sendmail
	/usr/bin/python3 -B $(srcdir)/tests/soak/run --seconds $(SOAK_SECONDS) \
		--messages $(SOAK_MESSAGES) --seed $(SOAK_SEED) --build . --directory $(SOAK_DIRECTORY)
.PHONY: check-soak
