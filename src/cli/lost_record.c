#include "cli/lost_record.h"

#include "event/event.h"

char *lost_record(
	void *arg, const struct queue_item *item, const char *host, int64_t now_ms)
{
	struct event_attempt a = {
		.time_ms = now_ms,
		.id = item->envelope.id,
		.attempt = item->attempts + 1,
		.next_attempt_ms = item->due_ms,
	};
	(void)arg;
	event_set(&a, &a.sender, item->envelope.sender);
	event_set(&a, &a.domain, item->domain);
	event_set(&a, &a.mx, host);
	event_set(&a, &a.channel, item->next_channel ? item->next_channel : "tls");
	event_set(&a, &a.next_channel, a.channel);
	event_set(&a, &a.outcome, "in_doubt");
	event_set(&a, &a.failure, "in_doubt");
	event_set(&a, &a.stage, "final");
	event_set(&a, &a.detail,
		"the worker ended while the message was being handed over");
	for (size_t i = 0; i < item->recipient_count; i++)
		event_attempt_add_recipient(&a, item->recipients[i].address, "in_doubt");
	char *json = event_attempt_to_json(&a);
	event_attempt_clear(&a);
	return json;
}
