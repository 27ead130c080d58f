#!/bin/sh
# The manual pages are well-formed for mandoc. TAP output.
set -u
if ! command -v mandoc >/dev/null; then
	echo "1..0 # SKIP mandoc is not installed"
	exit 0
fi
n=0
for page in "$TOP_SRCDIR"/doc/*.[1-8]; do
	n=$((n + 1))
	if out=$(mandoc -Tlint -Wwarning "$page" 2>&1); then
		echo "ok $n - ${page##*/} is well-formed"
	else
		echo "not ok $n - ${page##*/} is well-formed"
		echo "$out" | sed 's/^/# /'
	fi
done
echo "1..$n"
