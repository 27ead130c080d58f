# Targets for fuzzing, see README.md. `make check` compiles them and replays their
# corpora; `make fuzz` builds all of it once more with clang, and lets libFuzzer run.
check_LIBRARIES += libfuzz.a
libfuzz_a_SOURCES = tests/fuzz/fuzz.c tests/fuzz/fuzz.h \
	tests/fuzz/fuzz_address.c tests/fuzz/fuzz_command.c \
	tests/fuzz/fuzz_complete.c tests/fuzz/fuzz_config.c \
	tests/fuzz/fuzz_content.c tests/fuzz/fuzz_credentials.c \
	tests/fuzz/fuzz_dns.c tests/fuzz/fuzz_dsn.c tests/fuzz/fuzz_edit.c \
	tests/fuzz/fuzz_event.c \
	tests/fuzz/fuzz_header.c tests/fuzz/fuzz_import.c tests/fuzz/fuzz_name.c \
	tests/fuzz/fuzz_options.c tests/fuzz/fuzz_policy.c tests/fuzz/fuzz_reply.c \
	tests/fuzz/fuzz_route.c tests/fuzz/fuzz_sasl.c tests/fuzz/fuzz_shown.c \
	tests/fuzz/fuzz_values.c tests/fuzz/fuzz_words.c tests/fuzz/fuzz_xmail.c \
	tests/smtp/fuzz_client.c tests/smtp/fuzz_client.h \
	tests/smtp/fuzz_server.c tests/smtp/fuzz_server.h

fuzz_libs = libfuzz.a libreport.a libsendmail.a libintake.a libconfig.a libsmtp.a libsasl.a \
	libnet.a libdns.a libevent.a libmail.a libpolicy.a libbase.a \
	$(IDN2_LIBS) $(CONFUSE_LIBS) $(GSASL_LIBS) $(JANSSON_LIBS) $(RESOLV_LIBS)

check_PROGRAMS += tests/fuzz/replay
tests_fuzz_replay_SOURCES = tests/fuzz/replay.c
tests_fuzz_replay_LDADD = $(fuzz_libs)
TESTS += tests/fuzz/test_corpora.sh

# Only by name, and only with a compiler that knows the flag: tests/fuzz/run does it.
EXTRA_PROGRAMS += tests/fuzz/fuzz
tests_fuzz_fuzz_SOURCES = tests/fuzz/entry.c
tests_fuzz_fuzz_LDADD = $(fuzz_libs)
tests_fuzz_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

EXTRA_DIST += tests/fuzz/fuzz.mk tests/fuzz/README.md tests/fuzz/run \
	tests/fuzz/test_corpora.sh tests/fuzz/corpus tests/fuzz/dict

# make fuzz [FUZZ_TARGET=NAME] [FUZZ_RUNS=N] [FUZZ_FLAGS=OF RUN]
FUZZ_RUNS = 20000
FUZZ_TARGET = all
FUZZ_FLAGS =
fuzz:
	$(srcdir)/tests/fuzz/run --runs $(FUZZ_RUNS) $(FUZZ_FLAGS) $(FUZZ_TARGET)
.PHONY: fuzz
