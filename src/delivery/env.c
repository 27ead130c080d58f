#include "delivery/env.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

struct config_ref *config_ref_new(struct config *config)
{
	struct config_ref *ref = xcalloc(1, sizeof(*ref));
	ref->config = config;
	ref->refs = 1;
	return ref;
}

struct config_ref *config_ref_take(struct config_ref *ref)
{
	ref->refs++;
	return ref;
}

void config_ref_drop(struct config_ref **refp)
{
	struct config_ref *ref = *refp;
	*refp = NULL;
	if (!ref)
		return;
	ASSERT(ref->refs > 0);
	if (--ref->refs == 0) {
		config_free(&ref->config);
		free(ref);
	}
}
