#include "net_fixture.h"

#include "base/mem.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an address of a case leads to. */
enum target { LIVE, LIVE_V6, REFUSED, REFUSED_V6, HOLE, TARGET_COUNT };

/* A listener whose queue is full: further SYNs get no answer at all. */
enum { FILLERS = 4 };
struct hole {
	int listener;
	int fillers[FILLERS];
	struct addr addr;
};

static void hole_open(struct hole *h)
{
	h->listener = listen_on("127.0.0.1", 0, &h->addr);
	for (int i = 0; i < FILLERS; i++) {
		h->fillers[i] =
			socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(h->fillers[i], &h->addr.sa, addr_len(&h->addr));
	}
}

static void hole_close(struct hole *h)
{
	for (int i = 0; i < FILLERS; i++)
		close(h->fillers[i]);
	close(h->listener);
}

/* A port that nobody listens on, and nobody else gets while the socket is open. */
static int refused_open(const char *ip, struct addr *out)
{
	assert_true(addr_parse(ip, 0, out));
	int fd = socket(addr_family(out), SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &out->sa, addr_len(out)), 0);
	socklen_t len = sizeof(*out);
	assert_int_equal(getsockname(fd, &out->sa, &len), 0);
	return fd;
}

struct world {
	int fds[TARGET_COUNT];
	struct hole hole;
	struct addr addrs[TARGET_COUNT];
};

static void world_open(struct world *w)
{
	w->fds[LIVE] = listen_on("127.0.0.1", 8, &w->addrs[LIVE]);
	w->fds[LIVE_V6] = listen_on("::1", 8, &w->addrs[LIVE_V6]);
	w->fds[REFUSED] = refused_open("127.0.0.1", &w->addrs[REFUSED]);
	w->fds[REFUSED_V6] = refused_open("::1", &w->addrs[REFUSED_V6]);
	hole_open(&w->hole);
	w->fds[HOLE] = -1;
	w->addrs[HOLE] = w->hole.addr;
}

static void world_close(struct world *w)
{
	for (int i = 0; i < HOLE; i++)
		close(w->fds[i]);
	hole_close(&w->hole);
}

enum { LONG = 15000, LOST = -1 };

static const struct dial_case {
	const char *name;
	enum target targets[4];
	size_t count;
	int64_t stagger_ms, timeout_ms;
	int winner; /* index, or LOST */
	const char *text;
} cases[] = {
	{ "the first answers", { LIVE, LIVE_V6 }, 2, LONG, LONG, 0, NULL },
	{ "IPv6 alone", { LIVE_V6 }, 1, LONG, LONG, 0, NULL },
	{ "refused: the next at once", { REFUSED, LIVE }, 2, LONG, LONG, 1, NULL },
	{ "IPv6 dead, IPv4 alive", { REFUSED_V6, LIVE }, 2, LONG, LONG, 1, NULL },
	{ "silent: the next after a while", { HOLE, LIVE }, 2, 20, LONG, 1, NULL },
	{ "silent, refused, silent, alive", { HOLE, REFUSED, HOLE, LIVE }, 4, 20, LONG, 3,
		NULL },
	{ "all refuse", { REFUSED_V6, REFUSED }, 2, LONG, LONG, LOST,
		"onnection refused" },
	{ "silence", { HOLE }, 1, LONG, 50, LOST, "no answer within 50ms" },
	{ "silence after a refusal", { REFUSED, HOLE }, 2, LONG, 50, LOST,
		"no answer within 50ms" },
	{ "no address", { LIVE }, 0, LONG, LONG, LOST, "no address" },
};

static void run_case(const struct dial_case *k, struct world *w)
{
	struct addr addrs[4];
	for (size_t i = 0; i < k->count; i++)
		addrs[i] = w->addrs[k->targets[i]];
	struct dial_options options = { .addrs = addrs,
		.addr_count = k->count,
		.timeout_ms = k->timeout_ms,
		.stagger_ms = k->stagger_ms };
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	dial_start(loop, &options, client_on_dial, &c);
	assert_false(c.is_connected); /* never from inside the call */
	run_until(loop, &c.is_connected);
	if (!c.s != (k->winner == LOST) || (c.s && c.index != (size_t)k->winner))
		fail_msg("%s: index %zu, %s", k->name, c.index, c.err.text);
	struct addr peer;
	if (c.s) {
		assert_true(stream_peer(c.s, &peer));
		assert_true(addr_equal(&peer, &addrs[k->winner]));
	} else if (!strstr(c.err.text, k->text)) {
		fail_msg("%s: %s", k->name, c.err.text);
	}
	client_clear(&c);
	loop_free(&loop);
}

static void each_list_has_its_winner(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], &w);
	world_close(&w);
}

static void must_not_run(void *arg, struct stream *s, size_t index, const struct err *e)
{
	(void)arg;
	(void)s;
	(void)index;
	(void)e;
	fail_msg("called after it was cancelled");
}

/* Before the first try, after it, after all of them have begun, and so on. */
static void cancelling_is_silent_in_every_phase(void **state)
{
	(void)state;
	static const struct {
		int turns;
		int64_t stagger_ms;
	} phases[] = { { 0, LONG }, { 1, LONG }, { 1, 0 }, { 2, 0 }, { 3, 0 } };
	struct world w;
	world_open(&w);
	const struct addr addrs[] = { w.addrs[HOLE], w.addrs[REFUSED], w.addrs[HOLE] };
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		struct uv_loop_s *loop = loop_new();
		struct dial_options options = { .addrs = addrs,
			.addr_count = ARRAY_SIZE(addrs),
			.timeout_ms = LONG,
			.stagger_ms = phases[i].stagger_ms };
		struct dial *d = dial_start(loop, &options, must_not_run, NULL);
		run_turns(loop, phases[i].turns);
		dial_cancel(&d);
		assert_null(d);
		dial_cancel(&d); /* nothing to cancel is no error */
		loop_free(&loop);
	}
	world_close(&w);
}

/* ---- source addresses ---- */

static bool looks_at_bind;
static unsigned binds;

int __real_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	int on = 0;
	socklen_t size = sizeof(on);
	if (looks_at_bind) {
		getsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, &size);
		assert_int_equal(on, 1);
		binds++;
	}
	return __real_bind(fd, sa, len);
}

static const struct source_case {
	const char *name;
	enum target targets[3];
	size_t count;
	const char *v4, *v6;
	int winner; /* index, or LOST */
	unsigned binds;
	const char *text; /* of the source address, or of the error */
	size_t last;      /* the index that the error is about */
} source_cases[] = {
	{ "IPv4", { LIVE }, 1, "127.0.0.9", NULL, 0, 1, "127.0.0.9", 0 },
	{ "IPv6", { LIVE_V6 }, 1, NULL, "::1", 0, 1, "::1", 0 },
	{ "each its own", { REFUSED_V6, LIVE }, 2, "127.0.0.9", "::1", 1, 2, "127.0.0.9",
		0 },
	{ "only IPv4 has one", { LIVE_V6, LIVE }, 2, "127.0.0.9", NULL, 1, 1, "127.0.0.9",
		0 },
	{ "only IPv6 has one", { LIVE, LIVE_V6 }, 2, NULL, "::1", 1, 1, "::1", 0 },
	{ "the family has none", { LIVE_V6 }, 1, "127.0.0.9", NULL, LOST, 0,
		"::1 is not tried: there is no source address for IPv6", 0 },
	{ "a failure is told, not what was passed over", { LIVE_V6, REFUSED, LIVE_V6 }, 3,
		"127.0.0.9", NULL, LOST, 1, "onnection refused", 1 },
	{ "not ours", { LIVE }, 1, "192.0.2.1", NULL, LOST, 1,
		"the source address 192.0.2.1 is not an address of this machine", 0 },
	{ "one of them not ours", { LIVE, LIVE_V6 }, 2, "192.0.2.1", "::1", 1, 2, "::1",
		0 },
};

static void check_source(const struct source_case *k, struct client *c)
{
	struct addr local;
	char text[ADDR_TEXT_MAX];
	if (!c->s != (k->winner == LOST) || (c->s && c->index != (size_t)k->winner))
		fail_msg("%s: index %zu, %s", k->name, c->index, c->err.text);
	if (!c->s) {
		if (!strstr(c->err.text, k->text) || c->index != k->last)
			fail_msg("%s: index %zu, %s", k->name, c->index, c->err.text);
		return;
	}
	assert_true(stream_local(c->s, &local));
	assert_int_not_equal(addr_port(&local), 0);
	addr_format(&local, text);
	assert_string_equal(text, k->text);
}

static void run_source_case(const struct source_case *k, struct world *w)
{
	struct addr addrs[3], v4, v6;
	for (size_t i = 0; i < k->count; i++)
		addrs[i] = w->addrs[k->targets[i]];
	assert_true(!k->v4 || addr_parse(k->v4, 0, &v4));
	assert_true(!k->v6 || addr_parse(k->v6, 0, &v6));
	struct dial_options options = { .addrs = addrs,
		.addr_count = k->count,
		.timeout_ms = LONG,
		.stagger_ms = LONG,
		.bind_v4 = k->v4 ? &v4 : NULL,
		.bind_v6 = k->v6 ? &v6 : NULL };
	struct client c;
	struct uv_loop_s *loop = loop_new();
	client_init(&c, loop);
	binds = 0;
	dial_start(loop, &options, client_on_dial, &c);
	run_until(loop, &c.is_connected);
	check_source(k, &c);
	assert_int_equal(binds, k->binds);
	client_clear(&c);
	loop_free(&loop);
}

static void the_source_address_is_the_one_asked_for(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	looks_at_bind = true;
	for (size_t i = 0; i < ARRAY_SIZE(source_cases); i++)
		run_source_case(&source_cases[i], &w);
	looks_at_bind = false;
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_list_has_its_winner),
		cmocka_unit_test(cancelling_is_silent_in_every_phase),
		cmocka_unit_test(the_source_address_is_the_one_asked_for),
	};
	return cmocka_run_group_tests_name("net/dial", tests, NULL, NULL);
}
