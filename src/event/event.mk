noinst_LIBRARIES += libevent.a
libevent_a_SOURCES =
