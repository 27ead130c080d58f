/* Types of text: paths, names, addresses, the retry schedule, a route. */
#include "config/options.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Strings are owned by the field; an earlier value is replaced. */
static bool set_string(void *field, const char *s)
{
	char **to = field;
	free(*to);
	*to = xstrdup(s);
	return true;
}

static bool has_control(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	}
	return false;
}

static void format_string(
	const struct config_option *o, const void *field, struct buf *out)
{
	const char *s = *(char *const *)field;
	(void)o;
	buf_addstr(out, s ? s : "");
}

/* min of a path option: 0 where "" has a meaning, then the field is NULL. */
static bool parse_path(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	(void)count;
	if (!*words[0] && !o->min)
		return set_string(field, NULL);
	/* A daemon's working directory is nobody's business. */
	if (words[0][0] != '/' || has_control(words[0]))
		return config_parse_no(p,
			"\"%.*s\" is not an absolute path: begin it with /",
			CONFIG_SHOWN_MAX, words[0]);
	return set_string(field, words[0]);
}

static bool parse_log(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	(void)o;
	(void)count;
	if (strcmp(words[0], "stderr") == 0 || strcmp(words[0], "syslog") == 0 ||
		(words[0][0] == '/' && !has_control(words[0])))
		return set_string(field, words[0]);
	return config_parse_no(p,
		"\"%.*s\" is neither stderr, nor syslog, nor a path that begins with /",
		CONFIG_SHOWN_MAX, words[0]);
}

static bool parse_hostname(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	char name[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	(void)o;
	(void)count;
	if (!*words[0])
		return set_string(field, NULL);
	if (!policy_destination_normalize(words[0], strlen(words[0]), name, why))
		return config_parse_no(p, "\"%.*s\" is not a host name: %s",
			CONFIG_SHOWN_MAX, words[0], why);
	return set_string(field, name);
}

static bool is_local_part(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f || strchr("<>@", s[i]))
			return false;
	}
	return len > 0 && len <= 64;
}

/* Enough to keep a slip out; the domain is judged like any other. */
static bool parse_address(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	char name[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	const char *s = words[0], *at = strrchr(s, '@');
	(void)o;
	(void)count;
	if (!*s)
		return set_string(field, NULL);
	if (!at || !is_local_part(s, (size_t)(at - s)))
		return config_parse_no(p,
			"\"%.*s\" is not a mail address: write postmaster@example.com",
			CONFIG_SHOWN_MAX, s);
	if (!policy_destination_normalize(at + 1, strlen(at + 1), name, why))
		return config_parse_no(
			p, "\"%.*s\" has a bad domain: %s", CONFIG_SHOWN_MAX, s, why);
	return set_string(field, s);
}

/* POSIX's portable names, and those that adduser makes. */
static bool parse_user(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	static const char octets[] = "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *s = words[0];
	(void)o;
	(void)count;
	if (!*s)
		return set_string(field, NULL);
	if (s[strspn(s, octets)] || *s == '-' || strlen(s) > 32)
		return config_parse_no(p,
			"\"%.*s\" is not the name of a user: letters, digits and . _ - "
			"make one, 32 at most",
			CONFIG_SHOWN_MAX, s);
	return set_string(field, s);
}

static bool parse_schedule(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	struct policy_retry retry;
	char why[POLICY_TEXT_MAX];
	(void)o;
	(void)count;
	if (!policy_retry_parse(words[0], &retry, why))
		return config_parse_no(p, "%s", why);
	*(struct policy_retry *)field = retry;
	return true;
}

static void format_schedule(
	const struct config_option *o, const void *field, struct buf *out)
{
	char text[POLICY_RETRY_STEPS_MAX * 32];
	(void)o;
	policy_retry_format(field, text, sizeof(text));
	buf_addstr(out, text);
}

/* policy_settings keeps the name right behind the mode; a destination's value
 * is copied as the two together. */
enum {
	SNI_NAME_AT = offsetof(struct policy_settings, sni_name) -
		      offsetof(struct policy_settings, sni)
};

static bool parse_sni(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	char name[POLICY_NAME_MAX + 1] = "", why[POLICY_TEXT_MAX];
	enum policy_sni sni = POLICY_SNI_NAME;
	(void)o;
	(void)count;
	if (text_equal(words[0], "on"))
		sni = POLICY_SNI_ON;
	else if (text_equal(words[0], "off"))
		sni = POLICY_SNI_OFF;
	else if (!policy_name_normalize(words[0], strlen(words[0]), name, why))
		return config_parse_no(p,
			"\"%.*s\" is neither on, nor off, nor a host name: %s",
			CONFIG_SHOWN_MAX, words[0], why);
	*(enum policy_sni *)field = sni;
	memcpy((char *)field + SNI_NAME_AT, name, sizeof(name));
	return true;
}

static void format_sni(const struct config_option *o, const void *field, struct buf *out)
{
	enum policy_sni sni = *(const enum policy_sni *)field;
	(void)o;
	buf_addstr(out, sni == POLICY_SNI_ON    ? "on"
			: sni == POLICY_SNI_OFF ? "off"
						: (const char *)field + SNI_NAME_AT);
}

/* The route is owned by the field; "": none. */
static bool parse_route(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	char why[POLICY_TEXT_MAX];
	struct policy_route **to = field, *route = NULL;
	(void)o;
	(void)count;
	if (*words[0]) {
		route = policy_route_parse_targets(words[0], strlen(words[0]), why);
		if (!route)
			return config_parse_no(p, "%s", why);
	}
	policy_route_free(to);
	*to = route;
	return true;
}

static void format_route(
	const struct config_option *o, const void *field, struct buf *out)
{
	const struct policy_route *route = *(struct policy_route *const *)field;
	(void)o;
	buf_addstr(out, route ? route->text : "");
}

#define STRING_TYPE(text, parser)                                        \
	{                                                                \
		.name = text, .size = sizeof(char *), .is_quoted = true, \
		.parse = parser, .format = format_string                 \
	}

const struct config_type config_type_path = STRING_TYPE("path", parse_path);
const struct config_type config_type_log = STRING_TYPE("log target", parse_log);
const struct config_type config_type_hostname = STRING_TYPE("host name", parse_hostname);
const struct config_type config_type_user = STRING_TYPE("user name", parse_user);
const struct config_type config_type_address = STRING_TYPE("mail address", parse_address);
const struct config_type config_type_schedule = { .name = "retry schedule",
	.is_quoted = true,
	.size = sizeof(struct policy_retry),
	.parse = parse_schedule,
	.format = format_schedule };
const struct config_type config_type_sni = { .name = "server name",
	.is_quoted = true,
	.size = SNI_NAME_AT + POLICY_NAME_MAX + 1,
	.parse = parse_sni,
	.format = format_sni };
const struct config_type config_type_route = { .name = "route",
	.is_quoted = true,
	.size = sizeof(struct policy_route *),
	.parse = parse_route,
	.format = format_route };
