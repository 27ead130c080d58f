#include "intake_fixture.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int hall_setup_closed(void **state)
{
	struct hall *h = xcalloc(1, sizeof(*h));
	void *store = NULL;
	if (fixture_setup_closed(&store) != 0 ||
		config_load(NULL, 0, &h->config, NULL) != 0)
		return -1;
	h->store = store;
	free(h->config->hostname);
	h->config->hostname = xstrdup("host.test");
	*state = h;
	return 0;
}

int hall_setup(void **state)
{
	int rc = hall_setup_closed(state);
	if (rc == 0)
		hall_open(*state);
	return rc;
}

int hall_teardown(void **state)
{
	struct hall *h = *state;
	void *store = h->store;
	if (h->intake)
		hall_close(h);
	config_free(&h->config);
	free(h);
	return fixture_teardown(&store);
}

void hall_open(struct hall *h)
{
	fixture_open(h->store);
	h->intake = intake_new(h->config, h->store->port);
}

void hall_close(struct hall *h)
{
	hall_wait(h);
	intake_free(&h->intake);
	fixture_close(h->store);
}

void hall_wait(struct hall *h)
{
	while (queue_port_pending(h->store->port))
		queue_wait(h->store->port);
}

unsigned hall_message_count(struct hall *h)
{
	return (unsigned)sql(h->store, "SELECT COUNT(*) FROM message");
}

struct queue_item *hall_only_item(struct hall *h)
{
	assert_int_equal(sql(h->store, "SELECT COUNT(*) FROM item"), 1);
	return claim_one(h->store);
}
