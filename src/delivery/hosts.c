#include "delivery/hosts.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V6, V4, FAMILIES };

struct half {
	struct host_lookup *lookup;
	struct dns_query *query;
	bool is_done;
	enum dns_status status;
	struct addr addrs[HOSTS_ADDRS_MAX];
	size_t count;
	char text[256];
};

struct host_lookup {
	struct half halves[FAMILIES];
	char name[DNS_NAME_MAX];
	uint16_t port;
	const struct addr_range *prohibited; /* borrowed */
	size_t prohibited_count;
	host_callback *cb;
	void *arg;
};

bool host_addr_is_prohibited(
	const struct addr *a, const struct addr_range *prohibited, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_in_range(a, &prohibited[i]))
			return true;
	}
	return false;
}

bool host_addr_is_own(
	const struct addr *a, const struct config_listen *listen, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct addr *at = &listen[i].addr;
		if (listen[i].path[0] || addr_port(at) != addr_port(a))
			continue;
		if (addr_equal(at, a) || (addr_is_any(at) && addr_is_loopback(a)))
			return true;
	}
	return false;
}

static void add_addr(struct host_addrs *out, const struct addr *a, uint16_t port)
{
	struct addr copy;
	if (out->count == HOSTS_ADDRS_MAX)
		return;
	addr_unmap(a, &copy);
	addr_set_port(&copy, port);
	for (size_t i = 0; i < out->count; i++) {
		if (addr_equal(&out->addrs[i], &copy))
			return;
	}
	out->addrs[out->count++] = copy;
}

void host_addrs_merge(const struct addr *v6, size_t v6_count, const struct addr *v4,
	size_t v4_count, uint16_t port, struct host_addrs *out)
{
	size_t most = v6_count > v4_count ? v6_count : v4_count;
	for (size_t i = 0; i < most; i++) {
		if (i < v6_count)
			add_addr(out, &v6[i], port);
		if (i < v4_count)
			add_addr(out, &v4[i], port);
	}
}

static void drop_prohibited(const struct host_lookup *l, struct host_addrs *found)
{
	size_t kept = 0;
	char text[ADDR_TEXT_MAX] = "";
	for (size_t i = 0; i < found->count; i++) {
		if (host_addr_is_prohibited(
			    &found->addrs[i], l->prohibited, l->prohibited_count))
			addr_format(&found->addrs[i], text);
		else
			found->addrs[kept++] = found->addrs[i];
	}
	found->count = kept;
	if (!kept && text[0])
		snprintf(found->text, sizeof(found->text),
			"address %s of host %.200s is among prohibited_addresses", text,
			l->name);
}

static void explain_none(const struct host_lookup *l, struct host_addrs *found)
{
	for (int i = 0; i < FAMILIES; i++) {
		if (l->halves[i].status != DNS_TEMPORARY)
			continue;
		found->is_temporary = true;
		snprintf(found->text, sizeof(found->text),
			"address lookup for %.120s failed: %.150s", l->name,
			l->halves[i].text);
		return;
	}
	if (!found->text[0])
		snprintf(found->text, sizeof(found->text), "host %.200s %s", l->name,
			l->halves[V4].status == DNS_NO_NAME ? "does not exist"
							    : "has no address");
}

static void finish_when_complete(struct host_lookup *l)
{
	struct host_addrs found = { 0 };
	if (!l->halves[V6].is_done || !l->halves[V4].is_done)
		return;
	host_addrs_merge(l->halves[V6].addrs, l->halves[V6].count, l->halves[V4].addrs,
		l->halves[V4].count, l->port, &found);
	drop_prohibited(l, &found);
	if (!found.count)
		explain_none(l, &found);
	host_callback *cb = l->cb;
	void *arg = l->arg;
	free(l);
	cb(arg, &found);
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct half *half = arg;
	half->query = NULL;
	half->is_done = true;
	half->status = answer->status;
	snprintf(half->text, sizeof(half->text), "%s", answer->text);
	for (size_t i = 0; i < answer->addr_count && half->count < HOSTS_ADDRS_MAX; i++)
		half->addrs[half->count++] = answer->addrs[i];
	finish_when_complete(half->lookup);
}

struct host_lookup *host_lookup_start(struct dns_resolver *resolver, const char *name,
	uint16_t port, const struct addr_range *prohibited, size_t prohibited_count,
	host_callback *cb, void *arg)
{
	static const int families[FAMILIES] = { AF_INET6, AF_INET };
	struct host_lookup *l = xcalloc(1, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->port = port;
	l->prohibited = prohibited;
	l->prohibited_count = prohibited_count;
	l->cb = cb;
	l->arg = arg;
	for (int i = 0; i < FAMILIES; i++) {
		l->halves[i].lookup = l;
		l->halves[i].query = dns_lookup_addr(
			resolver, name, families[i], on_answer, &l->halves[i]);
	}
	return l;
}

void host_lookup_cancel(struct host_lookup **lp)
{
	struct host_lookup *l = *lp;
	*lp = NULL;
	if (!l)
		return;
	for (int i = 0; i < FAMILIES; i++) {
		if (l->halves[i].query)
			dns_query_cancel(&l->halves[i].query);
	}
	free(l);
}
