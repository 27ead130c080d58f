/*
 * What is built, RFC 3464 (in brackets RFC 6533, where an address or the
 * message is not ASCII):
 *
 *	multipart/report; report-type=delivery-status
 *	    text/plain				for people, with the retry log
 *	    message/delivery-status		[message/global-delivery-status]
 *	    message/rfc822			[message/global]
 *	    or text/rfc822-headers		[message/global-headers]
 *
 * body ends with the head of the third part, and lacks the first but for its
 * Content-Description: both are put in by the store (dsn_log.h, and the message).
 * tail is the end of the multipart. The boundary is random: nobody who writes
 * the message or a reply can know it.
 */
#include "report/dsn.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "report/dsn_log.h"
#include "report/dsn_text.h"
#include "report/mime.h"
#include "report/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 76, LONGEST = 900, BOUNDARY_MAX = 48, MESSAGE_ID_MAX = 250 };

/* One notification under construction. */
struct draft {
	const struct dsn_request *request;
	const char *to;
	bool is_utf8;  /* RFC 6533 types */
	bool is_whole; /* the message comes back, not only its header */
	char boundary[BOUNDARY_MAX];
	struct buf told;   /* what the first part is made from */
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
	if (!status || !*status || strlen(status) >= EVENT_STATUS_MAX ||
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
		/* RFC 3464 2.1.2: names outside of the DNS have a type of their own. */
		if (r->mx)
			add_typed(d, out, "Remote-MTA",
				r->mx[0] == '/' ? "x-unix" : "dns", r->mx);
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

static void write_told(struct draft *d)
{
	const struct dsn_request *request = d->request;
	size_t n = request->recipient_count;
	struct buf before = BUF_INIT, after = BUF_INIT;
	OWN(mem_free) const char **addresses = xcalloc(n, sizeof(*addresses));
	for (size_t i = 0; i < n; i++)
		addresses[i] = request->recipients[i].address;
	dsn_text_before(request, &before);
	dsn_text_after(request, &after);
	const struct dsn_told told = { request->language, buf_text(&before),
		buf_text(&after), addresses, n };
	dsn_log_pack(&told, &d->told);
	buf_clear(&before);
	buf_clear(&after);
}

/* ---- the whole ---- */

/* The value of the field Message-ID, if it is one, in what there is of the header. */
static const char *find_message_id(const char *content, size_t len, size_t *len_out)
{
	static const char field[] = "Message-ID:";
	const char *end = content + len, *at = content, *next;
	for (; at < end && *at != '\r'; at = next) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		next = line_end ? line_end + 1 : end;
		if (!text_has_prefix(at, (size_t)(end - at), field))
			continue;
		at += strlen(field);
		while (at < end && strchr(" \t\r\n", *at))
			at++;
		for (next = at; next<end && * next> ' ' && *next < 0x7f && *next != '>';)
			next++;
		*len_out = (size_t)(next + 1 - at);
		return next < end && *next == '>' && *at == '<' &&
				       *len_out <= MESSAGE_ID_MAX
			       ? at
			       : NULL;
	}
	return NULL;
}

/* So that a mail program shows the notice with the message. */
static void add_references(const struct dsn_request *request, struct buf *out)
{
	size_t len;
	const char *id = request->content ? find_message_id(request->content,
						    request->content_len, &len)
					  : NULL;
	if (id)
		buf_addf(out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", (int)len, id,
			(int)len, id);
}

static void write_header(const struct draft *d, bool any_8bit, struct buf *out)
{
	static const enum dsn_phrase subjects[DSN_KIND_COUNT] = {
		[DSN_FAILURE] = DSN_SUBJECT_FAILURE,
		[DSN_DELAY] = DSN_SUBJECT_DELAY,
		[DSN_SUCCESS] = DSN_SUBJECT_SUCCESS,
	};
	const struct dsn_request *request = d->request;
	add_time_field(d, out, "Date", request->now_ms);
	add_address(d, out, "From", "Mail Delivery System <", request->postmaster, ">");
	add_address(d, out, "To", "<", d->to, ">");
	buf_addstr(out, "Subject: ");
	mime_add_unstructured(
		out, dsn_phrase(request->language, subjects[request->kind]));
	buf_addf(out, "\r\nMessage-ID: <%s@%s>\r\n", d->boundary, request->hostname);
	add_references(request, out);
	buf_addstr(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	buf_addf(out,
		"Content-Type: multipart/report; report-type=delivery-status;\r\n"
		"\tboundary=\"%s\"\r\n",
		d->boundary);
	buf_addf(
		out, "Content-Transfer-Encoding: %s\r\n\r\n", any_8bit ? "8bit" : "7bit");
}

static void begin_part(const struct draft *d, const char *description, struct buf *out)
{
	buf_addf(out, "--%s\r\nContent-Description: %s\r\n", d->boundary, description);
}

static void add_type(struct buf *out, const char *type, bool part_8bit)
{
	buf_addf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
		part_8bit ? "8bit" : "7bit");
}

static const char *returned_type(const struct draft *d)
{
	if (d->is_whole)
		return d->is_utf8 ? "message/global" : "message/rfc822";
	return d->is_utf8 ? "message/global-headers" : "text/rfc822-headers";
}

static void assemble(const struct draft *d, struct dsn_message *m)
{
	struct buf out = BUF_INIT;
	const struct mail_content *content = &d->request->envelope->content;
	bool returned_8bit = content->is_8bit || content->needs_smtputf8;
	bool status_8bit = !text_is_ascii(buf_bytes(&d->status), buf_len(&d->status));
	bool any_8bit = d->is_utf8 || returned_8bit || status_8bit;
	write_header(d, any_8bit, &out);
	begin_part(d, "Notification", &out);
	m->message.story.at = buf_len(&out);
	buf_addstr(&out, "\r\n");
	begin_part(d, "Delivery report", &out);
	add_type(&out,
		d->is_utf8 ? "message/global-delivery-status" : "message/delivery-status",
		status_8bit);
	buf_add(&out, buf_bytes(&d->status), buf_len(&d->status));
	buf_addstr(&out, "\r\n");
	begin_part(d, d->is_whole ? "Message" : "Header of the message", &out);
	add_type(&out, returned_type(d), returned_8bit);
	m->message.envelope.content.is_8bit = any_8bit;
	m->message.body_len = buf_len(&out);
	m->message.body = m->owned_body = buf_steal(&out);
}

static void make_boundary(struct draft *d)
{
	snprintf(d->boundary, sizeof(d->boundary), "hikyaku.%016" PRIX64 "%016" PRIX64,
		rng_u64(), rng_u64());
}

/* RFC 6531 3.6 is about addresses and the header. What else is not ASCII is content, that
 * of the message that comes back too: a sender whose hosts know no SMTPUTF8 must hear of
 * it that others have none. */
static bool needs_smtputf8(const struct draft *d)
{
	return !is_ascii(d->to) || !is_ascii(d->request->postmaster);
}

/* The content's size is for the store to say. */
static void fill_message(
	const struct draft *d, const char *to_domain, struct dsn_message *out)
{
	out->owned_tail = xasprintf("\r\n--%s--\r\n", d->boundary);
	out->owned_told = xmemdup(buf_bytes(&d->told), buf_len(&d->told));
	out->owned_address = xstrdup(d->to);
	out->owned_domain = xstrdup(to_domain);
	/* Nobody is told about a lost notification. */
	out->recipient = (struct queue_new_recipient){ .address = out->owned_address,
		.domain = out->owned_domain,
		.notify = MAIL_NOTIFY_NEVER };
	out->message = (struct queue_new_message){
		.envelope = { .sender = xstrdup(""),
			.arrival_ms = d->request->now_ms,
			.content = { .needs_smtputf8 = needs_smtputf8(d) },
			.is_notice = true },
		.recipients = &out->recipient,
		.recipient_count = 1,
		.story = { .tell = dsn_log_tell,
			.told = out->owned_told,
			.told_len = buf_len(&d->told),
			.domain = d->request->domain },
		.append = d->is_whole ? QUEUE_APPEND_MESSAGE : QUEUE_APPEND_HEADER,
		.append_message_id = d->request->envelope->id,
		.tail = out->owned_tail,
		.tail_len = strlen(out->owned_tail),
	};
}

void dsn_build(const struct dsn_request *request, const char *to, const char *to_domain,
	struct dsn_message *out)
{
	struct draft d = { .request = request, .to = to };
	ASSERT(*to);
	d.is_utf8 = needs_utf8(request, to);
	d.is_whole = returns_whole(request);
	make_boundary(&d);
	write_told(&d);
	write_status(&d);
	*out = (struct dsn_message){ 0 };
	fill_message(&d, to_domain, out);
	assemble(&d, out);
	buf_clear(&d.told);
	buf_clear(&d.status);
}

void dsn_message_clear(struct dsn_message *m)
{
	mem_free(&m->message.envelope.sender);
	mem_free(&m->owned_body);
	mem_free(&m->owned_tail);
	mem_free(&m->owned_told);
	mem_free(&m->owned_address);
	mem_free(&m->owned_domain);
	*m = (struct dsn_message){ 0 };
}
