#include "sendmail/person.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <pwd.h>
#include <stdlib.h>

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

char *person_login(uid_t user)
{
	const struct passwd *pw = getpwuid(user);
	const char *login = pw && *pw->pw_name ? pw->pw_name : environment("USER");
	if (!login)
		login = environment("LOGNAME");
	return xstrdup(login ? login : "nobody");
}

char *person_from_gecos(const char *gecos, const char *login)
{
	struct buf name = BUF_INIT;
	for (; *gecos && *gecos != ','; gecos++) {
		if (*gecos != '&') {
			buf_addc(&name, *gecos);
		} else if (*login) {
			buf_addc(&name, text_upper(*login));
			buf_addstr(&name, login + 1);
		}
	}
	return buf_steal(&name);
}

char *person_full_name(uid_t user)
{
	const char *name = environment("NAME");
	const struct passwd *pw = name ? NULL : getpwuid(user);
	if (pw)
		return person_from_gecos(pw->pw_gecos ? pw->pw_gecos : "", pw->pw_name);
	return xstrdup(name ? name : "");
}
