/* Notifications that test_dsn and dsn_print build. */
#ifndef TESTS_REPORT_DSN_CASES_H
#define TESTS_REPORT_DSN_CASES_H

#include "report/dsn.h"

struct dsn_case {
	const char *name;
	enum dsn_kind kind;
	enum dsn_language language;
	struct dsn_recipient recipients[2];
	const char *envid;
	enum mail_ret ret;
	struct mail_content content;
	const char *to;
	const char *original; /* what is at hand of it */
	bool is_lost;         /* without a sender: goes to the postmaster */
	const char *records[3];
	unsigned record_copies; /* of the first record */
};
extern const struct dsn_case dsn_cases[]; /* ends with a row of zeros */
const struct dsn_case *dsn_case_find(const char *name);

/* Builds it; the message is what the store makes of it, with the case's records
 * told and `returned` in the place of the message or its header. malloc'ed. */
void dsn_case_build(const struct dsn_case *c, struct dsn_message *out);
char *dsn_case_text(
	const struct dsn_case *c, const struct dsn_message *m, const char *returned);
/* The part that the store writes. */
char *dsn_case_story(const struct dsn_case *c, const struct dsn_message *m);

#endif
