#include "delivery/secret.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/process.h"

#include <stdlib.h>
#include <string.h>

struct secret_request {
	char *path, *name;
	struct timer *timer; /* what is known at once is told in the next turn */
	struct process *process;
	struct credential credential;
	struct err error; /* code 0: none */
	secret_callback *cb;
	void *arg;
};

static void release(struct secret_request *r)
{
	timer_close(&r->timer);
	process_cancel(&r->process);
	credential_clear(&r->credential);
	free(r->path);
	free(r->name);
	free(r);
}

static void answer(
	struct secret_request *r, const struct secret *found, const struct err *e)
{
	secret_callback *cb = r->cb;
	void *arg = r->arg;
	cb(arg, found, e);
	release(r);
}

static void on_timer(void *arg)
{
	struct secret_request *r = arg;
	struct secret found = { r->credential.user, CREDENTIAL_PASSWORD,
		r->credential.secret };
	if (r->error.code)
		answer(r, NULL, &r->error);
	else
		answer(r, r->name ? &found : NULL, NULL);
}

static void on_output(void *arg, const char *output, size_t len, const struct err *e)
{
	struct secret_request *r = arg;
	struct secret found = { r->credential.user, r->credential.kind, output };
	r->process = NULL;
	if (e)
		r->error = *e;
	else if (!len || strlen(output) != len)
		err_set(&r->error, ERR_INVALID, "it wrote %s",
			len ? "a NUL, which is in no secret" : "nothing");
	if (!r->error.code) {
		answer(r, &found, NULL);
		return;
	}
	err_context(&r->error, "the command of entry %s of %s", r->name, r->path);
	answer(r, NULL, &r->error);
}

struct secret_request *secret_ask(struct uv_loop_s *loop, const char *path,
	const char *name, int64_t timeout_ms, secret_callback *cb, void *arg)
{
	struct secret_request *r = xcalloc(1, sizeof(*r));
	r->path = xstrdup(path);
	r->name = xstrdup(name);
	r->cb = cb;
	r->arg = arg;
	if (name)
		(void)credentials_find(path, name, &r->credential, &r->error);
	if (!name || r->error.code || r->credential.kind == CREDENTIAL_PASSWORD) {
		r->timer = timer_new(loop, on_timer, r);
		timer_start(r->timer, 0);
	} else {
		r->process = process_start(
			loop, r->credential.secret, timeout_ms, on_output, r);
	}
	return r;
}

void secret_cancel(struct secret_request **rp)
{
	struct secret_request *r = *rp;
	*rp = NULL;
	if (r)
		release(r);
}
