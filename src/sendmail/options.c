#include "sendmail/options.h"

#include "base/mem.h"
#include "base/text.h"
#include "smtp/command.h"

#include <stddef.h>
#include <string.h>

enum takes {
	NOTHING,
	ARGUMENT, /* attached, or the next word */
	ATTACHED  /* attached, or none */
};

struct option {
	char letter;
	enum takes takes;
	const char *argument; /* for the help text */
	const char *help;     /* one line */
	/* What it does: sets one of these, by its offset, or what apply does. All three
	 * unset: it is known elsewhere, and ignored here. */
	size_t flag, text;
	int (*apply)(struct sendmail_options *o, const char *argument, struct err *e);
};

#define FLAG(name) .flag = offsetof(struct sendmail_options, name)
#define TEXT(name) .text = offsetof(struct sendmail_options, name)

/* ---- what options do ---- */

static int apply_mode(struct sendmail_options *o, const char *argument, struct err *e);
static int apply_queue(struct sendmail_options *o, const char *argument, struct err *e);

static int apply_body(struct sendmail_options *o, const char *argument, struct err *e)
{
	(void)o; /* the content tells what it is */
	if (text_equal(argument, "7BIT") || text_equal(argument, "8BITMIME"))
		return 0;
	return err_set(
		e, ERR_INVALID, "-B takes 7BIT or 8BITMIME, not \"%.60s\"", argument);
}

static int apply_aliases(struct sendmail_options *o, const char *argument, struct err *e)
{
	(void)argument;
	(void)e;
	o->mode = SENDMAIL_NOTHING;
	return 0;
}

static int apply_old(struct sendmail_options *o, const char *argument, struct err *e)
{
	(void)e;
	o->keeps_dots = o->keeps_dots || argument[0] == 'i';
	return 0;
}

static int apply_quarantine(
	struct sendmail_options *o, const char *argument, struct err *e)
{
	(void)o;
	(void)argument;
	return err_set(e, ERR_INVALID,
		"-Q: there is no quarantine; `hikyaku queue hold` keeps a message back");
}

/* RFC 3461 4.1 in small letters: "never", or a list of the others. */
static int apply_notify(struct sendmail_options *o, const char *argument, struct err *e)
{
	static const struct {
		const char *word;
		enum mail_notify bit;
	} words[] = {
		{ "success", MAIL_NOTIFY_SUCCESS },
		{ "failure", MAIL_NOTIFY_FAILURE },
		{ "delay", MAIL_NOTIFY_DELAY },
	};
	unsigned notify = 0;
	const char *at = text_equal(argument, "never") ? "" : argument;
	while (*at) {
		size_t len = strcspn(at, ","), i = 0;
		while (i < ARRAY_SIZE(words) &&
			(strlen(words[i].word) != len ||
				!text_has_prefix(at, len, words[i].word)))
			i++;
		if (i == ARRAY_SIZE(words))
			break;
		notify |= words[i].bit;
		at += len + (at[len] == ',');
	}
	if (*at || !*argument)
		return err_set(e, ERR_INVALID,
			"-N takes \"never\", or a list of success, failure and delay "
			"with commas, not \"%.60s\"",
			argument);
	o->notify = notify ? notify : (unsigned)MAIL_NOTIFY_NEVER;
	return 0;
}

static int apply_return(struct sendmail_options *o, const char *argument, struct err *e)
{
	if (text_equal(argument, "full"))
		o->ret = MAIL_RET_FULL;
	else if (text_equal(argument, "hdrs"))
		o->ret = MAIL_RET_HDRS;
	else
		return err_set(e, ERR_INVALID,
			"-R takes full or hdrs: what a bounce brings back; not \"%.60s\"",
			argument);
	return 0;
}

static int apply_envid(struct sendmail_options *o, const char *argument, struct err *e)
{
	size_t len = strlen(argument);
	if (!len || len > SMTP_ENVID_MAX || !smtp_is_xtext(argument))
		return err_set(e, ERR_INVALID,
			"-V takes an envelope id of 1 to %d printable characters (xtext: "
			"'+' as +2B, '=' as +3D), not \"%.60s\"",
			SMTP_ENVID_MAX, argument);
	o->envid = argument;
	return 0;
}

/* Postfix has an envelope sender a recipient behind -XV. To ignore that would bring
 * bounces to where nobody can read them. */
static int apply_log(struct sendmail_options *o, const char *argument, struct err *e)
{
	(void)o;
	size_t len = strlen(argument);
	if (argument[0] == 'V' && (len == 1 || len == 3))
		return err_set(e, ERR_INVALID,
			"-X%.3s: there are no variable return paths (VERP) here; send "
			"each recipient a message of its own, with -f",
			argument);
	return 0;
}

/* By the letter. The letters and what they take are those of sendmail 8.17 and Postfix
 * 3.7 together. */
static const struct option options[] = {
	{ 'A', ARGUMENT, "TYPE", .help = "ignored" },
	{ 'B', ARGUMENT, "TYPE", "7BIT or 8BITMIME; the content decides",
		.apply = apply_body },
	{ 'C', ARGUMENT, "FILE", "read this configuration of hikyaku",
		TEXT(config_path) },
	{ 'D', ARGUMENT, "FILE", .help = "ignored" },
	{ 'F', ARGUMENT, "NAME", "full name for a From field that is added",
		TEXT(full_name) },
	{ 'G', NOTHING, NULL, "leave the header as it is", FLAG(is_gateway) },
	{ 'I', NOTHING, NULL, "as -bi", .apply = apply_aliases },
	{ 'L', ARGUMENT, "TAG", .help = "ignored" },
	{ 'M', ARGUMENT, "MACRO", .help = "ignored" },
	{ 'N', ARGUMENT, "DSN", "tell of success, failure, delay (a list), or never",
		.apply = apply_notify },
	{ 'O', ARGUMENT, "OPTION", .help = "ignored" },
	{ 'Q', ATTACHED, "REASON", "refused: quarantine", .apply = apply_quarantine },
	{ 'R', ARGUMENT, "WHAT", "a bounce brings back: full or hdrs",
		.apply = apply_return },
	{ 'T', NOTHING, NULL, .help = "ignored" },
	{ 'U', NOTHING, NULL, .help = "ignored" },
	{ 'V', ARGUMENT, "ENVID", "envelope id for notifications", .apply = apply_envid },
	{ 'X', ARGUMENT, "FILE", "ignored; -XV (VERP) is refused", .apply = apply_log },
	{ 'b', ARGUMENT, "MODE", "what to do: one of the following",
		.apply = apply_mode },
	{ 'c', NOTHING, NULL, .help = "ignored" },
	{ 'd', ATTACHED, "LEVEL", .help = "ignored" },
	{ 'e', ARGUMENT, "MODE", .help = "ignored: errors go to standard error" },
	{ 'f', ARGUMENT, "SENDER", "envelope sender", TEXT(sender) },
	{ 'h', ARGUMENT, "COUNT", .help = "ignored" },
	{ 'i', NOTHING, NULL, "a lone dot does not end the message", FLAG(keeps_dots) },
	{ 'm', NOTHING, NULL, .help = "ignored" },
	{ 'n', NOTHING, NULL, .help = "ignored" },
	{ 'o', ARGUMENT, "OPTION", "ignored but for -oi, which is -i",
		.apply = apply_old },
	{ 'p', ARGUMENT, "PROTOCOL", .help = "ignored" },
	{ 'q', ATTACHED, NULL, "deliver all that is due, once", .apply = apply_queue },
	{ 'r', ARGUMENT, "SENDER", "as -f", TEXT(sender) },
	{ 's', NOTHING, NULL, .help = "ignored" },
	{ 't', NOTHING, NULL, "take recipients from To, Cc and Bcc",
		FLAG(takes_recipients) },
	{ 'v', NOTHING, NULL, "say the queue id, and for whom", FLAG(is_verbose) },
	{ 'x', NOTHING, NULL, .help = "ignored" },
};

/* ---- -b ---- */

static const struct {
	char letter;
	enum sendmail_mode mode;
	const char *instead; /* it is refused, and this is what there is */
	const char *help;
} modes[] = {
	{ 'D', 0, "`hikyaku run` delivers", "refused: hikyaku run" },
	{ 'H', SENDMAIL_NOTHING, NULL, "nothing: no host status is kept" },
	{ 'd', 0, "`hikyaku run` delivers and listens", "refused: hikyaku run" },
	{ 'h', SENDMAIL_NOTHING, NULL, "nothing: no host status is kept" },
	{ 'i', SENDMAIL_NOTHING, NULL, "nothing (newaliases): there are no aliases" },
	{ 'm', SENDMAIL_SUBMIT, NULL, "take a message from standard input: the default" },
	{ 'p', SENDMAIL_LIST, NULL, "list the queue (mailq)" },
	{ 's', SENDMAIL_SMTP, NULL, "speak SMTP on standard input and output" },
	{ 't', 0, "`hikyaku policy explain ADDRESS` says what would be done",
		"refused: hikyaku policy explain" },
	{ 'v', 0, "`hikyaku policy explain ADDRESS` says what would be done",
		"refused: hikyaku policy explain" },
};

static int apply_mode(struct sendmail_options *o, const char *argument, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (argument[0] != modes[i].letter)
			continue;
		if (modes[i].instead)
			return err_set(e, ERR_INVALID,
				"-b%c is not what this program does: %s", argument[0],
				modes[i].instead);
		o->mode = modes[i].mode;
		return 0;
	}
	return err_set(e, ERR_INVALID,
		"there is no mode -b%.20s; hikyaku-sendmail(1) lists them", argument);
}

/* ---- -q ---- */

static const struct {
	char letter;
	size_t offset; /* in struct sendmail_selection */
	const char *help;
} selections[] = {
	{ 'I', offsetof(struct sendmail_selection, id), "those with such a queue id" },
	{ 'R', offsetof(struct sendmail_selection, recipient),
		"those with such a recipient" },
	{ 'S', offsetof(struct sendmail_selection, sender), "those with such a sender" },
};

/* Before a mode: "-bp -qRexample.org" lists them. */
static int apply_queue(struct sendmail_options *o, const char *argument, struct err *e)
{
	if (o->mode == SENDMAIL_SUBMIT)
		o->mode = SENDMAIL_RUN;
	/* sendmail takes "-q0" for "-q", and -qf stays in the foreground. */
	if (!*argument || strcmp(argument, "0") == 0 || strcmp(argument, "f") == 0)
		return 0;
	if (text_is_digit(argument[0]) || argument[0] == 'p')
		return err_set(e, ERR_INVALID,
			"-q%.20s: queue runs at intervals are not for this program; "
			"`hikyaku run` delivers whatever becomes due",
			argument);
	for (size_t i = 0; i < ARRAY_SIZE(selections); i++) {
		const char **text = (const char **)(void *)((char *)&o->selection +
							    selections[i].offset);
		if (argument[0] != selections[i].letter)
			continue;
		if (!argument[1] || *text)
			return err_set(e, ERR_INVALID,
				"-q%c takes a part of what is looked for, attached, and "
				"stands once",
				argument[0]);
		*text = argument + 1;
		o->selects = true;
		return 0;
	}
	return err_set(e, ERR_INVALID,
		"there is no -q%.20s; hikyaku-sendmail(1) lists what there is", argument);
}

/* ---- all of it ---- */

static const struct option *find(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

static int complain(const char *word, char letter, const char *what, struct err *e)
{
	char shown[64];
	text_clean(word, strlen(word), shown, sizeof(shown));
	return err_set(e, ERR_INVALID,
		"option -%c in \"%s\" %s; hikyaku-sendmail --help lists the options",
		letter > ' ' && letter < 0x7f ? letter : '?', shown, what);
}

static int apply(const struct option *option, struct sendmail_options *o,
	const char *argument, struct err *e)
{
	char *fields = (char *)o;
	if (option->apply)
		return option->apply(o, argument, e);
	if (option->flag)
		*(bool *)(void *)(fields + option->flag) = true;
	if (option->text)
		*(const char **)(void *)(fields + option->text) = argument;
	return 0;
}

/* One word of options; next: what follows it. Says whether that was used. */
static int parse_word(struct sendmail_options *o, const char *word, const char *next,
	bool *next_used_out, struct err *e)
{
	for (const char *at = word + 1; *at;) {
		const struct option *option = find(*at);
		const char *argument = at + 1;
		if (!option)
			return complain(word, *at, "is not known", e);
		if (option->takes == ARGUMENT && !*argument) {
			if (!next)
				return complain(word, *at, "lacks its argument", e);
			*next_used_out = true;
			argument = next;
		}
		int rc = apply(option, o, argument, e);
		if (rc != 0 || option->takes != NOTHING)
			return rc;
		at++;
	}
	return 0;
}

static void look_at_name(const char *name, struct sendmail_options *o)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	if (strcmp(base, "mailq") == 0)
		o->mode = SENDMAIL_LIST;
	else if (strcmp(base, "newaliases") == 0)
		o->mode = SENDMAIL_NOTHING;
}

/* "sendmail joe@x.test -f sue@x.test" would else send to "-f". */
static int check_recipients(const struct sendmail_options *o, struct err *e)
{
	for (size_t i = 0; i < o->recipient_count; i++) {
		const char *word = o->recipients[i];
		if (word[0] == '-' && !strchr(word, '@'))
			return err_set(e, ERR_INVALID,
				"\"%.60s\" stands behind the first recipient; options "
				"come before them",
				word);
	}
	return 0;
}

static int check_mode(const struct sendmail_options *o, struct err *e)
{
	bool submits = o->mode == SENDMAIL_SUBMIT;
	if (!submits && o->recipient_count)
		return err_set(e, ERR_INVALID,
			"\"%.60s\" is a recipient, and only a message has one: leave out "
			"-b, -q or the recipient",
			o->recipients[0]);
	if (!submits && o->takes_recipients)
		return err_set(e, ERR_INVALID,
			"-t is for a message from standard input: leave out -b, -q or "
			"-t");
	if (o->selects && o->mode != SENDMAIL_RUN && o->mode != SENDMAIL_LIST)
		return err_set(e, ERR_INVALID, "-qI, -qR and -qS go with -bp or alone");
	return 0;
}

int sendmail_options_parse(
	int argc, char **argv, struct sendmail_options *out, struct err *e)
{
	int i = 1;
	*out = (struct sendmail_options){ .mode = SENDMAIL_SUBMIT };
	if (argc > 0)
		look_at_name(argv[0], out);
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		bool next_used = false;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0) {
			out->mode = argv[i][2] == 'h' ? SENDMAIL_HELP : SENDMAIL_VERSION;
			return 0;
		}
		if (strcmp(argv[i], "--") == 0)
			break;
		int rc = parse_word(
			out, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &next_used, e);
		if (rc != 0)
			return rc;
		i += next_used;
	}
	bool is_ended = i < argc && strcmp(argv[i], "--") == 0;
	i += is_ended;
	out->recipients = argv + (i < argc ? i : argc);
	out->recipient_count = i < argc ? (size_t)(argc - i) : 0;
	int rc = is_ended ? 0 : check_recipients(out, e);
	return rc == 0 ? check_mode(out, e) : rc;
}

static void print_row(
	FILE *to, const char *option, const char *argument, const char *help)
{
	char both[40];
	snprintf(both, sizeof(both), "-%s%s%s", option, argument ? " " : "",
		argument ? argument : "");
	fprintf(to, "  %-14s %s\n", both, help);
}

void sendmail_options_print(FILE *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];
		char name[3] = { o->letter };
		print_row(to, name, o->argument, o->help);
		for (size_t k = 0; o->letter == 'b' && k < ARRAY_SIZE(modes); k++) {
			name[1] = modes[k].letter;
			print_row(to, name, NULL, modes[k].help);
		}
		for (size_t k = 0; o->letter == 'q' && k < ARRAY_SIZE(selections); k++) {
			name[1] = selections[k].letter;
			print_row(to, name, "PART", selections[k].help);
		}
	}
}
