#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "policy/edit.h"

#include "policy/entry.h"
#include "policy/file.h"
#include "policy/lines.h"
#include "policy/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEW_DIRECTORY_MODE = 0755, NEW_FILE_MODE = 0644 };

/* The points at which tests end the process. What they do is base/failpoint.h, which this
 * folder does not know: weak, because it is absent where this library is alone. */
#ifdef WITH_FAILPOINTS
int failpoint(const char *name) __attribute__((weak));
static void pass(const char *name)
{
	if (failpoint)
		(void)failpoint(name);
}
#else
#define pass(name) ((void)0)
#endif

/* What an edit does: it adds an entry, appends lines or removes an entry. */
struct change {
	enum { ADD, APPEND, REMOVE } what;
	const char *text; /* the entry; the lines */
	size_t len;
	struct policy_parsed parsed; /* of the entry, or the pattern to remove */
};

/* One edit under way. */
struct edit {
	enum policy_file file;
	const struct policy_options *options;
	struct policy_error *error;
	char path[PATH_MAX]; /* as shown */
	char temp[64];       /* name of the new file, in the directory */
	int dirfd;           /* locked as long as it is open */
	struct policy_file_content old;
	struct policy_bytes text; /* what the file becomes */
};

static enum policy_edit_result fail_errno(struct edit *e, const char *what)
{
	policy_error_set(e->error, e->path, 0, "%s: %s", what, strerror(errno));
	return POLICY_EDIT_FAILED;
}

/* --- the text: what the file becomes --- */

static void add_old(struct edit *e, size_t from, size_t to)
{
	if (to > from)
		policy_bytes_add(&e->text, e->old.bytes + from, to - from);
}

static bool is_wanted(const struct edit *e, const struct policy_lines *l,
	const struct policy_parsed *wanted, struct policy_parsed *found)
{
	char why[POLICY_TEXT_MAX];
	size_t len = policy_entry_pattern_len(e->file, l->entry, l->entry_len);
	return l->entry_len > 0 &&
	       policy_entry_parse_pattern(e->file, l->entry, len, found, why) &&
	       found->is_host == wanted->is_host &&
	       policy_pattern_equal(&found->pattern, &wanted->pattern);
}

/* A pin for the pattern is there: other versions, all else as it was. */
static enum policy_edit_result replace_versions(
	struct edit *e, const struct policy_lines *l, unsigned versions)
{
	struct policy_parsed found;
	char why[POLICY_TEXT_MAX], text[48];
	size_t from = policy_entry_pattern_len(e->file, l->entry, l->entry_len);
	bool parsed = policy_entry_parse(
		e->file, l->entry, l->entry_len, e->options, &found, why);
	if (parsed && found.versions == versions)
		return POLICY_EDIT_UNCHANGED;
	if (parsed)
		from = found.versions_from;
	size_t len = policy_text(text, sizeof(text), "%s", parsed ? "" : " ");
	policy_versions_format(versions, text + len, sizeof(text) - len);
	add_old(e, 0, policy_lines_offset(l, from));
	policy_lines_encode(&e->text, l->encoding, text, strlen(text));
	add_old(e, policy_lines_offset(l, l->entry_len), e->old.len);
	return POLICY_EDIT_DONE;
}

/* How the lines of the file end; new ones end as the line before them does. */
struct ends {
	const char *eol;
	bool needs_eol; /* the last line has no end */
	enum policy_encoding encoding;
};

static void note_end(struct ends *ends, const struct policy_lines *l)
{
	size_t eol_len = l->end - l->text_end;
	ends->encoding = l->encoding;
	ends->needs_eol = eol_len == 0;
	if (eol_len)
		ends->eol =
			eol_len > (l->encoding == POLICY_UTF8 ? 1 : 2) ? "\r\n" : "\n";
}

static void add_text(struct edit *e, const struct ends *ends, const char *s, size_t len)
{
	policy_lines_encode(&e->text, ends->encoding, s, len);
}

static void add_eol(struct edit *e, const struct ends *ends)
{
	add_text(e, ends, ends->eol, strlen(ends->eol));
}

static void append_entry(struct edit *e, const struct change *c, const struct ends *ends)
{
	char versions[48] = " ";
	add_old(e, 0, e->old.len);
	if (ends->needs_eol)
		add_eol(e, ends);
	add_text(e, ends, c->text, c->parsed.kept_len);
	if (e->file == POLICY_FILE_PINS) {
		policy_versions_format(
			c->parsed.versions, versions + 1, sizeof(versions) - 1);
		add_text(e, ends, versions, strlen(versions));
	}
	add_eol(e, ends);
}

/* A route for the pattern is there: one after it could never match. */
static enum policy_edit_result judge_route(
	struct edit *e, const struct policy_lines *l, const struct change *c)
{
	char text[POLICY_NAME_MAX + 3];
	if (l->entry_len == c->len && memcmp(l->entry, c->text, c->len) == 0)
		return POLICY_EDIT_UNCHANGED;
	policy_pattern_format(&c->parsed.pattern, text, sizeof(text));
	policy_error_set(e->error, e->path, l->number,
		"there is a route for %s already, and the first line that matches "
		"counts; remove it first",
		text);
	return POLICY_EDIT_FAILED;
}

static enum policy_edit_result text_add(struct edit *e, const struct change *c)
{
	enum policy_edit_result result = POLICY_EDIT_DONE;
	struct ends ends = { .eol = "\n" };
	bool found = false;
	struct policy_lines l;
	struct policy_parsed parsed;
	policy_lines_init(&l, e->old.bytes, e->old.len);
	ends.encoding = l.encoding;
	while (!found && policy_lines_next(&l)) {
		note_end(&ends, &l);
		found = is_wanted(e, &l, &c->parsed, &parsed);
	}
	if (!found)
		append_entry(e, c, &ends);
	else if (e->file == POLICY_FILE_PINS)
		result = replace_versions(e, &l, c->parsed.versions);
	else if (e->file == POLICY_FILE_ROUTES)
		result = judge_route(e, &l, c);
	else
		result = POLICY_EDIT_UNCHANGED;
	policy_lines_clear(&l);
	return result;
}

static enum policy_edit_result text_append(struct edit *e, const struct change *c)
{
	struct ends ends = { .eol = "\n" };
	struct policy_lines l;
	policy_lines_init(&l, e->old.bytes, e->old.len);
	ends.encoding = l.encoding;
	while (policy_lines_next(&l))
		note_end(&ends, &l);
	policy_lines_clear(&l);
	add_old(e, 0, e->old.len);
	if (ends.needs_eol)
		add_eol(e, &ends);
	for (size_t at = 0, n; at < c->len; at += n + 1) {
		const char *end = memchr(c->text + at, '\n', c->len - at);
		n = end ? (size_t)(end - c->text) - at : c->len - at;
		add_text(e, &ends, c->text + at, n);
		add_eol(e, &ends);
	}
	return c->len ? POLICY_EDIT_DONE : POLICY_EDIT_UNCHANGED;
}

static enum policy_edit_result text_remove(
	struct edit *e, const struct policy_parsed *wanted)
{
	enum policy_edit_result result = POLICY_EDIT_UNCHANGED;
	struct policy_lines l;
	struct policy_parsed parsed;
	size_t kept = 0;
	policy_lines_init(&l, e->old.bytes, e->old.len);
	while (policy_lines_next(&l)) {
		if (!is_wanted(e, &l, wanted, &parsed))
			continue;
		add_old(e, kept, l.start);
		kept = l.end;
		result = POLICY_EDIT_DONE;
	}
	add_old(e, kept, e->old.len);
	policy_lines_clear(&l);
	return result;
}

/* An edit never leaves an error behind, nor one that was there before. */
static bool check_text(struct edit *e)
{
	struct policy_source sources[POLICY_FILE_COUNT] = { 0 };
	struct policy_errors errors;
	for (int file = 0; file < POLICY_FILE_COUNT; file++)
		sources[file].path = policy_file_name((enum policy_file)file);
	sources[e->file] = (struct policy_source){
		.path = e->path,
		.bytes = e->text.bytes ? e->text.bytes : "",
		.len = e->text.len,
	};
	struct policy_set *set = policy_set_parse(sources, e->options, 0, &errors);
	if (!set)
		policy_error_set(e->error, errors.list[0].file, errors.list[0].line,
			"%.400s; the file is left as it was", errors.list[0].text);
	policy_errors_clear(&errors);
	bool ok = set != NULL;
	policy_set_unref(&set);
	return ok;
}

/* --- the file --- */

/* The lock is on the directory, because the file is replaced. Editors wait for
 * each other; readers need no lock. */
static enum policy_edit_result open_directory(
	struct edit *e, const char *directory, bool create)
{
	e->dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dirfd < 0 && errno == ENOENT) {
		if (!create)
			return POLICY_EDIT_UNCHANGED;
		if (mkdir(directory, NEW_DIRECTORY_MODE) != 0 && errno != EEXIST)
			return fail_errno(e, "its directory cannot be made");
		e->dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (e->dirfd < 0)
		return fail_errno(e, "its directory cannot be opened");
	while (flock(e->dirfd, LOCK_EX) != 0) {
		if (errno != EINTR)
			return fail_errno(e, "its directory cannot be locked");
	}
	return POLICY_EDIT_DONE;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* The new file belongs to whom the old one belonged to, with the same mode. */
static bool keep_owner_and_mode(const struct edit *e, int fd)
{
	struct stat st;
	if (!e->old.exists)
		return fchmod(fd, NEW_FILE_MODE) == 0;
	if (fstat(fd, &st) != 0)
		return false;
	if ((st.st_uid != e->old.uid || st.st_gid != e->old.gid) &&
		fchown(fd, e->old.uid, e->old.gid) != 0)
		return false;
	return fchmod(fd, e->old.mode) == 0;
}

static enum policy_edit_result write_temp(struct edit *e)
{
	enum policy_edit_result result = POLICY_EDIT_DONE;
	/* One left by a crash: we hold the lock, so it is nobody's. */
	if (unlinkat(e->dirfd, e->temp, 0) != 0 && errno != ENOENT)
		return fail_errno(e, "an old temporary file cannot be removed");
	int fd = openat(e->dirfd, e->temp,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(e, "a new version cannot be made in its directory");
	pass("policy.edit.made");
	if (!write_all(fd, e->text.bytes, e->text.len))
		result = fail_errno(e, "its new version cannot be written");
	else if (!keep_owner_and_mode(e, fd))
		result = fail_errno(e, "its owner and mode cannot be kept");
	pass("policy.edit.written");
	if (result == POLICY_EDIT_DONE && fsync(fd) != 0)
		result = fail_errno(e, "its new version cannot be synced to the disk");
	if (close(fd) != 0 && result == POLICY_EDIT_DONE)
		result = fail_errno(e, "its new version cannot be written");
	return result;
}

static enum policy_edit_result replace_file(struct edit *e)
{
	enum policy_edit_result result = write_temp(e);
	pass("policy.edit.synced");
	if (result == POLICY_EDIT_DONE &&
		renameat(e->dirfd, e->temp, e->dirfd, policy_file_name(e->file)) != 0)
		result = fail_errno(e, "it cannot be replaced");
	if (result != POLICY_EDIT_DONE) {
		(void)unlinkat(e->dirfd, e->temp, 0); /* the first error is told */
		return result;
	}
	pass("policy.edit.renamed");
	if (fsync(e->dirfd) != 0)
		return fail_errno(e, "it is replaced, but its directory cannot be "
				     "synced: a power cut may bring the old one back");
	return POLICY_EDIT_DONE;
}

/* --- both together --- */

static enum policy_edit_result edit_locked(struct edit *e, const struct change *c)
{
	enum policy_edit_result result = POLICY_EDIT_UNCHANGED;
	if (!policy_file_read(
		    e->dirfd, policy_file_name(e->file), e->path, &e->old, e->error))
		return POLICY_EDIT_FAILED;
	switch (c->what) {
	case ADD:
		result = text_add(e, c);
		break;
	case APPEND:
		result = text_append(e, c);
		break;
	case REMOVE:
		if (e->old.exists)
			result = text_remove(e, &c->parsed);
		break;
	}
	if (result != POLICY_EDIT_DONE)
		return result;
	return check_text(e) ? replace_file(e) : POLICY_EDIT_FAILED;
}

static enum policy_edit_result edit_file(const char *directory, enum policy_file file,
	const struct change *c, const struct policy_options *options,
	struct policy_error *error)
{
	struct edit e = { .file = file, .options = options, .error = error, .dirfd = -1 };
	policy_text(e.path, sizeof(e.path), "%s/%s", directory, policy_file_name(file));
	policy_text(e.temp, sizeof(e.temp), ".%s.new", policy_file_name(file));
	enum policy_edit_result result = open_directory(&e, directory, c->what != REMOVE);
	if (result == POLICY_EDIT_DONE)
		result = edit_locked(&e, c);
	if (e.dirfd >= 0)
		(void)close(e.dirfd); /* lets the lock go; nothing was written to it */
	policy_file_content_clear(&e.old);
	free(e.text.bytes);
	return result;
}

/* A byte order mark that came with the text is no part of it: in front of a new file it
 * would be taken for the file's. */
static const char *trim(const char *s, size_t *len_out)
{
	static const char mark[] = "\xef\xbb\xbf", blanks[] = " \t";
	if (strncmp(s, mark, sizeof(mark) - 1) == 0)
		s += sizeof(mark) - 1;
	s += strspn(s, blanks);
	*len_out = strlen(s);
	while (*len_out > 0 && strchr(blanks, s[*len_out - 1]))
		(*len_out)--;
	return s;
}

enum policy_edit_result policy_edit_add(const char *directory, enum policy_file file,
	const char *entry, const struct policy_options *options,
	struct policy_error *error)
{
	struct change c = { .what = ADD };
	char why[POLICY_TEXT_MAX];
	c.text = trim(entry, &c.len);
	if (!policy_entry_parse(file, c.text, c.len, options, &c.parsed, why)) {
		policy_error_set(error, "", 0, "%s", why);
		return POLICY_EDIT_FAILED;
	}
	return edit_file(directory, file, &c, options, error);
}

enum policy_edit_result policy_edit_append(const char *directory, enum policy_file file,
	const char *lines, size_t len, const struct policy_options *options,
	struct policy_error *error)
{
	struct change c = { .what = APPEND, .text = lines, .len = len };
	return edit_file(directory, file, &c, options, error);
}

enum policy_edit_result policy_edit_remove(const char *directory, enum policy_file file,
	const char *pattern, const struct policy_options *options,
	struct policy_error *error)
{
	struct change c = { .what = REMOVE };
	char why[POLICY_TEXT_MAX];
	c.text = trim(pattern, &c.len);
	if (!policy_entry_parse_pattern(file, c.text, c.len, &c.parsed, why)) {
		policy_error_set(error, "", 0, "%s", why);
		return POLICY_EDIT_FAILED;
	}
	return edit_file(directory, file, &c, options, error);
}
