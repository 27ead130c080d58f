#include "power_trace.h"

#include "base/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

const char *const power_suffixes[POWER_NAME_COUNT] = { "", "-wal", "-journal" };

/* Behind SQLite's own part of an open file. */
struct recorded {
	const sqlite3_io_methods *usual;
	bool is_recorded;
	enum power_name name;
	unsigned file;
};

static struct {
	pthread_mutex_t mutex;
	struct power_trace *trace; /* NULL: none is under way */
	char path[512];
	unsigned lies;
	struct {
		bool exists;
		unsigned file;
	} names[POWER_NAME_COUNT];
} now = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static sqlite3_vfs *usual, recording;
static struct methods {
	const sqlite3_io_methods *usual;
	sqlite3_io_methods recording;
} tables[2]; /* a database has locks, other files have none */
static int (*usual_open_directory)(const char *path, int *fd_out);

/* ---- the trace ---- */

/* Mutex held. */
static void note(const struct power_event *event)
{
	struct power_trace *t = now.trace;
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 256;
		t->events = xreallocarray(t->events, t->cap, sizeof(*t->events));
	}
	t->events[t->count] = *event;
	if (event->bytes)
		t->events[t->count].bytes = xmemdup(event->bytes, event->len);
	t->count++;
}

static bool is_lie(const struct power_event *event)
{
	if (event->kind == POWER_SYNC_DIRECTORY)
		return now.lies & POWER_LIE_DIRECTORY;
	return event->kind == POWER_SYNC &&
	       ((event->name == POWER_LOG && now.lies & POWER_LIE_LOG) ||
		       (event->name == POWER_DATABASE && now.lies & POWER_LIE_DATABASE));
}

static struct recorded *recorded_of(sqlite3_file *f)
{
	return (struct recorded *)(void *)((char *)f + usual->szOsFile);
}

/* An event of that file, if it is of the trace. */
static void note_file(sqlite3_file *f, struct power_event event)
{
	const struct recorded *r = recorded_of(f);
	pthread_mutex_lock(&now.mutex);
	if (now.trace && r->is_recorded) {
		event.name = r->name;
		event.file = r->file;
		if (!is_lie(&event))
			note(&event);
	}
	pthread_mutex_unlock(&now.mutex);
}

void power_fed(int64_t octets)
{
	pthread_mutex_lock(&now.mutex);
	struct power_trace *t = now.trace;
	if (t && t->count && t->events[t->count - 1].kind == POWER_FED)
		t->events[t->count - 1].at = octets;
	else if (t)
		note(&(struct power_event){ .kind = POWER_FED, .at = octets });
	pthread_mutex_unlock(&now.mutex);
}

void power_told(int64_t what)
{
	pthread_mutex_lock(&now.mutex);
	if (now.trace)
		note(&(struct power_event){ .kind = POWER_TOLD, .at = what });
	pthread_mutex_unlock(&now.mutex);
}

void power_record(struct power_trace *trace, const char *path)
{
	struct stat st;
	assert_int_not_equal(stat(path, &st), 0);
	memset(now.names, 0, sizeof(now.names));
	*trace = (struct power_trace){ 0 };
	now.lies = 0;
	assert_int_equal(
		usual->xFullPathname(usual, path, (int)sizeof(now.path), now.path),
		SQLITE_OK);
	now.trace = trace;
}

void power_lie(unsigned lies)
{
	pthread_mutex_lock(&now.mutex);
	now.lies = lies;
	pthread_mutex_unlock(&now.mutex);
}

void power_stop(void)
{
	pthread_mutex_lock(&now.mutex);
	now.trace = NULL;
	pthread_mutex_unlock(&now.mutex);
}

void power_trace_clear(struct power_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		free(trace->events[i].bytes);
	free(trace->events);
	*trace = (struct power_trace){ 0 };
}

void power_describe(const struct power_event *event, struct buf *out)
{
	const char *suffix = power_suffixes[event->name];
	long long at = (long long)event->at;
	switch (event->kind) {
	case POWER_MAKE:
		buf_addf(out, "make queue.db%s", suffix);
		break;
	case POWER_REMOVE:
		buf_addf(out, "remove queue.db%s", suffix);
		break;
	case POWER_WRITE:
		buf_addf(out, "write %zu octets at %lld of queue.db%s", event->len, at,
			suffix);
		break;
	case POWER_TRUNCATE:
		buf_addf(out, "cut queue.db%s to %lld octets", suffix, at);
		break;
	case POWER_SYNC:
		buf_addf(out, "sync queue.db%s", suffix);
		break;
	case POWER_SYNC_DIRECTORY:
		buf_addstr(out, "sync the directory");
		break;
	case POWER_FED:
		buf_addf(out, "%lld octets fed", at);
		break;
	case POWER_TOLD:
		buf_addf(out, "told %lld", at);
		break;
	}
}

/* ---- files ---- */

static int on_write(sqlite3_file *f, const void *bytes, int amount, sqlite3_int64 at)
{
	note_file(f, (struct power_event){ .kind = POWER_WRITE,
			     .at = at,
			     .len = (size_t)amount,
			     .bytes = (char *)(uintptr_t)bytes });
	return recorded_of(f)->usual->xWrite(f, bytes, amount, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	note_file(f, (struct power_event){ .kind = POWER_TRUNCATE, .at = size });
	return recorded_of(f)->usual->xTruncate(f, size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	const struct recorded *r = recorded_of(f);
	note_file(f, (struct power_event){ .kind = POWER_SYNC });
	/* With the directory, where that is due. */
	return r->is_recorded ? r->usual->xSync(f, flags) : SQLITE_OK;
}

static int on_open_directory(const char *path, int *fd_out)
{
	pthread_mutex_lock(&now.mutex);
	if (now.trace && strncmp(path, now.path, strlen(now.path)) == 0) {
		struct power_event event = { .kind = POWER_SYNC_DIRECTORY };
		if (!is_lie(&event))
			note(&event);
	}
	pthread_mutex_unlock(&now.mutex);
	return usual_open_directory(path, fd_out);
}

/* POWER_NAME_COUNT: it is none of the trace. Mutex held. */
static enum power_name name_of(const char *path)
{
	size_t len = strlen(now.path);
	int name = 0;
	if (!now.trace || !path || strncmp(path, now.path, len) != 0)
		return POWER_NAME_COUNT;
	while (name < POWER_NAME_COUNT && strcmp(path + len, power_suffixes[name]) != 0)
		name++;
	return (enum power_name)name;
}

/* Mutex held. */
static void begin_file(struct recorded *r, const char *path)
{
	r->name = name_of(path);
	r->is_recorded = r->name != POWER_NAME_COUNT;
	if (!r->is_recorded)
		return;
	if (!now.names[r->name].exists) {
		now.names[r->name].exists = true;
		now.names[r->name].file = now.trace->files++;
		note(&(struct power_event){ .kind = POWER_MAKE,
			.name = r->name,
			.file = now.names[r->name].file });
	}
	r->file = now.names[r->name].file;
}

/* Mutex held. */
static struct methods *methods_for(const sqlite3_io_methods *theirs)
{
	struct methods *m = tables;
	while (m < tables + ARRAY_SIZE(tables) && m->usual && m->usual != theirs)
		m++;
	assert_true(m < tables + ARRAY_SIZE(tables));
	if (!m->usual) {
		m->usual = theirs;
		m->recording = *theirs;
		m->recording.xWrite = on_write;
		m->recording.xTruncate = on_truncate;
		m->recording.xSync = on_sync;
	}
	return m;
}

static int on_open(
	sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *flags_out)
{
	(void)vfs;
	int rc = usual->xOpen(usual, path, f, flags, flags_out);
	if (rc != SQLITE_OK)
		return rc;
	/* The same object, with other methods. */
	struct recorded *r = recorded_of(f);
	pthread_mutex_lock(&now.mutex);
	struct methods *m = methods_for(f->pMethods);
	*r = (struct recorded){ .usual = m->usual };
	begin_file(r, path);
	pthread_mutex_unlock(&now.mutex);
	f->pMethods = &m->recording;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	(void)vfs;
	pthread_mutex_lock(&now.mutex);
	enum power_name name = name_of(path);
	if (name != POWER_NAME_COUNT && now.names[name].exists) {
		now.names[name].exists = false;
		note(&(struct power_event){ .kind = POWER_REMOVE,
			.name = name,
			.file = now.names[name].file });
	}
	pthread_mutex_unlock(&now.mutex);
	return usual->xDelete(usual, path, sync);
}

void power_install(void)
{
	usual = sqlite3_vfs_find("unix");
	assert_non_null(usual);
	assert_int_equal((size_t)usual->szOsFile % _Alignof(struct recorded), 0);
	usual_open_directory = (int (*)(const char *, int *))usual->xGetSystemCall(
		usual, "openDirectory");
	usual->xSetSystemCall(
		usual, "openDirectory", (sqlite3_syscall_ptr)on_open_directory);
	recording = *usual;
	recording.zName = "recording";
	recording.szOsFile += (int)sizeof(struct recorded);
	recording.xOpen = on_open;
	recording.xDelete = on_delete;
	assert_int_equal(sqlite3_vfs_register(&recording, 1), SQLITE_OK);
}
