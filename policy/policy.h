/* All of the policy library, for users outside of it. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/check.h"
#include "policy/decide.h"
#include "policy/edit.h"
#include "policy/fallback.h"
#include "policy/import.h"
#include "policy/name.h"
#include "policy/pattern.h"
#include "policy/relay.h"
#include "policy/retry.h"
#include "policy/route.h"
#include "policy/set.h"
#include "policy/settings.h"
#include "policy/types.h"

#endif
