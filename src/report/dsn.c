/*
 * What is built, RFC 3464 (in brackets RFC 6533, where an address or the
 * message is not ASCII):
 *
 *	multipart/report; report-type=delivery-status
 *	    text/plain				for people
 *	    message/delivery-status		[message/global-delivery-status]
 *	    message/rfc822			[message/global]
 *	    or text/rfc822-headers		[message/global-headers]
 *
 * body ends with the head of the third part; the store appends the message;
 * tail is the end of the multipart. The boundary is random: nobody who writes
 * the message or a reply can know it.
 */
#include "report/dsn.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "policy/types.h"
#include "report/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 76, LONGEST = 900, BOUNDARY_MAX = 48 };

/* One notification under construction. */
struct draft {
	const struct dsn_request *request;
	const char *to;
	bool is_utf8;  /* RFC 6533 types */
	bool is_whole; /* the message comes back, not only its header */
	char boundary[BOUNDARY_MAX];
	struct buf text;   /* first part */
	struct buf status; /* second part */
};

bool dsn_is_wanted(
	const struct mail_envelope *envelope, unsigned notify, enum dsn_kind kind)
{
	static const unsigned bits[DSN_KIND_COUNT] = {
		[DSN_FAILURE] = MAIL_NOTIFY_FAILURE,
		[DSN_DELAY] = MAIL_NOTIFY_DELAY,
		[DSN_SUCCESS] = MAIL_NOTIFY_SUCCESS,
	};
	if (!envelope->sender || !*envelope->sender || (notify & MAIL_NOTIFY_NEVER))
		return false;
	if (!notify)
		return kind != DSN_SUCCESS;
	return notify & bits[kind];
}

static bool is_ascii(const char *s)
{
	return text_is_ascii(s, strlen(s));
}

static bool needs_utf8(const struct dsn_request *request, const char *to)
{
	if (request->envelope->content.needs_smtputf8 || !is_ascii(to) ||
		!is_ascii(request->postmaster))
		return true;
	for (size_t i = 0; i < request->recipient_count; i++) {
		if (!is_ascii(request->recipients[i].address))
			return true;
	}
	return false;
}

/* RFC 3461 4.3: RET is about failures; else only the header goes back. */
static bool returns_whole(const struct dsn_request *request)
{
	const struct mail_envelope *m = request->envelope;
	if (request->kind != DSN_FAILURE || m->ret == MAIL_RET_HDRS)
		return false;
	return m->ret == MAIL_RET_FULL || m->content.size_bytes <= DSN_RETURN_MAX;
}

/* ---- fields ---- */

/* Header and status part may hold more than ASCII in RFC 6533 only. */
static char *fit_value(const struct draft *d, const char *value)
{
	char *copy = xstrdup(value);
	for (char *s = copy; !d->is_utf8 && *s; s++) {
		if ((unsigned char)*s >= 0x80)
			*s = '?';
	}
	return copy;
}

static void add_folded(const struct draft *d, struct buf *out, const char *name,
	const char *value, unsigned width)
{
	const struct words_wrap how = { (unsigned)strlen(name) + 2, 4, width, "\r\n" };
	OWN(mem_free) char *fit = fit_value(d, value);
	buf_addf(out, "%s: ", name);
	words_wrap(out, &how, fit);
	buf_addstr(out, "\r\n");
}

static void add_field(
	const struct draft *d, struct buf *out, const char *name, const char *value)
{
	add_folded(d, out, name, value, WIDTH);
}

/* An address may hold blanks that a fold would change. */
static void add_address(const struct draft *d, struct buf *out, const char *name,
	const char *before, const char *address, const char *after)
{
	OWN(mem_free) char *value = xasprintf("%s%s%s", before, address, after);
	add_folded(d, out, name, value, strlen(value) < LONGEST ? 0 : WIDTH);
}

static void add_time_field(
	const struct draft *d, struct buf *out, const char *name, int64_t ms)
{
	char when[TIMEFMT_MAX];
	timefmt_rfc5322(ms, when);
	add_field(d, out, name, when);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The octet that xtext has at *s, which is moved on; -1 if it is malformed or
 * stands for anything but printable ASCII. */
static int take_xtext(const char **s)
{
	int c = (unsigned char)*(*s)++;
	if (c == '+') {
		int high = hex_value((*s)[0]);
		int low = high < 0 ? -1 : hex_value((*s)[1]);
		if (low < 0)
			return -1;
		c = high * 16 + low;
		*s += 2;
	}
	return c >= 0x20 && c < 0x7f ? c : -1;
}

/* RFC 3461 4: xtext. What does not decode stays as it came. */
static char *decode_xtext(const char *s)
{
	OWN(mem_free) char *out = xcalloc(strlen(s) + 1, 1);
	const char *from = s;
	for (size_t to = 0; *from; to++) {
		int c = take_xtext(&from);
		if (c < 0)
			return xstrdup(s);
		out[to] = (char)c;
	}
	return MOVE(out);
}

/* ORCPT is "type;address" already: RFC 3461 4.2. */
static void add_original(const struct draft *d, struct buf *out, const char *orcpt)
{
	if (!orcpt || !strchr(orcpt, ';'))
		return;
	OWN(mem_free) char *decoded = decode_xtext(orcpt);
	add_address(d, out, "Original-Recipient", "", decoded, "");
}

static void add_typed(const struct draft *d, struct buf *out, const char *name,
	const char *type, const char *value)
{
	OWN(mem_free) char *both = xasprintf("%s; %s", type, value);
	add_field(d, out, name, both);
}

/* "5.1.1", or the class alone where what came is no such code. */
static const char *status_of(const struct dsn_request *request, const char *status)
{
	static const char *const fallbacks[DSN_KIND_COUNT] = {
		[DSN_FAILURE] = "5.0.0",
		[DSN_DELAY] = "4.0.0",
		[DSN_SUCCESS] = "2.0.0",
	};
	/* A failure may be that the time is up: then the class says what for. */
	static const char *const classes[DSN_KIND_COUNT] = {
		[DSN_FAILURE] = "45",
		[DSN_DELAY] = "4",
		[DSN_SUCCESS] = "2",
	};
	if (!status || strlen(status) >= EVENT_STATUS_MAX ||
		status[strspn(status, "0123456789.")] ||
		!strchr(classes[request->kind], status[0]) || status[1] != '.')
		return fallbacks[request->kind];
	return status;
}

/* ---- second part ---- */

static void add_diagnostic(
	const struct draft *d, struct buf *out, const struct dsn_recipient *r)
{
	struct buf text = BUF_INIT;
	if (r->reply.code) {
		if (r->mx)
			add_typed(d, out, "Remote-MTA", "dns", r->mx);
		words_reply(&text, &r->reply);
		add_typed(d, out, "Diagnostic-Code", "smtp", buf_text(&text));
	} else if (r->detail) {
		/* Not the words of an SMTP server: RFC 3464 2.3.6. */
		add_typed(d, out, "Diagnostic-Code", "X-Hikyaku", r->detail);
	}
	buf_clear(&text);
}

/* RFC 3464 2.3.3. */
static const char *action_of(enum dsn_kind kind, const struct dsn_recipient *r)
{
	if (kind == DSN_SUCCESS)
		return r->is_final ? "delivered" : "relayed";
	return kind == DSN_FAILURE ? "failed" : "delayed";
}

static void add_recipient_status(struct draft *d, const struct dsn_recipient *r)
{
	const struct dsn_request *request = d->request;
	struct buf *out = &d->status;
	buf_addstr(out, "\r\n");
	add_original(d, out, r->orcpt);
	add_address(d, out, "Final-Recipient",
		is_ascii(r->address) ? "rfc822; " : "utf-8; ", r->address, "");
	add_field(d, out, "Action", action_of(request->kind, r));
	add_field(d, out, "Status", status_of(request, r->status));
	add_diagnostic(d, out, r);
	add_time_field(d, out, "Last-Attempt-Date", request->now_ms);
	if (request->kind == DSN_DELAY && request->expires_ms)
		add_time_field(d, out, "Will-Retry-Until", request->expires_ms);
}

static void write_status(struct draft *d)
{
	const struct mail_envelope *m = d->request->envelope;
	char id[EVENT_ID_MAX];
	event_id_format(m->id, id);
	if (m->envid) {
		OWN(mem_free) char *envid = decode_xtext(m->envid);
		add_field(d, &d->status, "Original-Envelope-Id", envid);
	}
	add_typed(d, &d->status, "Reporting-MTA", "dns", d->request->hostname);
	add_field(d, &d->status, "X-Hikyaku-Queue-ID", id);
	add_time_field(d, &d->status, "Arrival-Date", m->arrival_ms);
	for (size_t i = 0; i < d->request->recipient_count; i++)
		add_recipient_status(d, &d->request->recipients[i]);
}

/* ---- first part ---- */

static void add_paragraph(struct draft *d, unsigned indent, const char *text)
{
	const struct words_wrap how = { indent, indent, WIDTH, "\r\n" };
	buf_addf(&d->text, "%*s", (int)indent, "");
	words_wrap(&d->text, &how, text);
	buf_addstr(&d->text, "\r\n");
}

static bool ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);
	return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* The last error of the queue may be the reply once more, "MX said: CODE TEXT",
 * perhaps with the reason for giving up before it. NULL: it is not. */
static const char *find_reply(const struct dsn_recipient *r)
{
	char said[POLICY_NAME_MAX + 32];
	if (!r->detail || !r->reply.code || !r->reply.text ||
		!ends(r->detail, r->reply.text))
		return NULL;
	snprintf(said, sizeof(said), "%s said: %d ", r->mx ? r->mx : "", r->reply.code);
	return strstr(r->detail, said);
}

static void add_said(struct draft *d, const struct dsn_recipient *r)
{
	struct buf text = BUF_INIT;
	buf_addf(&text, "%s said: ", r->mx ? r->mx : "the other side");
	words_reply(&text, &r->reply);
	add_paragraph(d, 4, buf_text(&text));
	buf_clear(&text);
}

static void add_recipient_text(struct draft *d, const struct dsn_recipient *r)
{
	struct buf text = BUF_INIT;
	const char *again = find_reply(r);
	buf_addf(&text, "<%s>", r->address);
	add_paragraph(d, 0, buf_text(&text));
	if (r->reply.code && (!again || again == r->detail))
		add_said(d, r);
	if (r->detail && again != r->detail)
		add_paragraph(d, 4, r->detail);
	if (!r->reply.code && !r->detail && d->request->kind != DSN_SUCCESS)
		add_paragraph(d, 4, "no reason is known");
	buf_addstr(&d->text, "\r\n");
	buf_clear(&text);
}

static void add_opening(struct draft *d)
{
	struct buf text = BUF_INIT;
	char when[TIMEFMT_MAX];
	timefmt_rfc5322(d->request->envelope->arrival_ms, when);
	buf_addf(&text, "This is the mail system at %s.", d->request->hostname);
	add_paragraph(d, 0, buf_text(&text));
	buf_addstr(&d->text, "\r\n");
	buf_reset(&text);
	buf_addf(&text, "Your message of %s ", when);
	if (d->request->kind == DSN_FAILURE)
		buf_addstr(&text,
			"could not be delivered to the recipients below. It will "
			"not be tried again.");
	else if (d->request->kind == DSN_SUCCESS)
		buf_addstr(&text,
			"was taken by the mail server of the recipients below, as "
			"you asked to be told.");
	else
		buf_addstr(&text, "has not been delivered to the recipients below yet. "
				  "You do not need to send it again: it is still being "
				  "tried.");
	add_paragraph(d, 0, buf_text(&text));
	buf_addstr(&d->text, "\r\n");
	buf_clear(&text);
}

static void write_text(struct draft *d)
{
	const struct dsn_request *request = d->request;
	char when[TIMEFMT_MAX];
	struct buf text = BUF_INIT;
	add_opening(d);
	for (size_t i = 0; i < request->recipient_count; i++)
		add_recipient_text(d, &request->recipients[i]);
	if (request->attempts > 1)
		buf_addf(&text, "It was tried %u times. ", request->attempts);
	if (request->kind == DSN_DELAY && request->expires_ms) {
		timefmt_rfc5322(request->expires_ms, when);
		buf_addf(&text, "It will be given up on %s. ", when);
	}
	buf_addf(&text, "If you need help, write to <%s> and enclose this report.",
		request->postmaster);
	add_paragraph(d, 0, buf_text(&text));
	buf_clear(&text);
}

/* ---- the whole ---- */

static bool is_8bit(const struct buf *b)
{
	return !text_is_ascii(buf_bytes(b), buf_len(b));
}

static void write_header(const struct draft *d, bool any_8bit, struct buf *out)
{
	static const char *const subjects[DSN_KIND_COUNT] = {
		[DSN_FAILURE] = "Undelivered mail returned to sender",
		[DSN_DELAY] = "Delayed mail (still being tried)",
		[DSN_SUCCESS] = "Successful mail delivery report",
	};
	const struct dsn_request *request = d->request;
	char when[TIMEFMT_MAX];
	timefmt_rfc5322(request->now_ms, when);
	buf_addf(out, "Date: %s\r\n", when);
	add_address(d, out, "From", "Mail Delivery System <", request->postmaster, ">");
	add_address(d, out, "To", "<", d->to, ">");
	buf_addf(out, "Subject: %s\r\n", subjects[request->kind]);
	buf_addf(out, "Message-ID: <%s@%s>\r\n", d->boundary, request->hostname);
	buf_addstr(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	buf_addf(out,
		"Content-Type: multipart/report; report-type=delivery-status;\r\n"
		"\tboundary=\"%s\"\r\n",
		d->boundary);
	buf_addf(
		out, "Content-Transfer-Encoding: %s\r\n\r\n", any_8bit ? "8bit" : "7bit");
}

static void begin_part(const struct draft *d, const char *description, const char *type,
	bool part_8bit, struct buf *out)
{
	buf_addf(out, "--%s\r\nContent-Description: %s\r\nContent-Type: %s\r\n",
		d->boundary, description, type);
	buf_addf(out, "Content-Transfer-Encoding: %s\r\n\r\n",
		part_8bit ? "8bit" : "7bit");
}

static const char *returned_type(const struct draft *d)
{
	if (d->is_whole)
		return d->is_utf8 ? "message/global" : "message/rfc822";
	return d->is_utf8 ? "message/global-headers" : "text/rfc822-headers";
}

static char *assemble(const struct draft *d, bool *is_8bit_out)
{
	struct buf out = BUF_INIT;
	bool returned_8bit = d->request->envelope->content.is_8bit ||
			     d->request->envelope->content.needs_smtputf8;
	bool text_8bit = is_8bit(&d->text), status_8bit = is_8bit(&d->status);
	*is_8bit_out = d->is_utf8 || returned_8bit || text_8bit || status_8bit;
	write_header(d, *is_8bit_out, &out);
	begin_part(d, "Notification",
		text_8bit ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii",
		text_8bit, &out);
	buf_add(&out, buf_bytes(&d->text), buf_len(&d->text));
	buf_addstr(&out, "\r\n");
	begin_part(d, "Delivery report",
		d->is_utf8 ? "message/global-delivery-status" : "message/delivery-status",
		status_8bit, &out);
	buf_add(&out, buf_bytes(&d->status), buf_len(&d->status));
	buf_addstr(&out, "\r\n");
	begin_part(d, d->is_whole ? "Undelivered message" : "Header of the message",
		returned_type(d), returned_8bit, &out);
	return buf_steal(&out);
}

static void make_boundary(struct draft *d)
{
	snprintf(d->boundary, sizeof(d->boundary), "hikyaku.%016" PRIX64 "%016" PRIX64,
		rng_u64(), rng_u64());
}

static void fill_message(const struct draft *d, bool any_8bit, struct dsn_message *out)
{
	const struct mail_envelope *m = d->request->envelope;
	uint64_t returned = d->is_whole ? m->content.size_bytes : 0;
	size_t body_len = strlen(out->owned_body), tail_len = strlen(out->owned_tail);
	/* Nobody is told about a lost notification. */
	out->recipient = (struct queue_new_recipient){ .address = out->owned_address,
		.domain = out->owned_domain,
		.notify = MAIL_NOTIFY_NEVER };
	out->message = (struct queue_new_message){
		.envelope = { .sender = xstrdup(""),
			.arrival_ms = d->request->now_ms,
			.content = { .size_bytes = body_len + returned + tail_len,
				.is_8bit = any_8bit,
				.needs_smtputf8 = d->is_utf8 },
			.is_notice = true },
		.recipients = &out->recipient,
		.recipient_count = 1,
		.body = out->owned_body,
		.body_len = body_len,
		.append = d->is_whole ? QUEUE_APPEND_MESSAGE : QUEUE_APPEND_HEADER,
		.append_message_id = m->id,
		.tail = out->owned_tail,
		.tail_len = tail_len,
	};
}

void dsn_build(const struct dsn_request *request, const char *to, const char *to_domain,
	struct dsn_message *out)
{
	struct draft d = { .request = request, .to = to };
	bool any_8bit;
	ASSERT(*to);
	d.is_utf8 = needs_utf8(request, to);
	d.is_whole = returns_whole(request);
	make_boundary(&d);
	write_text(&d);
	write_status(&d);
	*out = (struct dsn_message){ 0 };
	out->owned_body = assemble(&d, &any_8bit);
	out->owned_tail = xasprintf("\r\n--%s--\r\n", d.boundary);
	out->owned_address = xstrdup(to);
	out->owned_domain = xstrdup(to_domain);
	fill_message(&d, any_8bit, out);
	buf_clear(&d.text);
	buf_clear(&d.status);
}

void dsn_message_clear(struct dsn_message *m)
{
	mem_free(&m->message.envelope.sender);
	mem_free(&m->owned_body);
	mem_free(&m->owned_tail);
	mem_free(&m->owned_address);
	mem_free(&m->owned_domain);
	*m = (struct dsn_message){ 0 };
}
