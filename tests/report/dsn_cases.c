#include "dsn_cases.h"

#include "base/mem.h"

#include <string.h>

#define ODD_TEXT \
	"<x>: \"quoted\"; --boundary Content-Type: text/html =?utf-8?q?=3C?= (a) \\ end"

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
	const struct mail_envelope envelope = { .id = 0x1abcdef,
		.sender = (char *)(c->to ? c->to : "alice@example.org"),
		.envid = (char *)c->envid,
		.ret = c->ret,
		.arrival_ms = 1795293780000,
		.content = c->content };
	const struct dsn_request request = { .kind = c->kind,
		.hostname = "out.example.org",
		.postmaster = "postmaster@example.org",
		.envelope = &envelope,
		.recipients = c->recipients,
		.recipient_count = c->recipients[1].address ? 2 : 1,
		.now_ms = 1795297380000,
		.attempts = 3,
		.expires_ms = 1795725780000 };
	dsn_build(&request, envelope.sender, "example.org", out);
}

char *dsn_case_text(const struct dsn_message *m, const char *returned)
{
	return xasprintf("%.*s%s%.*s", (int)m->message.body_len, m->message.body,
		returned, (int)m->message.tail_len, m->message.tail);
}
