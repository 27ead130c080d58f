#include "dns/dns_parse.h"

#include "base/mem.h"
#include "base/text.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHAIN_MAX = 16,
	TTL_MAX_S = 86400,
	NEGATIVE_TTL_MAX_S = 300, /* RFC 2308 section 5 allows hours; mail cannot wait */
	LABEL_MAX = 63
};

/* A record of the answer section that may take part in the answer. */
struct record {
	char *owner;  /* as text, odd octets escaped: owned */
	char *target; /* of a CNAME or MX: owned */
	int type;
	uint32_t ttl_s;
	uint16_t preference;
	const unsigned char *rdata; /* into the message */
};

/* A step that finds the message wrong returns what is wrong with it, else NULL. */
struct parse {
	ns_msg msg;
	const char *name;
	enum dns_type type;
	int rcode;
	struct record *records; /* owned */
	size_t record_count;
	const char *last; /* name at the end of the CNAME chain */
	uint32_t ttl_s;   /* the least of the records used so far */
	bool has_soa;
	bool has_ns;
	struct dns_reply *reply;
};

struct dns_reply *dns_reply_new(enum dns_status status)
{
	struct dns_reply *r = xcalloc(1, sizeof(*r));
	r->refs = 1;
	r->answer.status = status;
	return r;
}

struct dns_reply *dns_reply_ref(struct dns_reply *r)
{
	r->refs++;
	return r;
}

void dns_reply_unref(struct dns_reply **r)
{
	struct dns_reply *reply = MOVE(*r);
	if (!reply || --reply->refs)
		return;
	free((void *)reply->answer.mx);
	free((void *)reply->answer.addrs);
	free(reply);
}

static bool is_host_char(char c)
{
	return text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'z') ||
	       c == '-' || c == '_';
}

bool dns_name_is_usable(const char *name)
{
	size_t label = 0, len = 0;
	for (const char *p = name; *p; p++, len++) {
		if (*p == '.' ? label == 0 : !is_host_char(*p))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX || len >= DNS_NAME_MAX - 1)
			return false;
	}
	return label > 0;
}

/* RFC 2181 section 8: a TTL with the highest bit set counts as zero. */
static uint32_t sane_ttl(uint32_t ttl_s)
{
	return ttl_s > INT32_MAX ? 0 : ttl_s;
}

static void use_ttl(struct parse *p, uint32_t ttl_s)
{
	if (ttl_s < p->ttl_s)
		p->ttl_s = ttl_s;
}

static const char *rcode_name(int rcode)
{
	switch (rcode) {
	case ns_r_formerr:
		return "FORMERR";
	case ns_r_servfail:
		return "SERVFAIL";
	case ns_r_notimpl:
		return "NOTIMP";
	case ns_r_refused:
		return "REFUSED";
	case ns_r_badvers:
		return "BADVERS";
	default:
		return NULL;
	}
}

/* The upper eight bits of the response code are in the OPT record (RFC 6891
 * section 6.1.3): without them BADVERS would look like "no such record". */
static const char *read_rcode(struct parse *p)
{
	ns_rr rr;
	p->rcode = ns_msg_getflag(p->msg, ns_f_rcode);
	for (int i = 0; i < ns_msg_count(p->msg, ns_s_ar); i++) {
		if (ns_parserr(&p->msg, ns_s_ar, i, &rr) < 0)
			return "an additional record cannot be read";
		if (ns_rr_type(rr) == ns_t_opt)
			p->rcode |= (int)(ns_rr_ttl(rr) >> 24) << 4;
	}
	return NULL;
}

static const char *check_question(struct parse *p)
{
	ns_rr rr;
	if (ns_msg_count(p->msg, ns_s_qd) != 1 ||
		ns_parserr(&p->msg, ns_s_qd, 0, &rr) < 0)
		return "it does not hold one question";
	if ((int)ns_rr_type(rr) != (int)p->type || ns_rr_class(rr) != ns_c_in ||
		!text_equal(rr.name, p->name))
		return "it answers another question";
	return NULL;
}

/* Reads the name that ends the body of a record and fills it. */
static char *read_name(const struct parse *p, const ns_rr *rr, size_t skip)
{
	char text[NS_MAXDNAME];
	if (ns_rr_rdlen(*rr) <= skip)
		return NULL;
	int n = dn_expand(ns_msg_base(p->msg), ns_msg_end(p->msg),
		ns_rr_rdata(*rr) + skip, text, sizeof(text));
	if (n < 0 || (size_t)n + skip != ns_rr_rdlen(*rr))
		return NULL;
	return xstrdup(text);
}

static bool read_body(const struct parse *p, const ns_rr *rr, struct record *r)
{
	r->rdata = ns_rr_rdata(*rr);
	switch (ns_rr_type(*rr)) {
	case ns_t_a:
		return ns_rr_rdlen(*rr) == NS_INADDRSZ;
	case ns_t_aaaa:
		return ns_rr_rdlen(*rr) == NS_IN6ADDRSZ;
	case ns_t_cname:
		r->target = read_name(p, rr, 0);
		return r->target;
	case ns_t_mx:
		r->target = read_name(p, rr, NS_INT16SZ);
		if (r->target)
			r->preference = (uint16_t)ns_get16(r->rdata);
		return r->target;
	default:
		return true;
	}
}

static const char *read_record(struct parse *p, int i)
{
	ns_rr rr;
	if (ns_parserr(&p->msg, ns_s_an, i, &rr) < 0)
		return "a record cannot be read";
	if (ns_rr_class(rr) != ns_c_in)
		return "a record is of a class that was not asked for";
	int type = ns_rr_type(rr);
	if (type != ns_t_cname && type != (int)p->type)
		return NULL;
	struct record *r = &p->records[p->record_count++];
	r->owner = xstrdup(rr.name);
	r->type = type;
	r->ttl_s = sane_ttl(ns_rr_ttl(rr));
	return read_body(p, &rr, r) ? NULL : "the body of a record is broken";
}

static const char *read_answer_section(struct parse *p)
{
	int count = ns_msg_count(p->msg, ns_s_an);
	p->records = xcalloc((size_t)count, sizeof(*p->records));
	for (int i = 0; i < count; i++) {
		const char *flaw = read_record(p, i);
		if (flaw)
			return flaw;
	}
	return NULL;
}

static bool is_at(const struct record *r, int type, const char *owner)
{
	return r->type == type && text_equal(r->owner, owner);
}

static const char *find_alias(const struct parse *p, const struct record **out)
{
	bool has_data = false;
	*out = NULL;
	for (size_t i = 0; i < p->record_count; i++) {
		const struct record *r = &p->records[i];
		has_data |= is_at(r, p->type, p->last);
		if (!is_at(r, ns_t_cname, p->last))
			continue;
		if (*out && !text_equal((*out)->target, r->target))
			return "one name has two different CNAME records";
		*out = r;
	}
	return *out && has_data ? "a name has a CNAME record and others beside it" : NULL;
}

static const char *follow_aliases(struct parse *p)
{
	const struct record *alias;
	p->last = p->name;
	for (int i = 0; i <= CHAIN_MAX; i++) {
		const char *flaw = find_alias(p, &alias);
		if (flaw || !alias)
			return flaw;
		use_ttl(p, alias->ttl_s);
		p->last = alias->target;
	}
	return "its CNAME chain is a loop or too long";
}

static int by_preference(const void *a, const void *b)
{
	const struct dns_mx *x = a, *y = b;
	return (x->preference > y->preference) - (x->preference < y->preference);
}

static void add_mx(struct dns_mx *list, size_t *count, const struct record *r)
{
	struct dns_mx *mx = &list[(*count)++];
	mx->preference = r->preference;
	for (size_t i = 0; r->target[i]; i++)
		mx->host[i] = text_lower(r->target[i]);
}

/* RFC 7505 section 3: a null MX is alone and of preference 0. The root beside
 * other records, and a host name with odd octets, are of no use to anybody. */
static bool is_null_mx(const struct record *r, size_t total)
{
	return total == 1 && r->preference == 0 && !*r->target;
}

static const char *take_mx(struct parse *p, size_t total)
{
	struct dns_answer *a = &p->reply->answer;
	struct dns_mx *list = xcalloc(total, sizeof(*list));
	a->mx = list;
	for (size_t i = 0; i < p->record_count; i++) {
		const struct record *r = &p->records[i];
		if (!is_at(r, p->type, p->last))
			continue;
		use_ttl(p, r->ttl_s);
		if (is_null_mx(r, total) || dns_name_is_usable(r->target))
			add_mx(list, &a->mx_count, r);
	}
	if (!a->mx_count)
		return "no MX record of it has a usable host name";
	if (a->mx_count > DNS_MX_MAX) {
		qsort(list, a->mx_count, sizeof(*list), by_preference);
		a->mx_count = DNS_MX_MAX;
		a->mx = xreallocarray(list, DNS_MX_MAX, sizeof(*list));
	}
	return NULL;
}

static void add_address(struct addr *list, size_t *count, const struct record *r)
{
	struct addr a;
	if (r->type == DNS_TYPE_A)
		addr_from_v4(&a, r->rdata, 0);
	else
		addr_from_v6(&a, r->rdata, 0);
	for (size_t i = 0; i < *count; i++) {
		if (addr_equal(&list[i], &a))
			return;
	}
	if (*count < DNS_ADDR_MAX)
		list[(*count)++] = a;
}

static void take_addresses(struct parse *p, size_t total)
{
	struct dns_answer *answer = &p->reply->answer;
	size_t room = total < DNS_ADDR_MAX ? total : DNS_ADDR_MAX;
	struct addr *list = xcalloc(room, sizeof(*list));
	answer->addrs = list;
	for (size_t i = 0; i < p->record_count; i++) {
		const struct record *r = &p->records[i];
		if (!is_at(r, p->type, p->last))
			continue;
		use_ttl(p, r->ttl_s);
		add_address(list, &answer->addr_count, r);
	}
}

/* SOA: two names, then five numbers of which the last limits how long the
 * absence may be remembered (RFC 2308 section 5). */
static const char *read_soa(struct parse *p, const ns_rr *rr)
{
	char text[NS_MAXDNAME];
	const unsigned char *at = ns_rr_rdata(*rr), *end = at + ns_rr_rdlen(*rr);
	for (int i = 0; i < 2; i++) {
		int n = dn_expand(
			ns_msg_base(p->msg), ns_msg_end(p->msg), at, text, sizeof(text));
		if (n < 0 || n > end - at)
			return "the SOA record is broken";
		at += n;
	}
	if (end - at != 5 * NS_INT32SZ)
		return "the SOA record is broken";
	use_ttl(p, sane_ttl(ns_rr_ttl(*rr)));
	use_ttl(p, sane_ttl((uint32_t)ns_get32(end - NS_INT32SZ)));
	p->has_soa = true;
	return NULL;
}

static const char *read_authority_section(struct parse *p)
{
	for (int i = 0; i < ns_msg_count(p->msg, ns_s_ns); i++) {
		ns_rr rr;
		const char *flaw = NULL;
		if (ns_parserr(&p->msg, ns_s_ns, i, &rr) < 0)
			return "an authority record cannot be read";
		p->has_ns |= ns_rr_type(rr) == ns_t_ns;
		if (ns_rr_type(rr) == ns_t_soa)
			flaw = read_soa(p, &rr);
		if (flaw)
			return flaw;
	}
	return NULL;
}

static const char *note_rest(struct parse *p)
{
	struct dns_reply *r = p->reply;
	bool is_cut = p->rcode == ns_r_noerror && !p->has_soa && p->last != p->name;
	if (!is_cut)
		return NULL;
	if (!dns_name_is_usable(p->last))
		return "its CNAME chain stops at what cannot be asked for";
	for (size_t i = 0; p->last[i]; i++)
		r->rest[i] = text_lower(p->last[i]);
	r->rest_ttl_s = p->ttl_s;
	return NULL;
}

/* Where there is nothing, the answer section holds the aliases that led there, or
 * nothing either. A server that sends other records has not understood the question. */
static bool is_about_something_else(const struct parse *p)
{
	return ns_msg_count(p->msg, ns_s_an) > 0 && p->last == p->name;
}

static const char *take_absence(struct parse *p)
{
	const char *flaw = read_authority_section(p);
	if (flaw)
		return flaw;
	/* RFC 2308 section 2.2: name servers without an SOA point elsewhere; they say
	 * nothing about the name. A resolver that recurses never sends that. */
	if (p->rcode == ns_r_noerror && p->has_ns && !p->has_soa &&
		!ns_msg_getflag(p->msg, ns_f_aa))
		return "it refers to other servers instead of answering";
	if (is_about_something_else(p))
		return "none of its records is of the name and type that were asked for";
	flaw = note_rest(p);
	if (flaw)
		return flaw;
	struct dns_answer *a = &p->reply->answer;
	a->status = p->rcode == ns_r_nxdomain ? DNS_NO_NAME : DNS_NO_DATA;
	a->ttl_s = !p->has_soa                     ? 0
		   : p->ttl_s < NEGATIVE_TTL_MAX_S ? p->ttl_s
						   : NEGATIVE_TTL_MAX_S;
	return NULL;
}

static const char *take_records(struct parse *p)
{
	const char *flaw = NULL;
	size_t total = 0;
	for (size_t i = 0; i < p->record_count; i++)
		total += is_at(&p->records[i], p->type, p->last);
	if (!total)
		return take_absence(p);
	if (p->rcode == ns_r_nxdomain)
		return "it says that the name does not exist and gives records of it";
	if (p->type == DNS_TYPE_MX)
		flaw = take_mx(p, total);
	else
		take_addresses(p, total);
	p->reply->answer.status = DNS_OK;
	p->reply->answer.ttl_s = p->ttl_s;
	return flaw;
}

static const char *read_message(struct parse *p)
{
	static const struct {
		const char *(*run)(struct parse *p);
	} steps[] = { { check_question }, { read_answer_section }, { follow_aliases },
		{ take_records } };
	const char *flaw = NULL;

	if (ns_msg_getflag(p->msg, ns_f_tc))
		return "it is truncated";
	for (size_t i = 0; i < ARRAY_SIZE(steps) && !flaw; i++)
		flaw = steps[i].run(p);
	return flaw;
}

/* What can be said before the records count: is it an answer at all, and does
 * the server answer or refuse? */
static const char *read_header(
	struct parse *p, const unsigned char *bytes, size_t len, bool *is_refusal)
{
	if (len > NS_MAXMSG || ns_initparse(bytes, (int)len, &p->msg) < 0)
		return "its records do not fill it as its counts say";
	if (!ns_msg_getflag(p->msg, ns_f_qr) || ns_msg_getflag(p->msg, ns_f_opcode) != 0)
		return "it is not an answer to a query";
	const char *flaw = read_rcode(p);
	*is_refusal = p->rcode != ns_r_noerror && p->rcode != ns_r_nxdomain;
	return flaw;
}

static void set_refusal(struct dns_answer *a, int rcode)
{
	const char *known = rcode_name(rcode);
	if (known)
		snprintf(a->text, sizeof(a->text), "%s", known);
	else
		snprintf(a->text, sizeof(a->text), "response code %d", rcode);
}

static void parse_clear(struct parse *p)
{
	for (size_t i = 0; i < p->record_count; i++) {
		free(p->records[i].owner);
		free(p->records[i].target);
	}
	free(p->records);
	dns_reply_unref(&p->reply);
}

struct dns_reply *dns_parse(
	const unsigned char *bytes, size_t len, const char *name, enum dns_type type)
{
	struct parse p = { .name = name, .type = type, .ttl_s = TTL_MAX_S };
	bool is_refusal = false;
	p.reply = dns_reply_new(DNS_TEMPORARY);
	const char *flaw = read_header(&p, bytes, len, &is_refusal);
	if (!flaw && is_refusal)
		set_refusal(&p.reply->answer, p.rcode);
	else if (!flaw)
		flaw = read_message(&p);
	if (flaw) {
		/* Half-read records do not leave this function. */
		dns_reply_unref(&p.reply);
		p.reply = dns_reply_new(DNS_TEMPORARY);
		snprintf(p.reply->answer.text, sizeof(p.reply->answer.text),
			"malformed answer: %s", flaw);
	} else if (!is_refusal) {
		p.reply->answer.is_secure = ns_msg_getflag(p.msg, ns_f_ad);
	}
	struct dns_reply *reply = MOVE(p.reply);
	parse_clear(&p);
	return reply;
}
