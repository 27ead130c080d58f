/* Every file of tests/smtp/server_dialogs, whole, octet by octet, and cut off after
 * every octet: by the client, which is gone, and by the owner, who has enough. */
#include "dialog_folder.h"
#include "server_dialog.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Long dialogues are cut now and again. */
enum { CUT_EVERY_UP_TO = 2500, CUTS_MAX = 400 };

static void play(
	struct server_dialog *d, const char *path, const struct server_dialog_mode *mode)
{
	struct err e = { 0 };
	if (server_dialog_play(d, mode, &e) == 0)
		return;
	if (mode->is_cut)
		fail_msg("%s: %s after %zu octets: %s", path,
			mode->is_shut ? "shut" : "cut", mode->cut_after, e.text);
	fail_msg("%s: %s: %s", path, mode->piece ? "in pieces" : "whole", e.text);
}

static void play_every_way(void **state)
{
	const char *path = *state;
	struct err e = { 0 };
	OWN(server_dialog_free) struct server_dialog *d = server_dialog_read(path, &e);
	if (!d)
		fail_msg("%s", e.text);
	play(d, path, &(struct server_dialog_mode){ .is_first = true });
	if (d->only_whole)
		return;
	play(d, path, &(struct server_dialog_mode){ .piece = 1 });
	play(d, path, &(struct server_dialog_mode){ .piece = 7 });
	size_t stride =
		d->client_bytes > CUT_EVERY_UP_TO ? d->client_bytes / CUTS_MAX : 1;
	for (size_t cut = 0; cut <= d->client_bytes; cut += stride) {
		struct server_dialog_mode mode = {
			.piece = stride, .is_cut = true, .cut_after = cut
		};
		play(d, path, &mode);
		mode.is_shut = true;
		play(d, path, &mode);
	}
}

int main(void)
{
	return dialog_folder_run("server_dialogs", play_every_way);
}
