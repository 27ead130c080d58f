/*
 * Bounces for the delivery, written by the report: the two do not know each
 * other, and meet here. Decides to whom a notice goes: to the sender; for a
 * message without one (itself a notice) to the postmaster, once; else nobody.
 */
#ifndef CLI_RUN_NOTICES_H
#define CLI_RUN_NOTICES_H

#include "delivery/env.h"

extern const struct notice_maker run_notice_maker;

#endif
