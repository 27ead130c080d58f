/* Who is told of what, and by whom: what the delivery asks its notice maker for. */
#include "world.h"

#include "base/mem.h"

#define AB "a@" LITERAL " b@" LITERAL

static const struct notice_case {
	const char *name;
	unsigned notify;
	struct server_plan plan;
	const char *told;
	const char *routes;
} cases[] = {
	{ .name = "a host that speaks DSN tells of the success itself",
		.notify = MAIL_NOTIFY_SUCCESS,
		.plan = { .offers = "DSN" },
		.told = "" },
	{ .name = "of one that does not, the success is told here",
		.notify = MAIL_NOTIFY_SUCCESS,
		.plan = { .offers = "SIZE" },
		.told = "success relayed 2.0.0 a@" LITERAL " relayed 2.0.0 b@" LITERAL },
	{ .name = "with the code of the host's reply",
		.notify = MAIL_NOTIFY_SUCCESS,
		.plan = { .offers = "SIZE", .final = "250 2.6.0 taken" },
		.told = "success relayed 2.6.0 a@" LITERAL " relayed 2.6.0 b@" LITERAL },
	{ .name = "nobody is told of a success without asking",
		.plan = { .offers = "SIZE" },
		.told = "" },
	{ .name = "a failure and a success are two notices",
		.notify = MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_FAILURE,
		.plan = { .offers = "SIZE", .rcpt = { "550 5.1.1 nobody" } },
		.told = "failure 5.1.1 a@" LITERAL "; success relayed 2.0.0 b@" LITERAL },
	{ .name = "inside TLS it is what is offered there that counts",
		.notify = MAIL_NOTIFY_SUCCESS,
		.told = "success relayed 2.0.0 a@" LITERAL " relayed 2.0.0 b@" LITERAL },
	{ .name = "what is discarded is not called delivered",
		.notify = MAIL_NOTIFY_SUCCESS,
		.routes = "* discard\n",
		.told = "success relayed 2.0.0 a@" LITERAL " relayed 2.0.0 b@" LITERAL },
	{ .name = "what a route refuses is a failure",
		.notify = MAIL_NOTIFY_FAILURE,
		.routes = "* error:5.7.1 no mail for you\n",
		.told = "failure 5.7.1 a@" LITERAL " 5.7.1 b@" LITERAL },
};

static void run_case(void **state)
{
	const struct notice_case *c = *state;
	struct world w;
	world_init(&w, NULL);
	world_serve(&w, &c->plan, 1);
	world_configure(&w, NULL);
	if (c->routes)
		world_routes(&w, c->routes);
	w.notify = c->notify;
	world_put(&w, AB, 200);
	world_deliver(&w);
	session_quit(&w.kept);
	world_run(&w, world_all_ended, NULL);
	if (strcmp(buf_text(&w.told), c->told) != 0)
		fail_msg("told \"%s\"", buf_text(&w.told));
	world_clear(&w);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases)];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run_case,
			.initial_state = (void *)&cases[i] };
	int failed = cmocka_run_group_tests_name("notices", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
