noinst_LIBRARIES += libqueue.a
libqueue_a_SOURCES =
