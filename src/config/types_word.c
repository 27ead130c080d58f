/* Types of one word: booleans, numbers, durations, sizes, enumerations. */
#include "config/options.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool config_parse_no(struct config_parse *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return false;
}

static bool parse_bool(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	static const char *const yes[] = { "true", "on", "yes" };
	static const char *const not [] = { "false", "off", "no" };
	(void)o;
	(void)count;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (text_equal(words[0], yes[i]) || text_equal(words[0], not [i])) {
			*(bool *)field = text_equal(words[0], yes[i]);
			return true;
		}
	}
	return config_parse_no(
		p, "\"%.*s\" is neither true nor false", CONFIG_SHOWN_MAX, words[0]);
}

static void format_bool(const struct config_option *o, const void *field, struct buf *out)
{
	(void)o;
	buf_addstr(out, *(const bool *)field ? "true" : "false");
}

static bool parse_whole(struct config_parse *p, const struct config_option *o,
	const char *s, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(s, &end, 10);
	if (!text_is_digit(*s) || *end)
		return config_parse_no(
			p, "\"%.*s\" is not a whole number", CONFIG_SHOWN_MAX, s);
	if (errno || n < o->min || n > o->max)
		return config_parse_no(p,
			"%.*s is out of range; the range is %lld to %lld",
			CONFIG_SHOWN_MAX, s, (long long)o->min, (long long)o->max);
	*out = n;
	return true;
}

static bool parse_number(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	int64_t n = 0;
	(void)count;
	if (!parse_whole(p, o, words[0], &n))
		return false;
	*(unsigned *)field = (unsigned)n;
	return true;
}

static void format_number(
	const struct config_option *o, const void *field, struct buf *out)
{
	(void)o;
	buf_addf(out, "%u", *(const unsigned *)field);
}

static bool parse_port(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	int64_t n = 0;
	(void)count;
	if (!parse_whole(p, o, words[0], &n))
		return false;
	*(uint16_t *)field = (uint16_t)n;
	return true;
}

static void format_port(const struct config_option *o, const void *field, struct buf *out)
{
	(void)o;
	buf_addf(out, "%u", (unsigned)*(const uint16_t *)field);
}

/* Percent in the file, thousandths in the field. */
static bool parse_percent(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	int64_t n = 0;
	(void)count;
	if (!parse_whole(p, o, words[0], &n))
		return false;
	*(unsigned *)field = (unsigned)n * 10;
	return true;
}

static void format_percent(
	const struct config_option *o, const void *field, struct buf *out)
{
	(void)o;
	buf_addf(out, "%u", *(const unsigned *)field / 10);
}

static bool parse_duration(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	int64_t ms;
	char min[TIMEFMT_MAX], max[TIMEFMT_MAX];
	(void)count;
	if (!timefmt_parse_duration(words[0], &ms))
		return config_parse_no(p,
			"\"%.*s\" is not a duration: write 90s, 5m, 1h30m or 5d",
			CONFIG_SHOWN_MAX, words[0]);
	if (ms < o->min || ms > o->max) {
		timefmt_duration(o->min, min);
		timefmt_duration(o->max, max);
		return config_parse_no(p, "%.*s is out of range; the range is %s to %s",
			CONFIG_SHOWN_MAX, words[0], min, max);
	}
	*(int64_t *)field = ms;
	return true;
}

static void format_duration(
	const struct config_option *o, const void *field, struct buf *out)
{
	char text[TIMEFMT_MAX];
	(void)o;
	timefmt_duration(*(const int64_t *)field, text);
	buf_addstr(out, text);
}

static void add_size(uint64_t size, struct buf *out)
{
	static const char units[] = "\0KMG";
	unsigned unit = 0;
	while (size && size % 1024 == 0 && unit < 3) {
		size /= 1024;
		unit++;
	}
	buf_addf(out, "%llu%.1s", (unsigned long long)size, &units[unit]);
}

static bool parse_size(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	unsigned long long size;
	(void)count;
	if (!text_parse_size(words[0], &size))
		return config_parse_no(p,
			"\"%.*s\" is not a size: write 4096, 64K, 50M or 1G",
			CONFIG_SHOWN_MAX, words[0]);
	if (size < (uint64_t)o->min || size > (uint64_t)o->max) {
		struct buf range = BUF_INIT;
		add_size((uint64_t)o->min, &range);
		buf_addstr(&range, " to ");
		add_size((uint64_t)o->max, &range);
		config_parse_no(p, "%.*s is out of range; the range is %s",
			CONFIG_SHOWN_MAX, words[0], buf_text(&range));
		buf_clear(&range);
		return false;
	}
	*(uint64_t *)field = size;
	return true;
}

static void format_size(const struct config_option *o, const void *field, struct buf *out)
{
	(void)o;
	add_size(*(const uint64_t *)field, out);
}

/* "none, plaintext, alternate or alternate-any" */
static void add_words(const struct config_option *o, struct buf *out)
{
	for (unsigned i = 0; o->word(i); i++)
		buf_addf(out, "%s%s",
			!i               ? ""
			: o->word(i + 1) ? ", "
					 : " or ",
			o->word(i));
}

static bool parse_word(struct config_parse *p, const struct config_option *o,
	const char *const *words, size_t count, void *field)
{
	(void)count;
	for (unsigned i = 0; o->word(i); i++) {
		if (!text_equal(words[0], o->word(i)))
			continue;
		if (o->type->size == sizeof(bool))
			*(bool *)field = i;
		else
			*(int *)field = (int)i;
		return true;
	}
	struct buf good = BUF_INIT;
	add_words(o, &good);
	config_parse_no(p, "\"%.*s\" is none of its values; they are %s",
		CONFIG_SHOWN_MAX, words[0], buf_text(&good));
	buf_clear(&good);
	return false;
}

static void format_word(const struct config_option *o, const void *field, struct buf *out)
{
	unsigned value = o->type->size == sizeof(bool) ? *(const bool *)field
						       : (unsigned)*(const int *)field;
	buf_addstr(out, o->word(value));
}

_Static_assert(sizeof(enum policy_fallback) == sizeof(int), "enumerations are ints");
_Static_assert(sizeof(enum policy_tls_level) == sizeof(int), "enumerations are ints");
_Static_assert(sizeof(enum policy_greeting) == sizeof(int), "enumerations are ints");
_Static_assert(sizeof(enum policy_match) == sizeof(int), "enumerations are ints");
_Static_assert(sizeof(enum config_language) == sizeof(int), "enumerations are ints");

#define TYPE(text, field_type, parser, formatter)                          \
	{                                                                  \
		.name = text, .size = sizeof(field_type), .parse = parser, \
		.format = formatter                                        \
	}

const struct config_type config_type_bool =
	TYPE("boolean", bool, parse_bool, format_bool);
const struct config_type config_type_number =
	TYPE("number", unsigned, parse_number, format_number);
const struct config_type config_type_port =
	TYPE("number", uint16_t, parse_port, format_port);
const struct config_type config_type_percent =
	TYPE("number", unsigned, parse_percent, format_percent);
const struct config_type config_type_duration =
	TYPE("duration", int64_t, parse_duration, format_duration);
const struct config_type config_type_size =
	TYPE("size", uint64_t, parse_size, format_size);
const struct config_type config_type_word = TYPE("word", int, parse_word, format_word);
const struct config_type config_type_word_bool =
	TYPE("word", bool, parse_word, format_word);
