/*
 * The words that the sinks share: how a reply, a host, a stage and a failure
 * class are called when a person or a log analyser reads them, and the
 * breaking of lines. Everything is appended to a buffer of the caller's.
 */
#ifndef REPORT_WORDS_H
#define REPORT_WORDS_H

#include "base/buf.h"
#include "event/event.h"

/* "450 4.2.0 text"; the enhanced code once, wherever the peer put it. */
void words_reply(struct buf *out, const struct event_reply *reply);

/* Was it a place that could be tried: an address, or the path of a socket? */
bool words_has_place(const struct event_attempt *a);

/* "mx1.example.com[192.0.2.1]", the name being the address where an address literal
 * is all it has; "localhost[/run/lmtp]". Only with a place. */
void words_host(struct buf *out, const struct event_attempt *a);

/* "mx1.example.com[192.0.2.1]:25", "localhost[/run/lmtp]", or "none" without a place.
 * Nothing in it can be taken for the end of a log line's field. */
void words_relay(struct buf *out, const struct event_attempt *a);

/* A value of a log line's field: what could end it becomes '_'. */
void words_token(struct buf *out, const char *value);

/* The command a reply in this stage answers ("RCPT TO command"), or NULL. */
const char *words_command(const char *stage);

/* Class "policy" is about TLS, or about who we are. */
enum words_policy {
	WORDS_POLICY_TLS,
	WORDS_POLICY_CERTIFICATE, /* of the client: no connection was made */
	WORDS_POLICY_LOGIN,
	WORDS_POLICY_COUNT
};
/* Of any class; but for "policy" it is WORDS_POLICY_TLS. */
enum words_policy words_policy(const struct event_attempt *a);

/* The failure class as a sentence without a full stop; the class itself where it
 * is not known, "" where there is none. */
const char *words_failure(const struct event_attempt *a);

/* The reply is all there is to tell of the failure. */
bool words_is_told_by_reply(const struct event_attempt *a);

/* A fact of ours that neither the reply nor the failure class tells, or NULL. */
const char *words_detail(const struct event_attempt *a);

/* The detail is about our credentials or certificates, and names files of this machine:
 * nothing for those outside of it. */
bool words_is_private(const struct event_attempt *a);

/* Two recipients were told the same. */
bool words_is_same_verdict(
	const struct event_recipient *a, const struct event_recipient *b);

/* A time for people: "2026-11-21 20:43:00 +0900", in the zone of this machine. out
 * has TIMEFMT_MAX octets. */
void words_time(int64_t ms, char *out);

/* What came next within the attempt, for people; NULL at its end. */
const char *words_then(const struct event_attempt *a);

/* What a person can do about the failure, and the command for it, which is not
 * to be broken into lines (may stay empty). false: there is nothing to say. */
bool words_hint(const struct event_attempt *a, struct buf *hint, struct buf *command);

/* Breaks text into lines of at most width columns (0: never). The first line
 * begins where the caller stands, at column `at`; further ones begin with eol
 * and indent blanks. Text is cleaned; a word that is too long stays whole up to
 * WORDS_WORD_MAX octets. Blanks within a line stay as they are. No line end at the end.
 */
enum { WORDS_WORD_MAX = 400 };
struct words_wrap {
	unsigned at, indent, width;
	const char *eol;
};
void words_wrap(struct buf *out, const struct words_wrap *how, const char *text);

#endif
