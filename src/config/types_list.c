/* Types of lists: DNS servers, address ranges, TLS versions. */
#include "config/options.h"

#include "base/mem.h"

#include <stdlib.h>

static bool check_count(
	struct config_parse *p, const struct config_option *o, size_t count)
{
	if (count <= (size_t)o->max)
		return true;
	return config_parse_no(
		p, "%zu values are too many; %lld are allowed", count, (long long)o->max);
}

static size_t *count_of(const struct config_option *o, void *field)
{
	return (size_t *)((char *)field + (o->aux_offset - o->offset));
}

static size_t count_of_const(const struct config_option *o, const void *field)
{
	return *(const size_t *)((const char *)field + (o->aux_offset - o->offset));
}

static bool parse_servers(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	struct addr **to = field, *list = NULL;
	struct err e = { 0 };
	if (!check_count(p, o, count))
		return false;
	if (count)
		list = xcalloc(count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		if (addr_parse_with_port(words[i], 53, &list[i], &e) != 0) {
			free(list);
			return config_parse_no(p, "%s", e.text);
		}
	}
	free(*to);
	*to = list;
	*count_of(o, field) = count;
	return true;
}

static void format_servers(
	const struct config_option *o, const void *field, struct buf *out)
{
	const struct addr *list = *(struct addr *const *)field;
	char text[ADDR_TEXT_MAX];
	for (size_t i = 0; i < count_of_const(o, field); i++) {
		if (addr_port(&list[i]) == 53)
			addr_format(&list[i], text);
		else
			addr_format_with_port(&list[i], text);
		buf_addf(out, "%s%s", i ? ", " : "", text);
	}
}

static bool parse_ranges(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	struct addr_range **to = field, *list = NULL;
	struct err e = { 0 };
	if (!check_count(p, o, count))
		return false;
	if (count)
		list = xcalloc(count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		if (addr_range_parse(words[i], &list[i], &e) != 0) {
			free(list);
			return config_parse_no(p, "%s", e.text);
		}
	}
	free(*to);
	*to = list;
	*count_of(o, field) = count;
	return true;
}

static void format_ranges(
	const struct config_option *o, const void *field, struct buf *out)
{
	const struct addr_range *list = *(struct addr_range *const *)field;
	char text[ADDR_TEXT_MAX];
	for (size_t i = 0; i < count_of_const(o, field); i++) {
		addr_format(&list[i].base, text);
		buf_addf(out, "%s%s/%u", i ? ", " : "", text, list[i].bits);
	}
}

static bool parse_version(
	struct config_parse *p, const char *word, enum policy_version *out)
{
	char all[64];
	policy_versions_format((1u << POLICY_VERSION_COUNT) - 1, all, sizeof(all));
	if (!policy_version_parse(word, out))
		return config_parse_no(p, "\"%.*s\" is not a TLS version; they are %s",
			CONFIG_SHOWN_MAX, word, all);
	if (!(p->versions_available & *out))
		return config_parse_no(p, "the TLS library in use does not have %s",
			policy_version_name(*out));
	return true;
}

static bool parse_protocols(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	unsigned mask = 0;
	(void)o;
	if (!count)
		return config_parse_no(
			p, "name at least one version, or set starttls = false");
	for (size_t i = 0; i < count; i++) {
		enum policy_version version;
		if (!parse_version(p, words[i], &version))
			return false;
		mask |= version;
	}
	*(unsigned *)field = mask;
	return true;
}

static void format_protocols(
	const struct config_option *o, const void *field, struct buf *out)
{
	const char *separator = "";
	(void)o;
	for (unsigned i = 0; i < POLICY_VERSION_COUNT; i++) {
		if (!(*(const unsigned *)field & (1u << i)))
			continue;
		buf_addf(out, "%s%s", separator, policy_version_name(1u << i));
		separator = ", ";
	}
}

#define LIST_TYPE(text, field_type, parser, formatter)                     \
	{                                                                  \
		.name = text, .size = sizeof(field_type), .is_list = true, \
		.is_quoted = true, .parse = parser, .format = formatter    \
	}

const struct config_type config_type_servers =
	LIST_TYPE("list of addresses", struct addr *, parse_servers, format_servers);
const struct config_type config_type_ranges = LIST_TYPE(
	"list of CIDR ranges", struct addr_range *, parse_ranges, format_ranges);
const struct config_type config_type_protocols =
	LIST_TYPE("list of TLS versions", unsigned, parse_protocols, format_protocols);
