#include "delivery/terms.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char *host_name(const char *host)
{
	return host && host[0] != '[' && host[0] != '/' ? host : NULL;
}

static const char *asked_for(const struct way *way, const struct queue_item *item)
{
	return way->relay ? policy_relay_name(way->relay, item->domain) : item->domain;
}

struct terms *terms_decide(struct config_ref *config, struct policy_set *policy,
	const struct way *way, const struct queue_item *item, const char *host)
{
	/* Not cleared: the decision clears what it uses of its 12 KiB. */
	struct terms *t = xmalloc(sizeof(*t));
	t->refs = 1;
	t->config = config_ref_take(config);
	t->policy = policy ? policy_set_ref(policy) : NULL;
	t->way = *way;
	t->destination = xstrdup(asked_for(way, item));
	t->host = xstrdup(host_name(host));
	t->next_channel = xstrdup(item->next_channel);
	t->channel_reason = xstrdup(item->channel_reason);
	t->attempts = item->attempts;
	t->settings = config_destination(t->config->config, t->destination);
	struct policy_query query = {
		.destination = item->domain,
		.host = t->host,
		.route = way->route,
		.relay = way->route ? way->relay : NULL,
		.settings = &t->settings->policy,
		.due_channel = POLICY_CHANNEL_TLS,
		.attempts = t->attempts,
		.due_reason = t->channel_reason,
	};
	if (t->next_channel)
		policy_channel_parse(t->next_channel, &query.due_channel);
	policy_decide(t->policy, &query, &t->decision);
	return t;
}

bool terms_still_hold(const struct terms *t, const struct config_ref *config,
	const struct policy_set *policy, const struct way *way,
	const struct queue_item *item, const char *host)
{
	return t->config == config && t->policy == policy && t->way.route == way->route &&
	       t->way.relay == way->relay && t->attempts == item->attempts &&
	       text_same(t->next_channel, item->next_channel) &&
	       text_same(t->channel_reason, item->channel_reason) &&
	       text_same(t->destination, asked_for(way, item)) &&
	       text_same(t->host, host_name(host));
}

/* Hosts of its own are those of one destination alone. */
static bool is_same_destination(const struct terms *a, const struct terms *b)
{
	return !a->way.relay->is_destination || text_same(a->destination, b->destination);
}

bool terms_are_alike(const struct terms *ta, const struct terms *tb)
{
	const struct policy_decision *a = &ta->decision, *b = &tb->decision;
	return a->channel == b->channel && a->use_starttls == b->use_starttls &&
	       a->tls_required == b->tls_required && a->tls_verified == b->tls_verified &&
	       a->protocols == b->protocols && a->greeting == b->greeting &&
	       strcmp(a->sni, b->sni) == 0 && is_same_destination(ta, tb) &&
	       way_is_alike(&ta->way, &tb->way);
}

struct terms *terms_ref(struct terms *t)
{
	t->refs++;
	return t;
}

void terms_unref(struct terms **tp)
{
	struct terms *t = *tp;
	*tp = NULL;
	if (!t)
		return;
	ASSERT(t->refs > 0);
	if (--t->refs)
		return;
	config_ref_drop(&t->config);
	policy_set_unref(&t->policy);
	free(t->destination);
	free(t->host);
	free(t->next_channel);
	free(t->channel_reason);
	free(t);
}
