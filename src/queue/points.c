#include "queue/points.h"

#include "base/failpoint.h"

#ifdef WITH_FAILPOINTS

static const char *const points[REQUEST_KIND_COUNT][2] = {
	[REQUEST_STAGE] = { "queue.stage.before", "queue.stage.after" },
	[REQUEST_UNSTAGE] = { "queue.unstage.before", "queue.unstage.after" },
	[REQUEST_PUT] = { "queue.put.before", "queue.put.after" },
	[REQUEST_CLAIM] = { "queue.claim.before", "queue.claim.after" },
	[REQUEST_FINISH] = { "queue.finish.before", "queue.finish.after" },
	[REQUEST_GIVE_BACK] = { "queue.give_back.before", "queue.give_back.after" },
	[REQUEST_OPERATE] = { "queue.operate.before", "queue.operate.after" },
	[REQUEST_PRUNE] = { "queue.prune.before", "queue.prune.after" },
	[REQUEST_NOTE] = { "queue.note.before", "queue.note.after" },
};

void points_pass(struct request *const *group, size_t count, bool is_committed)
{
	bool is_in[REQUEST_KIND_COUNT] = { false };
	bool has_notice = false;
	for (size_t i = 0; i < count; i++) {
		const struct request *r = group[i];
		if (r->err.code)
			continue;
		is_in[r->kind] = true;
		has_notice |= r->kind == REQUEST_FINISH && r->result.message_count;
	}
	for (size_t kind = 0; kind < REQUEST_KIND_COUNT; kind++) {
		if (is_in[kind] && points[kind][is_committed])
			(void)failpoint(points[kind][is_committed]);
	}
	if (has_notice)
		(void)failpoint(
			is_committed ? "queue.notice.after" : "queue.notice.before");
}

#endif
