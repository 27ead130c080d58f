/*
 * The queue for people and programs that know `mailq`: the look is that of Postfix with
 * long queue ids, which is that of sendmail with less in it. `hikyaku queue list` tells
 * more.
 */
#ifndef SENDMAIL_QUEUE_LIST_H
#define SENDMAIL_QUEUE_LIST_H

#include "config/config.h"
#include "queue/reader.h"
#include "sendmail/options.h"

#include <stdbool.h>

/* Prints what is selected. Returns an exit status. */
int queue_list_run(const struct sendmail_options *options, const struct config *config);

/* The message has what is asked for. */
bool queue_list_matches(
	const struct sendmail_selection *selection, const struct queue_entry *entry);

#endif
