EXTRA_DIST += tests/report/report_tests.mk tests/report/records.jsonl \
	tests/report/test_pflogsumm.sh tests/report/test_dsn_mime.sh \
	tests/report/read_dsn.py tests/report/test_log_command.sh \
	tests/report/test_log_manual.sh

report_test_libs = libreport.a libevent.a libbase.a $(JANSSON_LIBS)

check_PROGRAMS += tests/report/tell
tests_report_tell_SOURCES = tests/report/tell.c
tests_report_tell_LDADD = $(report_test_libs)
check_PROGRAMS += tests/report/dsn_print
tests_report_dsn_print_SOURCES = tests/report/dsn_print.c \
	tests/report/dsn_cases.c tests/report/dsn_cases.h
tests_report_dsn_print_LDADD = $(report_test_libs)
TESTS += tests/report/test_pflogsumm.sh tests/report/test_dsn_mime.sh

check_PROGRAMS += tests/report/log_command
tests_report_log_command_SOURCES = tests/report/log_command.c src/cli/cmd_log.c
tests_report_log_command_LDADD = $(report_test_libs)
TESTS += tests/report/test_log_command.sh tests/report/test_log_manual.sh

if HAVE_CMOCKA
check_PROGRAMS += tests/report/test_log_line tests/report/test_tls_log \
	tests/report/test_retry_log tests/report/test_retry_log_story \
	tests/report/test_dsn tests/report/test_mime tests/report/test_words
TESTS += tests/report/test_log_line tests/report/test_tls_log \
	tests/report/test_retry_log tests/report/test_retry_log_story \
	tests/report/test_dsn tests/report/test_mime tests/report/test_words
tests_report_test_mime_SOURCES = tests/report/test_mime.c
tests_report_test_mime_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_mime_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
tests_report_test_log_line_SOURCES = tests/report/test_log_line.c \
	tests/report/records.c tests/report/records.h
tests_report_test_log_line_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_log_line_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
tests_report_test_tls_log_SOURCES = tests/report/test_tls_log.c \
	tests/report/records.c tests/report/records.h
tests_report_test_tls_log_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_tls_log_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
tests_report_test_retry_log_SOURCES = tests/report/test_retry_log.c \
	tests/report/records.c tests/report/records.h
tests_report_test_retry_log_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_retry_log_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
tests_report_test_retry_log_story_SOURCES = tests/report/test_retry_log_story.c \
	tests/report/records.c tests/report/records.h
tests_report_test_retry_log_story_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_retry_log_story_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
tests_report_test_words_SOURCES = tests/report/test_words.c
tests_report_test_words_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_words_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
tests_report_test_dsn_SOURCES = tests/report/test_dsn.c \
	tests/report/dsn_cases.c tests/report/dsn_cases.h
tests_report_test_dsn_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_report_test_dsn_LDADD = $(report_test_libs) $(CMOCKA_LIBS)
endif
