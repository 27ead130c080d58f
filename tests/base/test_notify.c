#include "base/notify.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* The manager's end: a datagram socket. */
static int listen_at(const char *path, size_t len)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	memcpy(sa.sun_path, path, len);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, size), 0);
	return fd;
}

static void assert_heard(int fd, const char *begin)
{
	char text[200];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, begin, strlen(begin));
}

static void speak_and_listen(const char *name, int fd)
{
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	notify_init();
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_ready();
	notify_reloading();
	notify_ready();
	notify_stopping();
	assert_heard(fd, "READY=1");
	assert_heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
	assert_heard(fd, "READY=1");
	assert_heard(fd, "STOPPING=1");
	close(fd);
	notify_ready(); /* nobody is there any more: no harm */
}

/* The first one: what is set stays set. */
static void without_a_manager_nothing_happens(void **state)
{
	(void)state;
	static const char *const useless[] = { "", "/", "relative", "vsock:1:2" };
	unsetenv("NOTIFY_SOCKET");
	notify_init();
	notify_ready();
	for (size_t i = 0; i < ARRAY_SIZE(useless); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", useless[i], 1), 0);
		notify_init();
		assert_null(getenv("NOTIFY_SOCKET"));
		notify_ready();
	}
}

static void a_manager_is_told_and_children_are_not(void **state)
{
	(void)state;
	char dir[] = "/tmp/hikyaku-notify-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	speak_and_listen(path, listen_at(path, strlen(path)));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void a_manager_may_have_an_abstract_socket(void **state)
{
	(void)state;
	char name[64];
	snprintf(name, sizeof(name), "@hikyaku-notify-%d", (int)getpid());
	char bytes[64] = "";
	memcpy(bytes + 1, name + 1, strlen(name) - 1);
	speak_and_listen(name, listen_at(bytes, strlen(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_manager_nothing_happens),
		cmocka_unit_test(a_manager_is_told_and_children_are_not),
		cmocka_unit_test(a_manager_may_have_an_abstract_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
