#!/bin/sh
# The command is started for each message: it asks the linker for nothing that only
# delivery needs. TAP output.
set -u
if ! command -v readelf >/dev/null; then
	echo "1..0 # SKIP readelf is not installed"
	exit 0
fi
needed=$(readelf -d "$TOP_BUILDDIR/hikyaku-sendmail" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
n=0

check() { # yes|no library
	n=$((n + 1))
	is=no
	echo "$needed" | grep -q "^lib$2\." && is=yes
	if [ $is = "$1" ]; then
		echo "ok $n - lib$2 is linked: $1"
	else
		echo "not ok $n - lib$2 is linked: $1"
		echo "$needed" | sed 's/^/# /'
	fi
}

check yes sqlite3
for library in uv cares gnutls jansson smartcols gsasl curl; do
	check no $library
done
echo "1..$n"
