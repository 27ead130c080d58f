/*
 * The loop, timers and wake-ups, for folders that do not include uv.h.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;

/* A loop of its own (not the default loop); NULL: the system has no descriptor
 * left for one. SIGPIPE is ignored from then on, in the whole process. loop_free
 * runs what is left until all handles are closed. */
struct uv_loop_s *loop_new(void);
void loop_free(struct uv_loop_s **loop);
void loop_run(struct uv_loop_s *loop); /* until loop_stop or no handle is active */
void loop_stop(struct uv_loop_s *loop);
int64_t loop_now_ms(struct uv_loop_s *loop); /* monotonic, cached a turn */

/* How busy the loop is: percent of the time in which it did not wait for events, of
 * late. Begin with one of zeroes. */
struct loop_load {
	uint64_t since_ns, idle_ns;
	unsigned percent;
};
unsigned loop_load_percent(struct uv_loop_s *loop, struct loop_load *load);

/* One-shot timer. Starting it again moves it. The callback may close it. */
struct timer;
typedef void timer_callback(void *arg);
struct timer *timer_new(struct uv_loop_s *loop, timer_callback *cb, void *arg);
void timer_start(struct timer *t, int64_t delay_ms);
void timer_stop(struct timer *t);
bool timer_is_active(const struct timer *t);
void timer_close(struct timer **t);

/* cb runs in each turn of the loop, before it waits for what comes next: at the end
 * of what the last one brought. It keeps no loop alive. */
struct turn_watch;
struct turn_watch *turn_watch_new(struct uv_loop_s *loop, timer_callback *cb, void *arg);
void turn_watch_close(struct turn_watch **w);

/* A wake-up from another thread: wake_send is the one function here that any
 * thread may call. Several sends may arrive as one. NULL: no descriptor left. */
struct wake;
struct wake *wake_new(struct uv_loop_s *loop, timer_callback *cb, void *arg);
void wake_send(struct wake *w);
void wake_close(struct wake **w);

/* A signal of the process. NULL: it cannot be watched. */
struct signal_watch;
struct signal_watch *signal_watch_new(
	struct uv_loop_s *loop, int signum, timer_callback *cb, void *arg);
void signal_watch_close(struct signal_watch **w);

/* A descriptor that becomes readable (a FIFO). The descriptor stays the caller's,
 * but is made non-blocking. cb runs again and again until what can be read has
 * been read; an error counts as readable. A FIFO without a writer stays at its end
 * and is always readable: open it for reading and writing. NULL: it cannot be
 * watched (a regular file). */
struct fd_watch;
struct fd_watch *fd_watch_new(
	struct uv_loop_s *loop, int fd, timer_callback *cb, void *arg);
void fd_watch_close(struct fd_watch **w);

/* A directory whose entries change. cb runs once after a burst of changes has
 * been quiet for settle_ms, and at the latest max_delay_ms after its first one.
 * A directory that does not exist (yet), or is replaced, is looked for twice a
 * second, so no change is missed for longer. */
struct dir_watch;
struct dir_watch *dir_watch_new(struct uv_loop_s *loop, const char *path,
	int64_t settle_ms, int64_t max_delay_ms, timer_callback *cb, void *arg);
void dir_watch_close(struct dir_watch **w);

/* Versions of the library behind it: the one that runs, and the one built with. */
const char *loop_library_version(void);
const char *loop_library_built(void);

#endif
