#include "mail/address.h"

#include "base/addr.h"
#include "base/text.h"

#include <string.h>

enum { PATH_MAX_OCTETS = 256, LABEL_MAX = 63 }; /* RFC 5321 4.5.3.1.3, 1035 2.3.4 */

/* What is being taken apart: the part not yet read is [at, len). */
struct cursor {
	const char *s;
	size_t len, at;
};

/* Nothing that could end or forge a command gets past here. */
static int check_octets(const char *s, size_t len, struct err *e)
{
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_len(s + i, len - i);
		if (!n)
			return err_set(e, ERR_INVALID, "address is not valid UTF-8");
		if (text_is_control(s + i, n))
			return err_set(e, ERR_INVALID,
				n < 3 ? "address contains a control character (0x%02x)"
				      : "address contains a character that parts lines "
					"or turns the direction of text (octets ... "
					"0x%02x)",
				(unsigned char)s[i + n - 1]);
		i += n;
	}
	return ERR_OK;
}

static bool is_atext(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 0x80 || (u > 0x20 && u < 0x7f && !strchr("()<>[]:;@\\,\"", c));
}

/* Dots are taken wherever they stand: see the header. */
static int scan_dot_string(struct cursor *c, struct err *e)
{
	while (c->at < c->len && c->s[c->at] != '@') {
		char octet = c->s[c->at];
		if (octet == ' ')
			return err_set(e, ERR_INVALID, "address contains a blank");
		if (!is_atext(octet))
			return err_set(e, ERR_INVALID,
				"address contains '%c' outside quotes", octet);
		c->at++;
	}
	return ERR_OK;
}

static int scan_quoted_string(struct cursor *c, struct err *e)
{
	c->at++;
	while (c->at < c->len && c->s[c->at] != '"') {
		if (c->s[c->at] == '\\') {
			c->at++;
			if (c->at < c->len && (unsigned char)c->s[c->at] >= 0x80)
				return err_set(e, ERR_INVALID,
					"address has a backslash before a non-ASCII "
					"character");
		}
		c->at++;
	}
	if (c->at >= c->len)
		return err_set(e, ERR_INVALID, "address has a quote that does not end");
	c->at++;
	if (c->at < c->len && c->s[c->at] != '@')
		return err_set(e, ERR_INVALID, "address goes on after its quoted part");
	return ERR_OK;
}

static int scan_local(struct cursor *c, struct err *e)
{
	int rc = c->s[0] == '"' ? scan_quoted_string(c, e) : scan_dot_string(c, e);
	if (rc)
		return rc;
	if (c->at == c->len)
		return err_set(e, ERR_INVALID, "address has no @domain");
	if (c->at == 0)
		return err_set(e, ERR_INVALID, "address has nothing before the @");
	if (c->at > ADDRESS_LOCAL_MAX)
		return err_set(e, ERR_INVALID,
			"part before the @ is longer than %d octets", ADDRESS_LOCAL_MAX);
	return ERR_OK;
}

/* s: the inside of the brackets. */
static int check_literal(const char *s, size_t len, struct err *e)
{
	static const char v6[] = "IPv6:";
	char host[ADDR_TEXT_MAX];
	struct addr a;
	int family = AF_INET;
	if (text_has_prefix(s, len, v6)) {
		family = AF_INET6;
		s += sizeof(v6) - 1;
		len -= sizeof(v6) - 1;
	}
	if (len >= sizeof(host))
		return err_set(e, ERR_INVALID, "address literal is too long");
	memcpy(host, s, len);
	host[len] = '\0';
	if (!addr_parse(host, 0, &a) || addr_family(&a) != family)
		return err_set(e, ERR_INVALID,
			"address literal is neither [192.0.2.1] nor [IPv6:2001:db8::1]");
	return ERR_OK;
}

static bool is_label_octet(char c)
{
	return (unsigned char)c >= 0x80 || text_is_digit(c) || c == '-' || c == '_' ||
	       (text_lower(c) >= 'a' && text_lower(c) <= 'z');
}

static int check_label(const char *s, size_t len, struct err *e)
{
	if (!len)
		return err_set(e, ERR_INVALID,
			"domain has an empty label (two dots, or a dot at an end)");
	/* A U-label is measured as the A-label it becomes, elsewhere. */
	if (len > LABEL_MAX && text_is_ascii(s, len))
		return err_set(e, ERR_INVALID, "domain has a label longer than %d octets",
			LABEL_MAX);
	for (size_t i = 0; i < len; i++) {
		if (!is_label_octet(s[i]))
			return err_set(e, ERR_INVALID, "domain contains '%c'", s[i]);
	}
	if (s[0] == '-' || s[len - 1] == '-')
		return err_set(e, ERR_INVALID,
			"domain has a label that begins or ends with a hyphen");
	return ERR_OK;
}

static int check_domain(const char *s, size_t len, struct err *e)
{
	if (!len)
		return err_set(e, ERR_INVALID, "address has no domain after the @");
	if (len > ADDRESS_DOMAIN_MAX)
		return err_set(e, ERR_INVALID, "domain is longer than %d octets",
			ADDRESS_DOMAIN_MAX);
	if (s[0] == '[') {
		if (s[len - 1] != ']')
			return err_set(
				e, ERR_INVALID, "address literal does not end with a ]");
		return check_literal(s + 1, len - 2, e);
	}
	for (size_t start = 0; start <= len;) {
		const char *dot = memchr(s + start, '.', len - start);
		size_t end = dot ? (size_t)(dot - s) : len;
		int rc = check_label(s + start, end - start, e);
		if (rc)
			return rc;
		start = end + 1;
	}
	return ERR_OK;
}

static int strip_brackets(const char **s, size_t *len, struct err *e)
{
	bool opens = *len && (*s)[0] == '<';
	bool closes = *len && (*s)[*len - 1] == '>';
	if (opens != closes || (opens && *len < 2))
		return err_set(e, ERR_INVALID, "address has an angle bracket too many");
	if (opens) {
		(*s)++;
		*len -= 2;
	}
	return ERR_OK;
}

/* s has no brackets and is not empty. */
static int parse_mailbox(const char *s, size_t len, struct address *out, struct err *e)
{
	struct cursor c = { .s = s, .len = len };
	if (len > PATH_MAX_OCTETS - 2)
		return err_set(e, ERR_INVALID, "address is longer than %d octets",
			PATH_MAX_OCTETS - 2);
	int rc = check_octets(s, len, e);
	if (rc)
		return rc;
	if (s[0] == '@' && memchr(s, ':', len))
		return err_set(e, ERR_INVALID,
			"address has a source route (@host:user@domain), which is not "
			"supported");
	rc = scan_local(&c, e);
	if (rc)
		return rc;
	rc = check_domain(s + c.at + 1, len - c.at - 1, e);
	if (rc)
		return rc;
	memcpy(out->text, s, len);
	out->text[len] = '\0';
	out->at = c.at;
	out->needs_smtputf8 = !text_is_ascii(s, len);
	return ERR_OK;
}

int address_parse_recipient(const char *s, size_t len, struct address *out, struct err *e)
{
	int rc = strip_brackets(&s, &len, e);
	if (rc)
		return rc;
	if (!len)
		return err_set(e, ERR_INVALID, "recipient is empty");
	return parse_mailbox(s, len, out, e);
}

int address_parse_sender(const char *s, size_t len, struct address *out, struct err *e)
{
	int rc = strip_brackets(&s, &len, e);
	if (rc)
		return rc;
	if (!len) {
		*out = (struct address){ 0 };
		return ERR_OK;
	}
	return parse_mailbox(s, len, out, e);
}

const char *address_domain(const struct address *a)
{
	return a->text[0] ? a->text + a->at + 1 : a->text;
}
