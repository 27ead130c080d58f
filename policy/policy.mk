noinst_LIBRARIES += libpolicy.a
libpolicy_a_CPPFLAGS = $(AM_CPPFLAGS) $(IDN2_CFLAGS)
libpolicy_a_SOURCES = \
	policy/check.c policy/check.h \
	policy/decide.c policy/decide.h \
	policy/edit.c policy/edit.h \
	policy/entry.c policy/entry.h \
	policy/fallback.c policy/fallback.h \
	policy/file.c policy/file.h \
	policy/import.c policy/import.h \
	policy/index.c policy/index.h \
	policy/lines.c policy/lines.h \
	policy/name.c policy/name.h \
	policy/pattern.c policy/pattern.h \
	policy/policy.h \
	policy/relay.c policy/relay.h \
	policy/retry.c policy/retry.h \
	policy/route.c policy/route.h \
	policy/route_options.c \
	policy/route_parse.c policy/route_parse.h \
	policy/route_read.c policy/route_read.h \
	policy/route_targets.c \
	policy/set.c policy/set.h \
	policy/set_find.c \
	policy/set_parts.h \
	policy/settings.c policy/settings.h \
	policy/types.c policy/types.h \
	policy/util.c policy/util.h
EXTRA_DIST += policy/README.md
