#include "delivery/window.h"

enum {
	/* Longer by less than this is as good as the same: a commit of ours takes as
	 * much, or a turn of the loop. */
	SAME_MS = 20,
	MUCH_MS = 200,
	GENTLE_ROUNDS = 16,
	BEST_FADES = 32 /* so many rounds: what was possible last night */
};

void window_init(struct window *w, unsigned max)
{
	max = max ? max : 1;
	*w = (struct window){ .max = max, .size = 1, .gentle_from = max, .best_ms = -1 };
}

static void begin_round(struct window *w)
{
	w->ended = w->refused = w->timed = 0;
	w->sum_ms = 0;
}

/* With one session it is not their number that is wrong. */
static void shrink(struct window *w)
{
	if (w->size > 1) {
		w->size /= 2;
		w->gentle_from = w->size;
		w->gentle_rounds = 0;
	}
	begin_round(w);
	w->has_shrunk = true;
}

static void grow(struct window *w)
{
	unsigned room = w->max - w->size;
	if (w->size < w->gentle_from) {
		w->size += w->size < room ? w->size : room;
	} else if (room && ++w->gentle_rounds == GENTLE_ROUNDS) {
		w->gentle_rounds = 0;
		w->size++;
	}
}

/* What the host's part in the round says: 1 grow, 0 stay, -1 shrink. */
static int judge_round(struct window *w)
{
	if (!w->timed)
		return 1;
	int64_t mean_ms = w->sum_ms / w->timed, best_ms = w->best_ms;
	if (best_ms < 0 || mean_ms <= best_ms) {
		w->best_ms = mean_ms;
		return 1;
	}
	w->best_ms += (mean_ms - best_ms) / BEST_FADES;
	if (mean_ms > 4 * best_ms && mean_ms > best_ms + MUCH_MS)
		return -1;
	return 2 * mean_ms <= 3 * best_ms || mean_ms <= best_ms + SAME_MS;
}

void window_note_delivered(struct window *w, size_t sessions, int64_t took_ms)
{
	if (took_ms >= 0) {
		w->timed++;
		w->sum_ms += took_ms;
	}
	if (++w->ended < w->size)
		return;
	int verdict = judge_round(w);
	if (verdict < 0) {
		shrink(w);
		return;
	}
	if (verdict > 0 && !w->refused && sessions >= w->size)
		grow(w);
	begin_round(w);
	w->has_shrunk = false;
}

void window_note_refused(struct window *w)
{
	/* What was begun before it shrank may be refused as well: once a round. */
	if (!w->has_shrunk) {
		shrink(w);
		return;
	}
	w->refused++;
	if (++w->ended < w->size)
		return;
	if (w->refused == w->ended) { /* nobody is there, for however few */
		w->size = 1;
		w->gentle_from = w->max;
	}
	begin_round(w);
	w->has_shrunk = false;
}

bool window_may_open(const struct window *w, size_t sessions, size_t waiting)
{
	return !sessions || (sessions < w->size && waiting > sessions * WINDOW_BACKLOG);
}
