#!/bin/sh
# The service is as closed as it claims, systemd understands all three files, and the
# paths in them are those of the program. TAP output.
set -u
hikyaku=${HIKYAKU:-$TOP_BUILDDIR/hikyaku}
files=$TOP_BUILDDIR/systemd
if ! command -v systemd-analyze >/dev/null || ! command -v systemd-sysusers >/dev/null; then
	echo "1..0 # SKIP systemd-analyze and systemd-sysusers are missing (Debian: systemd)"
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
echo "1..5"
number=0

# check NAME COMMAND...: one test; what it says is shown if it fails.
check()
{
	number=$((number + 1))
	name=$1
	shift
	if "$@" >"$scratch/said" 2>&1; then
		echo "ok $number - $name"
	else
		sed 's/^/# /' "$scratch/said" | tail -100
		echo "not ok $number - $name"
	fi
}

# The program need not be installed: the unit names the one that was built.
unit=$scratch/hikyaku.service
sed "s|^ExecStart=.*/hikyaku run|ExecStart=$hikyaku run|" "$files/hikyaku.service" >"$unit"

# In tenths.
check 'the score of the service is 2.0 at most' \
	systemd-analyze security --offline=true --threshold=20 --no-pager "$unit"

verify() { said=$(systemd-analyze verify --man=no "$unit" 2>&1) && [ -z "$said" ] || { echo "$said"; return 1; }; }
check 'systemd has nothing to say about it' verify

makes_user()
{
	mkdir -p "$scratch/root/etc"
	systemd-sysusers --root="$scratch/root" "$files/hikyaku.sysusers" &&
		grep -q "^hikyaku:x:[0-9]*:[0-9]*:hikyaku mail delivery:.*/lib/hikyaku:.*nologin$" "$scratch/root/etc/passwd"
}
if [ "$(id -u)" -eq 0 ]; then
	check 'the user is made, and cannot log in' makes_user
else
	check 'the user is described' systemd-sysusers --dry-run "$files/hikyaku.sysusers"
fi

: >"$scratch/empty.conf"
same_places()
{
	queue=$("$hikyaku" -c "$scratch/empty.conf" config show --all 2>/dev/null | sed -n 's/^queue = "\(.*\)\/queue.db"$/\1/p')
	policy=$("$hikyaku" -c "$scratch/empty.conf" config show --all 2>/dev/null | sed -n 's/^policy_dir = "\(.*\)"$/\1/p')
	[ -n "$queue" ] && grep -q "^d $queue 0700 hikyaku hikyaku -$" "$files/hikyaku.tmpfiles" &&
		[ -n "$policy" ] && grep -q "^d $policy 0755 root root -$" "$files/hikyaku.tmpfiles"
}
check 'its directories are those of the program' same_places

# The worker may take 10 seconds to end, and an error of the configuration is not one that passes.
check 'it is given the time to end, and not started again in vain' \
	awk -F= '$1 == "TimeoutStopSec" { stop = $2 + 0 } $1 == "RestartPreventExitStatus" { wrong = $2 }
		END { exit !(stop >= 15 && wrong ~ /78/) }' "$unit"
