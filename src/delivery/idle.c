#include "delivery/idle.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/loop.h"

#include <stdlib.h>
#include <utlist.h>

enum { IDLE_MS = 2000 };

struct idle_session {
	struct idle_pool *pool;
	struct hop *hop;
	struct session *session;
	int64_t since_ms;
	struct idle_session *prev, *next;   /* of the pool */
	struct idle_session *above, *below; /* of the hop: kept after, before it */
};

/* Takes it out; its session is the caller's. */
static struct session *detach(struct idle_session *i)
{
	struct session *session = i->session;
	struct hop *h = i->hop;
	DL_DELETE(i->pool->first, i);
	if (i->above)
		i->above->below = i->below;
	else
		h->idle = i->below;
	if (i->below)
		i->below->above = i->above;
	h->idle_count--;
	i->pool->count--;
	free(i);
	return session;
}

static void quit(struct idle_session *i)
{
	struct idle_pool *pool = i->pool;
	struct hop *h = i->hop;
	struct session *session = detach(i);
	session_quit(&session);
	pool->on_gone(h);
}

static void on_failed(void *arg, const struct session_failure *failure)
{
	struct idle_session *i = arg;
	struct idle_pool *pool = i->pool;
	struct hop *h = i->hop;
	struct session *session = detach(i);
	(void)failure;
	session_close(&session);
	pool->on_gone(h);
}

static void on_event(void *arg)
{
	(void)arg; /* READY again: still idle */
}

static void on_timer(void *arg)
{
	struct idle_pool *pool = arg;
	int64_t now_ms = loop_now_ms(pool->loop);
	while (pool->first && now_ms - pool->first->since_ms >= IDLE_MS)
		quit(pool->first);
	if (pool->first)
		timer_start(pool->timer, IDLE_MS - (now_ms - pool->first->since_ms));
}

void idle_init(
	struct idle_pool *pool, struct uv_loop_s *loop, void (*on_gone)(struct hop *h))
{
	*pool = (struct idle_pool){ .loop = loop, .on_gone = on_gone };
	pool->timer = timer_new(loop, on_timer, pool);
}

void idle_clear(struct idle_pool *pool)
{
	ASSERT(!pool->first);
	timer_close(&pool->timer);
}

void idle_keep(struct idle_pool *pool, struct hop *h, struct session *session)
{
	struct idle_session *i = xcalloc(1, sizeof(*i));
	i->pool = pool;
	i->hop = h;
	i->session = session;
	i->since_ms = loop_now_ms(pool->loop);
	i->below = h->idle;
	if (h->idle)
		h->idle->above = i;
	h->idle = i;
	h->idle_count++;
	DL_APPEND(pool->first, i);
	pool->count++;
	session_set_events(session,
		&(struct session_events){
			.on_ready = on_event, .on_failed = on_failed, .arg = i });
	if (!timer_is_active(pool->timer))
		timer_start(pool->timer, IDLE_MS);
}

struct session *idle_take(struct hop *h)
{
	return h->idle ? detach(h->idle) : NULL;
}

bool idle_quit_oldest(struct idle_pool *pool, bool also_hungry)
{
	for (struct idle_session *i = pool->first; i; i = i->next) {
		const struct hop *h = i->hop;
		if (h->asked || ((h->due || h->left_out) && !also_hungry))
			continue;
		quit(i);
		return true;
	}
	return false;
}

void idle_quit_hop(struct hop *h)
{
	/* With the last one the hop may be gone. */
	for (size_t n = h->idle_count; n > 0; n--)
		quit(h->idle);
}

void idle_quit_all(struct idle_pool *pool)
{
	while (pool->first)
		quit(pool->first);
}
