/*
 * A scripted SMTP session (tests/smtp/dialogs/README has the format), and a
 * player that acts it out against the client machine.
 */
#ifndef TESTS_SMTP_DIALOG_H
#define TESTS_SMTP_DIALOG_H

#include "base/buf.h"
#include "base/err.h"
#include "smtp/client.h"

enum { DIALOG_MESSAGES_MAX = 8, DIALOG_RECIPIENTS_MAX = 400, DIALOG_ITEMS_MAX = 1200 };

enum dialog_verb {
	DIALOG_SERVER, /* bytes from the peer */
	DIALOG_CLIENT, /* bytes that must have been sent */
	DIALOG_EXPECT, /* an event that must be next in the log */
	DIALOG_TLS,
	DIALOG_SEND,
	DIALOG_QUIT,
	DIALOG_BODY,
	DIALOG_BODY_END,
	DIALOG_BODY_FAIL,
	DIALOG_MARK,
	DIALOG_AUTH,      /* bytes: the initial response, if has_response */
	DIALOG_AUTH_MORE, /* likewise, and the exchange is not complete */
	DIALOG_AUTH_NONE, /* bytes: why */
	DIALOG_ANSWER,
	DIALOG_ANSWER_MORE,
	DIALOG_CANCEL,
	DIALOG_LOST,
	DIALOG_TIMEOUT,
	DIALOG_ABORT
};

struct dialog_item {
	enum dialog_verb verb;
	struct buf bytes;
	size_t number; /* of the message */
	char mechanism[32];
	bool has_response;
	unsigned line;
};

struct dialog_message {
	struct mail_envelope envelope;
	struct mail_recipient recipients[DIALOG_RECIPIENTS_MAX];
	size_t recipient_count;
	struct buf body;
	bool wants_data; /* whatever is offered */
	bool is_flight;  /* comes with its body, and may leave in one flight */
};

struct dialog {
	struct smtp_client_options options;
	bool is_manual;  /* BODY and MARK are answered by the script */
	bool only_whole; /* the outcome depends on what arrives together */
	struct dialog_message messages[DIALOG_MESSAGES_MAX];
	size_t message_count;
	struct dialog_item items[DIALOG_ITEMS_MAX];
	size_t item_count;
	size_t server_bytes;
};

struct dialog *dialog_read(const char *path, struct err *e); /* NULL: e says why */
void dialog_free(struct dialog **d);

struct dialog_mode {
	size_t piece; /* bytes a feed, and of the body a piece; 0: all at once */
	bool is_cut;  /* after cut_after bytes the peer is gone; nothing is compared */
	size_t cut_after;
};

/* Returns 0, or says what was not as it should be. */
int dialog_play(struct dialog *d, const struct dialog_mode *mode, struct err *e);

#endif
