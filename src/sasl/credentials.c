#include "sasl/credentials.h"

#include "base/mem.h"
#include "base/secret_file.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A piece of the file's text. */
struct word {
	const char *s;
	size_t len;
};

struct entry {
	struct word name, user, secret;
	enum credential_kind kind;
	unsigned line;
};

/* The file while it is looked through. Errors never repeat a word of it: where a word
 * is missing, another one may be the secret. */
struct reader {
	const char *path;
	struct word rest;
	unsigned line;
	struct entry *entries; /* owned; point into the file */
	size_t count;
	struct err *e;
};

static const char *const kinds[] = {
	[CREDENTIAL_PASSWORD] = "password",
	[CREDENTIAL_PASSWORD_COMMAND] = "password-command",
	[CREDENTIAL_TOKEN_COMMAND] = "token-command",
};
_Static_assert(ARRAY_SIZE(kinds) == CREDENTIAL_KIND_COUNT, "one name a kind");

const char *credential_kind_name(enum credential_kind kind)
{
	ASSERT(kind < CREDENTIAL_KIND_COUNT);
	return kinds[kind];
}

void credential_clear(struct credential *c)
{
	mem_free(&c->user);
	mem_free_secret(&c->secret);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_word(struct word w, const char *s)
{
	return w.len == strlen(s) && memcmp(w.s, s, w.len) == 0;
}

static void skip_blanks(struct word *rest)
{
	while (rest->len && is_blank(*rest->s)) {
		rest->s++;
		rest->len--;
	}
}

static struct word take_word(struct word *rest)
{
	struct word word = { rest->s, 0 };
	while (word.len < rest->len && !is_blank(rest->s[word.len]))
		word.len++;
	rest->s += word.len;
	rest->len -= word.len;
	skip_blanks(rest);
	return word;
}

static struct word take_line(struct word *rest)
{
	const char *lf = memchr(rest->s, '\n', rest->len);
	struct word line = { rest->s, lf ? (size_t)(lf - rest->s) : rest->len };
	size_t used = line.len + (lf != NULL);
	rest->s += used;
	rest->len -= used;
	if (line.len && line.s[line.len - 1] == '\r')
		line.len--;
	return line;
}

static int wrong(const struct reader *r, const char *text)
{
	return err_set(r->e, ERR_INVALID, "%s:%u: %s", r->path, r->line, text);
}

static bool has_control(struct word line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.s[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static bool find_kind(struct word word, enum credential_kind *out)
{
	for (unsigned i = 0; i < CREDENTIAL_KIND_COUNT; i++) {
		if (is_word(word, kinds[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

static int parse_line(const struct reader *r, struct word line, struct entry *out)
{
	out->line = r->line;
	out->name = take_word(&line);
	out->user = take_word(&line);
	struct word kind = take_word(&line);
	out->secret = line;
	if (out->name.len > CREDENTIALS_NAME_MAX)
		return wrong(r, "the name, which is the first word, is too long: at most "
				"64 octets");
	if (!find_kind(kind, &out->kind))
		return wrong(r, "a line is: NAME USER KIND SECRET, and KIND is password, "
				"password-command or token-command");
	if (!line.len)
		return wrong(r, "the secret is missing; it is the rest of the line");
	if (is_blank(line.s[line.len - 1]))
		return wrong(r, "the line ends with a blank, which would belong to the "
				"secret; remove it, or let a password-command print it");
	return 0;
}

static int add_entry(struct reader *r, const struct entry *entry)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct entry *other = &r->entries[i];
		if (other->name.len == entry->name.len &&
			memcmp(other->name.s, entry->name.s, entry->name.len) == 0)
			return err_set(r->e, ERR_INVALID,
				"%s:%u: the name of this entry is that of line %u too; "
				"names must differ",
				r->path, r->line, other->line);
	}
	if (r->count == CREDENTIALS_MAX)
		return wrong(r, "more entries than the 1000 that are read");
	r->entries = xreallocarray(r->entries, r->count + 1, sizeof(*r->entries));
	r->entries[r->count++] = *entry;
	return 0;
}

static int read_lines(struct reader *r)
{
	while (r->rest.len) {
		struct word line = take_line(&r->rest);
		struct entry entry;
		r->line++;
		skip_blanks(&line);
		if (!line.len || *line.s == '#')
			continue;
		if (has_control(line))
			return wrong(r, "there is a control character in this line");
		int rc = parse_line(r, line, &entry);
		if (!rc)
			rc = add_entry(r, &entry);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_owner(const struct secret_file *f, const char *path, struct err *e)
{
	uid_t uid = f->st.st_uid;
	if (uid == 0 || uid == geteuid())
		return 0;
	return err_set(e, ERR_PERMISSION,
		"%s belongs to neither root nor the user that this runs as, but to uid "
		"%u; run: chown %u %s",
		path, (unsigned)uid, (unsigned)geteuid(), path);
}

/* Reads and checks all of it. The entries point into the file, both are the caller's. */
static int read_file(
	const char *path, struct secret_file *f, struct reader *r, struct err *e)
{
	int rc = secret_file_read(path, f, e);
	if (!rc)
		rc = check_owner(f, path, e);
	if (!rc)
		rc = secret_file_check_mode(f, path, e);
	if (rc)
		return rc;
	*r = (struct reader){ .path = path, .rest = { f->bytes, f->len }, .e = e };
	return read_lines(r);
}

static void copy(const struct entry *from, struct credential *out)
{
	*out = (struct credential){
		.user = xstrndup(from->user.s, from->user.len),
		.kind = from->kind,
		.secret = xstrndup(from->secret.s, from->secret.len),
		.line = from->line,
	};
}

int credentials_find(
	const char *path, const char *name, struct credential *out, struct err *e)
{
	struct secret_file f = { 0 };
	struct reader r = { 0 };
	int rc = read_file(path, &f, &r, e);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(e, rc,
			"there is no file %s, and the entry %s is wanted of it; make "
			"it with mode 0600",
			path, name);
	if (!rc) {
		const struct entry *found = NULL;
		for (size_t i = 0; i < r.count && !found; i++)
			found = is_word(r.entries[i].name, name) ? &r.entries[i] : NULL;
		if (found)
			copy(found, out);
		else
			rc = err_set(e, ERR_NOT_FOUND,
				"%s has no entry %s; add a line: %s USER password "
				"PASSWORD",
				path, name, name);
	}
	mem_free(&r.entries);
	secret_file_clear(&f);
	return rc;
}

int credentials_check(const char *path, size_t *count_out, struct err *e)
{
	struct secret_file f = { 0 };
	struct reader r = { 0 };
	int rc = read_file(path, &f, &r, e);
	*count_out = r.count;
	mem_free(&r.entries);
	secret_file_clear(&f);
	return rc;
}
