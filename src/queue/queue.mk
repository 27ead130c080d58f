noinst_LIBRARIES += libqueue.a
libqueue_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
libqueue_a_CFLAGS = $(AM_CFLAGS) -pthread
libqueue_a_SOURCES = \
	src/queue/held.c src/queue/held.h \
	src/queue/journal.c src/queue/journal.h \
	src/queue/lock.c src/queue/lock.h \
	src/queue/points.c src/queue/points.h \
	src/queue/put.c \
	src/queue/queue.c src/queue/queue.h src/queue/queue_internal.h \
	src/queue/queue_sqlite.c \
	src/queue/reader.h \
	src/queue/request.c src/queue/request.h \
	src/queue/sqlite_body.c \
	src/queue/sqlite_chores.c \
	src/queue/sqlite_claim.c \
	src/queue/sqlite_claims.c \
	src/queue/sqlite_clock.c \
	src/queue/sqlite_db.c src/queue/sqlite_db.h \
	src/queue/sqlite_finish.c \
	src/queue/sqlite_item.c \
	src/queue/sqlite_lease.c \
	src/queue/sqlite_operate.c \
	src/queue/sqlite_put.c \
	src/queue/sqlite_reader.c src/queue/sqlite_reader.h \
	src/queue/sqlite_reader_claims.c \
	src/queue/sqlite_reader_log.c \
	src/queue/sqlite_schema.c src/queue/sqlite_schema.h \
	src/queue/sqlite_store.h \
	src/queue/sqlite_vfs.c src/queue/sqlite_vfs.h \
	src/queue/states.c src/queue/states.h \
	src/queue/store.h \
	src/queue/wake.c \
	src/queue/work.c
EXTRA_DIST += src/queue/README.md
