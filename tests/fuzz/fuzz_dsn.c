/*
 * Notices (report/dsn.h) from what strangers chose: the first two octets choose kind,
 * language and flags; texts are the address, ORCPT, the host, the reply, a detail, the
 * status, ENVID, the beginning of the message, and records of the retry log, a line each.
 * Whatever they are, the notice is lines with CRLF that are not too long, in three parts
 * and no more, and no text of theirs begins a field.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/content.h"
#include "report/dsn.h"

#include <stdlib.h>
#include <string.h>

struct texts {
	char *address, *orcpt, *mx, *reply, *detail, *status, *envid, *content, *records;
};

/* A line each, the last one first. */
struct record_lines {
	struct queue_records records;
	char *text;
};

static const char *next_record(struct queue_records *records)
{
	struct record_lines *r = (struct record_lines *)records;
	if (!*r->text)
		return NULL;
	char *lf = strrchr(r->text, '\n');
	if (!lf) {
		const char *last = r->text;
		r->text += strlen(last);
		return last;
	}
	*lf = '\0';
	return lf + 1;
}

/* As the intake would have it: addresses are checked, and replies cleaned. */
static bool take_texts(struct fuzz_input *in, struct texts *t)
{
	struct address a;
	t->address = fuzz_string(in);
	t->orcpt = fuzz_string(in);
	t->mx = fuzz_string(in);
	t->reply = fuzz_string(in);
	t->detail = fuzz_string(in);
	t->status = fuzz_string(in);
	t->envid = fuzz_string(in);
	t->content = fuzz_string(in);
	t->records = fuzz_string(in);
	return address_parse_recipient(t->address, strlen(t->address), &a, NULL) == 0;
}

static void clear_texts(struct texts *t)
{
	char **all[] = { &t->address, &t->orcpt, &t->mx, &t->reply, &t->detail,
		&t->status, &t->envid, &t->content, &t->records };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		mem_free(all[i]);
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static void build(
	uint8_t kind, uint8_t flags, const struct texts *t, struct dsn_message *m)
{
	char sender[] = "alice@example.org";
	const struct dsn_recipient recipient = { .address = t->address,
		.orcpt = or_null(t->orcpt),
		.mx = or_null(t->mx),
		.reply = { flags & 1 ? 550 : 0, or_null(t->status), t->reply },
		.detail = or_null(t->detail),
		.status = t->status,
		.is_final = flags & 2,
		.may_have_arrived = flags & 4 };
	const struct mail_envelope envelope = { .id = 0x1abcdef,
		.sender = sender,
		.envid = *t->envid ? t->envid : NULL,
		.ret = flags & 8 ? MAIL_RET_FULL : MAIL_RET_UNSET,
		.arrival_ms = 1795293780000,
		.content = { .size_bytes = flags & 16 ? 300 : 10 * DSN_RETURN_MAX } };
	const struct dsn_request request = { .kind = kind % DSN_KIND_COUNT,
		.language = flags & 32 ? DSN_JAPANESE : DSN_ENGLISH,
		.hostname = "out.example.org",
		.postmaster = "postmaster@example.org",
		.envelope = &envelope,
		.content = t->content,
		.content_len = strlen(t->content),
		.domain = "example.com",
		.recipients = &recipient,
		.recipient_count = 1,
		.now_ms = 1795297380000,
		.expires_ms = 1795725780000 };
	dsn_build(&request, sender, "example.org", m);
}

/* What is sent: the returned message is another's, and left out. */
static void put_together(const struct dsn_message *m, char *records, struct buf *out)
{
	const struct queue_new_message *n = &m->message;
	struct record_lines r = { .records = { .count = 1, .next = next_record },
		.text = records };
	for (const char *s = records; *s; s++)
		r.records.count += *s == '\n';
	char *told = n->story.tell(n->story.told, n->story.told_len, &r.records);
	buf_add(out, n->body, n->story.at);
	buf_addstr(out, told);
	buf_add(out, n->body + n->story.at, n->body_len - n->story.at);
	buf_add(out, n->tail, n->tail_len);
	free(told);
}

static size_t count_of(const struct buf *text, const char *what)
{
	const char *at = buf_bytes(text), *end = at + buf_len(text);
	size_t count = 0;
	while ((at = memmem(at, (size_t)(end - at), what, strlen(what)))) {
		at += strlen(what);
		count++;
	}
	return count;
}

static void check(const struct buf *text)
{
	ASSERT(fuzz_has_good_lines(buf_bytes(text), buf_len(text), CONTENT_LINE_MAX));
	ASSERT(!memchr(buf_bytes(text), '\0', buf_len(text)));
	ASSERT(text_is_utf8(buf_bytes(text), buf_len(text)));
	ASSERT(count_of(text, "\r\n--hikyaku.") == 4);
	ASSERT(count_of(text, "\r\nTo: ") == 1 && count_of(text, "\r\nSubject: ") == 1);
	ASSERT(count_of(text, "\r\nFinal-Recipient: ") == 1);
	ASSERT(count_of(text, "\r\nAction: ") == 1 &&
		count_of(text, "\r\nStatus: ") == 1);
	ASSERT(count_of(text, "\r\nMIME-Version: ") == 1);
}

void fuzz_dsn(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	uint8_t kind = fuzz_octet(&in), flags = fuzz_octet(&in);
	struct texts texts;
	if (take_texts(&in, &texts)) {
		struct dsn_message m;
		struct buf text = BUF_INIT;
		build(kind, flags, &texts, &m);
		put_together(&m, texts.records, &text);
		check(&text);
		dsn_message_clear(&m);
		buf_clear(&text);
	}
	clear_texts(&texts);
}
