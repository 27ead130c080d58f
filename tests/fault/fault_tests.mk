# Injected faults, see README.md. ./runtests runs them in their short form.
EXTRA_DIST += tests/fault/fault_tests.mk tests/fault/README.md tests/fault/conftest.py tests/fault/faults.py \
	tests/fault/preload.c tests/fault/memory.c \
	tests/fault/test_fault_clock.py tests/fault/test_fault_disk.py tests/fault/test_fault_dns.py \
	tests/fault/test_fault_files.py tests/fault/test_fault_memory.py tests/fault/test_fault_queue.py \
	tests/fault/test_fault_sweep.py

# make check-fault [FAULT="-k NAME"]: the long form, in which each call of a kind fails once.
FAULT =
check-fault: hikyaku hikyaku-sendmail
	HIKYAKU_FAULT=long HIKYAKU=$(abs_builddir)/hikyaku \
		/usr/bin/python3 -B -m pytest -s $(FAULT) $(srcdir)/tests/fault
.PHONY: check-fault
