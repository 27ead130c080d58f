noinst_LIBRARIES += libdelivery.a
libdelivery_a_SOURCES =
