# The benchmark: tests/bench/run drives it, these are the programs that it needs.
bench_common = tests/bench/channel.c tests/bench/channel.h \
	tests/bench/counters.c tests/bench/counters.h
bench_programs = tests/bench/receiver tests/bench/loadgen
check_PROGRAMS += $(bench_programs)
.PHONY: bench-programs
bench-programs: $(bench_programs)

tests_bench_receiver_SOURCES = tests/bench/receiver.c $(bench_common) \
	tests/bench/sink.c tests/bench/sink.h \
	tests/bench/sink_worker.c tests/bench/sink_worker.h
tests_bench_receiver_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
tests_bench_receiver_LDADD = libbase.a $(GNUTLS_LIBS)
tests_bench_loadgen_SOURCES = tests/bench/loadgen.c $(bench_common)
tests_bench_loadgen_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
tests_bench_loadgen_LDADD = libbase.a $(GNUTLS_LIBS)
EXTRA_DIST += tests/bench/bench.mk tests/bench/README.md
EXTRA_DIST += tests/bench/run tests/bench/test_bench.sh \
	tests/bench/bench/__init__.py tests/bench/bench/cases.py \
	tests/bench/bench/hikyaku.py tests/bench/bench/lab.py \
	tests/bench/bench/messages.py tests/bench/bench/peers.py \
	tests/bench/bench/plot.py tests/bench/bench/report.py \
	tests/bench/bench/sender.py tests/bench/bench/watch.py
TESTS += tests/bench/test_bench.sh
