/* What an attempt comes to: results, the next channel and time, notices, all
 * of it in one transaction; then the events. */
#include "delivery/attempt_internal.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/timefmt.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORE_RETRY_MS = 1000 };

#define NO_HOST_STATUS "5.4.4" /* RFC 3463: unable to route */

/* Everything a queue_finish needs, built on the way there. */
struct finishing {
	struct queue_result result;
	struct queue_recipient_result *recipients;
	char **texts; /* last errors, owned; NULL: there is nobody to tell of */
	struct queue_record *records;
	struct buf jsons; /* of the records, each with its NUL */
	struct told {
		struct notice_recipient *recipients;
		size_t count;
	} told[NOTICE_KIND_COUNT]; /* those to be told of, by the kind of notice */
	char (*statuses)[SMTP_ENHANCED_MAX];
	struct queue_new_message messages[NOTICE_KIND_COUNT];
	void *owners[NOTICE_KIND_COUNT];
	const char *next_reason;
	bool has_expired;
	char expiry[96];
};

static bool stays(enum standing s)
{
	return s != STANDING_DELIVERED && s != STANDING_PERMANENT;
}

static bool any_stays(const struct attempt *a)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		if (stays(a->recipients[i].standing))
			return true;
	}
	return false;
}

/* ---- who is out of time ---- */

static void check_expiry(const struct attempt *a, int64_t now_ms, struct finishing *f)
{
	const struct config_destination *s = a->settings;
	unsigned made = a->item->attempts + 1;
	char age[TIMEFMT_MAX];
	if (!a->env->notices)
		return;
	if (s->max_attempts && made >= s->max_attempts) {
		f->has_expired = true;
		snprintf(
			f->expiry, sizeof(f->expiry), "given up after %u attempts", made);
	} else if (now_ms >= queue_item_arrival_ms(a->item) + s->max_age_ms) {
		f->has_expired = true;
		timefmt_duration(s->max_age_ms, age);
		snprintf(f->expiry, sizeof(f->expiry), "given up after %s", age);
	}
}

/* Every host was asked and none of them, nor DNS, held out hope: what is still
 * open is final. */
static void settle_hopeless(struct attempt *a)
{
	if (a->any_temporary || a->was_in_doubt)
		return;
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		struct attempt_recipient *r = &a->recipients[i];
		if (!stays(r->standing))
			continue;
		if (!r->reply.enhanced[0])
			snprintf(r->reply.enhanced, sizeof(r->reply.enhanced),
				NO_HOST_STATUS);
		r->standing = STANDING_PERMANENT;
	}
}

/* ---- the next attempt ---- */

static enum attempt_contact contact_of(const struct attempt *a)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		if (a->recipients[i].standing == STANDING_DELIVERED)
			return ATTEMPT_DELIVERED;
	}
	if (a->was_busy)
		return ATTEMPT_BUSY;
	return a->any_conversed ? ATTEMPT_CONTACT : ATTEMPT_NO_CONTACT;
}

static void plan_next(struct attempt *a, int64_t now_ms, struct finishing *f)
{
	/* A host that took the message for somebody has no trouble with TLS. */
	bool flips = a->any_flip && contact_of(a) != ATTEMPT_DELIVERED;
	struct policy_attempt_summary summary = {
		.mode = a->turn.terms->decision.fallback,
		.channel = a->turn.terms->decision.channel,
		.tls_required = a->turn.terms->decision.tls_required,
		.flips = flips,
		.conversed = a->any_conversed,
		.failure = a->failure,
	};
	/* The last host may have been another relay's, under rules of its own. */
	if (flips) {
		summary.mode = a->flip_mode;
		summary.channel = POLICY_CHANNEL_TLS;
		summary.tls_required = false;
	}
	const char *reason;
	enum policy_channel next = policy_fallback_next_channel(&summary, &reason);
	uint32_t delay_s = policy_retry_delay_s(&a->settings->retry_schedule,
		a->item->attempts + 1, a->settings->retry_jitter, rng_u32());
	int64_t expires_ms = queue_item_arrival_ms(a->item) + a->settings->max_age_ms;
	int64_t at_ms = now_ms + (int64_t)delay_s * 1000;
	/* The last attempt is made when the time is up, not after it. */
	if (at_ms > expires_ms && expires_ms > now_ms)
		at_ms = expires_ms;
	f->result.next_attempt_ms = at_ms;
	f->result.next_channel = policy_channel_name(next);
	f->result.channel_reason = f->next_reason = reason;
	if (a->settings->fallback_memory && flips) {
		f->result.memory_channel = f->result.next_channel;
		f->result.memory_reason = reason;
		f->result.memory_until_ms = now_ms + a->settings->fallback_memory_ttl_ms;
	} else if (a->settings->fallback_memory && next == POLICY_CHANNEL_TLS &&
		   a->any_conversed) {
		f->result.memory_channel = f->result.next_channel; /* forget it */
	}
}

/* ---- recipients ---- */

static char *last_error(const struct attempt *a, const struct attempt_recipient *r)
{
	/* Whose credentials they are the host does not say. */
	bool is_auth = r->turn == a->turns &&
		       strcmp(a->turn.stage, smtp_state_name(SMTP_STATE_AUTH)) == 0;
	if (r->standing == STANDING_IN_DOUBT)
		return xasprintf(
			"in doubt, it may have been delivered: %s: %s", r->mx, r->detail);
	if (r->reply.code)
		return xasprintf("%s said: %d %s%s%s%s%s", r->mx, r->reply.code,
			r->reply.enhanced, r->reply.enhanced[0] ? " " : "", r->reply.text,
			is_auth ? ": " : "", is_auth ? r->detail : "");
	return xasprintf("%s%s%s", r->mx, r->mx[0] ? ": " : "", r->detail);
}

static void fill_status(
	const struct attempt_recipient *r, bool has_expired, char out[SMTP_ENHANCED_MAX])
{
	if (has_expired)
		snprintf(out, SMTP_ENHANCED_MAX, "5.4.7");
	else if (r->reply.code)
		smtp_reply_status(&r->reply, out);
	else
		snprintf(out, SMTP_ENHANCED_MAX, "%s",
			r->reply.enhanced[0] ? r->reply.enhanced : "5.0.0");
}

static void tell(struct attempt *a, size_t i, struct finishing *f, enum notice_kind kind)
{
	struct attempt_recipient *r = &a->recipients[i];
	/* The notice quotes the reply itself: a fact of ours goes beside it. */
	const char *detail = r->reply.code   ? NULL
			     : r->is_private ? "our mail system has a problem of its own"
					     : r->detail;
	if (r->standing == STANDING_IN_DOUBT)
		detail = f->texts[i];
	else if (f->has_expired && stays(r->standing))
		detail = f->expiry;
	struct told *told = &f->told[kind];
	told->recipients[told->count++] = (struct notice_recipient){
		.recipient = &a->item->recipients[i],
		.handover = r->handover,
		.mx = r->mx[0] ? r->mx : NULL,
		.reply = { .code = r->reply.code,
			.enhanced = r->reply.enhanced,
			.text = r->reply.text },
		.detail = detail,
		.status = f->statuses[i],
		.may_have_arrived = r->standing == STANDING_IN_DOUBT,
	};
}

/* Is it for us to tell that the recipient has the message? */
static bool tells_success(const struct attempt *a, size_t i)
{
	const struct attempt_recipient *r = &a->recipients[i];
	return r->standing == STANDING_DELIVERED && r->handover != NOTICE_PASSED_ON &&
	       (a->item->recipients[i].notify & MAIL_NOTIFY_SUCCESS);
}

static void settle_delivered(struct attempt *a, size_t i, struct finishing *f)
{
	f->recipients[i].outcome = QUEUE_OUTCOME_DELIVERED;
	if (!tells_success(a, i))
		return;
	if (a->recipients[i].reply.code)
		smtp_reply_status(&a->recipients[i].reply, f->statuses[i]);
	else
		snprintf(f->statuses[i], sizeof(f->statuses[i]), "2.0.0");
	tell(a, i, f, NOTICE_SUCCESS);
}

static void settle_recipients(struct attempt *a, struct finishing *f)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		const struct attempt_recipient *r = &a->recipients[i];
		struct queue_recipient_result *to = &f->recipients[i];
		bool goes_on = stays(r->standing);
		to->recipient_id = a->item->recipients[i].id;
		if (r->standing == STANDING_DELIVERED) {
			settle_delivered(a, i, f);
			continue;
		}
		f->texts[i] = last_error(a, r);
		if (goes_on && f->has_expired) {
			char *text =
				xasprintf("%s; last error: %s", f->expiry, f->texts[i]);
			free(f->texts[i]);
			f->texts[i] = text;
		}
		to->text = f->texts[i];
		to->outcome = goes_on && !f->has_expired ? QUEUE_OUTCOME_DEFERRED
							 : QUEUE_OUTCOME_BOUNCED;
		fill_status(r, goes_on && f->has_expired, f->statuses[i]);
		tell(a, i, f,
			to->outcome == QUEUE_OUTCOME_BOUNCED ? NOTICE_FAILURE
							     : NOTICE_DELAY);
	}
}

/* ---- notices ---- */

static void add_notice(
	struct attempt *a, struct finishing *f, enum notice_kind kind, int64_t now_ms)
{
	const struct notice_maker *maker = a->env->notices;
	const struct config *config = a->config->config;
	struct notice n = {
		.kind = kind,
		.envelope = &a->item->envelope,
		.content = a->item->body,
		.content_len = a->item->body_len,
		.domain = a->item->domain,
		.recipients = f->told[kind].recipients,
		.recipient_count = f->told[kind].count,
		.now_ms = now_ms,
		.expires_ms = queue_item_arrival_ms(a->item) + a->settings->max_age_ms,
		.hostname = config->hostname,
		.postmaster = config->postmaster,
		.language = config->dsn_language,
	};
	size_t at = f->result.message_count;
	if (n.recipient_count && maker &&
		maker->make(maker->arg, &n, &f->messages[at], &f->owners[at]))
		f->result.message_count++;
}

static void add_notices(struct attempt *a, struct finishing *f, int64_t now_ms)
{
	int64_t after_ms = a->settings->bounce_delay_warning_ms;
	int64_t age_ms = now_ms - queue_item_arrival_ms(a->item);
	add_notice(a, f, NOTICE_FAILURE, now_ms);
	add_notice(a, f, NOTICE_SUCCESS, now_ms);
	f->result.delay_notified = a->item->delay_notified;
	if (after_ms && age_ms >= after_ms && !a->item->delay_notified &&
		f->told[NOTICE_DELAY].count) {
		add_notice(a, f, NOTICE_DELAY, now_ms);
		f->result.delay_notified = true;
	}
	f->result.messages = f->messages;
}

/* ---- records ---- */

/* Recipients whose time is up are deferred by the host and bounced by us. */
static void mark_expired(struct event_attempt *e)
{
	for (size_t i = 0; i < e->recipient_count; i++) {
		const char **outcome = &e->recipients[i].outcome;
		if (strcmp(*outcome, "deferred") == 0 ||
			strcmp(*outcome, "in_doubt") == 0)
			*outcome = "bounced";
	}
	if (strcmp(e->outcome, "delivered") != 0)
		event_set(e, &e->outcome, "bounced");
}

static void mark_hopeless(const struct attempt *a, struct event_attempt *e)
{
	if (a->any_temporary || a->was_in_doubt || strcmp(e->outcome, "deferred") != 0)
		return;
	mark_expired(e);
	for (size_t i = 0; i < e->recipient_count; i++) {
		if (!e->recipients[i].reply.enhanced)
			event_set(e, &e->recipients[i].reply.enhanced, NO_HOST_STATUS);
	}
}

static void write_records(struct attempt *a, struct finishing *f)
{
	for (size_t i = 0; i < a->record_count; i++) {
		const struct event_attempt *e = &a->records[i];
		f->records[i] = (struct queue_record){
			.time_ms = e->time_ms,
			.message_id = e->id,
			.domain = e->domain,
			.is_failure = event_attempt_is_failure(e),
		};
		event_attempt_write_json(e, &f->jsons);
		buf_addc(&f->jsons, '\0');
	}
	const char *json = buf_bytes(&f->jsons); /* it does not move any more */
	for (size_t i = 0; i < a->record_count; i++) {
		f->records[i].json = json;
		json += strlen(json) + 1;
	}
	f->result.records = f->records;
	f->result.record_count = a->record_count;
}

static void add_records(struct attempt *a, struct finishing *f, bool goes_on)
{
	struct event_attempt *last = &a->records[a->record_count - 1];
	mark_hopeless(a, last);
	if (f->has_expired && any_stays(a)) {
		OWN(mem_free)
		char *detail = xasprintf("%s%s%s", last->detail ? last->detail : "",
			last->detail ? "; " : "", f->expiry);
		event_set(last, &last->detail, detail);
		mark_expired(last);
	}
	if (goes_on) {
		event_set(last, &last->next_channel, f->result.next_channel);
		event_set(last, &last->next_reason, f->next_reason);
		last->next_attempt_ms = f->result.next_attempt_ms;
	}
	write_records(a, f);
}

/* ---- the transaction ---- */

/* A piece of memory for everybody, where there is somebody to tell of. */
static void make_room_for_notices(struct attempt *a, struct finishing *f)
{
	size_t n = a->item->recipient_count;
	f->texts = xcalloc(n, sizeof(*f->texts));
	f->statuses = xcalloc(n, sizeof(*f->statuses));
	for (size_t i = 0; i < NOTICE_KIND_COUNT; i++)
		f->told[i].recipients = xcalloc(n, sizeof(*f->told[i].recipients));
}

static bool is_there_to_tell(const struct attempt *a)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		if (a->recipients[i].standing != STANDING_DELIVERED ||
			tells_success(a, i))
			return true;
	}
	return false;
}

static void finishing_init(struct attempt *a, struct finishing *f)
{
	size_t n = a->item->recipient_count;
	f->recipients = xcalloc(n, sizeof(*f->recipients));
	f->records = xcalloc(a->record_count, sizeof(*f->records));
	if (is_there_to_tell(a))
		make_room_for_notices(a, f);
	f->result.item_id = a->item->id;
	f->result.recipients = f->recipients;
	f->result.recipient_count = n;
	f->result.count_attempt = true;
	f->result.in_doubt = a->was_in_doubt;
}

static void finishing_clear(struct attempt *a, struct finishing *f)
{
	const struct notice_maker *maker = a->env->notices;
	for (size_t i = 0; f->texts && i < a->item->recipient_count; i++)
		free(f->texts[i]);
	for (size_t i = 0; i < f->result.message_count; i++)
		maker->release(maker->arg, f->owners[i]);
	free(f->recipients);
	free(f->texts);
	free(f->statuses);
	for (size_t i = 0; i < NOTICE_KIND_COUNT; i++)
		free(f->told[i].recipients);
	free(f->records);
	buf_clear(&f->jsons);
}

static void done(struct attempt *a, const struct err *e)
{
	for (size_t i = 0; !e && !a->is_given_back && i < a->record_count; i++)
		event_hub_attempt(a->env->hub, &a->records[i]);
	a->events.on_done(a->events.arg, a, e);
	attempt_free(a);
}

static void commit(struct attempt *a);
static void give_back(struct attempt *a);

static void on_retry(void *arg)
{
	struct attempt *a = arg;
	timer_close(&a->store_timer);
	if (a->is_given_back)
		give_back(a);
	else
		commit(a);
}

void attempt_stop_storing(struct attempt *a)
{
	a->is_last_store = true;
	if (a->store_timer)
		on_retry(a); /* once more */
}

/* The disk is full, or the like: what happened outside cannot be undone, so
 * it is written as soon as that works. Until then the item stays claimed. */
static void on_committed(void *arg, const struct err *e)
{
	struct attempt *a = arg;
	struct trouble *trouble = &a->env->result_trouble;
	int64_t now_ms = loop_now_ms(a->env->loop);
	(void)failpoint("delivery.finished");
	if (!e && trouble_ends(trouble, now_ms))
		log_info("queue: results of attempts are stored again");
	if (!e || e->code == ERR_NOT_FOUND || (a->is_last_store && a->is_given_back)) {
		done(a, e);
		return;
	}
	if (a->is_last_store) {
		struct err lost = *e;
		char id[MAIL_ID_MAX];
		mail_id_format(a->item->envelope.id, id);
		err_context(&lost, "the result of an attempt to deliver %s is lost", id);
		done(a, &lost);
		return;
	}
	if (trouble_begins(trouble, e->code, now_ms))
		log_error("queue: results of attempts cannot be stored and are kept in "
			  "memory until they can: %s",
			e->text);
	a->store_timer = timer_new(a->env->loop, on_retry, a);
	timer_start(a->store_timer, STORE_RETRY_MS);
}

static void commit(struct attempt *a)
{
	(void)failpoint("delivery.finish");
	queue_finish(a->env->queue, &a->finishing->result, on_committed, a);
}

/* Shut down before anything was said about the message: as if never begun. */
static void give_back(struct attempt *a)
{
	a->is_given_back = true;
	queue_give_back(a->env->queue, &a->item->id, 1, on_committed, a);
}

static bool anything_happened(const struct attempt *a)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		enum standing s = a->recipients[i].standing;
		if (!stays(s) || s == STANDING_IN_DOUBT)
			return true;
	}
	return a->record_count > (a->was_cut_short ? 1 : 0);
}

static void build(struct attempt *a)
{
	struct finishing *f = a->finishing = xcalloc(1, sizeof(*f));
	int64_t now_ms = clock_wall_ms();
	finishing_init(a, f);
	settle_hopeless(a);
	if (any_stays(a))
		check_expiry(a, now_ms, f);
	bool goes_on = any_stays(a) && !f->has_expired;
	if (goes_on)
		plan_next(a, now_ms, f);
	settle_recipients(a, f);
	add_notices(a, f, now_ms);
	add_records(a, f, goes_on);
}

void attempt_result_free(struct attempt *a)
{
	if (a->finishing) {
		finishing_clear(a, a->finishing);
		free(a->finishing);
	}
	timer_close(&a->store_timer);
}

void attempt_finish(struct attempt *a)
{
	session_quit(&a->session);
	if (!a->is_finishing) {
		a->is_finishing = true;
		a->events.on_session(a->events.arg, MOVE(a->kept), contact_of(a));
	}
	/* The store still holds a pointer to us. */
	if (a->body_pending)
		return;
	if (!a->record_count || (a->is_aborted && !anything_happened(a))) {
		give_back(a);
		return;
	}
	build(a);
	commit(a);
}
