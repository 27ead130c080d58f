/* The configuration as its users see it: files in, values and errors out. */
#include "fixture.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_value(const struct config *c, const char *name, const char *expected)
{
	OWN(mem_free) char *value = config_option_value(c, index_of(name));
	assert_string_equal(value, expected);
}

/* What the file says, and its errors: "LINE: text", one a line. */
static const struct {
	const char *name, *text, *errors;
} error_cases[] = {
	{ "an unknown option brings the nearest name", "fallbak = none\n",
		"1: no option \"fallbak\"; did you mean \"fallback\"?\n" },
	{ "an unknown option that is near to nothing", "\n\nxyzzy = 1",
		"3: no option \"xyzzy\"; hikyaku.conf(5) lists them\n" },
	{ "all errors are shown, in the order of the file",
		"prot = 25\nport = 0\nworkers = many\nport = 26\n",
		"1: no option \"prot\"; did you mean \"port\"?\n"
		"2: port: 0 is out of range; the range is 1 to 65535\n"
		"3: workers: \"many\" is not a whole number\n"
		"4: port is set twice: it was set on line 2; remove one of them\n" },
	{ "a number over the range of its type is out of range",
		"port = 99999999999999999999",
		"1: port: 99999999999999999999 is out of range; the range is 1 to "
		"65535\n" },
	{ "a negative number is not a whole number", "workers = -1",
		"1: workers: \"-1\" is not a whole number\n" },
	{ "a duration out of range", "max_age = 366d",
		"1: max_age: 366d is out of range; the range is 1s to 365d\n" },
	{ "no duration", "reply_timeout = 5x",
		"1: reply_timeout: \"5x\" is not a duration: write 90s, 5m, 1h30m or "
		"5d\n" },
	{ "a size out of range", "max_message_size = 3G",
		"1: max_message_size: 3G is out of range; the range is 1K to 2G\n" },
	{ "no size", "max_message_size = big",
		"1: max_message_size: \"big\" is not a size: write 4096, 64K, 50M or "
		"1G\n" },
	{ "a bad word lists the good ones", "fallback = maybe",
		"1: fallback: \"maybe\" is none of its values; they are none, plaintext, "
		"alternate or alternate-any\n" },
	{ "no boolean", "starttls = 1",
		"1: starttls: \"1\" is neither true nor false\n" },
	{ "a relative path", "queue = queue.db",
		"1: queue: \"queue.db\" is not an absolute path: begin it with /\n" },
	{ "a path that may not be empty", "policy_dir = \"\"",
		"1: policy_dir: \"\" is not an absolute path: begin it with /\n" },
	{ "no name of a user", "user = \"a b\"",
		"1: user: \"a b\" is not the name of a user: letters, digits and . _ - "
		"make one, 32 at most\n" },
	{ "no place for the log", "log = file",
		"1: log: \"file\" is neither stderr, nor syslog, nor a path that begins "
		"with /\n" },
	{ "no mail address", "postmaster = me",
		"1: postmaster: \"me\" is not a mail address: write "
		"postmaster@example.com\n" },
	{ "no target of a route", "bounce_route = \"nowhere:x\"",
		"1: bounce_route: nowhere:x: no target; targets are mx:, mx:DOMAIN, "
		"smtp://HOST:PORT, smtp://[HOST]:PORT, smtps://[HOST]:PORT, lmtp:/PATH, "
		"discard and error:TEXT\n" },
	{ "no address range", "prohibited_addresses = { \"10.0.0.0/33\" }",
		"1: prohibited_addresses: \"10.0.0.0/33\" is not an address range: write "
		"192.0.2.0/24, ::1 or fe80::/10\n" },
	{ "a place to listen at without its protocol", "listen = { \"127.0.0.1:25\" }",
		"1: listen: \"127.0.0.1:25\" does not begin with lmtp: or smtp: : write "
		"lmtp:/run/hikyaku/lmtp.sock or smtp:127.0.0.1:10025\n" },
	{ "a slip in the protocol brings the right one", "listen = { \"lmpt:/s\" }",
		"1: listen: \"lmpt:/s\": did you mean \"lmtp:/s\"?\n" },
	{ "a path to listen at as Postfix writes it", "listen = { \"lmtp:unix:/s\" }",
		"1: listen: \"lmtp:unix:/s\": write the path without unix:\n" },
	{ "a name to listen at", "listen = { \"smtp:localhost:25\" }",
		"1: listen: \"smtp:localhost:25\": after the protocol comes a path that "
		"begins with / or an address with a port, such as 127.0.0.1:10025 or "
		"[::1]:24\n" },
	{ "an address to listen at without a port", "listen = { \"smtp:127.0.0.1\" }",
		"1: listen: \"smtp:127.0.0.1\" needs a port, such as "
		"smtp:127.0.0.1:10025\n" },
	{ "a directory to listen at", "listen = { \"lmtp:/run/\" }",
		"1: listen: \"/run/\" is a directory: add the name of a socket\n" },
	{ "one place to listen at with two protocols",
		"listen = { \"lmtp:/s\", \"smtp:/s\" }",
		"1: listen: \"lmtp:/s\" and \"smtp:/s\" are the same place\n" },
	{ "a mode that is not octal", "listen_mode = 0680",
		"1: listen_mode: \"0680\" is not the mode of a file: write 0660 or "
		"0666\n" },
	{ "a mode with more than permissions", "listen_mode = 4755",
		"1: listen_mode: \"4755\" is not the mode of a file: write 0660 or "
		"0666\n" },
	{ "fewer recipients than every server takes", "max_recipients = 99",
		"1: max_recipients: 99 is out of range; the range is 100 to 50000\n" },
	{ "an unknown TLS version", "protocols = { \"TLS1.4\" }",
		"1: protocols: \"TLS1.4\" is not a TLS version; they are SSL3.0 TLS1.0 "
		"TLS1.1 TLS1.2 TLS1.3\n" },
	{ "a TLS version that the library does not have",
		"protocols = { \"SSL3.0\", \"TLS1.3\" }",
		"1: protocols: the TLS library in use does not have SSL3.0\n" },
	{ "more name servers than are ever asked",
		"dns_servers = { ::1, ::2, ::3, ::4, ::5, ::6, ::7, ::8, ::9 }",
		"1: dns_servers: 9 values are too many; 8 are allowed\n" },
	{ "no TLS version at all", "protocols = { }",
		"1: protocols: name at least one version, or set starttls = false\n" },
	{ "an option of blocks outside of one", "tls = required",
		"1: tls can be set in destination blocks only\n" },
	{ "an option that differs by no destination",
		"destination \"a.test\" {\n\tqueue = \"/q\"\n}\n",
		"2: queue cannot be set for one destination: move it out of the "
		"block\n" },
	{ "an option twice in a block",
		"port = 25\ndestination a.test {\n\tport = 1\n\tport = 2\n}\n",
		"4: port is set twice in this block: it was set on line 3; remove one of "
		"them\n" },
	{ "two blocks of the same title",
		"destination a.test { port = 1 }\ndestination 'a.test' {\nport = 2 }",
		"2: a block for \"a.test\" is on line 1 already: make them one\n" },
	{ "two blocks of the same pattern",
		"destination \".a.test\" { }\ndestination \"*.A.test.\" { }",
		"2: the block on line 1 has the same pattern: make them one\n" },
	{ "a block without a pattern", "destination { port = 1 }",
		"1: the destination block has no pattern: destination \"PATTERN\" { ... "
		"}\n" },
	{ "destination is no option", "destination = \"a.test\"",
		"1: destination is a block: destination \"PATTERN\" { ... }\n" },
	{ "an unknown block is reported once",
		"host a.test {\n\tprot = 1\n}\nworkers = 0\n",
		"1: no block \"host\"; the only blocks are destination \"PATTERN\" { ... "
		"}\n"
		"4: workers: 0 is out of range; the range is 1 to 64\n" },
	{ "a block without its end", "port = 0\ndestination a.test {\n\tport = 1\n",
		"2: the block that begins here has no end: add a }\n" },
	{ "a block whose end is missing before the next",
		"destination a.test {\nport = 1\ndestination b.test {\n}\n",
		"3: a block inside of a block: is the } of the block on line 1 "
		"missing?\n" },
	{ "an end too many", "}\nport = 0\n",
		"1: a } without a block or a list\n"
		"2: port: 0 is out of range; the range is 1 to 65535\n" },
	{ "a list without its end", "dns_servers = { \"192.0.2.1\",\nport = 25\n",
		"1: the list of dns_servers that begins here has no end: add a }\n" },
	{ "a list without commas", "dns_servers = { 192.0.2.1 192.0.2.2 }\nport=0",
		"1: one comma goes between two values of the list of dns_servers\n"
		"2: port: 0 is out of range; the range is 1 to 65535\n" },
	{ "a list for an option of one value", "port = { 25 }",
		"1: port takes one value, not a list in braces\n" },
	{ "adding to a list", "dns_servers += { 192.0.2.1 }",
		"1: dns_servers: += is not known: write = and all the values\n" },
	{ "a missing equals sign", "port 26\nworkers 2 # two\nfallbak = none",
		"1: an option and a = are expected, not \"port\"; a value with blanks "
		"needs quotes\n"
		"2: an option and a = are expected, not \"workers\"; a value with blanks "
		"needs quotes\n"
		"3: no option \"fallbak\"; did you mean \"fallback\"?\n" },
	{ "a missing value", "destination a.test {\nport =\n}\n",
		"2: port has no value\n" },
	{ "a value for nobody", "= 3\nport = 0",
		"1: the name of an option is expected here\n"
		"2: port: 0 is out of range; the range is 1 to 65535\n" },
	{ "a quote that is not closed", "queue = \"/q\nport = 25\n\"",
		"1: the string has no end on its line: add the closing quote\n" },
	{ "a comment that is not closed", "port = 25\n/* never\nends\n",
		"2: the comment that begins here has no end: add */\n" },
	{ "an asterisk without quotes", "retry_schedule = 5m*2\n",
		"1: '*' stands outside of quotes: put the value in double quotes\n" },
	{ "an environment variable", "queue = \"${HOME}/q\"",
		"1: \"${\" stands for an environment variable, and those are not read "
		"here: write the value itself, or put the text in single quotes\n" },
	{ "an escape that means a control character", "queue = \"/q\\n\"",
		"1: only \\\" and \\\\ are known in double quotes: write \\\\ for a "
		"backslash\n" },
	{ "a control character", "port = 25\n\x01",
		"2: a control character (01 hexadecimal) is in the file\n" },
	{ "lines are right after comments of every kind",
		"/* one\n two */ /* still\n*/ # four\n// five // six\nport = 0\n",
		"5: port: 0 is out of range; the range is 1 to 65535\n" },
	{ "too few attempts for the default fallback", "max_attempts = 2\n",
		"1: max_attempts = 2 is too few for fallback = alternate, which needs "
		"three at least (with TLS, in plaintext, with TLS again): set "
		"max_attempts to 0 (unlimited), 3 or more, or fallback to none or "
		"plaintext\n" },
	{ "too few attempts in a block",
		"fallback = none\nmax_attempts = 1\ndestination a.test {\n"
		"\tfallback = alternate-any\n}\n",
		"3: max_attempts = 1 is too few for fallback = alternate-any, which "
		"needs "
		"three at least (with TLS, in plaintext, with TLS again): set "
		"max_attempts to 0 (unlimited), 3 or more, or fallback to none or "
		"plaintext\n" },
};

/* Puts the path in front of each expected line. */
static void add_expected(const char *lines, struct buf *out)
{
	for (const char *next; *lines; lines = next) {
		next = strchr(lines, '\n') + 1;
		buf_addf(out, "%s:%.*s", path, (int)(next - lines), lines);
	}
}

static void test_errors_name_file_line_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		struct config *c = NULL;
		struct buf errors = BUF_INIT, expected = BUF_INIT;
		add_expected(error_cases[i].errors, &expected);
		int code = load_text(error_cases[i].text, &c, &errors);
		if (strcmp(buf_text(&errors), buf_text(&expected)) != 0)
			print_message("case: %s\n", error_cases[i].name);
		assert_string_equal(buf_text(&errors), buf_text(&expected));
		assert_int_equal(code, ERR_INVALID);
		assert_null(c);
		buf_clear(&errors);
		buf_clear(&expected);
	}
}

static const struct {
	const char *text, *option, *value;
} value_cases[] = {
	{ "", "port", "25" },
	{ "hostname = mail.example.com", "hostname", "mail.example.com" },
	{ "user = _hikyaku-1.x", "user", "_hikyaku-1.x" },
	{ "hostname = \"[192.0.2.1]\"", "hostname", "[192.0.2.1]" },
	{ "hostname = MAIL.Example.COM.", "postmaster", "postmaster@mail.example.com" },
	{ "postmaster = \"help+mail@example.com\"", "postmaster",
		"help+mail@example.com" },
	{ "dsn_language = JA", "dsn_language", "ja" },
	{ "expired_certificates = Refuse", "expired_certificates", "refuse" },
	{ "bounce_route = 'smtp://[Mail.Example.org]:26, lmtp:/run/x order=turn'",
		"bounce_route", "smtp://[Mail.Example.org]:26, lmtp:/run/x order=turn" },
	{ "bounce_route = discard", "bounce_route", "discard" },
	{ "bounce_route = ''", "bounce_route", "" },
	{ "queue = '/a b/$q\"\\.db'", "queue", "/a b/$q\"\\.db" },
	{ "queue = \"/a\\\\b\\\"c\"", "queue", "/a\\b\"c" },
	{ "port=2525", "port", "2525" },
	{ "port = 2525 # not 25\r\n", "port", "2525" },
	{ "\xef\xbb\xbfport = 2525", "port", "2525" },
	{ "starttls = off", "starttls", "false" },
	{ "starttls = Yes", "starttls", "true" },
	{ "", "chunking", "true" },
	{ "chunking = off", "chunking", "false" },
	{ "fallback = ALTERNATE-any", "fallback", "alternate-any" },
	{ "fallback_memory = destination", "fallback_memory", "destination" },
	{ "max_age = 36h", "max_age", "36h" },
	{ "max_age = 90", "max_age", "90s" },
	{ "connect_timeout = 250ms", "connect_timeout", "250ms" },
	{ "max_message_size = 65536", "max_message_size", "64K" },
	{ "retry_jitter = 25", "retry_jitter", "25" },
	{ "retry_schedule = \"1s\"", "retry_schedule", "1s" },
	{ "dns_servers = { 192.0.2.1, \"[2001:db8::1]:5353\", ::1, }", "dns_servers",
		"192.0.2.1, [2001:db8::1]:5353, ::1" },
	{ "dns_servers = {\n192.0.2.1:53 }", "dns_servers", "192.0.2.1" },
	{ "dns_servers = 192.0.2.1", "dns_servers", "192.0.2.1" },
	{ "prohibited_addresses = {}", "prohibited_addresses", "" },
	{ "prohibited_addresses = { 10.0.0.0/8 }", "prohibited_addresses", "10.0.0.0/8" },
	{ "listen = { \"LMTP:/run/a b\", \"smtp:[::1]:25\", smtp:192.0.2.1:25 }",
		"listen", "lmtp:/run/a b, smtp:[::1]:25, smtp:192.0.2.1:25" },
	{ "listen = { }", "listen", "" },
	{ "listen_mode = 600", "listen_mode", "0600" },
	{ "relay_clients = { 192.0.2.7 }", "relay_clients", "192.0.2.7/32" },
	{ "client_timeout = 90", "client_timeout", "90s" },
	{ "protocols = { tls1.3 }", "protocols", "TLS1.3" },
	{ "sni = off", "sni", "off" },
	{ "sni = \"MX.Example.com\"", "sni", "mx.example.com" },
	{ "greeting_after_starttls = helo", "greeting_after_starttls", "helo" },
	{ "domain_match = substring", "domain_match", "substring" },
	{ "log = /var/log/hikyaku.log", "log", "/var/log/hikyaku.log" },
	{ "tls_log = \"\"", "tls_log", "" },
	{ "log_retention = 0", "log_retention", "0s" },
	{ "max_attempts = 3", "max_attempts", "3" },
	{ "fallback = plaintext max_attempts = 1", "max_attempts", "1" },
	{ "starttls = false max_attempts = 1", "max_attempts", "1" },
};

static void test_values_are_read_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(value_cases); i++) {
		struct config *c = load_good(value_cases[i].text);
		assert_value(c, value_cases[i].option, value_cases[i].value);
		config_free(&c);
	}
}

static void test_a_route_knows_where_it_stands(void **state)
{
	(void)state;
	struct config *c =
		load_good("port = 26\nbounce_route = 'smtps://[r.test] auth=x'");
	const struct policy_route *route = c->bounce_route;
	assert_int_equal(route->relay_count, 1);
	assert_int_equal(route->relays[0].transport, POLICY_TRANSPORT_SMTPS);
	assert_string_equal(route->auth, "x");
	assert_string_equal(route->path, c->path);
	assert_int_equal(route->line, 2);
	config_free(&c);
	c = load_good("");
	assert_null(c->bounce_route);
	config_free(&c);
}

static void test_defaults_need_no_file(void **state)
{
	struct config *c = NULL;
	struct err e = { 0 };
	struct config_destination d;
	(void)state;
	assert_int_equal(config_load(NULL, VERSIONS, &c, &e), 0);
	assert_null(c->path);
	assert_true(strlen(c->hostname) > 0);
	assert_true(strncmp(c->postmaster, "postmaster@", 11) == 0);
	assert_null(c->trust_file);
	assert_null(c->tls_log);
	assert_int_equal(c->dns_server_count, 0);
	assert_int_equal(c->prohibited_count, 8);
	assert_int_equal(c->max_message_size, 50 << 20);
	config_for_destination(c, "example.com", &d);
	assert_int_equal(d.port, 25);
	assert_int_equal(d.retry_jitter, 100);
	assert_int_equal(d.max_age_ms, INT64_C(5) * 86400 * 1000);
	assert_int_equal(d.policy.fallback, POLICY_FALLBACK_ALTERNATE);
	assert_int_equal(d.policy.protocols, POLICY_VERSIONS_DEFAULT);
	assert_int_equal(d.policy.sni, POLICY_SNI_ON);
	assert_int_equal(d.policy.tls, POLICY_TLS_OPPORTUNISTIC);
	assert_string_equal(d.policy.fallback_from, "default");
	config_free(&c);
}

/* The table's default texts are what format gives: the manual shows them. */
static void test_default_texts_are_canonical(void **state)
{
	struct config *c = NULL;
	(void)state;
	assert_int_equal(config_load(NULL, VERSIONS, &c, NULL), 0);
	for (size_t i = 0; i < config_option_count(); i++) {
		const struct config_option *o = &config_options[i];
		assert_true(config_option_is_default(c, i));
		if (strcmp(o->name, "hostname") && strcmp(o->name, "postmaster"))
			assert_value(c, o->name, o->default_text);
	}
	config_free(&c);
}

static const char round_trip[] = "hostname = mail.example.com\n"
				 "queue = '/var/a \"b\" $c \\d/queue.db'\n"
				 "dns_servers = { 192.0.2.1, \"[::1]:5353\" }\n"
				 "prohibited_addresses = { }\n"
				 "listen = { \"lmtp:/a b\", \"smtp:[::1]:25\" }\n"
				 "retry_schedule = \"30s*4, 2h\"\n"
				 "trust_file = /etc/ssl/own.pem\n"
				 "sni = \"sni.example.com\"\n"
				 "max_message_size = 100M\n";

static void test_a_dump_loads_to_the_same_values(void **state)
{
	struct buf text = BUF_INIT, first = BUF_INIT, second = BUF_INIT;
	(void)state;
	buf_addstr(&text, round_trip);
	buf_addstr(&text, blocks + strlen("fallback = none\n"));
	for (int all = 0; all < 2; all++) {
		struct config *c = load_good(buf_text(&text));
		struct config_destination d;
		config_dump(c, all, &first);
		config_free(&c);
		c = load_good(buf_text(&first));
		assert_string_equal(c->queue, "/var/a \"b\" $c \\d/queue.db");
		config_for_destination(c, "a.example.com", &d);
		assert_int_equal(d.policy.tls, POLICY_TLS_OFF);
		config_dump(c, all, &second);
		assert_string_equal(buf_text(&first), buf_text(&second));
		config_free(&c);
		buf_reset(&first);
		buf_reset(&second);
	}
	buf_clear(&text);
	buf_clear(&first);
	buf_clear(&second);
}

static void test_a_dump_shows_what_differs_alone(void **state)
{
	struct config *c = load_good("port = 25 workers = 2 max_age = 120h\n"
				     "destination A.test { tls = required port = 25 }");
	struct buf out = BUF_INIT;
	(void)state;
	config_dump(c, false, &out);
	assert_string_equal(buf_text(&out), "workers = 2\n\n"
					    "destination \"a.test\" {\n"
					    "\ttls = required\n"
					    "\tport = 25\n"
					    "}\n");
	buf_clear(&out);
	config_free(&c);
}

/* Whatever is cut off: an error or a good configuration, and never a state of
 * the reader that spoils the next file. */
static void test_a_file_cut_anywhere_does_no_harm(void **state)
{
	struct config *c = NULL;
	struct buf errors = BUF_INIT;
	(void)state;
	for (size_t len = 0; len < strlen(round_trip); len++) {
		write_file(round_trip, len, 0644);
		int code = config_load_report(path, VERSIONS, &c, &errors);
		assert_int_equal(code == 0, c != NULL);
		config_free(&c);
		buf_reset(&errors);
		c = load_good("port = 26");
		assert_value(c, "port", "26");
		config_free(&c);
	}
	buf_clear(&errors);
}

static void test_many_errors_are_cut_at_a_line(void **state)
{
	struct config *c = NULL;
	struct buf text = BUF_INIT;
	struct err e = { 0 };
	(void)state;
	for (int i = 0; i < 100; i++)
		buf_addf(&text, "xyzzy%d = 1\n", i);
	write_file(buf_text(&text), buf_len(&text), 0644);
	assert_int_equal(config_load(path, VERSIONS, &c, &e), ERR_INVALID);
	assert_int_equal(e.code, ERR_INVALID);
	const char *last = strrchr(e.text, '\n');
	unsigned shown = 0, more = 0;
	for (const char *s = e.text; (s = strchr(s, '\n')); s++)
		shown++;
	assert_int_equal(sscanf(last, "\nand %u more", &more), 1);
	assert_int_equal(shown + more, 100);
	buf_clear(&text);
}

static void assert_refused(int code, const char *part)
{
	struct config *c = NULL;
	struct err e = { 0 };
	assert_int_equal(config_load(path, VERSIONS, &c, &e), code);
	assert_non_null(strstr(e.text, part));
	assert_non_null(strstr(e.text, path));
	assert_null(c);
}

static void test_unfit_files_are_refused(void **state)
{
	(void)state;
	write_file("", 0, 0646);
	assert_refused(ERR_PERMISSION, "chmod o-w");
	write_file("port = 25\0", 10, 0644);
	assert_refused(ERR_INVALID, ":1: a control character (00");
	char *big = xcalloc(1, (1 << 20) + 1);
	memset(big, ' ', (1 << 20) + 1);
	write_file(big, (1 << 20) + 1, 0644);
	free(big);
	assert_refused(ERR_INVALID, "over 1 MiB");
	unlink(path);
	assert_refused(ERR_NOT_FOUND, "open configuration");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(ERR_INVALID, "no regular file");
	unlink(path);
}

static void test_a_link_to_a_file_is_followed(void **state)
{
	struct config *c = NULL;
	char target[sizeof(path) + 8];
	(void)state;
	write_file("port = 26", 9, 0644);
	snprintf(target, sizeof(target), "%s.real", path);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(config_load(path, VERSIONS, &c, NULL), 0);
	assert_value(c, "port", "26");
	config_free(&c);
	unlink(path);
	unlink(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_name_file_line_and_remedy),
		cmocka_unit_test(test_values_are_read_as_written),
		cmocka_unit_test(test_a_route_knows_where_it_stands),
		cmocka_unit_test(test_defaults_need_no_file),
		cmocka_unit_test(test_default_texts_are_canonical),
		cmocka_unit_test(test_a_dump_loads_to_the_same_values),
		cmocka_unit_test(test_a_dump_shows_what_differs_alone),
		cmocka_unit_test(test_a_file_cut_anywhere_does_no_harm),
		cmocka_unit_test(test_many_errors_are_cut_at_a_line),
		cmocka_unit_test(test_unfit_files_are_refused),
		cmocka_unit_test(test_a_link_to_a_file_is_followed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
