# Sessions: one file each, see dialogs/README. The test takes the folder as it
# finds it, and fails for a file that is not in this list.
SMTP_DIALOGS = \
	tests/smtp/dialogs/aborted-in-final.txt \
	tests/smtp/dialogs/all-replies-at-once.txt \
	tests/smtp/dialogs/auth-250.txt \
	tests/smtp/dialogs/auth-421-in-choice.txt \
	tests/smtp/dialogs/auth-aborted.txt \
	tests/smtp/dialogs/auth-cancelled.txt \
	tests/smtp/dialogs/auth-cancelled-235.txt \
	tests/smtp/dialogs/auth-cancelled-334.txt \
	tests/smtp/dialogs/auth-challenge-345.txt \
	tests/smtp/dialogs/auth-challenge-and-success-at-once.txt \
	tests/smtp/dialogs/auth-challenge-long.txt \
	tests/smtp/dialogs/auth-challenge-not-base64.txt \
	tests/smtp/dialogs/auth-challenge-of-two-lines.txt \
	tests/smtp/dialogs/auth-challenge-too-long.txt \
	tests/smtp/dialogs/auth-challenges-without-end.txt \
	tests/smtp/dialogs/auth-empty-challenge.txt \
	tests/smtp/dialogs/auth-empty-initial-response.txt \
	tests/smtp/dialogs/auth-error-challenge.txt \
	tests/smtp/dialogs/auth-final-data.txt \
	tests/smtp/dialogs/auth-helo.txt \
	tests/smtp/dialogs/auth-initial-response-fits.txt \
	tests/smtp/dialogs/auth-list-is-bounded.txt \
	tests/smtp/dialogs/auth-list-is-cleaned.txt \
	tests/smtp/dialogs/auth-lmtp.txt \
	tests/smtp/dialogs/auth-login.txt \
	tests/smtp/dialogs/auth-long-initial-response.txt \
	tests/smtp/dialogs/auth-long-initial-response-challenged.txt \
	tests/smtp/dialogs/auth-long-initial-response-refused.txt \
	tests/smtp/dialogs/auth-long-lines-are-for-auth.txt \
	tests/smtp/dialogs/auth-lost.txt \
	tests/smtp/dialogs/auth-lost-in-choice.txt \
	tests/smtp/dialogs/auth-mechanism-refused.txt \
	tests/smtp/dialogs/auth-mechanisms-all-refused.txt \
	tests/smtp/dialogs/auth-only-before-tls.txt \
	tests/smtp/dialogs/auth-plain.txt \
	tests/smtp/dialogs/auth-refused-421.txt \
	tests/smtp/dialogs/auth-refused-432.txt \
	tests/smtp/dialogs/auth-refused-454.txt \
	tests/smtp/dialogs/auth-refused-500.txt \
	tests/smtp/dialogs/auth-refused-535.txt \
	tests/smtp/dialogs/auth-response-too-long.txt \
	tests/smtp/dialogs/auth-starttls-refused.txt \
	tests/smtp/dialogs/auth-success-too-soon.txt \
	tests/smtp/dialogs/auth-timeout.txt \
	tests/smtp/dialogs/auth-two-challenges-at-once.txt \
	tests/smtp/dialogs/auth-unasked-235.txt \
	tests/smtp/dialogs/auth-without-tls.txt \
	tests/smtp/dialogs/auth-without-tls-helo.txt \
	tests/smtp/dialogs/banner-3xx.txt \
	tests/smtp/dialogs/banner-421.txt \
	tests/smtp/dialogs/banner-554.txt \
	tests/smtp/dialogs/banner-554-and-more.txt \
	tests/smtp/dialogs/banner-bare-lf.txt \
	tests/smtp/dialogs/banner-closed.txt \
	tests/smtp/dialogs/banner-code-600.txt \
	tests/smtp/dialogs/banner-code-range.txt \
	tests/smtp/dialogs/banner-garbage.txt \
	tests/smtp/dialogs/banner-half-line.txt \
	tests/smtp/dialogs/banner-http.txt \
	tests/smtp/dialogs/banner-multiline.txt \
	tests/smtp/dialogs/banner-then-421.txt \
	tests/smtp/dialogs/banner-timeout.txt \
	tests/smtp/dialogs/banner-twice.txt \
	tests/smtp/dialogs/body-250-early.txt \
	tests/smtp/dialogs/body-421-early.txt \
	tests/smtp/dialogs/body-552-early.txt \
	tests/smtp/dialogs/body-bare-line-ends.txt \
	tests/smtp/dialogs/body-dots-and-folds.txt \
	tests/smtp/dialogs/body-unreadable.txt \
	tests/smtp/dialogs/chunking-354.txt \
	tests/smtp/dialogs/chunking-421-at-bdat.txt \
	tests/smtp/dialogs/chunking-421-at-mail.txt \
	tests/smtp/dialogs/chunking-421-at-rcpt.txt \
	tests/smtp/dialogs/chunking-421-second-rcpt.txt \
	tests/smtp/dialogs/chunking-8bit.txt \
	tests/smtp/dialogs/chunking-aborted.txt \
	tests/smtp/dialogs/chunking-body-unreadable.txt \
	tests/smtp/dialogs/chunking-chunk-421.txt \
	tests/smtp/dialogs/chunking-chunk-lost.txt \
	tests/smtp/dialogs/chunking-chunk-refused.txt \
	tests/smtp/dialogs/chunking-chunk-refused-lost.txt \
	tests/smtp/dialogs/chunking-chunk-refused-plain.txt \
	tests/smtp/dialogs/chunking-chunk-refused-while-marking.txt \
	tests/smtp/dialogs/chunking-chunk-refused-while-reading.txt \
	tests/smtp/dialogs/chunking-chunk-reply-too-many.txt \
	tests/smtp/dialogs/chunking-chunks-one-by-one.txt \
	tests/smtp/dialogs/chunking-dots.txt \
	tests/smtp/dialogs/chunking-folds.txt \
	tests/smtp/dialogs/chunking-garbage.txt \
	tests/smtp/dialogs/chunking-last-chunk-lost.txt \
	tests/smtp/dialogs/chunking-last-line-end.txt \
	tests/smtp/dialogs/chunking-lost-after-mail.txt \
	tests/smtp/dialogs/chunking-lost-after-rcpt.txt \
	tests/smtp/dialogs/chunking-lost-at-once.txt \
	tests/smtp/dialogs/chunking-lost-half-a-verdict.txt \
	tests/smtp/dialogs/chunking-lost-one-rcpt-missing.txt \
	tests/smtp/dialogs/chunking-mail-refused.txt \
	tests/smtp/dialogs/chunking-mail-refused-lost.txt \
	tests/smtp/dialogs/chunking-mark-250.txt \
	tests/smtp/dialogs/chunking-mark-421.txt \
	tests/smtp/dialogs/chunking-mark-first.txt \
	tests/smtp/dialogs/chunking-mark-lost.txt \
	tests/smtp/dialogs/chunking-mark-refused.txt \
	tests/smtp/dialogs/chunking-no-mark.txt \
	tests/smtp/dialogs/chunking-off.txt \
	tests/smtp/dialogs/chunking-one-flight.txt \
	tests/smtp/dialogs/chunking-one-reply-too-many.txt \
	tests/smtp/dialogs/chunking-only-before-tls.txt \
	tests/smtp/dialogs/chunking-rcpt-452.txt \
	tests/smtp/dialogs/chunking-rcpt-all-refused.txt \
	tests/smtp/dialogs/chunking-rcpt-all-refused-250.txt \
	tests/smtp/dialogs/chunking-rcpt-all-refused-lost.txt \
	tests/smtp/dialogs/chunking-rcpt-mixed.txt \
	tests/smtp/dialogs/chunking-refused-452.txt \
	tests/smtp/dialogs/chunking-refused-554.txt \
	tests/smtp/dialogs/chunking-replies-at-once.txt \
	tests/smtp/dialogs/chunking-several-chunks.txt \
	tests/smtp/dialogs/chunking-size-differs.txt \
	tests/smtp/dialogs/chunking-then-421.txt \
	tests/smtp/dialogs/chunking-timeout.txt \
	tests/smtp/dialogs/chunking-two-flights.txt \
	tests/smtp/dialogs/chunking-two-flights-all-refused.txt \
	tests/smtp/dialogs/chunking-two-flights-lost.txt \
	tests/smtp/dialogs/chunking-two-messages.txt \
	tests/smtp/dialogs/chunking-unknown-500.txt \
	tests/smtp/dialogs/chunking-unknown-502.txt \
	tests/smtp/dialogs/chunking-unknown-504.txt \
	tests/smtp/dialogs/chunking-unknown-and-more.txt \
	tests/smtp/dialogs/chunking-without-pipelining.txt \
	tests/smtp/dialogs/content-line-of-dots.txt \
	tests/smtp/dialogs/data-250.txt \
	tests/smtp/dialogs/data-421.txt \
	tests/smtp/dialogs/data-451-plain.txt \
	tests/smtp/dialogs/data-554.txt \
	tests/smtp/dialogs/dsn-bad-values.txt \
	tests/smtp/dialogs/dsn-long-values.txt \
	tests/smtp/dialogs/dsn-not-offered.txt \
	tests/smtp/dialogs/dsn-offered.txt \
	tests/smtp/dialogs/ehlo-200-lines.txt \
	tests/smtp/dialogs/ehlo-201-lines.txt \
	tests/smtp/dialogs/ehlo-421.txt \
	tests/smtp/dialogs/ehlo-4xx.txt \
	tests/smtp/dialogs/ehlo-keywords-fold.txt \
	tests/smtp/dialogs/ehlo-lines-are-for-ehlo.txt \
	tests/smtp/dialogs/ehlo-refused-helo.txt \
	tests/smtp/dialogs/eight-bit-not-offered.txt \
	tests/smtp/dialogs/enhanced-malformed.txt \
	tests/smtp/dialogs/enhanced-wrong-class.txt \
	tests/smtp/dialogs/final-354.txt \
	tests/smtp/dialogs/final-421.txt \
	tests/smtp/dialogs/final-451.txt \
	tests/smtp/dialogs/final-550.txt \
	tests/smtp/dialogs/final-552.txt \
	tests/smtp/dialogs/final-garbage.txt \
	tests/smtp/dialogs/final-half-a-verdict.txt \
	tests/smtp/dialogs/final-lost.txt \
	tests/smtp/dialogs/final-lost-over-the-limit.txt \
	tests/smtp/dialogs/final-then-421.txt \
	tests/smtp/dialogs/final-then-garbage.txt \
	tests/smtp/dialogs/final-timeout.txt \
	tests/smtp/dialogs/final-timeout-tls.txt \
	tests/smtp/dialogs/helo-refused.txt \
	tests/smtp/dialogs/injection-in-recipient.txt \
	tests/smtp/dialogs/injection-in-sender.txt \
	tests/smtp/dialogs/injection-of-brackets.txt \
	tests/smtp/dialogs/lmtp-354-for-nobody.txt \
	tests/smtp/dialogs/lmtp-3xx-midway.txt \
	tests/smtp/dialogs/lmtp-421-at-data.txt \
	tests/smtp/dialogs/lmtp-421-last.txt \
	tests/smtp/dialogs/lmtp-421-midway.txt \
	tests/smtp/dialogs/lmtp-503-for-nobody.txt \
	tests/smtp/dialogs/lmtp-chunking.txt \
	tests/smtp/dialogs/lmtp-chunking-421.txt \
	tests/smtp/dialogs/lmtp-chunking-500-is-a-verdict.txt \
	tests/smtp/dialogs/lmtp-chunking-chunk-refused.txt \
	tests/smtp/dialogs/lmtp-chunking-lost.txt \
	tests/smtp/dialogs/lmtp-chunking-one-by-one.txt \
	tests/smtp/dialogs/lmtp-chunking-unknown.txt \
	tests/smtp/dialogs/lmtp-garbage-midway.txt \
	tests/smtp/dialogs/lmtp-lhlo-refused.txt \
	tests/smtp/dialogs/lmtp-lost-after-all.txt \
	tests/smtp/dialogs/lmtp-lost-midway.txt \
	tests/smtp/dialogs/lmtp-one-by-one.txt \
	tests/smtp/dialogs/lmtp-rcpt-full.txt \
	tests/smtp/dialogs/lmtp-rcpt-mixed.txt \
	tests/smtp/dialogs/lmtp-reply-a-recipient.txt \
	tests/smtp/dialogs/lmtp-reply-too-many.txt \
	tests/smtp/dialogs/lmtp-same-address-twice.txt \
	tests/smtp/dialogs/lmtp-starttls.txt \
	tests/smtp/dialogs/lmtp-timeout-midway.txt \
	tests/smtp/dialogs/lmtp-two-messages.txt \
	tests/smtp/dialogs/lost-with-verdict.txt \
	tests/smtp/dialogs/mail-354.txt \
	tests/smtp/dialogs/mail-421.txt \
	tests/smtp/dialogs/mail-451-then-rset.txt \
	tests/smtp/dialogs/mail-530-helo.txt \
	tests/smtp/dialogs/mail-530-no-starttls.txt \
	tests/smtp/dialogs/mail-530-plaintext.txt \
	tests/smtp/dialogs/mail-550.txt \
	tests/smtp/dialogs/mail-550-over-the-limit.txt \
	tests/smtp/dialogs/mail-550-pipelined.txt \
	tests/smtp/dialogs/mail-550-rcpt-250-data-354.txt \
	tests/smtp/dialogs/mail-lost-in-replies.txt \
	tests/smtp/dialogs/mail-unknown-code.txt \
	tests/smtp/dialogs/mark-250-early.txt \
	tests/smtp/dialogs/mark-half-early.txt \
	tests/smtp/dialogs/mark-then-dot.txt \
	tests/smtp/dialogs/mark-timeout.txt \
	tests/smtp/dialogs/no-mark.txt \
	tests/smtp/dialogs/pipelining-one-write.txt \
	tests/smtp/dialogs/plain-one-by-one.txt \
	tests/smtp/dialogs/quit-at-once.txt \
	tests/smtp/dialogs/quit-garbage.txt \
	tests/smtp/dialogs/quit-timeout.txt \
	tests/smtp/dialogs/quit-without-answer.txt \
	tests/smtp/dialogs/rcpt-421-midway.txt \
	tests/smtp/dialogs/rcpt-452-after-one.txt \
	tests/smtp/dialogs/rcpt-452-first.txt \
	tests/smtp/dialogs/rcpt-530-plaintext.txt \
	tests/smtp/dialogs/rcpt-552-after-one.txt \
	tests/smtp/dialogs/rcpt-552-first.txt \
	tests/smtp/dialogs/rcpt-all-refused-data-354.txt \
	tests/smtp/dialogs/rcpt-all-refused-data-554.txt \
	tests/smtp/dialogs/rcpt-all-refused-dot-lost.txt \
	tests/smtp/dialogs/rcpt-all-refused-plain.txt \
	tests/smtp/dialogs/rcpt-hundred-and-twenty.txt \
	tests/smtp/dialogs/rcpt-limit-of-two.txt \
	tests/smtp/dialogs/rcpt-limit-too-high.txt \
	tests/smtp/dialogs/rcpt-lost-midway.txt \
	tests/smtp/dialogs/rcpt-mixed.txt \
	tests/smtp/dialogs/ready-421-second-message.txt \
	tests/smtp/dialogs/ready-421-timeout.txt \
	tests/smtp/dialogs/ready-aborted.txt \
	tests/smtp/dialogs/ready-lost.txt \
	tests/smtp/dialogs/ready-unasked-250.txt \
	tests/smtp/dialogs/ready-unasked-half.txt \
	tests/smtp/dialogs/replies-out-of-step.txt \
	tests/smtp/dialogs/reply-bad-separator.txt \
	tests/smtp/dialogs/reply-code-only.txt \
	tests/smtp/dialogs/reply-codes-differ.txt \
	tests/smtp/dialogs/reply-hundred-lines.txt \
	tests/smtp/dialogs/reply-line-long-enough.txt \
	tests/smtp/dialogs/reply-line-too-long.txt \
	tests/smtp/dialogs/reply-line-without-end.txt \
	tests/smtp/dialogs/reply-nul-and-controls.txt \
	tests/smtp/dialogs/reply-text-is-cut.txt \
	tests/smtp/dialogs/reply-too-large.txt \
	tests/smtp/dialogs/reply-too-many-lines.txt \
	tests/smtp/dialogs/rset-refused.txt \
	tests/smtp/dialogs/size-differs.txt \
	tests/smtp/dialogs/size-overflow.txt \
	tests/smtp/dialogs/size-parameter.txt \
	tests/smtp/dialogs/size-too-large.txt \
	tests/smtp/dialogs/size-zero.txt \
	tests/smtp/dialogs/smtputf8-not-offered.txt \
	tests/smtp/dialogs/smtputf8-offered.txt \
	tests/smtp/dialogs/smtputf8-one-recipient.txt \
	tests/smtp/dialogs/smtputf8-only-before-tls.txt \
	tests/smtp/dialogs/starttls-3xx.txt \
	tests/smtp/dialogs/starttls-421-plaintext.txt \
	tests/smtp/dialogs/starttls-closed.txt \
	tests/smtp/dialogs/starttls-forgets-all.txt \
	tests/smtp/dialogs/starttls-garbage.txt \
	tests/smtp/dialogs/starttls-injected-crlf.txt \
	tests/smtp/dialogs/starttls-injected-handshake.txt \
	tests/smtp/dialogs/starttls-injected-line.txt \
	tests/smtp/dialogs/starttls-injected-octet.txt \
	tests/smtp/dialogs/starttls-inside-is-ignored.txt \
	tests/smtp/dialogs/starttls-not-offered.txt \
	tests/smtp/dialogs/starttls-not-wanted.txt \
	tests/smtp/dialogs/starttls-refused-454.txt \
	tests/smtp/dialogs/starttls-refused-554.txt \
	tests/smtp/dialogs/starttls-refused-plaintext.txt \
	tests/smtp/dialogs/starttls-refused-plaintext-421.txt \
	tests/smtp/dialogs/starttls-refused-plaintext-later-lost.txt \
	tests/smtp/dialogs/starttls-refused-plaintext-lost.txt \
	tests/smtp/dialogs/tls-at-once.txt \
	tests/smtp/dialogs/tls-at-once-helo.txt \
	tests/smtp/dialogs/tls-at-once-lost-after-greeting.txt \
	tests/smtp/dialogs/tls-at-once-lost-before-greeting.txt \
	tests/smtp/dialogs/tls-at-once-refused.txt \
	tests/smtp/dialogs/tls-ehlo-4xx.txt \
	tests/smtp/dialogs/tls-ehlo-refused-helo.txt \
	tests/smtp/dialogs/tls-half-a-reply.txt \
	tests/smtp/dialogs/tls-handshake-lost.txt \
	tests/smtp/dialogs/tls-helo-configured.txt \
	tests/smtp/dialogs/tls-helo-refused.txt \
	tests/smtp/dialogs/tls-lost-after-first-reply.txt \
	tests/smtp/dialogs/tls-lost-before-first-reply.txt \
	tests/smtp/dialogs/tls-mail-530.txt \
	tests/smtp/dialogs/two-messages-one-session.txt

# Sessions of the server machine.
SMTP_SERVER_DIALOGS = \
	tests/smtp/server_dialogs/bdat-after-refused-mail.txt \
	tests/smtp/server_dialogs/bdat-and-data.txt \
	tests/smtp/server_dialogs/bdat-bad-length.txt \
	tests/smtp/server_dialogs/bdat-chunks.txt \
	tests/smtp/server_dialogs/bdat-ehlo-between-chunks.txt \
	tests/smtp/server_dialogs/bdat-flight.txt \
	tests/smtp/server_dialogs/bdat-last-of-zero.txt \
	tests/smtp/server_dialogs/bdat-length-overflows.txt \
	tests/smtp/server_dialogs/bdat-lmtp-refused.txt \
	tests/smtp/server_dialogs/bdat-lmtp.txt \
	tests/smtp/server_dialogs/bdat-more-words.txt \
	tests/smtp/server_dialogs/bdat-negative.txt \
	tests/smtp/server_dialogs/bdat-nobody-pipelined.txt \
	tests/smtp/server_dialogs/bdat-nobody.txt \
	tests/smtp/server_dialogs/bdat-of-zero.txt \
	tests/smtp/server_dialogs/bdat-rset-between-chunks.txt \
	tests/smtp/server_dialogs/bdat-smuggling.txt \
	tests/smtp/server_dialogs/bdat-too-large.txt \
	tests/smtp/server_dialogs/bdat-without-length.txt \
	tests/smtp/server_dialogs/bdat-word-glued.txt \
	tests/smtp/server_dialogs/commit-refused-lmtp.txt \
	tests/smtp/server_dialogs/commit-refused.txt \
	tests/smtp/server_dialogs/content-is-empty.txt \
	tests/smtp/server_dialogs/content-refused-between-chunks.txt \
	tests/smtp/server_dialogs/content-refused-by-the-owner-lmtp.txt \
	tests/smtp/server_dialogs/content-refused-by-the-owner.txt \
	tests/smtp/server_dialogs/content-refused-in-a-chunk.txt \
	tests/smtp/server_dialogs/content-refused-too-late.txt \
	tests/smtp/server_dialogs/data-nobody-lmtp.txt \
	tests/smtp/server_dialogs/data-nobody.txt \
	tests/smtp/server_dialogs/data-refused-with-content.txt \
	tests/smtp/server_dialogs/data-with-content.txt \
	tests/smtp/server_dialogs/dots-are-removed.txt \
	tests/smtp/server_dialogs/early-talker.txt \
	tests/smtp/server_dialogs/ehlo-size.txt \
	tests/smtp/server_dialogs/errors-are-forgiven.txt \
	tests/smtp/server_dialogs/hello-argument-missing.txt \
	tests/smtp/server_dialogs/hello-ends-the-transaction.txt \
	tests/smtp/server_dialogs/hello-first-lmtp.txt \
	tests/smtp/server_dialogs/hello-first.txt \
	tests/smtp/server_dialogs/hello-helo.txt \
	tests/smtp/server_dialogs/hello-name-is-cleaned.txt \
	tests/smtp/server_dialogs/hello-name-is-cut.txt \
	tests/smtp/server_dialogs/late-answers-apart.txt \
	tests/smtp/server_dialogs/late-answers.txt \
	tests/smtp/server_dialogs/line-long-enough.txt \
	tests/smtp/server_dialogs/line-too-long.txt \
	tests/smtp/server_dialogs/line-without-end.txt \
	tests/smtp/server_dialogs/lmtp-mixed-recipients.txt \
	tests/smtp/server_dialogs/lmtp-refuses-ehlo.txt \
	tests/smtp/server_dialogs/lmtp-utf8.txt \
	tests/smtp/server_dialogs/lost-between-chunks.txt \
	tests/smtp/server_dialogs/lost-in-a-chunk.txt \
	tests/smtp/server_dialogs/lost-in-a-line.txt \
	tests/smtp/server_dialogs/lost-in-data.txt \
	tests/smtp/server_dialogs/lost-while-committing.txt \
	tests/smtp/server_dialogs/lost-with-all-said.txt \
	tests/smtp/server_dialogs/mail-bad-parameters.txt \
	tests/smtp/server_dialogs/mail-nested.txt \
	tests/smtp/server_dialogs/mail-parameters.txt \
	tests/smtp/server_dialogs/mail-refused.txt \
	tests/smtp/server_dialogs/mail-route.txt \
	tests/smtp/server_dialogs/mail-utf8-not-announced.txt \
	tests/smtp/server_dialogs/nul-in-a-command.txt \
	tests/smtp/server_dialogs/one-message.txt \
	tests/smtp/server_dialogs/other-verbs-lmtp.txt \
	tests/smtp/server_dialogs/other-verbs.txt \
	tests/smtp/server_dialogs/pipelined-flight.txt \
	tests/smtp/server_dialogs/quit-in-a-flight.txt \
	tests/smtp/server_dialogs/rcpt-bad-parameters.txt \
	tests/smtp/server_dialogs/rcpt-too-many.txt \
	tests/smtp/server_dialogs/refusal-text-is-cleaned.txt \
	tests/smtp/server_dialogs/refusals-do-not-count.txt \
	tests/smtp/server_dialogs/shut-after-quit.txt \
	tests/smtp/server_dialogs/shut-between-chunks.txt \
	tests/smtp/server_dialogs/shut-in-asked.txt \
	tests/smtp/server_dialogs/shut-in-bdat.txt \
	tests/smtp/server_dialogs/shut-in-command.txt \
	tests/smtp/server_dialogs/shut-in-data.txt \
	tests/smtp/server_dialogs/shut-in-mail.txt \
	tests/smtp/server_dialogs/shut-in-rcpt.txt \
	tests/smtp/server_dialogs/shut-while-committing-refused.txt \
	tests/smtp/server_dialogs/shut-while-committing.txt \
	tests/smtp/server_dialogs/size-declared-too-large.txt \
	tests/smtp/server_dialogs/size-too-large-lmtp.txt \
	tests/smtp/server_dialogs/size-too-large.txt \
	tests/smtp/server_dialogs/smtp-refuses-lhlo.txt \
	tests/smtp/server_dialogs/smuggling-cr-crlf-dot-crlf.txt \
	tests/smtp/server_dialogs/smuggling-cr-dot-cr.txt \
	tests/smtp/server_dialogs/smuggling-cr-dot-crlf.txt \
	tests/smtp/server_dialogs/smuggling-cr-in-a-command.txt \
	tests/smtp/server_dialogs/smuggling-crcrlf-in-a-command.txt \
	tests/smtp/server_dialogs/smuggling-crlf-dot-cr.txt \
	tests/smtp/server_dialogs/smuggling-crlf-dot-crcrlf.txt \
	tests/smtp/server_dialogs/smuggling-crlf-dot-lf.txt \
	tests/smtp/server_dialogs/smuggling-in-a-command.txt \
	tests/smtp/server_dialogs/smuggling-lf-alone.txt \
	tests/smtp/server_dialogs/smuggling-lf-dot-cr.txt \
	tests/smtp/server_dialogs/smuggling-lf-dot-crlf.txt \
	tests/smtp/server_dialogs/smuggling-lf-dot-lf.txt \
	tests/smtp/server_dialogs/smuggling-lf-first.txt \
	tests/smtp/server_dialogs/smuggling-nul-in-the-end.txt \
	tests/smtp/server_dialogs/too-many-errors-in-a-transaction.txt \
	tests/smtp/server_dialogs/too-many-errors.txt \
	tests/smtp/server_dialogs/two-messages.txt \
	tests/smtp/server_dialogs/unknown-commands.txt \
	tests/smtp/server_dialogs/web-browser.txt

EXTRA_DIST += tests/smtp/smtp_tests.mk tests/smtp/dialogs/README $(SMTP_DIALOGS) \
	tests/smtp/server_dialogs/README $(SMTP_SERVER_DIALOGS)

if HAVE_CMOCKA
SMTP_TESTS = tests/smtp/test_client tests/smtp/test_client_auth tests/smtp/test_command \
	tests/smtp/test_dialogs tests/smtp/test_fuzz_client tests/smtp/test_fuzz_server \
	tests/smtp/test_reply tests/smtp/test_server tests/smtp/test_server_dialogs
check_PROGRAMS += $(SMTP_TESTS)
TESTS += $(SMTP_TESTS)
SMTP_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) -I$(top_srcdir)/tests/smtp
SMTP_DIALOG_SOURCES = tests/smtp/dialog_folder.c tests/smtp/dialog_folder.h \
	tests/smtp/dialog_text.c tests/smtp/dialog_text.h
SMTP_TEST_LIBS = libsmtp.a libmail.a libbase.a $(CMOCKA_LIBS)

tests_smtp_test_client_SOURCES = tests/smtp/test_client.c
tests_smtp_test_client_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_client_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_client_auth_SOURCES = tests/smtp/test_client_auth.c
tests_smtp_test_client_auth_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_client_auth_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_command_SOURCES = tests/smtp/test_command.c
tests_smtp_test_command_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_command_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_dialogs_SOURCES = tests/smtp/test_dialogs.c \
	tests/smtp/dialog.h tests/smtp/dialog_read.c tests/smtp/dialog_play.c \
	$(SMTP_DIALOG_SOURCES)
tests_smtp_test_dialogs_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_dialogs_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_fuzz_client_SOURCES = tests/smtp/test_fuzz_client.c \
	tests/smtp/fuzz_client.h tests/smtp/fuzz_client.c
tests_smtp_test_fuzz_client_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_fuzz_client_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_fuzz_server_SOURCES = tests/smtp/test_fuzz_server.c \
	tests/smtp/fuzz_server.h tests/smtp/fuzz_server.c
tests_smtp_test_fuzz_server_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_fuzz_server_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_reply_SOURCES = tests/smtp/test_reply.c
tests_smtp_test_reply_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_reply_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_server_SOURCES = tests/smtp/test_server.c
tests_smtp_test_server_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_server_LDADD = $(SMTP_TEST_LIBS)
tests_smtp_test_server_dialogs_SOURCES = tests/smtp/test_server_dialogs.c \
	tests/smtp/server_dialog.h tests/smtp/server_dialog_read.c \
	tests/smtp/server_dialog_play.c $(SMTP_DIALOG_SOURCES)
tests_smtp_test_server_dialogs_CPPFLAGS = $(SMTP_TEST_CPPFLAGS)
tests_smtp_test_server_dialogs_LDADD = $(SMTP_TEST_LIBS)
endif
