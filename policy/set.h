/*
 * One version of all policy files: an immutable snapshot with a generation.
 *
 * A set is made from the directory or from texts in memory; it is complete or
 * it is not made at all: any error in any file means no set, so the caller
 * keeps the last good one. Shared by reference count, between threads too: who has
 * a reference may ask it, and take and drop references, on any thread.
 *
 * Files are read with one open (O_NOFOLLOW), one fstat, one read; group- or
 * world-writable files, files over 16 MiB and what is no regular file are
 * errors. ENOENT alone means "does not exist".
 */
#ifndef POLICY_SET_H
#define POLICY_SET_H

#include "policy/pattern.h"
#include "policy/route.h"
#include "policy/types.h"

enum policy_file {
	POLICY_FILE_ALLOW,
	POLICY_FILE_EXCLUDE,
	POLICY_FILE_PINS,
	POLICY_FILE_ROUTES,
	POLICY_FILE_COUNT
};

/* "mtatsl.txt", "nomtatsl.txt", "mtaproto.txt", "routes.txt". */
const char *policy_file_name(enum policy_file file);

struct policy_options {
	enum policy_match match;     /* domain_match */
	unsigned versions_available; /* mask: what the TLS library can do */
};

struct policy_source {
	const char *path;  /* as shown in errors and reasons; NULL: the file's name */
	const char *bytes; /* NULL: the file does not exist */
	size_t len;
};

/* All errors that were found, in file and line order, up to a limit. */
struct policy_errors {
	struct policy_error *list; /* owned */
	size_t count;              /* in list */
	size_t total;              /* found; may be more than are listed */
};
void policy_errors_clear(struct policy_errors *errors);

struct policy_set;

/* Reads the directory. A directory that does not exist is as many missing files.
 * Returns the set (the caller's reference) or NULL with errors filled. */
struct policy_set *policy_set_load(const char *directory,
	const struct policy_options *options, uint64_t generation,
	struct policy_errors *errors);

/* The same from texts: no file is touched. sources has POLICY_FILE_COUNT entries. */
struct policy_set *policy_set_parse(const struct policy_source *sources,
	const struct policy_options *options, uint64_t generation,
	struct policy_errors *errors);

struct policy_set *policy_set_ref(struct policy_set *set);
void policy_set_unref(struct policy_set **set); /* NULL inside is fine */
uint64_t policy_set_generation(const struct policy_set *set);
enum policy_match policy_set_match(const struct policy_set *set);

/* A digest of what the set says: equal files give equal digests. Lets a reload
 * that changed nothing keep its generation. */
uint64_t policy_set_digest(const struct policy_set *set);

/* One entry of one file, for `policy show` and for reasons. Borrowed. Small:
 * a list may have 100,000 of them. */
struct policy_entry {
	enum policy_pattern_kind kind;
	unsigned line;
	unsigned versions; /* pins: mask */
	bool is_host;      /* pins: "mx:" prefix */
	const char *name;  /* as in struct policy_pattern */
	const char *path;
	const char *text; /* the entry as written */
};
void policy_entry_pattern(const struct policy_entry *entry, struct policy_pattern *out);
const char *policy_set_path(const struct policy_set *set, enum policy_file file);
bool policy_set_has_file(const struct policy_set *set, enum policy_file file);
size_t policy_set_count(const struct policy_set *set, enum policy_file file);
const struct policy_entry *policy_set_entry(
	const struct policy_set *set, enum policy_file file, size_t index);

/* The first entry of a list that matches, or NULL. Time does not depend on
 * the length of the list for label matching: 100,000 lines are fine. */
const struct policy_entry *policy_set_find(
	const struct policy_set *set, enum policy_file file, const char *destination);

/* Are there pins for hosts ("mx:")? Then a pin is final only with the host. */
bool policy_set_has_host_pins(const struct policy_set *set);

/* The pin that counts for a destination at a host (host NULL: not known yet). */
const struct policy_entry *policy_set_pin(
	const struct policy_set *set, const char *destination, const char *host);

/* The route that counts for a destination: that of the first line that matches.
 * NULL: none does, the mail goes to the MX hosts of the destination. Borrowed; time
 * as with policy_set_find. */
const struct policy_route *policy_set_route(
	const struct policy_set *set, const char *destination);

/* The routes in the order of the file: as many as policy_set_count says. */
const struct policy_route *policy_set_route_at(
	const struct policy_set *set, size_t index);

#endif
