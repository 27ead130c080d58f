/*
 * A message on its way: envelope, recipients, and where they stand.
 * Plain data, owned by whoever made it; strings are owned by the struct.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message id: 63 bits, time-ordered; shown as 16 upper-case hex digits. */
enum { MAIL_ID_MAX = 17 }; /* with NUL */
void mail_id_format(int64_t id, char out[MAIL_ID_MAX]);
bool mail_id_parse(const char *s, int64_t *id_out);
/* A new id from a wall clock time and random bits. */
int64_t mail_id_make(int64_t now_ms, uint32_t random);

/* RFC 3461 NOTIFY, as bits; 0: not given. */
enum mail_notify {
	MAIL_NOTIFY_NEVER = 1,
	MAIL_NOTIFY_SUCCESS = 2,
	MAIL_NOTIFY_FAILURE = 4,
	MAIL_NOTIFY_DELAY = 8
};
enum mail_ret { MAIL_RET_UNSET, MAIL_RET_FULL, MAIL_RET_HDRS };

/* What the content needs of a server that takes it. */
struct mail_content {
	uint64_t size_bytes; /* as stored; lines end with CRLF */
	bool is_8bit;        /* octets over 0x7f */
	bool needs_smtputf8; /* octets over 0x7f in header fields or envelope */
};

struct mail_recipient {
	int64_t id; /* of the queue; 0 before it is stored */
	char *address;
	char *orcpt;     /* ORCPT as given (xtext), or NULL */
	unsigned notify; /* enum mail_notify */
};

struct mail_envelope {
	int64_t id;
	char *sender; /* "" is the null sender */
	char *envid;  /* xtext, or NULL */
	enum mail_ret ret;
	int64_t arrival_ms;
	struct mail_content content;
	bool is_notice; /* a delivery status notification that was made here */
};

void mail_recipient_clear(struct mail_recipient *r);
void mail_envelope_clear(struct mail_envelope *m);
void mail_envelope_copy(struct mail_envelope *to, const struct mail_envelope *from);

#endif
