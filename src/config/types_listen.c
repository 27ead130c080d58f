/* Types of the listener: places to listen at, and the mode of a file. */
#include "config/options.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- a list of places: "lmtp:/path", "smtp:127.0.0.1:10025" ---- */

/* What follows the protocol and its colon; NULL: it was not right, and that was said. */
static const char *parse_protocol(
	struct config_parse *p, const char *word, struct config_listen *out)
{
	static const char *const names[] = { "lmtp", "smtp", NULL };
	size_t len = strcspn(word, ":");
	OWN(mem_free) char *name = xstrndup(word, len);
	for (size_t i = 0; word[len] && names[i]; i++) {
		if (!text_equal(name, names[i]))
			continue;
		out->is_lmtp = i == 0;
		return word + len + 1;
	}
	const char *nearest = word[len] ? text_nearest(name, names) : NULL;
	if (nearest)
		config_parse_no(p, "\"%.*s\": did you mean \"%s%.*s\"?", CONFIG_SHOWN_MAX,
			word, nearest, CONFIG_SHOWN_MAX, word + len);
	else
		config_parse_no(p,
			"\"%.*s\" does not begin with lmtp: or smtp: : write "
			"lmtp:/run/hikyaku/lmtp.sock or smtp:127.0.0.1:10025",
			CONFIG_SHOWN_MAX, word);
	return NULL;
}

static bool parse_socket_path(
	struct config_parse *p, const char *path, struct config_listen *out)
{
	size_t len = strlen(path);
	if (len > CONFIG_SOCKET_PATH_MAX)
		return config_parse_no(p,
			"\"%.*s...\" is too long for a unix socket: %d octets at most",
			CONFIG_SHOWN_MAX, path, CONFIG_SOCKET_PATH_MAX);
	for (const char *s = path; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == ',')
			return config_parse_no(p,
				"\"%.*s\" has a comma or a control character in it",
				CONFIG_SHOWN_MAX, path);
	}
	if (path[len - 1] == '/')
		return config_parse_no(p,
			"\"%.*s\" is a directory: add the name of a socket",
			CONFIG_SHOWN_MAX, path);
	memcpy(out->path, path, len + 1);
	return true;
}

static bool parse_place(
	struct config_parse *p, const char *word, struct config_listen *out)
{
	struct err e = { 0 };
	*out = (struct config_listen){ .is_lmtp = false };
	const char *rest = parse_protocol(p, word, out);
	if (!rest)
		return false;
	if (*rest == '/')
		return parse_socket_path(p, rest, out);
	if (text_has_prefix(rest, strlen(rest), "unix:"))
		return config_parse_no(p,
			"\"%.*s\": write the path without unix:", CONFIG_SHOWN_MAX, word);
	if (addr_parse_with_port(rest, 0, &out->addr, &e) != 0)
		return config_parse_no(p,
			"\"%.*s\": after the protocol comes a path that begins with / or "
			"an address with a port, such as 127.0.0.1:10025 or [::1]:24",
			CONFIG_SHOWN_MAX, word);
	if (!addr_port(&out->addr))
		return config_parse_no(p, "\"%.*s\" needs a port, such as %.*s:10025",
			CONFIG_SHOWN_MAX, word, CONFIG_SHOWN_MAX, word);
	return true;
}

bool config_listen_equal(const struct config_listen *a, const struct config_listen *b)
{
	if (a->is_lmtp != b->is_lmtp || strcmp(a->path, b->path) != 0)
		return false;
	return *a->path || addr_equal(&a->addr, &b->addr);
}

void config_listen_format(const struct config_listen *l, char out[CONFIG_LISTEN_MAX])
{
	memcpy(out, l->is_lmtp ? "lmtp:" : "smtp:", 6);
	if (*l->path)
		memcpy(out + 5, l->path, strlen(l->path) + 1);
	else
		addr_format_with_port(&l->addr, out + 5);
}

/* Whatever the protocol: a place has room for one socket. */
static bool is_same_place(const struct config_listen *a, const struct config_listen *b)
{
	struct config_listen other = *b;
	other.is_lmtp = a->is_lmtp;
	return config_listen_equal(a, &other);
}

static bool parse_places(struct config_parse *p, const char *const *words, size_t count,
	struct config_listen *list)
{
	for (size_t i = 0; i < count; i++) {
		if (!parse_place(p, words[i], &list[i]))
			return false;
		for (size_t j = 0; j < i; j++) {
			if (is_same_place(&list[i], &list[j]))
				return config_parse_no(p,
					"\"%.*s\" and \"%.*s\" are the same place",
					CONFIG_SHOWN_MAX, words[j], CONFIG_SHOWN_MAX,
					words[i]);
		}
	}
	return true;
}

static bool parse_listen(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	struct config_listen **to = field;
	if (count > (size_t)o->max)
		return config_parse_no(p, "%zu values are too many; %lld are allowed",
			count, (long long)o->max);
	struct config_listen *list = count ? xcalloc(count, sizeof(*list)) : NULL;
	if (!parse_places(p, words, count, list)) {
		free(list);
		return false;
	}
	free(*to);
	*to = list;
	*(size_t *)((char *)field + (o->aux_offset - o->offset)) = count;
	return true;
}

static void format_listen(
	const struct config_option *o, const void *field, struct buf *out)
{
	const struct config_listen *list = *(struct config_listen *const *)field;
	size_t count =
		*(const size_t *)((const char *)field + (o->aux_offset - o->offset));
	char text[CONFIG_LISTEN_MAX];
	for (size_t i = 0; i < count; i++) {
		config_listen_format(&list[i], text);
		buf_addf(out, "%s%s", i ? ", " : "", text);
	}
}

/* ---- the mode of a file, octal as everybody writes it ---- */

static bool parse_mode(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	const char *s = words[0];
	size_t len = strlen(s);
	(void)o;
	(void)count;
	if (len < 3 || len > 4 || strspn(s, "01234567") != len || (len == 4 && *s != '0'))
		return config_parse_no(p,
			"\"%.*s\" is not the mode of a file: write 0660 or 0666",
			CONFIG_SHOWN_MAX, s);
	*(unsigned *)field = (unsigned)strtoul(s, NULL, 8);
	return true;
}

static void format_mode(const struct config_option *o, const void *field, struct buf *out)
{
	(void)o;
	buf_addf(out, "0%03o", *(const unsigned *)field);
}

const struct config_type config_type_listen = { .name = "list of places",
	.is_list = true,
	.is_quoted = true,
	.size = sizeof(struct config_listen *),
	.parse = parse_listen,
	.format = format_listen };
const struct config_type config_type_mode = { .name = "file mode",
	.is_quoted = true,
	.size = sizeof(unsigned),
	.parse = parse_mode,
	.format = format_mode };
