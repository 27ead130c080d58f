#!/bin/sh
# The check of the manual finds what it is there to find. TAP output.
set -u
if [ ! -x /usr/bin/python3 ]; then
	echo "1..0 # SKIP /usr/bin/python3 is missing"
	exit 0
fi
samples=$TOP_SRCDIR/tests/config/manual
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0

complaints() { # directory of the pages
	/usr/bin/python3 "$TOP_SRCDIR/tests/check_manual.py" "$work/hikyaku" \
		"$work/hikyaku-sendmail" "$work" 2>&1 |
		sed -n 's/^not ok [0-9]* - //p'
}

# name, file, sed script, expected complaints
try() {
	n=$((n + 1))
	cp "$samples"/hikyaku* "$work"
	chmod u+w "$work"/*
	sed -i "$3" "$work/$2"
	found=$(complaints)
	if [ "$found" = "$4" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf 'expected:\n%s\nfound:\n%s\n' "$4" "$found" | sed 's/^/# /'
	fi
}

try "pages that agree are passed" hikyaku.8 "" ""
try "a command without a description" hikyaku.8 "/^.It Ic send/,/^.El/d" \
	"command send is in the manual"
try "a description without a command" hikyaku "/^	  queue release/d" \
	"command queue release of the manual is in the program"
try "an option without a description" hikyaku.8 "/Fl batch/d" \
	"send: option --batch is in the manual"
try "a description without an option" hikyaku "/--batch/d" \
	"send: option --batch of the manual is in the program"
try "a short name that differs" hikyaku.8 "s/Fl f Ar SENDER\$/Fl F Ar SENDER/" \
	"send: option -F of the manual is in the program
send: option -f is in the manual"
try "an argument that differs" hikyaku.8 "s/Fl domain Ar D/Fl domain/" \
	"queue hold: option --domain is the same in program and manual
queue release: option --domain is the same in program and manual"
try "a default that differs" hikyaku.conf.5 "s/Cm 25/Cm 26/" \
	"configuration port is the same in program and manual"
try "a list that differs" hikyaku.conf.5 "s/, TLS1.3/ TLS1.3/" \
	"configuration protocols is the same in program and manual"
try "a default that is not said" hikyaku.conf.5 "/^Default: empty/d" \
	"configuration hostname is the same in program and manual"
try "a type that differs" hikyaku.conf.5 "s/Ar path/Ar string/" \
	"configuration queue is the same in program and manual"
try "a place that differs" hikyaku.conf.5 "s/^Only in/Also in/" \
	"configuration tls is the same in program and manual"
try "an option of the manual alone" hikyaku "/\"hostname\"/d" \
	"configuration hostname of the manual is in the program
hikyaku.conf.example names every option"
try "an option of the program alone" hikyaku.conf.5 "/^.It Ic tls/,/^Only/d" \
	"configuration tls is in the manual"
try "an example that does not load" hikyaku.conf.5 "s/port = 26/BROKEN/" \
	"example 1 of hikyaku.conf.5 loads"
try "an example file that does not load" hikyaku.conf.example "s/An example/BROKEN/" \
	"hikyaku.conf.example loads
bare.conf loads"
try "an option that the example lacks" hikyaku.conf.example "/port/d" \
	"hikyaku.conf.example names every option"
try "an option of sendmail's manual alone" hikyaku-sendmail "/-t/d" \
	"hikyaku-sendmail: option t of the manual is in the program"
try "an option of sendmail alone" hikyaku-sendmail.1 "/Fl qI/d" \
	"hikyaku-sendmail: option qI is in the manual"
try "an argument of sendmail that differs" hikyaku-sendmail "s/SENDER/FROM/" \
	"hikyaku-sendmail: option f is the same in program and manual"
echo "1..$n"
