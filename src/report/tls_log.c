#include "report/tls_log.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "report/words.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_MAX = 1200 };

struct tls_log {
	struct event_sink sink;
	char *path;
	int fd;                /* its number stays: other loops may be writing to it */
	atomic_bool is_broken; /* the last write failed, and that was reported */
};

static bool needs_quotes(const char *s)
{
	return !*s || strcmp(s, "-") == 0 || strpbrk(s, " \"\\=");
}

static void add_text(struct buf *out, const char *key, const char *value)
{
	char clean[VALUE_MAX];
	buf_addf(out, " %s=", key);
	if (!value) {
		buf_addstr(out, "-");
		return;
	}
	text_clean(value, strlen(value), clean, sizeof(clean));
	if (!needs_quotes(clean)) {
		buf_addstr(out, clean);
		return;
	}
	buf_addc(out, '"');
	for (const char *s = clean; *s; s++) {
		if (strchr("\"\\", *s))
			buf_addc(out, '\\');
		buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

/* "" and NULL are both "not known" for what the handshake tells. */
static void add_fact(struct buf *out, const char *key, const char *value)
{
	add_text(out, key, value && *value ? value : NULL);
}

static void add_bool(struct buf *out, const char *key, bool value)
{
	buf_addf(out, " %s=%s", key, value ? "yes" : "no");
}

static void add_session(struct buf *out, const struct event_tls_handshake *h)
{
	add_fact(out, "version", h->version);
	add_fact(out, "cipher", h->cipher);
	add_fact(out, "group", h->group);
	add_fact(out, "peer", h->peer);
	add_fact(out, "fingerprint", h->fingerprint);
	add_fact(out, "not_after", h->not_after);
	add_bool(out, "verified", h->verified);
	add_fact(out, "why", h->verify_text);
	add_bool(out, "resumed", h->resumed);
	buf_addf(out, " duration_ms=%" PRId64, h->duration_ms < 0 ? 0 : h->duration_ms);
}

void tls_log_format(const struct event_tls_handshake *h, struct buf *out)
{
	char when[TIMEFMT_MAX], id[EVENT_ID_MAX];
	timefmt_rfc3339(h->time_ms, when);
	event_id_format(h->id, id);
	buf_addf(out, "%s %s id=%s", when, h->ok ? "handshake" : "error", id);
	add_fact(out, "domain", h->domain);
	add_fact(out, "mx", h->mx);
	add_fact(out, "address", h->address);
	buf_addf(out, " port=%u", h->port);
	add_fact(out, "sni", h->sni);
	add_session(out, h);
	add_fact(out, "stage", h->stage);
	add_fact(out, "error", h->error);
	buf_addc(out, '\n');
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Of several loops one reports it. */
static void note_result(struct tls_log *log, int errnum)
{
	if (atomic_load(&log->is_broken) == (errnum != 0))
		return;
	bool was_broken = atomic_exchange(&log->is_broken, errnum != 0);
	if (errnum && !was_broken)
		log_error("write TLS log %s: %s; handshakes are not recorded until it "
			  "works again",
			log->path, strerror(errnum));
	else if (!errnum && was_broken)
		log_info("TLS log %s works again", log->path);
}

static void record(void *arg, const struct event_tls_handshake *h)
{
	struct tls_log *log = arg;
	struct buf line = BUF_INIT;
	tls_log_format(h, &line);
	/* The system adds each write whole: no lock. */
	note_result(log, write_all(log->fd, buf_bytes(&line), buf_len(&line)));
	buf_clear(&line);
}

/* Errors of TLS that no handshake tells of, because it never came to one. */
static bool is_before_handshake(const struct event_attempt *a)
{
	static const char *const failures[] = { "starttls_refused", "tls_init",
		"policy" };
	for (size_t i = 0; a->failure && i < ARRAY_SIZE(failures); i++) {
		if (strcmp(a->failure, failures[i]) == 0)
			return true;
	}
	return false;
}

/* The session may have gone on in plaintext, to its end. */
static const char *stage_of_error(const struct event_attempt *a)
{
	if (strcmp(a->failure, "starttls_refused") == 0)
		return "starttls";
	return strcmp(a->failure, "tls_init") == 0 ? "tls" : a->stage;
}

/* The reply may be that to the message, after a session that went on. */
static void add_error(struct buf *text, const struct event_attempt *a)
{
	bool is_refusal = a->reply.code && a->stage && strcmp(a->stage, "starttls") == 0;
	buf_addstr(text, words_failure(a));
	if (is_refusal) {
		buf_addstr(text, ": ");
		words_reply(text, &a->reply);
	} else if (a->detail) {
		buf_addf(text, ": %s", a->detail);
	}
}

static void record_attempt(void *arg, const struct event_attempt *a)
{
	struct buf text = BUF_INIT;
	if (!is_before_handshake(a) || a->has_tls)
		return;
	add_error(&text, a);
	const struct event_tls_handshake h = { .time_ms = a->time_ms,
		.id = a->id,
		.domain = a->domain,
		.mx = a->mx,
		.address = a->address,
		.port = a->port,
		.error = buf_text(&text),
		.stage = stage_of_error(a) };
	record(arg, &h);
	buf_clear(&text);
}

static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	return fd < 0 ? err_errno(e, errno, "open TLS log %s", path) : fd;
}

int tls_log_open(const char *path, struct tls_log **out, struct err *e)
{
	int fd = open_file(path, e);
	if (fd < 0)
		return fd;
	struct tls_log *log = xcalloc(1, sizeof(*log));
	*log = (struct tls_log){
		.sink = { .attempt = record_attempt, .handshake = record, .arg = log },
		.path = xstrdup(path),
		.fd = fd
	};
	*out = log;
	return 0;
}

int tls_log_reopen(struct tls_log *log, struct err *e)
{
	int fd = open_file(log->path, e);
	if (fd < 0)
		return fd;
	int result = 0;
	if (dup3(fd, log->fd, O_CLOEXEC) < 0)
		result = err_errno(e, errno, "open TLS log %s", log->path);
	close(fd);
	return result;
}

void tls_log_close(struct tls_log **log)
{
	if (!*log)
		return;
	close((*log)->fd);
	free((*log)->path);
	mem_free(log);
}

const struct event_sink *tls_log_sink(const struct tls_log *log)
{
	return &log->sink;
}
