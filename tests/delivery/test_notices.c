/* Who is told of what, and by whom: what the delivery asks its notice maker for. */
#include "world.h"

#include "base/mem.h"

#define AB "a@" LITERAL " b@" LITERAL

static const struct notice_case {
	const char *name;
	unsigned notify;
	struct server_plan plan;
	const char *told;
} cases[] = {
	{ "a host that speaks DSN tells of the success itself", MAIL_NOTIFY_SUCCESS,
		{ .offers = "DSN" }, "" },
	{ "of one that does not, the success is told here", MAIL_NOTIFY_SUCCESS,
		{ .offers = "SIZE" },
		"success relayed 2.0.0 a@" LITERAL " relayed 2.0.0 b@" LITERAL },
	{ "with the code of the host's reply", MAIL_NOTIFY_SUCCESS,
		{ .offers = "SIZE", .final = "250 2.6.0 taken" },
		"success relayed 2.6.0 a@" LITERAL " relayed 2.6.0 b@" LITERAL },
	{ "nobody is told of a success without asking", 0, { .offers = "SIZE" }, "" },
	{ "a failure and a success are two notices",
		MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_FAILURE,
		{ .offers = "SIZE", .rcpt = { "550 5.1.1 nobody" } },
		"failure 5.1.1 a@" LITERAL "; success relayed 2.0.0 b@" LITERAL },
	{ "inside TLS it is what is offered there that counts", MAIL_NOTIFY_SUCCESS,
		{ 0 }, "success relayed 2.0.0 a@" LITERAL " relayed 2.0.0 b@" LITERAL },
};

static void run_case(void **state)
{
	const struct notice_case *c = *state;
	struct world w;
	world_init(&w, NULL);
	world_serve(&w, &c->plan, 1);
	world_configure(&w, NULL);
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
