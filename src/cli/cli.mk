bin_PROGRAMS += hikyaku
hikyaku_SOURCES = \
	src/cli/batch.c src/cli/batch.h \
	src/cli/cli.c src/cli/cli.h \
	src/cli/cmd_config.c src/cli/cmd_log.c \
	src/cli/check_places.c src/cli/check_places.h \
	src/cli/check_routes.c src/cli/check_routes.h \
	src/cli/cmd_policy.c src/cli/cmd_policy.h src/cli/cmd_policy_explain.c \
	src/cli/cmd_policy_import.c src/cli/cmd_policy_route.c \
	src/cli/cmd_deliver.c src/cli/cmd_intake.c \
	src/cli/cmd_queue.c src/cli/cmd_run.c src/cli/cmd_send.c \
	src/cli/cmd_version.c src/cli/versions.h \
	src/cli/lost_record.c src/cli/lost_record.h \
	src/cli/main.c \
	src/cli/policy_json.c src/cli/policy_json.h \
	src/cli/run_guests.c src/cli/run_guests.h \
	src/cli/run_notices.c src/cli/run_notices.h \
	src/cli/run_sinks.c src/cli/run_sinks.h \
	src/cli/stdin_message.c src/cli/stdin_message.h
# From the user down to the base, so that a static link resolves in one pass.
hikyaku_LDADD = libreport.a libdelivery.a libintake.a libconfig.a libsmtp.a libsasl.a \
	libnet.a libdns.a \
	libqueue.a libevent.a libmail.a libpolicy.a libbase.a \
	$(UV_LIBS) $(CARES_LIBS) $(GNUTLS_LIBS) $(IDN2_LIBS) $(SQLITE_LIBS) \
	$(CONFUSE_LIBS) $(GSASL_LIBS) $(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(RESOLV_LIBS) -lpthread
EXTRA_DIST += src/cli/README.md
