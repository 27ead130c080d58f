EXTRA_DIST += tests/event/event_tests.mk
if HAVE_CMOCKA
check_PROGRAMS += tests/event/test_event tests/event/test_event_json
TESTS += tests/event/test_event tests/event/test_event_json
tests_event_test_event_SOURCES = tests/event/test_event.c
tests_event_test_event_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_event_test_event_LDADD = libevent.a libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_event_test_event_json_SOURCES = tests/event/test_event_json.c
tests_event_test_event_json_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(CMOCKA_CFLAGS)
tests_event_test_event_json_LDADD = libevent.a libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif
