# The system tests are run by ./runtests, with pytest, not by make check: they
# need root, other packages, and minutes.
EXTRA_DIST += tests/e2e/e2e_tests.mk quickstart runtests tests/tsan.supp \
	tests/pytest.ini tests/conftest.py tests/e2e/README.md tests/e2e/world.py \
	tests/e2e/peers/__init__.py tests/e2e/peers/aio.py tests/e2e/peers/auth.py tests/e2e/peers/certs.py \
	tests/e2e/peers/dns.py tests/e2e/peers/dovecot.py tests/e2e/peers/mta.py tests/e2e/peers/net.py \
	tests/e2e/peers/lmtpd.py tests/e2e/peers/manual.py tests/e2e/peers/portable.py tests/e2e/peers/raw.py tests/e2e/peers/smtpd.py tests/e2e/peers/submission.py \
	tests/e2e/peers/submit.py \
	tests/e2e/quickstart.py \
	tests/e2e/test_behind.py tests/e2e/test_bounces.py tests/e2e/test_chunking.py tests/e2e/test_deliver.py tests/e2e/test_delivery.py tests/e2e/test_dns.py tests/e2e/test_dsn.py \
	tests/e2e/test_fallback.py tests/e2e/test_hostile.py tests/e2e/test_input.py \
	tests/e2e/test_listener.py tests/e2e/test_log.py tests/e2e/test_peers.py tests/e2e/test_policy.py \
	tests/e2e/test_queue.py tests/e2e/test_relays.py tests/e2e/test_routes.py tests/e2e/test_routes_policy.py \
	tests/e2e/test_send.py tests/e2e/test_sendmail.py tests/e2e/test_tickets.py \
	tests/e2e/test_tls.py tests/e2e/test_workers.py tests/e2e/test_xmail.py
