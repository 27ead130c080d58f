#include "delivery/policy_watch.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SETTLE_MS = 100,   /* a burst of writes is over */
	MAX_DELAY_MS = 500 /* a file that never rests is read all the same */
};

struct policy_watch {
	const struct delivery_env *env;
	policy_watch_cb *cb;
	void *arg;
	struct dir_watch *watch;
	char *directory;
	struct policy_set *set; /* in force */
	int64_t loaded_ms;
	bool has_errors;
};

static struct policy_set *load(
	struct policy_watch *w, uint64_t generation, struct policy_errors *errors)
{
	const struct config *config = w->env->config->config;
	struct policy_options options = {
		.match = config->domain_match,
		.versions_available = tls_versions_available(),
	};
	return policy_set_load(config->policy_dir, &options, generation, errors);
}

static void format_error(const struct policy_error *p, char *out, size_t size)
{
	if (p->line)
		snprintf(out, size, "%s:%u: %s", p->file, p->line, p->text);
	else
		snprintf(out, size, "%s: %s", p->file, p->text);
}

static void report_errors(struct policy_watch *w, const struct policy_errors *errors)
{
	char when[TIMEFMT_MAX], text[1024];
	for (size_t i = 0; i < errors->count; i++) {
		format_error(&errors->list[i], text, sizeof(text));
		log_error("policy: %s", text);
	}
	timefmt_rfc3339(w->loaded_ms / 1000 * 1000, when);
	snprintf(text, sizeof(text), "policy: %zu %s, using version of %s", errors->total,
		errors->total == 1 ? "error" : "errors", when);
	log_error("%s", text);
	queue_set_note(w->env->queue, "policy", text);
	w->has_errors = true;
}

/* Takes it. */
static void put_in_force(struct policy_watch *w, struct policy_set *set)
{
	policy_set_unref(&w->set);
	w->set = set;
	w->loaded_ms = clock_wall_ms();
	w->cb(w->arg, set);
}

static void on_change(void *arg)
{
	struct policy_watch *w = arg;
	struct policy_errors errors = { 0 };
	uint64_t generation = policy_set_generation(w->set) + 1;
	struct policy_set *set = load(w, generation, &errors);
	if (!set) {
		report_errors(w, &errors);
	} else {
		if (w->has_errors)
			queue_set_note(w->env->queue, "policy", NULL);
		bool is_same = policy_set_digest(set) == policy_set_digest(w->set);
		if (is_same) {
			policy_set_unref(&set);
		} else {
			put_in_force(w, set);
			log_info("policy: generation %llu is in force",
				(unsigned long long)generation);
		}
		if (w->has_errors && is_same)
			log_info("policy: the errors are gone");
		w->has_errors = false;
	}
	policy_errors_clear(&errors);
}

static void begin_watch(struct policy_watch *w)
{
	const char *directory = w->env->config->config->policy_dir;
	if (w->directory && strcmp(w->directory, directory) == 0)
		return;
	mem_free(&w->directory);
	w->directory = xstrdup(directory);
	if (w->watch)
		dir_watch_close(&w->watch);
	w->watch = dir_watch_new(
		w->env->loop, directory, SETTLE_MS, MAX_DELAY_MS, on_change, w);
}

static int list_errors(const struct policy_errors *errors, struct err *e)
{
	struct buf all = BUF_INIT;
	char text[1024];
	for (size_t i = 0; i < errors->count; i++) {
		format_error(&errors->list[i], text, sizeof(text));
		buf_addf(&all, "%s%s", i ? "\n" : "", text);
	}
	err_set(e, ERR_INVALID, "%s", buf_text(&all));
	buf_clear(&all);
	return ERR_INVALID;
}

int policy_watch_start(const struct delivery_env *env, policy_watch_cb *cb, void *arg,
	struct policy_watch **out, struct err *e)
{
	struct policy_errors errors = { 0 };
	struct policy_watch *w = xcalloc(1, sizeof(*w));
	w->env = env;
	w->cb = cb;
	w->arg = arg;
	/* Watched before it is read: a change in between is seen. */
	begin_watch(w);
	struct policy_set *set = load(w, 1, &errors);
	if (!set) {
		list_errors(&errors, e);
		policy_errors_clear(&errors);
		policy_watch_stop(&w);
		return ERR_INVALID;
	}
	put_in_force(w, set);
	*out = w;
	return 0;
}

void policy_watch_restart(struct policy_watch *w)
{
	begin_watch(w);
	on_change(w);
}

void policy_watch_stop(struct policy_watch **wp)
{
	struct policy_watch *w = *wp;
	*wp = NULL;
	if (!w)
		return;
	dir_watch_close(&w->watch);
	policy_set_unref(&w->set);
	free(w->directory);
	free(w);
}
