#!/bin/sh
# Every header compiles on its own. TAP output.
set -u
cd "$TOP_SRCDIR" || exit 99
n=0
for header in $(find policy src -name '*.h' | sort); do
	n=$((n + 1))
	if out=$(printf '#include "%s"\n' "${header#src/}" |
		$CC -std=gnu11 -D_GNU_SOURCE -DHAVE_CONFIG_H -Wall -Wextra -Werror -I. -Isrc \
			-I"$TOP_BUILDDIR" -fsyntax-only -x c - 2>&1); then
		echo "ok $n - $header stands alone"
	else
		echo "not ok $n - $header stands alone"
		echo "$out" | sed 's/^/# /'
	fi
done
echo "1..$n"
