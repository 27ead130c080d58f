/*
 * A scripted session of the server machine (tests/smtp/server_dialogs/README has the
 * format), and a player that is its owner and its client.
 */
#ifndef TESTS_SMTP_SERVER_DIALOG_H
#define TESTS_SMTP_SERVER_DIALOG_H

#include "base/buf.h"
#include "base/err.h"
#include "smtp/reply.h"
#include "smtp/server.h"

#include <stdbool.h>
#include <stddef.h>

enum { SERVER_DIALOG_ITEMS_MAX = 600, SERVER_DIALOG_COMMITS_MAX = 8 };

enum server_dialog_verb {
	SERVER_DIALOG_CLIENT, /* bytes from the peer */
	SERVER_DIALOG_SERVER, /* bytes that must have been written */
	SERVER_DIALOG_EXPECT, /* an event that must be next in the log */
	SERVER_DIALOG_ACCEPT,
	SERVER_DIALOG_REFUSE,
	SERVER_DIALOG_STORED,
	SERVER_DIALOG_REFUSE_CONTENT,
	SERVER_DIALOG_WRITES,
	SERVER_DIALOG_BUSY,
	SERVER_DIALOG_LOST,
	SERVER_DIALOG_SHUT
};

struct server_dialog_item {
	enum server_dialog_verb verb;
	struct buf bytes;
	struct smtp_reply reply; /* REFUSE, REFUSE_CONTENT */
	unsigned number;         /* WRITES */
	unsigned line;
};

struct server_dialog {
	struct smtp_server_options options;
	bool is_manual;        /* questions are answered by the script */
	bool only_whole;       /* the outcome depends on what arrives together */
	unsigned long full_at; /* content is refused from this octet on; 0: never */
	struct server_dialog_item items[SERVER_DIALOG_ITEMS_MAX];
	size_t item_count;
	size_t client_bytes;
	/* What was committed when it was played whole, for the other ways. */
	struct buf commits[SERVER_DIALOG_COMMITS_MAX];
	size_t commit_count;
};

struct server_dialog *server_dialog_read(const char *path, struct err *e); /* or NULL */
void server_dialog_free(struct server_dialog **d);

struct server_dialog_mode {
	size_t piece;  /* octets a feed; 0: all at once */
	bool is_first; /* fills commits */
	bool is_cut;   /* after cut_after octets the peer is gone; nothing is compared */
	bool is_shut;  /* or rather the owner has enough of it */
	size_t cut_after;
};

/* Returns 0, or says what was not as it should be. */
int server_dialog_play(
	struct server_dialog *d, const struct server_dialog_mode *mode, struct err *e);

#endif
