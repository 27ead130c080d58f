dnl What the compiler and the linker can do against the use of a mistake, each flag tried first.
dnl tests/check_hardening.sh looks at what became of it in the programs.

dnl HIKYAKU_FLAG(VARIABLE, FLAG): adds the flag if a program can be compiled and linked with it.
AC_DEFUN([HIKYAKU_FLAG], [
	AC_MSG_CHECKING([whether $2 works])
	hikyaku_cflags=$CFLAGS
	CFLAGS="$CFLAGS -Werror $2"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[char line[64];
		return fgets(line, sizeof line, stdin) ? line[0] : 0;]])],
		[AC_MSG_RESULT([yes])
		 $1="${$1:+$$1 }$2"],
		[AC_MSG_RESULT([no])])
	CFLAGS=$hikyaku_cflags
])

dnl HIKYAKU_FORTIFY: FORTIFY_LEVEL becomes the highest level of _FORTIFY_SOURCE that the C library knows with
dnl this compiler and these CFLAGS; 0 without optimization.
AC_DEFUN([HIKYAKU_FORTIFY], [
	AC_MSG_CHECKING([for the level of _FORTIFY_SOURCE])
	hikyaku_cflags=$CFLAGS
	FORTIFY_LEVEL=0
	for hikyaku_level in 2 3; do
		CFLAGS="$hikyaku_cflags -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$hikyaku_level"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>
			#if !defined __USE_FORTIFY_LEVEL || __USE_FORTIFY_LEVEL < _FORTIFY_SOURCE
			#error no
			#endif]], [])],
			[FORTIFY_LEVEL=$hikyaku_level])
	done
	CFLAGS=$hikyaku_cflags
	AC_MSG_RESULT([$FORTIFY_LEVEL])
])

dnl HIKYAKU_HARDENING: sets HARDEN_CFLAGS, HARDEN_CPPFLAGS, HARDEN_LDFLAGS and FORTIFY_LEVEL.
AC_DEFUN([HIKYAKU_HARDENING], [
	HIKYAKU_FLAG([HARDEN_CFLAGS], [-fPIE])
	HIKYAKU_FLAG([HARDEN_CFLAGS], [-fstack-protector-strong])
	HIKYAKU_FLAG([HARDEN_CFLAGS], [-fstack-clash-protection])
	HIKYAKU_FLAG([HARDEN_CFLAGS], [-fcf-protection])
	HIKYAKU_FLAG([HARDEN_CFLAGS], [-ftrivial-auto-var-init=zero])
	HIKYAKU_FLAG([HARDEN_LDFLAGS], [-pie])
	HIKYAKU_FLAG([HARDEN_LDFLAGS], [-Wl,-z,relro])
	HIKYAKU_FLAG([HARDEN_LDFLAGS], [-Wl,-z,now])
	HIKYAKU_FLAG([HARDEN_LDFLAGS], [-Wl,-z,noexecstack])
	HIKYAKU_FLAG([HARDEN_LDFLAGS], [-Wl,-z,separate-code])
	HIKYAKU_FORTIFY
	AS_IF([test $FORTIFY_LEVEL -gt 0],
		[HARDEN_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$FORTIFY_LEVEL"])
])
