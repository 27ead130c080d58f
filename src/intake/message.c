#include "intake/message.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "intake/message_internal.h"
#include "mail/address.h"
#include "policy/name.h"
#include "smtp/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	RECEIVED_MAX = 100,         /* RFC 5321 6.3 */
	HELD_EACH_MAX = 512 * 1024, /* the queue stages what is more */
	TRACE_NAME_MAX = 255        /* octets of a name in the Received field */
};

struct intake *intake_new(const struct config *config, struct queue_port *port)
{
	struct intake *in = xcalloc(1, sizeof(*in));
	in->config = config;
	in->port = port;
	return in;
}

void intake_configure(struct intake *in, const struct config *config)
{
	in->config = config;
}

void intake_free(struct intake **inp)
{
	struct intake *in = *inp;
	if (!in)
		return;
	*inp = NULL;
	while (in->under_way) {
		struct intake_message *m = in->under_way;
		intake_message_free(&m);
	}
	free(in);
}

/* Chance keeps processes apart, counting keeps the messages of one apart. */
static int64_t make_id(struct intake *in, int64_t now_ms)
{
	int64_t id = mail_id_make(now_ms, rng_u32());
	if (id <= in->last_id)
		id = in->last_id + 1;
	return in->last_id = id;
}

struct intake_message *intake_message_new(struct intake *in)
{
	struct intake_message *m = xcalloc(1, sizeof(*m));
	m->in = in;
	m->envelope.arrival_ms = clock_wall_ms();
	m->envelope.id = make_id(in, m->envelope.arrival_ms);
	content_intake_init(&m->content, in->config->max_message_size);
	return m;
}

static void link_message(struct intake_message *m)
{
	struct intake *in = m->in;
	m->next = in->under_way;
	if (m->next)
		m->next->link = &m->next;
	m->link = &in->under_way;
	in->under_way = m;
}

static void unlink_message(struct intake_message *m)
{
	*m->link = m->next;
	if (m->next)
		m->next->link = m->link;
	m->link = NULL;
}

static void forget_known(struct intake_message *m)
{
	struct known_recipient *k, *next;
	HASH_ITER (hh, m->known, k, next) {
		HASH_DEL(m->known, k);
		free(k->key);
		free(k);
	}
}

void intake_message_free(struct intake_message **mp)
{
	struct intake_message *m = *mp;
	if (!m)
		return;
	*mp = NULL;
	if (m->link)
		unlink_message(m);
	queue_put_abort(&m->put);
	for (size_t i = 0; i < m->count; i++) {
		free((char *)(uintptr_t)m->recipients[i].address);
		free((char *)(uintptr_t)m->recipients[i].domain);
		free((char *)(uintptr_t)m->recipients[i].orcpt);
	}
	forget_known(m);
	free(m->recipients);
	free(m->received[0]);
	free(m->received[1]);
	mail_envelope_clear(&m->envelope);
	buf_clear(&m->normal);
	free(m);
}

struct mail_envelope *intake_envelope(struct intake_message *m)
{
	return &m->envelope;
}

const char *intake_enhanced_code(const struct intake_message *m)
{
	return m->enhanced;
}

size_t intake_recipient_count(const struct intake_message *m)
{
	return m->count;
}

const char *intake_recipient(const struct intake_message *m, size_t index)
{
	return m->recipients[index].address;
}

/* ---- addresses ---- */

/* The address as it will be sent: with the domain in A-labels where that makes
 * it ASCII as a whole, so that it needs no SMTPUTF8 for its domain's sake. */
static char *form_address(const struct address *a, const char *domain, bool *utf8_out)
{
	bool is_ascii_local = text_is_ascii(a->text, a->at);
	*utf8_out = a->needs_smtputf8 && !is_ascii_local;
	if (a->needs_smtputf8 && is_ascii_local)
		return xasprintf("%.*s@%s", (int)a->at, a->text, domain);
	return xstrdup(a->text);
}

static int normalize(const struct address *a, char *out, struct err *e)
{
	const char *domain = address_domain(a);
	char why[POLICY_TEXT_MAX];
	if (policy_destination_normalize(domain, strlen(domain), out, why))
		return 0;
	return err_set(e, ERR_INVALID, "domain \"%.260s\": %.400s", domain, why);
}

/* With what the person wrote in front. */
static int complain(struct err *e, const char *what, const char *s, size_t len)
{
	char shown[200];
	text_clean(s, len, shown, sizeof(shown));
	return err_context(e, "%s \"%s\"", what, shown);
}

int intake_set_sender(struct intake_message *m, const char *s, size_t len, struct err *e)
{
	m->enhanced = "5.1.7"; /* bad sender's mailbox address syntax */
	struct address a;
	char domain[POLICY_NAME_MAX + 1];
	bool utf8 = false;
	if (address_parse_sender(s, len, &a, e) != 0)
		return complain(e, "sender", s, len);
	free(m->envelope.sender);
	m->envelope.sender = NULL;
	if (!a.text[0]) {
		m->envelope.sender = xstrdup("");
		return 0;
	}
	if (normalize(&a, domain, e) != 0)
		return complain(e, "sender", s, len);
	m->envelope.sender = form_address(&a, domain, &utf8);
	m->needs_smtputf8 = m->needs_smtputf8 || utf8;
	return 0;
}

/* Without <>, and with the hostname where there is no domain. */
static char *qualify(const struct intake_message *m, const char *s, size_t len)
{
	if (len >= 2 && s[0] == '<' && s[len - 1] == '>') {
		s++;
		len -= 2;
	}
	if (!len || memchr(s, '@', len))
		return xstrndup(s, len);
	return xasprintf("%.*s@%s", (int)len, s, m->in->config->hostname);
}

/* Local parts are the receiver's business: case counts there. */
static bool note_known(
	struct intake_message *m, const struct address *a, const char *domain)
{
	struct known_recipient *k;
	OWN(mem_free) char *key = xasprintf("%.*s@%s", (int)a->at, a->text, domain);
	HASH_FIND_STR(m->known, key, k);
	if (k)
		return false;
	k = xcalloc(1, sizeof(*k));
	k->key = MOVE(key);
	HASH_ADD_KEYPTR(hh, m->known, k->key, strlen(k->key), k);
	return true;
}

int intake_add_recipient(struct intake_message *m, const char *s, size_t len,
	unsigned notify, const char *orcpt, struct err *e)
{
	struct address a;
	char domain[POLICY_NAME_MAX + 1];
	bool utf8 = false;
	m->enhanced = "5.1.3"; /* bad destination mailbox address syntax */
	/* A NUL would hide the rest from all that takes it for a string. */
	if (memchr(s, '\0', len)) {
		err_set(e, ERR_INVALID, "address contains a NUL octet");
		return complain(e, "recipient", s, len);
	}
	OWN(mem_free) char *full = qualify(m, s, len);
	if (address_parse_recipient(full, strlen(full), &a, e) != 0 ||
		normalize(&a, domain, e) != 0)
		return complain(e, "recipient", s, len);
	if (!note_known(m, &a, domain))
		return 0;
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 8;
		m->recipients =
			xreallocarray(m->recipients, m->cap, sizeof(*m->recipients));
	}
	m->recipients[m->count++] = (struct queue_new_recipient){
		.address = form_address(&a, domain, &utf8),
		.domain = xstrdup(domain),
		.orcpt = xstrdup(orcpt),
		.notify = notify,
	};
	m->needs_smtputf8 = m->needs_smtputf8 || utf8;
	return 0;
}

int intake_mail(struct intake_message *m, const char *path, size_t len,
	const struct smtp_mail_parameters *p, struct err *e)
{
	int rc = intake_set_sender(m, path, len, e);
	if (rc != 0)
		return rc;
	/* What the content has in it is seen when it comes, whatever BODY says. */
	m->envelope.ret = p->ret;
	free(m->envelope.envid);
	m->envelope.envid = *p->envid ? xstrdup(p->envid) : NULL;
	return 0;
}

int intake_rcpt(struct intake_message *m, const char *path, size_t len,
	const struct smtp_rcpt_parameters *p, struct err *e)
{
	return intake_add_recipient(
		m, path, len, p->notify, *p->orcpt ? p->orcpt : NULL, e);
}

/* ---- content ---- */

/* A name that somebody else chose, in a header of ours: nothing in it may end the
 * field or open a comment. */
static void add_name(struct buf *out, const char *name)
{
	size_t len = strnlen(name, TRACE_NAME_MAX);
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		buf_addc(out, c > ' ' && c < 0x7f && !strchr("()<>\\\",;@", c) ? c : '?');
	}
	if (!len)
		buf_addstr(out, "unknown");
}

/* RFC 5321 4.4: where a loop shows, and by which id to look the message up. */
void intake_set_trace(struct intake_message *m, const struct intake_trace *trace)
{
	struct buf head = BUF_INIT, tail = BUF_INIT;
	char date[TIMEFMT_MAX];
	ASSERT(!m->put);
	buf_addstr(&head, "Received: ");
	if (trace->from) {
		buf_addstr(&head, "from ");
		add_name(&head, trace->from);
		if (trace->peer)
			buf_addf(&head, " (%s)", trace->peer);
		buf_addstr(&head, "\r\n\t");
	}
	buf_addf(&head, "by %s (hikyaku%s%s)", m->in->config->hostname,
		trace->note ? ", " : "", trace->note ? trace->note : "");
	if (trace->protocol)
		buf_addf(&head, " with %s", trace->protocol);
	buf_addstr(&head, "\r\n\tid ");
	timefmt_rfc5322(m->envelope.arrival_ms, date);
	buf_addf(&tail, "; %s\r\n", date);
	free(m->received[0]);
	free(m->received[1]);
	m->received[0] = buf_steal(&head);
	m->received[1] = buf_steal(&tail);
}

static void set_local_trace(struct intake_message *m)
{
	char note[40];
	snprintf(note, sizeof(note), "from userid %u", (unsigned)getuid());
	intake_set_trace(m, &(struct intake_trace){ .note = note });
}

void intake_require_id(struct intake_message *m, int64_t id)
{
	ASSERT(!m->put);
	m->envelope.id = id;
	m->must_have_id = true;
}

static void begin_content(struct intake_message *m)
{
	char id[MAIL_ID_MAX];
	mail_id_format(m->envelope.id, id);
	if (!m->received[0])
		set_local_trace(m);
	m->put = queue_put_begin(m->in->port);
	queue_put_write(m->put, m->received[0], strlen(m->received[0]));
	queue_put_write(m->put, id, strlen(id));
	if (!m->must_have_id)
		queue_put_mark_id(m->put); /* should another process have made it, too */
	queue_put_write(m->put, m->received[1], strlen(m->received[1]));
}

static int explain_content(struct intake_message *m, struct err *e)
{
	if (e->code != ERR_LIMIT) {
		m->enhanced = "5.6.0"; /* media error */
		return e->code;
	}
	m->enhanced = "5.3.4"; /* message too big for system */
	return err_set(e, ERR_LIMIT,
		"message is over %llu octets, the limit set by max_message_size",
		(unsigned long long)m->content.max_bytes);
}

int intake_write(struct intake_message *m, const char *bytes, size_t len, struct err *e)
{
	if (!m->put)
		begin_content(m);
	buf_reset(&m->normal);
	if (content_intake_feed(&m->content, bytes, len, &m->normal, e) != 0)
		return explain_content(m, e);
	queue_put_write(m->put, buf_bytes(&m->normal), buf_len(&m->normal));
	return 0;
}

size_t intake_backlog(const struct intake_message *m)
{
	return m->put ? queue_put_backlog(m->put) : 0;
}

static int refuse(
	struct intake_message *m, const char *enhanced, const char *text, struct err *e)
{
	m->enhanced = enhanced;
	return err_set(e, ERR_INVALID, "%s", text);
}

static int end_content(struct intake_message *m, struct err *e)
{
	if (!m->put)
		return refuse(m, "5.6.0",
			"message is empty: it has neither header nor body", e);
	buf_reset(&m->normal);
	if (content_intake_end(&m->content, &m->normal, e) != 0)
		return explain_content(m, e);
	queue_put_write(m->put, buf_bytes(&m->normal), buf_len(&m->normal));
	if (m->content.received_count > RECEIVED_MAX) {
		m->enhanced = "5.4.6"; /* routing loop detected */
		return err_set(e, ERR_INVALID,
			"message has %u Received fields, more than %d: it goes round in "
			"a loop",
			m->content.received_count, RECEIVED_MAX);
	}
	m->envelope.content = m->content.content;
	m->envelope.content.needs_smtputf8 |= m->needs_smtputf8;
	return 0;
}

int intake_end(struct intake_message *m, struct err *e)
{
	int rc = m->has_ended ? 0 : end_content(m, e);
	if (rc != 0)
		return rc;
	m->has_ended = true;
	if (!m->count)
		return refuse(m, "5.5.1", "message has no recipient", e);
	return 0;
}

static void on_put(void *arg, int64_t id, const struct err *e)
{
	struct intake_message *m = arg;
	m->in->held_bytes -= m->held;
	unlink_message(m); /* the intake may be freed in done */
	m->done(m->arg, id, e);
	intake_message_free(&m);
}

int intake_commit(struct intake_message **mp, intake_done *done, void *arg, struct err *e)
{
	struct intake_message *m = *mp;
	struct intake *in = m->in;
	int rc = intake_end(m, e);
	if (rc != 0)
		return rc;
	m->done = done;
	m->arg = arg;
	uint64_t size = m->content.content.size_bytes;
	m->held = size < HELD_EACH_MAX ? (size_t)size : HELD_EACH_MAX;
	in->held_bytes += m->held;
	*mp = NULL;
	link_message(m);
	queue_put_commit(&m->put, &m->envelope, m->recipients, m->count, on_put, m);
	return 0;
}
