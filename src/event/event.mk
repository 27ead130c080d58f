noinst_LIBRARIES += libevent.a
libevent_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libevent_a_SOURCES = \
	src/event/event.c src/event/event.h \
	src/event/event_json.c \
	src/event/event_write.c
EXTRA_DIST += src/event/README.md
