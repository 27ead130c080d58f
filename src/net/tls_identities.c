#include "net/tls_identity_impl.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/tls_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

enum { LOOK_INTERVAL_S = 60 };

/* What a file looks like; one that is not there looks like all zeroes. */
struct print {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
};

struct entry {
	TAILQ_ENTRY(entry) by_use;     /* most recently used first */
	struct tls_key key;            /* of the spec */
	struct tls_identity *identity; /* NULL: there was never one, failure tells why */
	struct err failure;
	bool is_pin_refused; /* no other PIN can come, so it is not tried again */
	struct print certificate, key_file;
	int64_t looked_at_s;
};
TAILQ_HEAD(entry_list, entry);

struct tls_identities {
	struct entry_list by_use;
	size_t count;
};

struct tls_identities *tls_identities_new(void)
{
	struct tls_identities *c = xcalloc(1, sizeof(*c));
	TAILQ_INIT(&c->by_use);
	return c;
}

static void drop(struct tls_identities *c, struct entry *entry)
{
	TAILQ_REMOVE(&c->by_use, entry, by_use);
	c->count--;
	tls_identity_free(&entry->identity);
	free(entry);
}

void tls_identities_free(struct tls_identities **cp)
{
	struct tls_identities *c = MOVE(*cp);
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->by_use))
		drop(c, TAILQ_FIRST(&c->by_use));
	free(c);
}

static struct print take_print(const char *path)
{
	struct print p = { 0 };
	struct stat st;
	if (!path || identity_is_url(path) || lstat(path, &st) != 0)
		return p;
	p.dev = st.st_dev;
	p.ino = st.st_ino;
	p.size = st.st_size;
	p.modified = st.st_mtim;
	p.changed = st.st_ctim;
	return p;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct print *a, const struct print *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       is_same_time(&a->modified, &b->modified) &&
	       is_same_time(&a->changed, &b->changed);
}

/* The prints are taken before the files are read: a change in between is seen next
 * time. */
static bool has_changed(struct entry *entry, const struct tls_identity_spec *spec)
{
	struct print certificate = take_print(spec->certificate);
	struct print key_file = take_print(spec->key);
	bool is_as_before = is_same(&entry->certificate, &certificate) &&
			    is_same(&entry->key_file, &key_file);
	entry->certificate = certificate;
	entry->key_file = key_file;
	return !is_as_before;
}

static void load(struct entry *entry, const struct tls_identity_spec *spec)
{
	struct tls_identity *fresh = NULL;
	if (identity_load(spec, &fresh, &entry->is_pin_refused, &entry->failure) != 0)
		return;
	tls_identity_free(&entry->identity);
	entry->identity = fresh;
	entry->failure.code = ERR_OK;
}

/* true: the files have been looked at, and failure is news. */
static bool look(struct entry *entry, const struct tls_identity_spec *spec, int64_t now_s)
{
	bool is_new = !entry->identity && !entry->failure.code;
	int64_t since_s = now_s - entry->looked_at_s;
	if (!is_new && since_s >= 0 && since_s < LOOK_INTERVAL_S)
		return false;
	entry->looked_at_s = now_s;
	bool is_changed = has_changed(entry, spec);
	bool is_due = !entry->identity || is_changed || entry->failure.code ||
		      tls_identity_expired(entry->identity, now_s, NULL);
	if (is_due && !entry->is_pin_refused)
		load(entry, spec);
	return true;
}

static struct entry *find(struct tls_identities *c, const struct tls_key *key)
{
	struct entry *entry;
	TAILQ_FOREACH (entry, &c->by_use, by_use)
		if (memcmp(&entry->key, key, sizeof(*key)) == 0)
			break;
	if (entry) {
		TAILQ_REMOVE(&c->by_use, entry, by_use);
	} else {
		if (c->count == TLS_IDENTITIES_MAX)
			drop(c, TAILQ_LAST(&c->by_use, entry_list));
		entry = xcalloc(1, sizeof(*entry));
		entry->key = *key;
		c->count++;
	}
	TAILQ_INSERT_HEAD(&c->by_use, entry, by_use);
	return entry;
}

static bool make_key(const struct tls_identity_spec *spec, struct tls_key *out)
{
	struct buf parts = BUF_INIT;
	/* Enough at once: what is moved when it grows would not be wiped. */
	size_t room = strlen(spec->certificate) + (spec->key ? strlen(spec->key) : 0) +
		      (spec->password ? strlen(spec->password) : 0);
	buf_reserve(&parts, room + 64);
	tls_key_add_text(&parts, spec->certificate);
	tls_key_add_text(&parts, spec->key);
	tls_key_add_text(&parts, spec->password);
	bool ok = tls_key_make(&parts, out);
	buf_clear_secret(&parts);
	return ok;
}

int tls_identities_get(struct tls_identities *c, const struct tls_identity_spec *spec,
	int64_t now_s, struct tls_identity **out, struct err *e)
{
	struct tls_key key;
	e->code = ERR_OK;
	if (!make_key(spec, &key))
		return tls_identity_load(spec, out, e);
	struct entry *entry = find(c, &key);
	bool is_news = look(entry, spec, now_s);
	if (!entry->identity) {
		*e = entry->failure;
		return e->code;
	}
	if (is_news && entry->failure.code)
		*e = entry->failure;
	*out = tls_identity_hold(entry->identity);
	return 0;
}
