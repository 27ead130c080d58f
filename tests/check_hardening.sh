#!/bin/sh
# Looks in the finished programs for what configure's hardening is to leave there. TAP output.
set -u
cd "$TOP_BUILDDIR" || exit 99
[ -n "$READELF" ] || { echo "1..0 # SKIP no readelf"; exit 0; }
LC_ALL=C
export LC_ALL
n=0

# check TEXT COMMAND...: ok if the command succeeds.
check() {
	text=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n - $text"; else echo "not ok $n - $text"; fi
}

not() { ! "$@"; }
has() { printf '%s\n' "$1" | grep -qE -- "$2"; }
# Whether configure found that the compiler or linker knows the flag.
uses() { case " $HARDEN_FLAGS " in *" $1 "*) ;; *) return 1 ;; esac }

# Every object of ours was compiled with it: the debug information holds the options.
every_unit_has() { # producers flag
	[ -z "$(printf '%s\n' "$1" | grep -v -e " $2")" ]
}

check_program() {
	program=$1
	segments=$("$READELF" -lW "$program")
	dynamic=$("$READELF" -dW "$program")
	imports=$("$READELF" --dyn-syms -W "$program" | awk '$7 == "UND" { print $8 }')
	producers=$("$READELF" --debug-dump=info --dwarf-depth=1 "$program" 2>/dev/null | grep 'DW_AT_producer.*GNU C')

	uses -pie && check "$program is position independent" has "$dynamic" 'FLAGS_1.*PIE'
	uses -Wl,-z,now && check "$program resolves its symbols when it starts" has "$dynamic" 'FLAGS_1.*NOW'
	uses -Wl,-z,relro && check "$program makes its relocations read-only" has "$segments" 'GNU_RELRO'
	check "$program has no executable stack" has "$segments" 'GNU_STACK.* RW '
	check "$program has no segment to write and to run" not has "$segments" ' (RWE|WE) '
	uses -Wl,-z,separate-code &&
		check "$program keeps constants out of the pages that run" \
			not has "$segments" '\.text .*\.rodata|\.rodata .*\.text '
	check "$program has no relocation in its code" not has "$dynamic" 'TEXTREL'
	check "$program names no folder of libraries" not has "$dynamic" '\((RPATH|RUNPATH)\)'
	uses -fstack-protector-strong &&
		check "$program guards its stack" has "$imports" '^__stack_chk_fail'
	[ "$FORTIFY_LEVEL" -gt 0 ] &&
		check "$program calls the checked functions of the C library" has "$imports" '^__[a-z_]*_chk(@|$)'
	[ -n "$producers" ] || return 0
	for flag in -fstack-protector-strong -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero; do
		uses $flag && check "$program has nothing compiled without $flag" every_unit_has "$producers" $flag
	done
}

# The program itself has the mark only where the compiler's own start files have it.
objects_are_marked() {
	"$READELF" -nW ./*.a | awk '/^File:/ { objects++ } /IBT.*SHSTK/ { marked++ } END { exit !(objects > 0 && marked == objects) }'
}

for program in hikyaku hikyaku-sendmail; do
	check_program $program
done
case $(uname -m) in
x86_64) uses -fcf-protection && check "every object is marked for control-flow protection" objects_are_marked ;;
esac
echo "1..$n"
