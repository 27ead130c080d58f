/* The inside of an attempt, shared by attempt.c (its course), attempt_hosts.c (its
 * relays, hosts and addresses), attempt_turn.c (one host's turn) and attempt_result.c
 * (what it comes to). */
#ifndef DELIVERY_ATTEMPT_INTERNAL_H
#define DELIVERY_ATTEMPT_INTERNAL_H

#include "delivery/attempt.h"
#include "delivery/hosts.h"
#include "delivery/route.h"
#include "delivery/terms.h"
#include "delivery/way.h"

/* Where a recipient stands. */
enum standing {
	STANDING_OPEN,      /* no verdict yet */
	STANDING_TEMPORARY, /* another host, or another day */
	STANDING_HOST,      /* the last host could not take it; another might */
	STANDING_DELIVERED,
	STANDING_PERMANENT,
	STANDING_IN_DOUBT
};

struct finishing;
struct timer;

struct attempt_recipient {
	enum standing standing;
	struct smtp_reply reply;       /* the verdict's; code 0: ours */
	char detail[320];              /* our fact, where there is no reply */
	bool is_private;               /* the fact is none for the sender */
	char mx[DNS_NAME_MAX];         /* who said it */
	size_t turn;                   /* in which turn it was last asked about */
	enum smtp_state state;         /* of the machine, at the verdict */
	enum notice_handover handover; /* of one that is delivered */
};

/* One host's turn: from choosing an address to the end of the session's work. */
struct turn {
	int64_t begun_ms;      /* wall clock */
	int64_t begun_mono_ms; /* monotonic */
	int64_t sent_mono_ms;  /* when the transaction began; 0: it did not */
	uint64_t policy_generation;
	struct terms *terms; /* held; from the last turn until this one's are decided */
	enum policy_channel channel;
	bool is_reused, is_reconnect; /* in plaintext, to the address that failed */
	enum policy_failure failure;
	const char *stage;
	const struct smtp_reply *reply; /* until turn_end; NULL: none */
	char detail[320];
	enum policy_step step;
	bool was_open;    /* a connection was there */
	bool tries_again; /* at the same addresses, without what the host cannot do */
	bool was_ready;   /* it got as far as taking messages */
	bool starttls_refused; /* in this session */
	bool lacks_own_tls;    /* it cannot be begun here: STARTTLS was not sent */
	bool is_private;       /* the detail is none for the sender */
};

struct attempt {
	struct delivery_env *env;
	struct attempt_events events;
	struct queue_item *item; /* owned */
	struct config_ref *config;
	/* Of the recipients' domain, in config: how often and how long it is tried. */
	const struct config_destination *settings;

	struct policy_set *policy;       /* that the line is of; NULL: no line */
	const struct policy_route *line; /* NULL: none matches */
	const struct policy_relay *relays[POLICY_RELAYS_MAX]; /* in their order */
	size_t relay_count; /* 0: not looked for yet: a kept session came first */
	size_t relay;       /* index of the one whose turn it is */
	uint16_t port;      /* of its hosts */

	struct dns_query *mx_query;
	struct route *route;          /* of the relay; owned */
	char skip_host[DNS_NAME_MAX]; /* the host of the kept session, and its port */
	uint16_t skip_port;
	size_t host; /* index of the host whose turn it is */
	struct host_lookup *lookup;
	struct host_addrs addrs; /* of that host */
	size_t next_addr;        /* the first that was not tried */
	size_t addrs_tried;      /* over all hosts of the relay */

	struct session *session; /* owned while it works for us */
	struct session *kept;    /* the same, done and still good: to be handed on */
	struct turn turn;
	size_t turns;
	struct attempt_recipient *recipients; /* as item->recipients */
	struct mail_recipient *asked;         /* those of the running transaction */
	size_t *asked_index;                  /* their places in recipients */
	size_t asked_count;

	bool mark_refused; /* in doubt cannot be told: no host gets the message */
	struct session_events session_events;
	struct smtp_message message;
	bool body_pending, body_wanted, was_in_doubt;
	size_t body_turn; /* the turn that the pending piece was read for */
	uint64_t body_offset;
	bool is_finishing, is_aborted;
	bool was_cut_short; /* the last turn was ended by the abort */
	bool was_busy;      /* its host said 421 */
	bool is_last_store; /* what the store refuses now is not tried again */
	bool is_given_back; /* as if never begun: nothing is told of it */
	bool any_temporary, any_flip, any_conversed;
	enum policy_fallback flip_mode; /* in force where the first one flipped */
	enum policy_failure failure;    /* the one that the attempt is known by */

	struct event_attempt *records; /* one a turn */
	size_t record_count;
	struct finishing *finishing; /* what is being stored */
	struct timer *store_timer;
};

bool standing_is_unsettled(enum standing s); /* no verdict that stays */

/* attempt.c */
void attempt_after_step(struct attempt *a); /* does what turn.step says */
bool attempt_has_work(const struct attempt *a);
void attempt_start_over(struct attempt *a); /* from the route on */
void attempt_free(struct attempt *a);
void attempt_decide(struct attempt *a, const char *host); /* turn.terms */

/* attempt_hosts.c */
void attempt_follow_route(struct attempt *a); /* from its beginning */
void attempt_next(struct attempt *a); /* next address, host or relay, or the end */
struct way attempt_way(const struct attempt *a); /* relay NULL: the route has none */
/* Whose certificate the host whose turn it is must show; NULL: nobody's. */
const char *attempt_verify_name(const struct attempt *a, char out[DNS_NAME_MAX]);

/* attempt_turn.c */
void turn_begin(struct attempt *a);
void turn_open(struct attempt *a, const struct addr *addrs, size_t count);
void turn_use_kept(struct attempt *a);
void turn_fail_without_session(struct attempt *a, enum policy_failure failure,
	const char *stage, const char *text);
void turn_end_by_route(struct attempt *a, const char *text);
void turn_abort(struct attempt *a, const char *why); /* it has a session */

/* attempt_record.c */
void turn_end(struct attempt *a); /* makes the record */

/* attempt_result.c */
void attempt_finish(struct attempt *a);
void attempt_stop_storing(struct attempt *a);
void attempt_result_free(struct attempt *a);

#endif
