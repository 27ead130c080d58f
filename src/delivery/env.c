#include "delivery/env.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

struct config_ref *config_ref_new(struct config *config)
{
	struct config_ref *ref = xcalloc(1, sizeof(*ref));
	ref->config = config;
	atomic_init(&ref->refs, 1);
	return ref;
}

struct config_ref *config_ref_take(struct config_ref *ref)
{
	atomic_fetch_add(&ref->refs, 1);
	return ref;
}

void config_ref_drop(struct config_ref **refp)
{
	struct config_ref *ref = *refp;
	*refp = NULL;
	if (!ref)
		return;
	size_t refs = atomic_fetch_sub(&ref->refs, 1);
	ASSERT(refs > 0);
	if (refs == 1) {
		config_free(&ref->config);
		free(ref);
	}
}

size_t delivery_max_sessions(const struct delivery_env *env)
{
	return share_divide(&env->share, env->config->config->max_sessions);
}
