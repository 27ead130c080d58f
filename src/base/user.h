/*
 * The user that a program which root has started goes on as. Nothing leads back: the
 * ids, the groups and the capabilities of root are gone, and no program that is started
 * afterwards gains any (no_new_privs).
 */
#ifndef BASE_USER_H
#define BASE_USER_H

#include "base/err.h"

#include <stdbool.h>

/* Is there such a user, and is it who we are? false: neither. */
bool user_is_me(const char *name);
bool user_exists(const char *name);

/* Becomes that user, with its groups; a user with the uid 0 keeps all. keeps_ports: ports
 * below 1024 can still be bound by this process (CAP_NET_BIND_SERVICE), though not by its
 * children. Before there are threads, and as root: others get ERR_PERMISSION.
 * ERR_NOT_FOUND: no such user. After an error we may be neither the one nor the other:
 * end. */
int user_become(const char *name, bool keeps_ports, struct err *e);

/* HOME becomes the directory that the passwd database has for who we are now, whatever
 * the caller's was: commands find what is that user's, and nothing else. Who is not in it
 * has none. Before there are threads. */
void user_set_home(void);

#endif
