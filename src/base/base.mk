noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/addr.c src/base/addr.h \
	src/base/base64.c src/base/base64.h \
	src/base/buf.c src/base/buf.h \
	src/base/complain.c src/base/complain.h \
	src/base/err.c src/base/err.h \
	src/base/failpoint.c src/base/failpoint.h \
	src/base/hash.h \
	src/base/log.c src/base/log.h \
	src/base/mem.c src/base/mem.h \
	src/base/notify.c src/base/notify.h \
	src/base/rng.c src/base/rng.h \
	src/base/secret_file.c src/base/secret_file.h \
	src/base/share.c src/base/share.h \
	src/base/text.c src/base/text.h \
	src/base/timefmt.c src/base/timefmt.h \
	src/base/user.c src/base/user.h
EXTRA_DIST += src/base/README.md
