#!/bin/sh
# `hikyaku log`: what it prints, and how it ends. TAP output.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
log=$TOP_BUILDDIR/tests/report/log_command
records=$dir/records
cp "$TOP_SRCDIR/tests/report/records.jsonl" "$records"
n=0

result() { # what, a test that must be true ...
	n=$((n + 1))
	what=$1
	shift
	if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; fi
}

"$log" --json "$records" >"$dir/out"
result "JSON is the records as they are" cmp -s "$dir/out" "$records"

"$log" "$records" >"$dir/out"
result "without --json it is the story" [ "$(grep -c '  attempt ' "$dir/out")" = 4 ]
result "a file gets no escapes" [ "$(tr -cd '\033' <"$dir/out" | wc -c)" = 0 ]

"$log" --json --domain example.net "$records" >"$dir/out"
result "--domain selects" [ "$(wc -l <"$dir/out")" = 2 ]

: >"$dir/empty"
"$log" "$dir/empty" >"$dir/out" 2>&1
result "an empty log exits 0" [ $? = 0 ]
result "and prints nothing" [ ! -s "$dir/out" ]

"$log" --since yesterday "$records" >"$dir/out" 2>"$dir/err"
result "a bad time is a mistake of use" [ $? = 64 ]
result "and says what would do" grep -q '2026-11-21 20:43' "$dir/err"
result "and prints no data" [ ! -s "$dir/out" ]

"$log" --domain '' "$records" 2>"$dir/err"
result "a bad domain is a mistake of use" [ $? = 64 ]

{ echo '{"broken":'; cat "$records"; } >"$dir/broken"
"$log" "$dir/broken" >"$dir/out" 2>"$dir/err"
result "a broken record gives status 65" [ $? = 65 ]
result "and is named" grep -q 'record .* --json' "$dir/err"
result "and the others are told" [ "$(grep -c '  attempt ' "$dir/out")" = 4 ]

echo busy >"$dir/busy"
"$log" "$dir/busy" 2>"$dir/err"
result "a locked queue is a temporary failure" [ $? = 75 ]

i=0
while [ $i -lt 500 ]; do cat "$records"; i=$((i + 1)); done >"$dir/many"
{ "$log" --json "$dir/many"; echo $? >"$dir/status"; } 2>"$dir/err" | head -n 1 >/dev/null
result "a reader that has enough is no error" [ "$(cat "$dir/status")" = 0 ]
result "and nobody complains" [ ! -s "$dir/err" ]

if [ -c /dev/full ]; then
	"$log" --json "$records" >/dev/full 2>"$dir/err"
	result "a full disk is an error" [ $? = 74 ]
fi

# Following: the pipe makes the order certain, nothing waits for a time.
mkfifo "$dir/pipe"
echo busy >>"$records"
"$log" --follow --json "$records" >"$dir/pipe" 2>"$dir/err" &
pid=$!
exec 3<"$dir/pipe"
read -r line <&3 && read -r line <&3 && read -r line <&3 && read -r line <&3
result "a follower begins with what is there" \
	[ "$line" = "$(sed -n 4p "$TOP_SRCDIR/tests/report/records.jsonl")" ]
printf '{"half":' >>"$records"
printf 'true}\n' >>"$records"
read -r line <&3
result "prints what comes, past a queue that was busy" [ "$line" = '{"half":true}' ]
kill -INT $pid
wait $pid
result "ends well when interrupted" [ $? = 0 ]
exec 3<&-

timeout 60 "$log" --follow --json "$records" >"$dir/pipe" 2>"$dir/err" &
pid=$!
exec 3<"$dir/pipe"
for _ in 1 2 3 4 5; do read -r line <&3; done
exec 3<&-
wait $pid
result "ends well when nobody reads any more, though nothing comes" [ $? = 0 ]
echo "1..$n"
