if HAVE_CMOCKA
check_LIBRARIES += libqueuetest.a
libqueuetest_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
libqueuetest_a_SOURCES = tests/queue/fixture.c tests/queue/fixture.h \
	tests/queue/power_cut.c tests/queue/power_cut.h \
	tests/queue/power_disk.c tests/queue/power_disk.h \
	tests/queue/power_trace.c tests/queue/power_trace.h

queue_tests = \
	tests/queue/test_claim \
	tests/queue/test_claim_gate \
	tests/queue/test_clock \
	tests/queue/test_finish \
	tests/queue/test_journal \
	tests/queue/test_lease \
	tests/queue/test_open \
	tests/queue/test_operate \
	tests/queue/test_port \
	tests/queue/test_power \
	tests/queue/test_put \
	tests/queue/test_states \
	tests/queue/test_vfs
check_PROGRAMS += $(queue_tests)
TESTS += $(queue_tests)
queue_test_libs = libqueuetest.a libqueue.a libmail.a libbase.a \
	$(SQLITE_LIBS) $(CMOCKA_LIBS) -lpthread
tests_queue_test_claim_LDADD = $(queue_test_libs)
tests_queue_test_claim_gate_LDADD = $(queue_test_libs)
tests_queue_test_claim_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_queue_test_clock_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_wall_ms,--wrap=clock_offset_ms
tests_queue_test_clock_LDADD = $(queue_test_libs)
tests_queue_test_finish_LDADD = $(queue_test_libs)
tests_queue_test_journal_LDADD = $(queue_test_libs)
tests_queue_test_lease_LDADD = $(queue_test_libs)
tests_queue_test_open_LDADD = $(queue_test_libs)
tests_queue_test_operate_LDADD = $(queue_test_libs)
tests_queue_test_port_LDADD = $(queue_test_libs)
tests_queue_test_power_LDADD = $(queue_test_libs)
tests_queue_test_put_LDADD = $(queue_test_libs)
tests_queue_test_states_LDADD = $(queue_test_libs)
tests_queue_test_vfs_LDADD = $(queue_test_libs)
tests_queue_test_vfs_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
endif
