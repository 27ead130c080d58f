/*
 * Two ways to see a change, because neither is enough: the kernel's events
 * (inotify through libuv) see an edit in place at once, and a look at the
 * entries twice a second sees what has no events: a directory that appears or
 * is replaced, network file systems, an exhausted watch limit.
 *
 *   quiet --change--> settling --change--> settling (timer moved, up to max)
 *                     settling --timer---> quiet, cb
 */
#include "net/loop.h"

#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

enum {
	LOOK_INTERVAL_MS = 500,
	ENTRIES_MAX = 1024 /* of a larger directory the rest is left to the events */
};

/* What a directory looks like; equal prints mean that nothing has changed. */
struct print {
	bool exists;
	dev_t dev;
	ino_t ino;
	uint64_t entries;
};

struct dir_watch {
	uv_fs_event_t events;
	uv_timer_t look;
	uv_timer_t settle;
	unsigned open_handles;
	bool is_watching; /* the kernel's events are on for print's directory */
	struct print print;
	int64_t settle_ms;
	int64_t max_delay_ms;
	int64_t first_change; /* loop time; only while settling */
	timer_callback *cb;   /* NULL once closed */
	void *arg;
	char path[];
};

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u; /* FNV-1a */
	return hash;
}

static uint64_t hash_stat(uint64_t hash, const struct stat *st)
{
	hash = hash_bytes(hash, &st->st_ino, sizeof(st->st_ino));
	hash = hash_bytes(hash, &st->st_mode, sizeof(st->st_mode));
	hash = hash_bytes(hash, &st->st_size, sizeof(st->st_size));
	hash = hash_bytes(hash, &st->st_mtim, sizeof(st->st_mtim));
	return hash_bytes(hash, &st->st_ctim, sizeof(st->st_ctim));
}

/* The sum does not depend on the order that readdir happens to give. */
static uint64_t hash_entries(DIR *dir)
{
	uint64_t sum = 0;
	const struct dirent *entry;
	for (int n = 0; n < ENTRIES_MAX && (entry = readdir(dir)); n++) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		uint64_t hash = hash_bytes(
			0xcbf29ce484222325u, entry->d_name, strlen(entry->d_name));
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
			hash = hash_stat(hash, &st);
		sum += hash;
	}
	return sum;
}

static void print_take(const char *path, struct print *out)
{
	memset(out, 0, sizeof(*out));
	DIR *dir = opendir(path);
	if (!dir)
		return;
	struct stat st;
	if (fstat(dirfd(dir), &st) == 0) {
		out->exists = true;
		out->dev = st.st_dev;
		out->ino = st.st_ino;
		out->entries = hash_stat(hash_entries(dir), &st);
	}
	closedir(dir);
}

static bool print_is_same_directory(const struct print *a, const struct print *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino;
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status);

static void watch_again(struct dir_watch *w)
{
	uv_fs_event_stop(&w->events);
	/* Without events (no such directory, no watches left) the looks remain. */
	w->is_watching = uv_fs_event_start(&w->events, on_event, w->path, 0) == 0;
}

/* Compares the directory with what it was, and follows it when it is another. */
static bool look(struct dir_watch *w)
{
	struct print now;
	print_take(w->path, &now);
	bool is_same = print_is_same_directory(&w->print, &now);
	bool has_changed = !is_same || now.entries != w->print.entries;
	if (now.exists && !(is_same && w->is_watching))
		watch_again(w);
	w->print = now;
	return has_changed;
}

static void on_settled(uv_timer_t *timer)
{
	struct dir_watch *w = timer->data;
	/* What the next look finds is compared with what cb is about to read. */
	(void)look(w);
	w->cb(w->arg);
}

static void note_change(struct dir_watch *w)
{
	int64_t now = (int64_t)uv_now(w->settle.loop);
	if (!uv_is_active((uv_handle_t *)&w->settle))
		w->first_change = now;
	int64_t left = w->first_change + w->max_delay_ms - now;
	int64_t delay = w->settle_ms < left ? w->settle_ms : left;
	uv_timer_start(&w->settle, on_settled, delay > 0 ? (uint64_t)delay : 0, 0);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	(void)name;
	(void)events;
	struct dir_watch *w = handle->data;
	if (!w->cb)
		return;
	if (status < 0)
		w->is_watching = false; /* the next look begins anew */
	note_change(w);
}

static void on_look(uv_timer_t *timer)
{
	struct dir_watch *w = timer->data;
	if (look(w))
		note_change(w);
}

struct dir_watch *dir_watch_new(struct uv_loop_s *loop, const char *path,
	int64_t settle_ms, int64_t max_delay_ms, timer_callback *cb, void *arg)
{
	size_t size = strlen(path) + 1;
	struct dir_watch *w = xcalloc(1, sizeof(*w) + size);
	memcpy(w->path, path, size);
	w->settle_ms = settle_ms;
	w->max_delay_ms = max_delay_ms;
	w->cb = cb;
	w->arg = arg;
	/* Initialising these cannot fail. */
	uv_fs_event_init(loop, &w->events);
	uv_timer_init(loop, &w->look);
	uv_timer_init(loop, &w->settle);
	w->events.data = w->look.data = w->settle.data = w;
	w->open_handles = 3;

	/* Events first: a change in between is then seen twice rather than never. */
	watch_again(w);
	print_take(w->path, &w->print);
	uv_timer_start(&w->look, on_look, LOOK_INTERVAL_MS, LOOK_INTERVAL_MS);
	return w;
}

static void on_closed(uv_handle_t *handle)
{
	struct dir_watch *w = handle->data;
	if (--w->open_handles == 0)
		free(w);
}

void dir_watch_close(struct dir_watch **w)
{
	struct dir_watch *closing = MOVE(*w);
	if (!closing)
		return;
	closing->cb = NULL;
	uv_close((uv_handle_t *)&closing->events, on_closed);
	uv_close((uv_handle_t *)&closing->look, on_closed);
	uv_close((uv_handle_t *)&closing->settle, on_closed);
}
