#!/bin/sh
# hikyaku-log(5) names what the program writes. TAP output.
set -u
page=$TOP_SRCDIR/doc/hikyaku-log.5
tell=$TOP_BUILDDIR/tests/report/tell
n=0

result() { # ok|"not ok" text
	n=$((n + 1))
	echo "$1 $n - $2"
}

named() { # kind words...
	kind=$1
	shift
	for word; do
		if grep -Eq "^\.(Cm|It Cm|Ql)( .*)?[ =]$word( |\$|=)" "$page"; then
			result ok "$kind $word is in the manual"
		else
			result "not ok" "$kind $word is in the manual"
		fi
	done
}

# shellcheck disable=SC2046 # words are wanted
named "member" $("$tell" names | grep -o '"[a-z_]*":' | tr -d '":')
named "TLS log key" $("$tell" handshake | grep -o ' [a-z_]*=' | tr -d ' =')
# The first word of each row of a table in words.c.
rows() { # table
	sed -n "/^} $1\\[\\] = {/,/^};/s/^	{ \"\\([a-z_]*\\)\".*/\\1/p" \
		"$TOP_SRCDIR/src/report/words.c"
}
# shellcheck disable=SC2046
named "failure class" $(rows failures)
# shellcheck disable=SC2046
named "stage" $(rows commands)
if command -v mandoc >/dev/null 2>&1; then
	if out=$(mandoc -Tlint -Wwarning "$page"); then
		result ok "the page is sound mdoc"
	else
		result "not ok" "the page is sound mdoc"
		echo "$out" | sed 's/^/# /'
	fi
fi
echo "1..$n"
