# The system tests with the program under valgrind; see README.md. Only by name: an hour.
EXTRA_DIST += tests/valgrind/README.md tests/valgrind/valgrind.mk tests/valgrind/run tests/valgrind/memcheck.supp

# make check-valgrind [VALGRIND="tests/e2e/test_queue.py -k hold"]
VALGRIND = tests/e2e
check-valgrind:
	$(srcdir)/tests/valgrind/run $(VALGRIND)
.PHONY: check-valgrind
