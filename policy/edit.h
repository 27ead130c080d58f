/*
 * Edits of policy files as a careful administrator would make them: comments,
 * order, blank lines, line ends, byte order mark and file mode stay; the file
 * is written beside itself, synced and renamed over. The new text is parsed
 * before it is put in place: an edit never leaves an error behind.
 */
#ifndef POLICY_EDIT_H
#define POLICY_EDIT_H

#include "policy/set.h"

enum policy_edit_result {
	POLICY_EDIT_DONE,
	POLICY_EDIT_UNCHANGED, /* the entry was there, or was not there, already */
	POLICY_EDIT_FAILED     /* error filled; the file is as it was */
};

/* Blanks around an entry or pattern, and a byte order mark before it, do not count. With
 * POLICY_EDIT_FAILED error->file is "" if the entry given is at fault; else
 * it names the policy file. Two edits at once wait for each other (a lock on
 * the directory). */

/* entry: "example.com"; for routes the whole line, which becomes the last: an error
 * if there is another for its pattern, after which it could never match; for pins
 * "example.com TLS1.2 TLS1.3" (a pin for a pattern that has one replaces its versions). A
 * missing file and directory are created. */
enum policy_edit_result policy_edit_add(const char *directory, enum policy_file file,
	const char *entry, const struct policy_options *options,
	struct policy_error *error);

/* Puts lines at the end of the file as they are, comments too: UTF-8, each with an LF,
 * which becomes what ends the lines of the file. */
enum policy_edit_result policy_edit_append(const char *directory, enum policy_file file,
	const char *lines, size_t len, const struct policy_options *options,
	struct policy_error *error);

/* Removes the entry with that pattern. The file stays, even if empty: for the
 * allow list an empty file means "TLS nowhere". */
enum policy_edit_result policy_edit_remove(const char *directory, enum policy_file file,
	const char *pattern, const struct policy_options *options,
	struct policy_error *error);

#endif
