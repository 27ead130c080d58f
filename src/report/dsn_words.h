/*
 * What notices say to people, in the languages that there are: constant sentences
 * in which %1 and %2 stand for values. UTF-8.
 */
#ifndef REPORT_DSN_WORDS_H
#define REPORT_DSN_WORDS_H

#include "base/buf.h"
#include "event/event.h"

enum dsn_language { DSN_ENGLISH, DSN_JAPANESE, DSN_LANGUAGE_COUNT };

enum dsn_phrase {
	DSN_SUBJECT_FAILURE,
	DSN_SUBJECT_DELAY,
	DSN_SUBJECT_SUCCESS,
	DSN_GREETING,      /* %1: the host */
	DSN_OPENS_FAILURE, /* %1: the time of the message */
	DSN_OPENS_LOST,    /* likewise: of a message without a sender */
	DSN_OPENS_DELAY,   /* likewise */
	DSN_OPENS_SUCCESS, /* likewise */
	DSN_RELAYED,       /* %1: the host that took it */
	DSN_RELAYED_NOWHERE,
	DSN_DELIVERED,
	DSN_SAID,         /* %1: who, %2: the reply */
	DSN_SAID_BY_PEER, /* %1: the reply */
	DSN_REASON,       /* %1: a fact of ours */
	DSN_NO_REASON,
	DSN_MAY_HAVE_ARRIVED,
	DSN_GIVES_UP_ON, /* %1: a time */
	DSN_HELP,        /* %1: the postmaster */
	DSN_LOG_TITLE,
	DSN_LOG_EARLIER, /* %1: how many */
	DSN_LOG_EARLIER_ONE,
	DSN_LOG_HEADING, /* %1: a time, %2: the number of the attempt */
	DSN_LOG_NO_HOST,
	DSN_LOG_NO_ADDRESS, /* %1: the host's name */
	DSN_LOG_TLS,        /* %1: the host, %2: the version of TLS */
	DSN_LOG_PLAINTEXT,  /* %1: the host */
	DSN_LOG_NO_TLS_YET, /* likewise: TLS was meant, and not reached */
	DSN_LOG_SAID,       /* %1: the reply */
	DSN_LOG_TAKEN,
	DSN_LOG_MORE, /* %1: how many more recipients */
	DSN_PHRASE_COUNT
};

const char *dsn_phrase(enum dsn_language language, enum dsn_phrase phrase);

/* Appends the phrase with its values; NULL where it has none. */
void dsn_phrase_add(struct buf *out, enum dsn_language language, enum dsn_phrase phrase,
	const char *first, const char *second);

/* An enhanced status code as a sentence, and what the sender can do about it; NULL
 * where nothing is to be said that the code's text does not. */
struct dsn_meaning {
	const char *what, *advice;
};
struct dsn_meaning dsn_meaning(enum dsn_language language, const char *status);

/* The failure class of a visit, as words_failure. */
const char *dsn_failure(enum dsn_language language, const struct event_attempt *a);

#endif
