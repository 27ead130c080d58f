/* Every file of tests/smtp/dialogs, whole, octet by octet, and cut off. */
#include "dialog.h"
#include "dialog_folder.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Long dialogues are cut after the first octets and then now and again. */
enum { CUT_EVERY_UP_TO = 2500, CUTS_MAX = 400 };

static void play(struct dialog *d, const char *path, const struct dialog_mode *mode)
{
	struct err e = { 0 };
	if (dialog_play(d, mode, &e) == 0)
		return;
	if (mode->is_cut)
		fail_msg("%s: cut after %zu octets: %s", path, mode->cut_after, e.text);
	fail_msg("%s: %s: %s", path, mode->piece ? "in pieces" : "whole", e.text);
}

static void play_every_way(void **state)
{
	const char *path = *state;
	struct err e = { 0 };
	OWN(dialog_free) struct dialog *d = dialog_read(path, &e);
	if (!d)
		fail_msg("%s", e.text);
	play(d, path, &(struct dialog_mode){ 0 });
	if (!d->only_whole) {
		play(d, path, &(struct dialog_mode){ .piece = 1 });
		play(d, path, &(struct dialog_mode){ .piece = 7 });
	}
	size_t stride =
		d->server_bytes > CUT_EVERY_UP_TO ? d->server_bytes / CUTS_MAX : 1;
	for (size_t cut = 0; cut <= d->server_bytes; cut += stride) {
		play(d, path,
			&(struct dialog_mode){
				.piece = stride, .is_cut = true, .cut_after = cut });
	}
}

int main(void)
{
	return dialog_folder_run("dialogs", play_every_way);
}
