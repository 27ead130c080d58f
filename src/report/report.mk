noinst_LIBRARIES += libreport.a
libreport_a_SOURCES = \
	src/report/dsn.c src/report/dsn.h \
	src/report/dsn_log.c src/report/dsn_log.h \
	src/report/dsn_text.c src/report/dsn_text.h \
	src/report/dsn_words.c src/report/dsn_words.h \
	src/report/log_line.c src/report/log_line.h \
	src/report/mime.c src/report/mime.h \
	src/report/retry_log.c src/report/retry_log.h \
	src/report/tls_log.c src/report/tls_log.h \
	src/report/words.c src/report/words.h
EXTRA_DIST += src/report/README.md
