#include "dsn_cases.h"

#include "base/mem.h"

#include <string.h>

#define ODD_TEXT \
	"<x>: \"quoted\"; --boundary Content-Type: text/html =?utf-8?q?=3C?= (a) \\ end"

/* Two attempts, the second at two hosts. */
#define FIRST_RECORD                                                                    \
	"{\"time\":\"2026-11-21T20:43:00Z\",\"id\":\"0000000001ABCDEF\",\"attempt\":1," \
	"\"recipients\":[{\"address\":\"bob@example.com\",\"outcome\":\"deferred\","    \
	"\"code\":450,\"enhanced\":\"4.2.0\",\"text\":\"4.2.0 greylisted\"},"           \
	"{\"address\":\"dan@example.com\",\"outcome\":\"delivered\",\"code\":250}],"    \
	"\"mx\":\"mx1.example.com\",\"address\":\"192.0.2.1\",\"port\":25,"             \
	"\"channel\":\"tls\",\"failure\":\"smtp_temporary\",\"tls\":"                   \
	"{\"version\":\"TLS1.3\"}}"
#define SECOND_RECORD                                                                   \
	"{\"time\":\"2026-11-21T20:44:00Z\",\"id\":\"0000000001ABCDEF\",\"attempt\":2," \
	"\"recipients\":[{\"address\":\"bob@example.com\",\"outcome\":\"deferred\"}],"  \
	"\"mx\":\"mx1.example.com\",\"port\":25,\"channel\":\"tls\","                   \
	"\"failure\":\"connect\",\"detail\":\"connection refused\"}"
#define THIRD_RECORD                                                                    \
	"{\"time\":\"2026-11-21T20:44:01Z\",\"id\":\"0000000001ABCDEF\",\"attempt\":2," \
	"\"recipients\":[{\"address\":\"bob@example.com\",\"outcome\":\"bounced\","     \
	"\"code\":550,\"enhanced\":\"5.1.1\",\"text\":\"no such user\"}],"              \
	"\"mx\":\"mx2.example.com\",\"address\":\"192.0.2.2\",\"port\":25,"             \
	"\"channel\":\"plaintext\",\"failure\":\"smtp_permanent\"}"
#define BOB                                                                \
	{                                                                  \
		.address = "bob@example.com", .mx = "mx2.example.com",     \
		.reply = { 550, (char *)"5.1.1", (char *)"no such user" }, \
		.status = "5.1.1"                                          \
	}

const struct dsn_case dsn_cases[] = {
	{ .name = "bounce",
		.recipients = { { .address = "bob@example.com",
					.orcpt = "rfc822;Bob+2Bx@example.com",
					.mx = "mx1.example.com",
					.reply = { 550, (char *)"5.1.1",
						(char *)"5.1.1 no such user" },
					.detail = "mx1.example.com said: 550 5.1.1 no "
						  "such user",
					.status = "5.1.1" },
			{ .address = "carol@example.com",
				.detail = "given up after 5d: connection refused",
				.status = "4.4.1" } },
		.envid = "QQ+3D314159",
		.content = { .size_bytes = 2000 } },
	{ .name = "delay",
		.kind = DSN_DELAY,
		.recipients = { { .address = "bob@example.com",
			.mx = "mx1.example.com",
			.reply = { 450, NULL, (char *)"greylisted" },
			.detail = "given up; last error: mx1.example.com said: 450 "
				  "greylisted",
			.status = "4.0.0" } },
		.content = { .size_bytes = 2000 } },
	{ .name = "relayed",
		.kind = DSN_SUCCESS,
		.recipients = { { .address = "bob@example.com",
					.mx = "mx1.example.com",
					.reply = { 250, NULL, (char *)"taken as 7" },
					.status = "2.6.0" },
			{ .address = "carol@example.com",
				.mx = "mx1.example.com",
				.reply = { 250, NULL, (char *)"taken as 7" },
				.status = "4.0.0",
				.is_final = true } },
		.ret = MAIL_RET_FULL,
		.content = { .size_bytes = 2000 } },
	{ .name = "large",
		.recipients = { { .address = "bob@example.com", .status = "5.0.0" } },
		.content = { .size_bytes = DSN_RETURN_MAX + 1 } },
	{ .name = "large_full",
		.recipients = { { .address = "bob@example.com", .status = "5.0.0" } },
		.ret = MAIL_RET_FULL,
		.content = { .size_bytes = DSN_RETURN_MAX + 1 } },
	{ .name = "small_hdrs",
		.recipients = { { .address = "bob@example.com", .status = "5.0.0" } },
		.ret = MAIL_RET_HDRS,
		.content = { .size_bytes = 100 } },
	{ .name = "utf8",
		.recipients = { { .address = "例え@例え.jp",
			.mx = "mx1.example.com",
			.reply = { 550, (char *)"5.6.7", (char *)"知らない" },
			.status = "5.6.7" } },
		.content = { .size_bytes = 300, .is_8bit = true, .needs_smtputf8 = true },
		.to = "飛脚@example.org" },
	{ .name = "eightbit",
		.recipients = { { .address = "bob@example.com",
			.mx = "mx1.example.com",
			.reply = { 550, NULL, (char *)"知らない" },
			.status = "5.0.0" } },
		.content = { .size_bytes = 300, .is_8bit = true } },
	{ .name = "odd",
		.recipients = { { .address = "\"a  b\"@example.com",
			.orcpt = "rfc822;x+0D+0AAction:+20delivered",
			.mx = "mx1.example.com",
			.reply = { 554, (char *)"5.7.1", (char *)ODD_TEXT },
			.detail = "line one\r\nAction: delivered\r\n\r\n--",
			.status = "5.7.1\r\nX: y" } },
		.envid = "bad+0",
		.content = { .size_bytes = 300 } },
	{ .name = "story",
		.recipients = { BOB },
		.content = { .size_bytes = 300 },
		.original = "Received: by x\r\nmessage-id:\r\n <1@example.org>\r\n\r\nx",
		.records = { FIRST_RECORD, SECOND_RECORD, THIRD_RECORD } },
	{ .name = "story_ja",
		.language = DSN_JAPANESE,
		.recipients = { BOB },
		.content = { .size_bytes = 300 },
		.records = { FIRST_RECORD, SECOND_RECORD, THIRD_RECORD } },
	{ .name = "delay_ja",
		.kind = DSN_DELAY,
		.language = DSN_JAPANESE,
		.recipients = { { .address = "bob@example.com",
			.mx = "mx1.example.com",
			.reply = { 450, NULL, (char *)"greylisted" },
			.status = "4.0.0" } },
		.records = { FIRST_RECORD } },
	{ .name = "many",
		.recipients = { BOB },
		.records = { FIRST_RECORD, "no record", THIRD_RECORD },
		.record_copies = 25 },
	{ .name = "others",
		.recipients = { { .address = "erin@example.com", .status = "5.0.0" } },
		.records = { FIRST_RECORD, SECOND_RECORD } },
	{ .name = "doubt",
		.recipients = { { .address = "bob@example.com",
			.detail = "given up after 5d",
			.status = "5.4.7",
			.may_have_arrived = true } } },
	{ .name = "socket",
		.recipients = { { .address = "bob@example.com",
			.mx = "/run/lmtp.sock",
			.reply = { 552, (char *)"5.2.2", (char *)"quota" },
			.status = "5.2.2" } },
		.original = "Subject: x\r\n\r\nMessage-ID: <2@example.org>\r\n" },
	{ .name = "lost",
		.recipients = { BOB },
		.original = "Message-ID: <no id>\r\n",
		.is_lost = true },
	{ 0 },
};

const struct dsn_case *dsn_case_find(const char *name)
{
	for (const struct dsn_case *c = dsn_cases; c->name; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

void dsn_case_build(const struct dsn_case *c, struct dsn_message *out)
{
	const char *to = c->to        ? c->to
			 : c->is_lost ? "postmaster@example.org"
				      : "alice@example.org";
	const struct mail_envelope envelope = { .id = 0x1abcdef,
		.sender = (char *)(c->is_lost ? "" : to),
		.envid = (char *)c->envid,
		.ret = c->ret,
		.arrival_ms = 1795293780000,
		.content = c->content };
	const struct dsn_request request = { .kind = c->kind,
		.language = c->language,
		.hostname = "out.example.org",
		.postmaster = "postmaster@example.org",
		.envelope = &envelope,
		.content = c->original,
		.content_len = c->original ? strlen(c->original) : 0,
		.domain = "example.com",
		.recipients = c->recipients,
		.recipient_count = c->recipients[1].address ? 2 : 1,
		.now_ms = 1795297380000,
		.expires_ms = 1795725780000 };
	dsn_build(&request, to, "example.org", out);
}

/* The newest first: the copies of the first record are the oldest. */
struct fake_records {
	struct queue_records records;
	const struct dsn_case *c;
	size_t left;
};

static const char *next_record(struct queue_records *records)
{
	struct fake_records *f = (struct fake_records *)records;
	if (!f->left)
		return NULL;
	size_t at = --f->left;
	return f->c->records[at > f->c->record_copies ? at - f->c->record_copies : 0];
}

char *dsn_case_story(const struct dsn_case *c, const struct dsn_message *m)
{
	struct fake_records f = { .records = { .next = next_record }, .c = c };
	while (f.left < 3 && c->records[f.left])
		f.left++;
	f.left += c->record_copies;
	f.records.count = f.left;
	return m->message.story.tell(
		m->message.story.told, m->message.story.told_len, &f.records);
}

char *dsn_case_text(
	const struct dsn_case *c, const struct dsn_message *m, const char *returned)
{
	OWN(mem_free) char *story = dsn_case_story(c, m);
	int at = (int)m->message.story.at;
	return xasprintf("%.*s%s%.*s%s%.*s", at, m->message.body, story,
		(int)m->message.body_len - at, m->message.body + at, returned,
		(int)m->message.tail_len, m->message.tail);
}
