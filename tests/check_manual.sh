#!/bin/sh
# The manual pages say what the program says of itself: commands, options,
# configuration with types and defaults, both ways. TAP output.
set -u
hikyaku=${HIKYAKU:-$TOP_BUILDDIR/hikyaku}
sendmail=$hikyaku-sendmail
if [ ! -x /usr/bin/python3 ]; then
	echo "1..0 # SKIP /usr/bin/python3 is missing"
elif [ ! -x "$hikyaku" ]; then
	echo "1..0 # SKIP $hikyaku is not built"
elif [ ! -x "$sendmail" ]; then
	echo "1..0 # SKIP $sendmail is not built"
else
	exec /usr/bin/python3 "$TOP_SRCDIR/tests/check_manual.py" "$hikyaku" "$sendmail" \
		"$TOP_SRCDIR/doc"
fi
