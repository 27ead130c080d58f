/* What may wait, and is done bit by bit between the groups of requests. */
#include "queue/sqlite_store.h"

enum {
	UNUSED_PAGES = 4096,    /* 16 MiB: so much is kept for the next messages */
	CHORES_AT_THE_END = 150 /* 600 MiB of the file, in a second or two */
};

bool store_has_chores(const struct store *s)
{
	return (s->has_trash || s->may_shrink) && !s->suspect;
}

/* Free pages are used again; those of a burst are given back, bit by bit. */
static int shrink(struct store *s, struct err *e)
{
	int64_t unused = 0, all = 0;
	int rc = db_value(&s->db, e, &unused, "PRAGMA freelist_count", "");
	if (rc == 0)
		rc = db_value(&s->db, e, &all, "PRAGMA page_count", "");
	s->may_shrink = rc == 0 && unused > UNUSED_PAGES && unused > all / 4 &&
			unused != s->unused_before;
	s->unused_before = unused; /* a file that cannot shrink is left alone */
	if (!s->may_shrink)
		return rc;
	return db_exec(&s->db, "PRAGMA incremental_vacuum(1024)", e);
}

void store_do_chore(struct store *s)
{
	int rc = store_begin(s, NULL);
	if (rc == 0)
		rc = s->has_trash ? body_remove_trash(s, NULL) : shrink(s, NULL);
	if (rc == 0)
		rc = store_commit(s, NULL);
	store_rollback(s);
	if (rc != 0)
		s->has_trash = s->may_shrink = false; /* with the next pruning */
}

void store_end_chores(struct store *s)
{
	for (int i = 0; i < CHORES_AT_THE_END && store_has_chores(s); i++)
		store_do_chore(s);
}
