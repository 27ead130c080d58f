#!/bin/sh
# What the log lines say is what pflogsumm counts. TAP output.
set -u
if ! command -v pflogsumm >/dev/null 2>&1; then
	echo "1..0 # SKIP pflogsumm is not installed"
	exit 0
fi
log=$(mktemp) || exit 99
trap 'rm -f "$log"' EXIT
"$TOP_BUILDDIR/tests/report/tell" line "$log" <"$TOP_SRCDIR/tests/report/records.jsonl" || exit 99
out=$(pflogsumm --syslog-name=hikyaku "$log" 2>&1)
n=0

expect() { # extended regular expression, what it shows
	n=$((n + 1))
	if printf '%s\n' "$out" | grep -Eq "$1"; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		{ cat "$log"; printf '%s\n' "$out"; } | sed 's/^/# /'
	fi
}

expect '^ +2 +delivered' "two deliveries"
expect '^ +1 +deferred +\(2 +deferrals\)' \
	"two recipients of one message deferred; a host in vain is not counted"
expect '^ +1 +bounced' "one bounce"
expect '1\.2 s +1\.2 s +example\.net' "the delay of a delivery"
expect 'mx1\.example\.com\[192\.0\.2\.1\]:25' "the relay of the bounce"
expect 'no such user' "the reason of the bounce"
expect 'TLS handshake failed' "the reason of the deferral"
echo "1..$n"
