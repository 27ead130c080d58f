#!/bin/sh
# The benchmark works: a few messages, no matter how fast. TAP output.
set -u
if ! PATH=$PATH:/usr/sbin command -v dnsmasq >/dev/null; then
	echo "1..0 # SKIP dnsmasq is not installed"
	exit 0
fi
home=$(mktemp -d) || exit 99
trap 'rm -rf "$home"' EXIT
n=0

# verdict NAME: the result of the last command.
verdict()
{
	status=$?
	n=$((n + 1))
	if [ $status -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$home/out"
	fi
}

"$TOP_SRCDIR"/tests/bench/run --no-build --build "$TOP_BUILDDIR" --directory "$home" \
	--cases receiver,a,b,listening --messages 40 --runs 1 --peers none --json "$home/json" >"$home/out" 2>&1
verdict "cases a, b and listening run to their end"

/usr/bin/python3 - "$home/json" >>"$home/out" 2>&1 <<-'END'
	import json, sys
	cases = json.load(open(sys.argv[1]))["cases"]
	for name, tls_wanted in (("a", False), ("b", True)):
	    run = cases[name]["senders"]["hikyaku"][0]
	    assert run["messages"] == 40 and run["repeated"] == 0, run
	    assert (run["tls_sessions"] > 0) == tls_wanted, run
	    assert run["seconds"] > 0 and run["cpu_per_1000"] > 0, run
	assert cases["listening 20"]["senders"]["hikyaku"][0]["messages"] == 40, cases
END
verdict "each message came once, over TLS when that was offered"

! ls -d "$home"/hikyaku-bench.* >>"$home/out" 2>&1
verdict "nothing is left behind"
echo "1..$n"
