#include "smtp/command.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "KEY=VALUE" or "KEY", where it stands in the command. */
struct parameter {
	const char *key, *value;
	size_t key_len, value_len;
	bool has_value;
};

struct known {
	const char *key;
	int (*take)(const struct parameter *p, void *out, struct err *e);
};

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && text_has_prefix(s, len, word);
}

static bool is_value(const struct parameter *p, const char *word)
{
	return p->has_value && is_word(p->value, p->value_len, word);
}

/* Names the parameter as it was given; why: "is not valid", ... */
static int refuse(
	const struct parameter *p, enum err_code code, const char *why, struct err *e)
{
	char shown[160];
	size_t len = p->key_len + (p->has_value ? p->value_len + 1 : 0);
	text_clean(p->key, len, shown, sizeof(shown));
	return err_set(e, code, "%s %s", shown, why);
}

static int bad_value(const struct parameter *p, struct err *e)
{
	return refuse(p, ERR_INVALID, "is not valid", e);
}

static bool is_hex(char c)
{
	return text_is_digit(c) || (c >= 'A' && c <= 'F');
}

static bool is_xtext_octet(char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

static bool is_xtext(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_xtext_octet(s[i]))
			continue;
		if (s[i] != '+' || len - i < 3 || !is_hex(s[i + 1]) || !is_hex(s[i + 2]))
			return false;
		i += 2;
	}
	return true;
}

bool smtp_is_xtext(const char *s)
{
	return is_xtext(s, strlen(s));
}

/* ---- MAIL ---- */

static int take_size(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_mail_parameters *m = out;
	char *end;
	if (!p->value_len || !text_is_digit(*p->value))
		return bad_value(p, e);
	errno = 0;
	m->size_bytes = strtoull(p->value, &end, 10);
	m->has_size = true;
	return errno || end != p->value + p->value_len ? bad_value(p, e) : 0;
}

static int take_body(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_mail_parameters *m = out;
	/* RFC 3030 3: what comes so may have any octets, and no lines. */
	if (is_value(p, "BINARYMIME"))
		return refuse(p, ERR_UNSUPPORTED, "is not supported", e);
	m->is_8bit = is_value(p, "8BITMIME");
	return m->is_8bit || is_value(p, "7BIT") ? 0 : bad_value(p, e);
}

static int take_smtputf8(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_mail_parameters *m = out;
	m->smtputf8 = true;
	return p->has_value ? bad_value(p, e) : 0;
}

static int take_ret(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_mail_parameters *m = out;
	if (is_value(p, "FULL"))
		m->ret = MAIL_RET_FULL;
	else if (is_value(p, "HDRS"))
		m->ret = MAIL_RET_HDRS;
	else
		return bad_value(p, e);
	return 0;
}

static int take_envid(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_mail_parameters *m = out;
	if (!p->value_len || p->value_len > SMTP_ENVID_MAX ||
		!is_xtext(p->value, p->value_len))
		return bad_value(p, e);
	memcpy(m->envid, p->value, p->value_len);
	m->envid[p->value_len] = '\0';
	return 0;
}

static const struct known mail_parameters[] = {
	{ "SIZE", take_size },
	{ "BODY", take_body },
	{ "SMTPUTF8", take_smtputf8 },
	{ "RET", take_ret },
	{ "ENVID", take_envid },
};

/* ---- RCPT ---- */

static unsigned notify_bit(const char *s, size_t len)
{
	static const struct {
		const char *name;
		unsigned bit;
	} words[] = {
		{ "NEVER", MAIL_NOTIFY_NEVER },
		{ "SUCCESS", MAIL_NOTIFY_SUCCESS },
		{ "FAILURE", MAIL_NOTIFY_FAILURE },
		{ "DELAY", MAIL_NOTIFY_DELAY },
	};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (is_word(s, len, words[i].name))
			return words[i].bit;
	}
	return 0;
}

static int take_notify(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_rcpt_parameters *r = out;
	const char *at = p->value, *end = p->value + p->value_len;
	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;
		unsigned bit = notify_bit(at, (size_t)(stop - at));
		if (!bit)
			return bad_value(p, e);
		r->notify |= bit;
		if (!comma)
			break;
		at = comma + 1;
	}
	/* RFC 3461 4.1: NEVER stands alone. */
	if ((r->notify & MAIL_NOTIFY_NEVER) && r->notify != MAIL_NOTIFY_NEVER)
		return bad_value(p, e);
	return 0;
}

static unsigned code_point(const char *s, size_t len)
{
	unsigned c = (unsigned char)*s & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3fU);
	return c;
}

/* RFC 6533 3: UTF-8 as it is, which only a host with SMTPUTF8 takes, becomes \x{...},
 * which goes everywhere. ASCII stays. */
static bool encode_utf8(const char *s, size_t len, char out[SMTP_ORCPT_MAX + 1])
{
	size_t used = 0;
	for (size_t i = 0, n; i < len; i += n) {
		char shown[16] = { s[i] };
		n = text_utf8_len(s + i, len - i);
		if (n > 1)
			snprintf(shown, sizeof(shown), "\\x{%02X}", code_point(s + i, n));
		size_t shown_len = strlen(shown);
		if (!n || shown_len > SMTP_ORCPT_MAX - used)
			return false;
		memcpy(out + used, shown, shown_len);
		used += shown_len;
	}
	out[used] = '\0';
	return true;
}

/* RFC 3461 4.2: a type, and an address of that type in xtext. */
static int take_orcpt(const struct parameter *p, void *out, struct err *e)
{
	struct smtp_rcpt_parameters *r = out;
	const char *semicolon = p->value_len ? memchr(p->value, ';', p->value_len) : NULL;
	if (!semicolon || semicolon == p->value)
		return bad_value(p, e);
	bool is_utf8 = is_word(p->value, (size_t)(semicolon - p->value), "utf-8");
	if (!is_utf8 && !text_is_ascii(p->value, p->value_len))
		return bad_value(p, e);
	if (!encode_utf8(p->value, p->value_len, r->orcpt) || !smtp_is_xtext(r->orcpt))
		return bad_value(p, e);
	return 0;
}

static const struct known rcpt_parameters[] = {
	{ "NOTIFY", take_notify },
	{ "ORCPT", take_orcpt },
};

/* ---- both ---- */

/* false: none is left. */
static bool next_parameter(const char **at, struct parameter *p)
{
	*at += strspn(*at, " \t");
	size_t len = strcspn(*at, " \t");
	const char *equals = memchr(*at, '=', len);
	p->key = *at;
	p->key_len = equals ? (size_t)(equals - *at) : len;
	p->has_value = equals != NULL;
	p->value = equals ? equals + 1 : *at + len;
	p->value_len = (size_t)(*at + len - p->value);
	*at += len;
	return len > 0;
}

static int parse_parameters(const char *at, const char *verb, const struct known *known,
	size_t count, void *out, struct err *e)
{
	struct parameter p;
	unsigned seen = 0;
	while (next_parameter(&at, &p)) {
		size_t i = 0;
		while (i < count && !is_word(p.key, p.key_len, known[i].key))
			i++;
		if (i == count) {
			char shown[60];
			text_clean(p.key, p.key_len, shown, sizeof(shown));
			return err_set(e, ERR_UNSUPPORTED, "%s has no parameter %s", verb,
				shown);
		}
		if (seen & 1U << i)
			return err_set(e, ERR_INVALID, "%s is given twice", known[i].key);
		seen |= 1U << i;
		int rc = known[i].take(&p, out, e);
		if (rc)
			return rc;
	}
	return 0;
}

/* The path with its <>; at moves behind it. A '>' in quotes does not end it. */
static int parse_path(
	const char **at, const char **path_out, size_t *len_out, struct err *e)
{
	const char *s = *at + strspn(*at, " \t");
	bool is_quoted = false;
	*path_out = s;
	if (*s != '<')
		return err_set(e, ERR_INVALID, "address is not in <>");
	for (; *s != '>' || is_quoted; s++) {
		if (*s == '\\' && is_quoted && s[1])
			s++;
		else if (*s == '"')
			is_quoted = !is_quoted;
		else if (!*s)
			return err_set(e, ERR_INVALID, "address has no closing >");
	}
	*at = s + 1;
	*len_out = (size_t)(*at - *path_out);
	if (**at && **at != ' ' && **at != '\t')
		return err_set(e, ERR_INVALID, "address goes on after its closing >");
	return 0;
}

int smtp_parse_mail(const char *text, const char **path_out, size_t *len_out,
	struct smtp_mail_parameters *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	int rc = parse_path(&text, path_out, len_out, e);
	return rc ? rc
		  : parse_parameters(text, "MAIL", mail_parameters,
			    ARRAY_SIZE(mail_parameters), out, e);
}

int smtp_parse_rcpt(const char *text, const char **path_out, size_t *len_out,
	struct smtp_rcpt_parameters *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	int rc = parse_path(&text, path_out, len_out, e);
	return rc ? rc
		  : parse_parameters(text, "RCPT", rcpt_parameters,
			    ARRAY_SIZE(rcpt_parameters), out, e);
}
