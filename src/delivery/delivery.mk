noinst_LIBRARIES += libdelivery.a
libdelivery_a_SOURCES = \
	src/delivery/attempt.c src/delivery/attempt.h src/delivery/attempt_internal.h \
	src/delivery/attempt_hosts.c src/delivery/attempt_record.c src/delivery/attempt_result.c \
	src/delivery/attempt_turn.c \
	src/delivery/certificates.c src/delivery/certificates.h \
	src/delivery/chunking_memory.c src/delivery/chunking_memory.h \
	src/delivery/claim_gate.c src/delivery/claim_gate.h \
	src/delivery/env.c src/delivery/env.h \
	src/delivery/failure.c src/delivery/failure.h \
	src/delivery/health.c src/delivery/health.h \
	src/delivery/hop.c src/delivery/hop.h \
	src/delivery/hosts.c src/delivery/hosts.h \
	src/delivery/idle.c src/delivery/idle.h \
	src/delivery/lane.c src/delivery/lane.h \
	src/delivery/places.c src/delivery/places.h \
	src/delivery/policy_watch.c src/delivery/policy_watch.h \
	src/delivery/route.c src/delivery/route.h \
	src/delivery/scheduler.c src/delivery/scheduler.h \
	src/delivery/scheduler_claim.c src/delivery/scheduler_internal.h \
	src/delivery/scheduler_places.c src/delivery/scheduler_room.c \
	src/delivery/secret.c src/delivery/secret.h \
	src/delivery/session.c src/delivery/session.h \
	src/delivery/session_auth.c src/delivery/session_dial.c src/delivery/session_tls.c \
	src/delivery/session_facts.c src/delivery/session_internal.h \
	src/delivery/target.c src/delivery/target.h \
	src/delivery/terms.c src/delivery/terms.h \
	src/delivery/trouble.c src/delivery/trouble.h \
	src/delivery/way.c src/delivery/way.h \
	src/delivery/window.c src/delivery/window.h \
	src/delivery/worker.c src/delivery/worker.h
EXTRA_DIST += src/delivery/README.md
