#include "world.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/certificates.h"
#include "delivery/chunking_memory.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { FAILURE_DEADLINE_MS = 20000, GLANCE_MS = 5 };

static const int64_t day_ms = 24 * 3600 * 1000;

static void on_record(void *arg, const struct event_attempt *e)
{
	struct world *w = arg;
	w->records++;
	buf_addf(&w->domains, "%s ", e->domain);
	free(w->last_record);
	w->last_record = event_attempt_to_json(e);
	buf_addf(&w->log, "%s%s %s %s %s", buf_len(&w->log) ? "; " : "",
		e->channel ? e->channel : "-", e->outcome, e->failure ? e->failure : "-",
		e->stage);
	if (e->then)
		buf_addf(&w->thens, "%s%s", buf_len(&w->thens) ? "; " : "", e->then);
	if (e->next_channel)
		buf_addf(&w->log, " -> %s", e->next_channel);
}

static void on_handshake(void *arg, const struct event_tls_handshake *h)
{
	struct world *w = arg;
	buf_addf(&w->handshakes, "%s%s", buf_len(&w->handshakes) ? "; " : "",
		h->ok ? "ok" : h->stage);
	if (!h->ok)
		buf_addstr(&w->handshakes, " failed");
}

static bool make_notice(void *arg, const struct notice *notice,
	struct queue_new_message *out, void **owner_out)
{
	static const char *const kinds[NOTICE_KIND_COUNT] = {
		[NOTICE_FAILURE] = "failure",
		[NOTICE_DELAY] = "delay",
		[NOTICE_SUCCESS] = "success",
	};
	struct world *w = arg;
	(void)out;
	(void)owner_out;
	buf_addf(&w->told, "%s%s", w->notice_count++ ? "; " : "", kinds[notice->kind]);
	for (size_t i = 0; i < notice->recipient_count; i++) {
		const struct notice_recipient *r = &notice->recipients[i];
		if (notice->kind == NOTICE_SUCCESS)
			buf_addstr(&w->told, r->handover == NOTICE_DELIVERED
						     ? " delivered"
						     : " relayed");
		buf_addf(&w->told, " %s %s", r->status, r->recipient->address);
	}
	return false;
}

static void on_store(void *arg)
{
	struct world *w = arg;
	queue_dispatch(w->env.queue);
}

static void wake_from_store(void *arg)
{
	wake_send(arg);
}

static void open_queue(struct world *w)
{
	struct queue_options options;
	struct err e = { 0 };
	queue_options_default(&options, w->queue_path);
	options.inline_body_max = 1024;
	options.busy_timeout_ms = 50;
	if (queue_open(&options, &w->queue, &e) != 0)
		fail_msg("%s", e.text);
	w->wake = wake_new(w->loop, on_store, w);
	w->env.queue = queue_port_new(w->queue, wake_from_store, w->wake);
	assert_int_equal(queue_worker_register(w->env.queue, 60, &e), 0);
}

void world_configure(struct world *w, const char *options)
{
	struct buf errors = BUF_INIT;
	struct config *config = NULL;
	OWN(mem_free) char *path = xasprintf("%s/hikyaku.conf", w->dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "hostname = \"client.test\"\npolicy_dir = \"%s\"\n", w->policy_dir);
	fprintf(f, "retry_jitter = 0\n");
	if (!options || !strstr(options, "prohibited_addresses"))
		fprintf(f, "prohibited_addresses = {}\n");
	if (w->has_server)
		fprintf(f, "port = %u\n", addr_port(&w->server.addr));
	fprintf(f, "%s\n", options ? options : "");
	assert_int_equal(fclose(f), 0);
	if (config_load_report(path, tls_versions_available(), &config, &errors) != 0)
		fail_msg("%s", buf_text(&errors));
	buf_clear(&errors);
	config_ref_drop(&w->env.config);
	w->env.config = config_ref_new(config);
}

static void set_policy(struct world *w, const char *allow, const char *exclude,
	const char *pins, const char *routes)
{
	struct policy_source sources[POLICY_FILE_COUNT] = {
		{ "mtatsl.txt", allow, allow ? strlen(allow) : 0 },
		{ "nomtatsl.txt", exclude, exclude ? strlen(exclude) : 0 },
		{ "mtaproto.txt", pins, pins ? strlen(pins) : 0 },
		{ "routes.txt", routes, routes ? strlen(routes) : 0 },
	};
	struct policy_options options = { POLICY_MATCH_LABEL, tls_versions_available() };
	struct policy_errors errors = { 0 };
	uint64_t generation = w->env.policy ? policy_set_generation(w->env.policy) : 0;
	policy_set_unref(&w->env.policy);
	w->env.policy = policy_set_parse(sources, &options, generation + 1, &errors);
	if (!w->env.policy)
		fail_msg("%s", errors.list[0].text);
}

void world_policy(
	struct world *w, const char *allow, const char *exclude, const char *pins)
{
	set_policy(w, allow, exclude, pins, NULL);
}

void world_fill_in(struct world *w, const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '@')
			buf_addu(out, addr_port(&w->server.addr));
		else
			buf_addc(out, *text);
	}
}

void world_routes(struct world *w, const char *routes)
{
	struct buf text = BUF_INIT;
	world_fill_in(w, routes, &text);
	set_policy(w, NULL, NULL, NULL, buf_text(&text));
	buf_clear(&text);
}

void world_answer(struct world *w, const struct fake_step *steps, size_t count)
{
	struct err e;
	fake_dns_start(&w->dns, w->loop, "127.0.0.1", steps, count);
	w->has_dns = true;
	struct dns_options options = { .servers = &w->dns.addr,
		.server_count = 1,
		.timeout_ms = FAILURE_DEADLINE_MS,
		.tries = 1 };
	assert_int_equal(dns_resolver_new(w->loop, &options, &w->env.resolver, &e), 0);
}

void world_serve(struct world *w, const struct server_plan *plans, size_t count)
{
	smtp_server_start(&w->server, plans, count, 0);
	w->has_server = true;
}

void world_serve_once(struct world *w, const struct server_plan *plan)
{
	smtp_server_start(&w->server, plan, 1, 1);
	w->has_server = true;
}

void world_init(struct world *w, const char *options)
{
	struct err e = { 0 };
	const char *base = getenv("TMPDIR");
	memset(w, 0, sizeof(*w));
	w->dir = xasprintf("%s/hikyaku-delivery-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	w->queue_path = xasprintf("%s/queue.db", w->dir);
	w->policy_dir = xasprintf("%s/policy", w->dir);
	assert_int_equal(mkdir(w->policy_dir, 0700), 0);
	w->loop = w->env.loop = loop_new();
	open_queue(w);
	assert_int_equal(tls_credentials_new(NULL, &w->env.credentials, &e), 0);
	w->sink = (struct event_sink){ on_record, on_handshake, w };
	event_hub_add(&w->hub, &w->sink);
	w->env.hub = &w->hub;
	w->notices = (struct notice_maker){ .make = make_notice, .arg = w };
	w->env.notices = &w->notices;
	w->env.chunking = chunking_memory_new();
	w->env.certificates = certificates_new();
	world_configure(w, options);
	world_policy(w, NULL, NULL, NULL);
}

void world_clear(struct world *w)
{
	session_close(&w->kept);
	assert_int_equal(w->env.sessions, 0);
	queue_port_close(&w->env.queue);
	queue_close(&w->queue);
	wake_close(&w->wake);
	dns_resolver_close(&w->env.resolver);
	if (w->has_dns)
		fake_dns_stop(&w->dns);
	loop_free(&w->loop);
	if (w->has_server)
		smtp_server_stop(&w->server);
	tls_credentials_free(&w->env.credentials);
	policy_set_unref(&w->env.policy);
	config_ref_drop(&w->env.config);
	chunking_memory_free(&w->env.chunking);
	certificates_free(&w->env.certificates);
	buf_clear(&w->log);
	buf_clear(&w->told);
	buf_clear(&w->handshakes);
	buf_clear(&w->thens);
	buf_clear(&w->domains);
	OWN(mem_free) char *command = xasprintf("rm -rf '%s'", w->dir);
	assert_int_equal(system(command), 0);
	free(w->last_record);
	free(w->dir);
	free(w->queue_path);
	free(w->policy_dir);
}

/* ---- waiting for a condition ---- */

static void on_glance(uv_timer_t *timer)
{
	(void)timer; /* the loop comes around, the condition is looked at */
}

void world_run(struct world *w, world_condition *until, void *arg)
{
	uv_timer_t *glance = xcalloc(1, sizeof(*glance));
	int64_t deadline_ms = clock_monotonic_ms() + FAILURE_DEADLINE_MS;
	uv_timer_init(w->loop, glance);
	uv_timer_start(glance, on_glance, GLANCE_MS, GLANCE_MS);
	while (!until(w, arg) && clock_monotonic_ms() < deadline_ms)
		uv_run(w->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)glance, (uv_close_cb)free);
	uv_run(w->loop, UV_RUN_NOWAIT);
	if (!until(w, arg)) {
		OWN(mem_free)
		char *seen = w->has_server ? smtp_server_seen(&w->server) : NULL;
		fail_msg("waited in vain; the server saw \"%s\", the log has \"%s\"",
			seen ? seen : "", buf_text(&w->log));
	}
}

static bool has_finished(struct world *w, void *arg)
{
	return w->finished >= *(size_t *)arg;
}

void world_wait_finished(struct world *w, size_t attempts)
{
	world_run(w, has_finished, &attempts);
}

static bool is_held(struct world *w, void *arg)
{
	return smtp_server_held(&w->server) >= *(size_t *)arg;
}

void world_wait_held(struct world *w, size_t connections)
{
	world_run(w, is_held, &connections);
}

bool world_has_connections(struct world *w, void *arg)
{
	return smtp_server_connections(&w->server) >= *(size_t *)arg;
}

bool world_is_asked(struct world *w, void *arg)
{
	return w->dns.query_count >= *(size_t *)arg;
}

bool world_is_stored(struct world *w, void *arg)
{
	(void)arg;
	return queue_port_pending(w->env.queue) == 0;
}

bool world_let_go(struct world *w, void *arg)
{
	(void)arg;
	return w->let_go > 0;
}

bool world_all_ended(struct world *w, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&w->server.mutex);
	bool all = w->server.ended == w->server.count;
	pthread_mutex_unlock(&w->server.mutex);
	return all && !w->env.sessions;
}

/* ---- messages and attempts ---- */

struct answer {
	bool is_there;
	int64_t id;
	struct queue_item *item;
};

static bool is_there(struct world *w, void *arg)
{
	(void)w;
	return ((struct answer *)arg)->is_there;
}

static void on_put(void *arg, int64_t id, const struct err *e)
{
	struct answer *a = arg;
	a->is_there = true;
	a->id = e ? 0 : id;
}

enum { RECIPIENTS_MAX = 128 };

int64_t world_put(struct world *w, const char *recipients, size_t content_len)
{
	struct queue_new_recipient list[RECIPIENTS_MAX] = { 0 };
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "from@sender.test",
		.is_notice = w->puts_notices };
	struct answer a = { 0 };
	size_t n = 0;
	OWN(mem_free) char *copy = xstrdup(recipients);
	char *rest;
	for (char *r = strtok_r(copy, " ", &rest); r; r = strtok_r(NULL, " ", &rest))
		list[n++] = (struct queue_new_recipient){
			.address = r, .domain = strchr(r, '@') + 1, .notify = w->notify
		};
	struct queue_put *put = queue_put_begin(w->env.queue);
	for (size_t i = 0; i < content_len; i += 64)
		queue_put_write(put,
			"a line of sixty-two octets, and the end of it makes two more "
			"..\r\n" +
				1,
			64);
	queue_put_commit(&put, &m, list, n, on_put, &a);
	world_run(w, is_there, &a);
	assert_true(a.id != 0);
	return a.id;
}

static void on_claimed(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct answer *a = arg;
	(void)next_due_ms;
	a->is_there = true;
	assert_null(e);
	a->item = count ? items[0] : NULL;
}

struct queue_item *world_claim(struct world *w)
{
	struct answer a = { 0 };
	struct queue_claim claim = { .now_ms = clock_wall_ms() + day_ms, .max_items = 1 };
	queue_claim_due(w->env.queue, &claim, on_claimed, &a);
	world_run(w, is_there, &a);
	assert_non_null(a.item);
	w->item_id = a.item->id;
	return a.item;
}

static void on_counted(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct answer *a = arg;
	(void)items;
	(void)count;
	a->is_there = true;
	assert_null(e);
	a->id = next_due_ms < INT64_MAX;
}

size_t world_due(struct world *w)
{
	struct answer a = { 0 };
	struct queue_claim claim = { .now_ms = 1, .max_items = 1 };
	queue_claim_due(w->env.queue, &claim, on_counted, &a);
	world_run(w, is_there, &a);
	return (size_t)a.id;
}

static void on_kept_failed(void *arg, const struct session_failure *f)
{
	struct world *w = arg;
	(void)f;
	session_close(&w->kept);
}

static void on_session(void *arg, struct session *kept, enum attempt_contact contact)
{
	struct world *w = arg;
	session_close(&w->kept);
	w->kept = kept;
	if (kept)
		session_set_events(kept, &(struct session_events){
						 .on_failed = on_kept_failed, .arg = w });
	w->contact = contact;
	w->let_go++;
}

static void on_done(void *arg, struct attempt *a, const struct err *e)
{
	struct world *w = arg;
	(void)a;
	w->finished++;
	w->store_error = e ? e->code : 0;
}

struct attempt *world_attempt(struct world *w, struct session *kept)
{
	struct attempt_events events = {
		.on_session = on_session, .on_done = on_done, .arg = w
	};
	return attempt_start(&w->env, world_claim(w), kept, &events);
}

struct attempt *world_attempt_held(struct world *w, const struct server_plan *plan)
{
	world_init(w, NULL);
	world_serve(w, plan, 1);
	world_configure(w, "starttls = false");
	world_put(w, "a@" LITERAL, 200);
	struct attempt *a = world_attempt(w, NULL);
	world_wait_held(w, 1);
	return a;
}

void world_deliver(struct world *w)
{
	size_t finished = w->finished;
	world_attempt(w, MOVE(w->kept));
	world_wait_finished(w, finished + 1);
}

void assert_seen(struct world *w, const char *expected)
{
	session_quit(&w->kept);
	world_run(w, world_all_ended, NULL);
	OWN(mem_free) char *seen = smtp_server_seen(&w->server);
	assert_string_equal(seen, expected);
}

void assert_log(struct world *w, const char *expected)
{
	assert_string_equal(buf_text(&w->log), expected);
}

sqlite3 *world_lock_queue(struct world *w)
{
	sqlite3 *other;
	assert_int_equal(sqlite3_open(w->queue_path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0), SQLITE_OK);
	return other;
}

sqlite3 *world_release_locked(struct world *w)
{
	world_run(w, world_is_stored, NULL);
	sqlite3 *other = world_lock_queue(w);
	smtp_server_release(&w->server);
	world_run(w, world_let_go, NULL);
	return other;
}
