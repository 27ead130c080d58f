#include "delivery/route.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Room for a hundred hosts is 28 KiB: only what host_count covers is written. */
static void clear(struct route *r)
{
	memset(r, 0, offsetof(struct route, hosts));
}

static void refuse(struct route *r, enum route_status status, const char *enhanced,
	const char *text, const char *domain)
{
	r->status = status;
	r->host_count = 0;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
	snprintf(r->text, sizeof(r->text), "%s: %.240s", text, domain);
}

static void add_host(struct route *r, const char *name, uint16_t preference)
{
	struct route_host *h = &r->hosts[r->host_count++];
	*h = (struct route_host){ .preference = preference };
	snprintf(h->name, sizeof(h->name), "%s", name);
}

static void implicit(struct route *r, const char *domain)
{
	r->status = ROUTE_OK;
	r->is_implicit = true;
	add_host(r, domain, 0);
}

/* Insertion sort: a hundred hosts at most, and stable. */
static void sort_by_preference(struct route *r)
{
	for (size_t i = 1; i < r->host_count; i++) {
		struct route_host h = r->hosts[i];
		size_t j = i;
		for (; j > 0 && r->hosts[j - 1].preference > h.preference; j--)
			r->hosts[j] = r->hosts[j - 1];
		r->hosts[j] = h;
	}
}

static void shuffle_equal(struct route *r, uint32_t (*random_below)(uint32_t bound))
{
	size_t begin = 0;
	while (begin < r->host_count) {
		size_t end = begin + 1;
		while (end < r->host_count &&
			r->hosts[end].preference == r->hosts[begin].preference)
			end++;
		for (size_t i = end - 1; i > begin; i--) {
			size_t j = begin + random_below((uint32_t)(i - begin + 1));
			struct route_host h = r->hosts[i];
			r->hosts[i] = r->hosts[j];
			r->hosts[j] = h;
		}
		begin = end;
	}
}

/* RFC 5321 5.1: oneself and everything no better than oneself is dropped.
 * Returns false if nothing is left. The list is sorted. */
static bool drop_self(struct route *r, const char *self)
{
	for (size_t i = 0; i < r->host_count; i++) {
		if (!text_equal(r->hosts[i].name, self))
			continue;
		uint16_t preference = r->hosts[i].preference;
		while (r->host_count &&
			r->hosts[r->host_count - 1].preference >= preference)
			r->host_count--;
		return r->host_count > 0;
	}
	return true;
}

static void take_records(struct route *r, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->mx_count && r->host_count < DNS_MX_MAX; i++) {
		/* RFC 7505: a root among others is no host, and nothing more. */
		if (answer->mx[i].host[0])
			add_host(r, answer->mx[i].host, answer->mx[i].preference);
	}
}

void route_from_mx(const struct dns_answer *answer, const char *domain, const char *self,
	uint32_t (*random_below)(uint32_t bound), struct route *out)
{
	clear(out);
	out->is_secure = answer->is_secure;
	switch (answer->status) {
	case DNS_TEMPORARY:
		refuse(out, ROUTE_TEMPORARY, "4.4.3", "MX lookup failed", domain);
		snprintf(out->text, sizeof(out->text),
			"MX lookup for %.100s failed: %.180s", domain, answer->text);
		return;
	case DNS_NO_NAME:
		refuse(out, ROUTE_PERMANENT, "5.1.2", "no such domain", domain);
		return;
	case DNS_NO_DATA:
		implicit(out, domain);
		if (text_equal(domain, self))
			refuse(out, ROUTE_PERMANENT, "5.4.6",
				"mail loops back to this host", domain);
		return;
	case DNS_OK:
		break;
	}
	if (answer->mx_count == 1 && answer->mx[0].preference == 0 &&
		!answer->mx[0].host[0]) {
		refuse(out, ROUTE_PERMANENT, "5.1.10",
			"the domain takes no mail (null MX)", domain);
		return;
	}
	take_records(out, answer);
	if (!out->host_count) {
		refuse(out, ROUTE_TEMPORARY, "4.4.4", "no MX record names a host",
			domain);
		return;
	}
	sort_by_preference(out);
	if (!drop_self(out, self)) {
		refuse(out, ROUTE_PERMANENT, "5.4.6",
			"mail loops back to this host, which is its best MX", domain);
		return;
	}
	shuffle_equal(out, random_below);
	out->status = ROUTE_OK;
}

void route_prefer(struct route *r, const char *name)
{
	size_t i = 0;
	while (i < r->host_count && !text_equal(r->hosts[i].name, name))
		i++;
	if (i == r->host_count)
		return;
	struct route_host h = r->hosts[i];
	memmove(r->hosts + 1, r->hosts, i * sizeof(r->hosts[0]));
	r->hosts[0] = h;
}

void route_from_host(const char *name, struct route *out)
{
	clear(out);
	out->status = ROUTE_OK;
	add_host(out, name, 0);
}

bool route_from_literal(const char *domain, struct route *out)
{
	size_t len = strlen(domain);
	char inner[ADDR_TEXT_MAX];
	if (domain[0] != '[' || len < 3 || domain[len - 1] != ']')
		return false;
	const char *begin = domain + 1;
	if (text_has_prefix(begin, strlen(begin), "IPv6:"))
		begin += 5;
	size_t inner_len = (size_t)(domain + len - 1 - begin);
	clear(out);
	struct route_host *h = &out->hosts[0];
	*h = (struct route_host){ 0 };
	if (inner_len < sizeof(inner)) {
		memcpy(inner, begin, inner_len);
		inner[inner_len] = '\0';
		h->is_literal = addr_parse(inner, 0, &h->literal);
	}
	if (!h->is_literal) {
		refuse(out, ROUTE_PERMANENT, "5.1.2", "not an address literal", domain);
		return true;
	}
	snprintf(h->name, sizeof(h->name), "%s", domain);
	out->host_count = 1;
	return true;
}
