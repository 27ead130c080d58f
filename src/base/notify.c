#include "base/notify.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	struct sockaddr_un sa;
	socklen_t len; /* 0: there is no manager */
} manager;

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	/* A path, or an abstract name, whose @ stands for a NUL. */
	if (len > 1 && len < sizeof(manager.sa.sun_path) &&
		(path[0] == '/' || path[0] == '@')) {
		manager.sa.sun_family = AF_UNIX;
		memcpy(manager.sa.sun_path, path, len);
		if (path[0] == '@')
			manager.sa.sun_path[0] = '\0';
		manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	unsetenv("NOTIFY_SOCKET");
}

static void send_state(const char *state)
{
	if (!manager.len)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&manager.sa, manager.len);
	close(fd);
}

void notify_ready(void)
{
	send_state("READY=1");
}

void notify_reloading(void)
{
	char state[64];
	/* The manager wants to know which of two reloads it is. */
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		clock_monotonic_ms() * 1000);
	send_state(state);
}

void notify_stopping(void)
{
	send_state("STOPPING=1");
}
