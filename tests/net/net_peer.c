#include "net_fixture.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int listen_on(const char *ip, int backlog, struct addr *out)
{
	assert_true(addr_parse(ip, 0, out));
	int fd = socket(addr_family(out), SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &out->sa, addr_len(out)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	socklen_t len = sizeof(*out);
	assert_int_equal(getsockname(fd, &out->sa, &len), 0);
	return fd;
}

int listen_on_path(const char *path, int backlog)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	assert_in_range(strlen(path), 1, sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

void write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	for (unsigned n = 0; n < p->connections; n++) {
		int fd = accept(p->listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		/* A test that hangs is a test that fails, some time. */
		struct timeval limit = { .tv_sec = 20 };
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		p->script(p, fd);
		close(fd);
	}
	return NULL;
}

void peer_start(struct peer *p, const char *where)
{
	if (!p->connections)
		p->connections = 1;
	p->path = *where == '/' ? where : NULL;
	p->listener = p->path ? listen_on_path(where, 8) : listen_on(where, 8, &p->addr);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

void peer_join(struct peer *p)
{
	shutdown(p->listener, SHUT_RDWR); /* ends an accept that nobody came to */
	pthread_join(p->thread, NULL);
	close(p->listener);
}

void script_echo(struct peer *p, int fd)
{
	char buf[7000];
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		p->received += (size_t)n;
		write_all(fd, buf, (size_t)n);
	}
}

static void read_sni(struct peer *p, gnutls_session_t session)
{
	size_t size = sizeof(p->sni) - 1;
	unsigned type;
	if (gnutls_server_name_get(session, p->sni, &size, &type, 0) != 0)
		p->sni[0] = '\0';
}

static void read_client(struct peer *p, gnutls_session_t session)
{
	const gnutls_datum_t *certs =
		gnutls_certificate_get_peers(session, &p->client_chain);
	gnutls_x509_crt_t crt;
	size_t size = sizeof(p->client_subject);
	p->client_subject[0] = '\0';
	if (!certs || !p->client_chain)
		return;
	gnutls_x509_crt_init(&crt);
	assert_int_equal(gnutls_x509_crt_import(crt, certs, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_get_dn(crt, p->client_subject, &size), 0);
	gnutls_x509_crt_deinit(crt);
}

gnutls_session_t server_handshake(struct peer *p, int fd)
{
	gnutls_session_t session;
	gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	if (gnutls_priority_set_direct(
		    session, p->priority ? p->priority : "NORMAL", NULL)) {
		gnutls_deinit(session);
		return NULL;
	}
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, p->credentials);
	gnutls_certificate_server_set_request(session, p->request);
	if (p->ticket_key)
		gnutls_session_ticket_enable_server(session, p->ticket_key);
	gnutls_transport_set_int(session, fd);
	int result;
	do {
		result = gnutls_handshake(session);
	} while (result < 0 && !gnutls_error_is_fatal(result));
	read_sni(p, session);
	read_client(p, session);
	p->is_handshake_ok = result == 0;
	if (result == 0)
		return session;
	gnutls_alert_send_appropriate(session, result);
	/* Unread bytes would turn the close into a reset and lose the alert. */
	shutdown(fd, SHUT_WR);
	char sink[512];
	while (read(fd, sink, sizeof(sink)) > 0)
		continue;
	gnutls_deinit(session);
	return NULL;
}

void server_session_free(gnutls_session_t session)
{
	gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
}

void script_tls_echo(struct peer *p, int fd)
{
	gnutls_session_t session = server_handshake(p, fd);
	if (!session)
		return;
	char buf[5000];
	ssize_t n;
	while ((n = gnutls_record_recv(session, buf, sizeof(buf))) > 0 ||
		(n < 0 && !gnutls_error_is_fatal((int)n))) {
		if (n < 0)
			continue;
		p->received += (size_t)n;
		for (ssize_t sent = 0; sent < n;) {
			ssize_t k = gnutls_record_send(
				session, buf + sent, (size_t)(n - sent));
			if (k < 0)
				break;
			sent += k;
		}
	}
	p->end = (int)n;
	server_session_free(session);
}

/* One key a program: making them is what takes time. */
static gnutls_x509_privkey_t key_new(void)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_privkey_init(&key);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0), 0);
	return key;
}

static gnutls_x509_crt_t crt_new(
	const struct cert_options *options, gnutls_x509_privkey_t key)
{
	gnutls_x509_crt_t crt;
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\x01\x02\x03", 3);
	gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, options->name,
		(unsigned)strlen(options->name));
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, options->name,
		(unsigned)strlen(options->name), GNUTLS_FSAN_SET);
	time_t now = time(NULL);
	gnutls_x509_crt_set_activation_time(crt, now - 10 * 86400);
	gnutls_x509_crt_set_expiration_time(crt, now + options->valid_for_s);
	gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
	gnutls_x509_crt_set_key(crt, key);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	return crt;
}

static void write_pem(gnutls_x509_crt_t crt, const char *path)
{
	gnutls_datum_t pem;
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, pem.data, pem.size), pem.size);
	close(fd);
	gnutls_free(pem.data);
}

gnutls_certificate_credentials_t cert_new(
	const struct cert_options *options, const char *pem_path)
{
	gnutls_x509_privkey_t key = key_new();
	gnutls_x509_crt_t crt = crt_new(options, key);
	gnutls_certificate_credentials_t credentials;
	gnutls_certificate_allocate_credentials(&credentials);
	assert_int_equal(gnutls_certificate_set_x509_key(credentials, &crt, 1, key), 0);
	if (pem_path)
		write_pem(crt, pem_path);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return credentials;
}
