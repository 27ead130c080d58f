#include "cli/run_notices.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "policy/name.h"
#include "report/dsn.h"

#include <stdlib.h>
#include <string.h>

static const enum dsn_kind kinds[NOTICE_KIND_COUNT] = {
	[NOTICE_FAILURE] = DSN_FAILURE,
	[NOTICE_DELAY] = DSN_DELAY,
	[NOTICE_SUCCESS] = DSN_SUCCESS,
};

static const enum dsn_language languages[] = {
	[CONFIG_LANGUAGE_EN] = DSN_ENGLISH,
	[CONFIG_LANGUAGE_JA] = DSN_JAPANESE,
};

static bool is_wanted(const struct notice *n, size_t i)
{
	/* A lost notice is reported whatever its NOTIFY says: the postmaster is the
	 * last resort. */
	if (!n->envelope->sender[0])
		return n->kind == NOTICE_FAILURE;
	return dsn_is_wanted(
		n->envelope, n->recipients[i].recipient->notify, kinds[n->kind]);
}

static size_t collect(const struct notice *n, struct dsn_recipient *out)
{
	size_t count = 0;
	for (size_t i = 0; i < n->recipient_count; i++) {
		const struct notice_recipient *from = &n->recipients[i];
		if (!is_wanted(n, i))
			continue;
		out[count++] = (struct dsn_recipient){
			.address = from->recipient->address,
			.orcpt = from->recipient->orcpt,
			.mx = from->mx,
			.reply = from->reply,
			.detail = from->detail,
			.status = from->status,
			.is_final = from->handover == NOTICE_DELIVERED,
			.may_have_arrived = from->may_have_arrived,
		};
	}
	return count;
}

static bool goes_to_postmaster(const struct notice *n)
{
	for (size_t i = 0; i < n->recipient_count; i++) {
		if (!text_equal(n->recipients[i].recipient->address, n->postmaster))
			return false;
	}
	return true;
}

/* NULL: nobody is left to tell. */
static const char *addressee(const struct notice *n)
{
	char id[MAIL_ID_MAX];
	if (n->envelope->sender[0])
		return n->envelope->sender;
	if (!goes_to_postmaster(n))
		return n->postmaster;
	mail_id_format(n->envelope->id, id);
	log_error("%s: a notice to the postmaster <%s> could not be delivered; it is "
		  "dropped, see "
		  "`hikyaku log --id %s`",
		id, n->postmaster, id);
	return NULL;
}

static bool make_notice(void *arg, const struct notice *n, struct queue_new_message *out,
	void **owner_out)
{
	char domain[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	OWN(mem_free)
	struct dsn_recipient *recipients =
		xcalloc(n->recipient_count, sizeof(*recipients));
	struct dsn_request request = {
		.kind = kinds[n->kind],
		.language = languages[n->language],
		.hostname = n->hostname,
		.postmaster = n->postmaster,
		.envelope = n->envelope,
		.content = n->content,
		.content_len = n->content_len,
		.domain = n->domain,
		.recipients = recipients,
		.recipient_count = collect(n, recipients),
		.now_ms = n->now_ms,
		.expires_ms = n->expires_ms,
	};
	(void)arg;
	const char *to = request.recipient_count ? addressee(n) : NULL;
	const char *at = to ? strrchr(to, '@') : NULL;
	if (!at)
		return false;
	if (!policy_destination_normalize(at + 1, strlen(at + 1), domain, why)) {
		log_error("no notice can go to <%s>: %s", to, why);
		return false;
	}
	struct dsn_message *m = xcalloc(1, sizeof(*m));
	dsn_build(&request, to, domain, m);
	*out = m->message;
	*owner_out = m;
	return true;
}

static void release_notice(void *arg, void *owner)
{
	struct dsn_message *m = owner;
	(void)arg;
	dsn_message_clear(m);
	free(m);
}

const struct notice_maker run_notice_maker = { .make = make_notice,
	.release = release_notice };
