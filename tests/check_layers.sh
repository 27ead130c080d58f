#!/bin/sh
# Compares the include lines of every folder with tests/LAYERS, and the symbols
# that the pure libraries ask for with what pure code may ask for. TAP output.
set -u
cd "$TOP_SRCDIR" || exit 99
layers=tests/LAYERS
n=0

result() { # ok|"not ok" text
	n=$((n + 1))
	echo "$1 $n - $2"
}

allowed() { # folder kind
	sed -n "s|^$1: *||p" "$layers" | tr -s ' ' '\n' | case $2 in
	folders) grep -v '[<-]' ;;
	libraries) sed -n 's/^<\(.*\)>$/\1/p' ;;
	esac
}

# The library that a system header belongs to, or nothing.
library_of() {
	case $1 in
	uv.h) echo uv ;; ares*.h) echo ares ;; gnutls/*) echo gnutls ;; idn2.h) echo idn2 ;;
	sqlite3.h) echo sqlite3 ;; confuse.h) echo confuse ;; jansson.h) echo jansson ;;
	libsmartcols*) echo libsmartcols ;; gsasl*.h) echo gsasl ;; uthash.h | utlist.h) echo uthash ;;
	esac
}

check_folder() {
	folder=$1 own=$(basename "$1") bad=
	folders=" $own $(allowed "$folder" folders | tr '\n' ' ')"
	libraries=" $(allowed "$folder" libraries | tr '\n' ' ')"
	for file in "$folder"/*.[ch]; do
		[ -e "$file" ] || continue
		for inc in $(sed -n 's/^#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file"); do
			case $inc in
			config.h) continue ;;
			esac
			case $folders in
			*" ${inc%%/*} "*) ;;
			*) bad="$bad $file:$inc" ;;
			esac
		done
		for inc in $(sed -n 's/^#[ \t]*include[ \t]*<\([^>]*\)>.*/\1/p' "$file"); do
			lib=$(library_of "$inc")
			[ -z "$lib" ] && continue
			case $libraries in
			*" $lib "*) ;;
			*) bad="$bad $file:<$inc>" ;;
			esac
		done
	done
	if [ -z "$bad" ]; then
		result ok "$folder includes only what LAYERS allows"
	else
		result "not ok" "$folder includes only what LAYERS allows"
		for b in $bad; do echo "# $b"; done
	fi
}

# Pure: no socket, no clock, no loop, no thread, no sleep, no process.
impure='socket|connect|bind|listen|accept|send|sendto|sendmsg|recv|recvfrom|recvmsg|poll|ppoll|select|epoll_.*|time|gettimeofday|clock_gettime|clock|nanosleep|usleep|sleep|timer_.*|setitimer|alarm|pthread_create|fork|execv.*|system|popen|rand|random|getrandom|getaddrinfo|uv_.*|ares_.*|gnutls_.*|sqlite3_.*'

check_pure() { # library
	lib=$TOP_BUILDDIR/$1
	hits=$("$NM" -u "$lib" 2>/dev/null | awk '/ U / { print $2 }' | sed 's/@.*//' |
		sort -u | grep -xE "$impure")
	if [ ! -e "$lib" ]; then
		result "not ok" "$1 exists"
	elif [ -z "$hits" ]; then
		result ok "$1 has no socket, clock, loop or thread"
	else
		result "not ok" "$1 has no socket, clock, loop or thread"
		for h in $hits; do echo "# calls $h"; done
	fi
}

for folder in $(sed -n 's/^\([a-z][a-z/]*\):.*/\1/p' "$layers"); do
	check_folder "$folder"
done
for file in $(find policy src -name '*.[ch]'); do
	folder=$(dirname "$file")
	grep -q "^$folder:" "$layers" || { result "not ok" "$folder is named in LAYERS"; }
done
only=$(grep -lE '^#[ \t]*include[ \t]*<ares' src/dns/*.[ch] 2>/dev/null | grep -v '^src/dns/dns_cares\.c$')
[ -z "$only" ] && result ok "only dns_cares.c includes c-ares" ||
	result "not ok" "only dns_cares.c includes c-ares: $only"
only=$(grep -lE '^#[ \t]*include[ \t]*<sqlite3' src/queue/*.[ch] 2>/dev/null | grep -vE '^src/queue/(queue_)?sqlite[a-z_]*\.[ch]$')
[ -z "$only" ] && result ok "only the SQLite store includes sqlite3.h" ||
	result "not ok" "only the SQLite store includes sqlite3.h: $only"
only=$(grep -lE '^#[ \t]*include[ \t]*<uthash' policy/*.[ch] src/*/*.[ch] 2>/dev/null | grep -v '^src/base/hash\.h$')
[ -z "$only" ] && result ok "only base/hash.h includes uthash" ||
	result "not ok" "only base/hash.h includes uthash: $only"
check_pure libpolicy.a
check_pure libsmtp.a
echo "1..$n"
