/*
 * Who runs this, as the system knows them: for a sender and a From field that nobody
 * gave. Both ask the system's databases, which takes time, so only when needed. The
 * caller frees what comes back.
 */
#ifndef SENDMAIL_PERSON_H
#define SENDMAIL_PERSON_H

#include <sys/types.h>

/* The login name; without one USER or LOGNAME; else "nobody". */
char *person_login(uid_t user) __attribute__((returns_nonnull));
/* The environment's NAME; else the name from the user database; "" for none. */
char *person_full_name(uid_t user);
/* Of a user database entry: up to a comma, '&' stands for the login name. */
char *person_from_gecos(const char *gecos, const char *login);

#endif
