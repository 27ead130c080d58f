"""The peers themselves, tried with plain clients: a test is worth what its peer is worth."""
import smtplib
import socket
import ssl
import subprocess

import dns.message
import dns.query
import dns.rcode
import pytest

from peers import aio, dns as name_servers, net, smtpd
from peers.smtpd import Behaviour

TEXT = b"X-First: 1\r\nFrom: a@sender.test\r\n\r\n.dot\r\n..\r\nhello\r\n"


@pytest.fixture
def serve(certificates):
    servers = []

    def start(behaviour=None):
        block = net.Block()
        server = smtpd.SmtpServer(block.address(), block.port, "mx.test", behaviour or Behaviour(),
                                  certificates)
        servers.append(server)
        return server
    yield start
    for server in servers:
        server.close()


def client(server):
    smtp = smtplib.SMTP(server.address, server.port, local_hostname="client.test", timeout=10)
    smtp.ehlo()
    return smtp


def context():
    return ssl._create_unverified_context()


def test_scripted_server_takes_a_message_over_tls_and_remembers_it(serve):
    server = serve()
    smtp = client(server)
    smtp._host = "mx.test"  # smtplib sends it as SNI
    smtp.starttls(context=context())
    smtp.sendmail("a@sender.test", ["b@test", "c@test"], TEXT)
    smtp.quit()
    session = server.sessions[0]
    assert (session.sni, session.tls_version) == ("mx.test", "TLS1.3")
    assert session.verbs("plaintext") == ["EHLO", "STARTTLS"]
    assert session.verbs("tls") == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]
    message = server.messages[0]
    assert (message.recipients, message.data, message.channel) == (["b@test", "c@test"], TEXT, "tls")


@pytest.mark.parametrize("version", ["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"])
def test_scripted_server_speaks_one_version_only(serve, version):
    server = serve(Behaviour(versions=(version,)))

    def shake(priority):
        return subprocess.run(["gnutls-cli", "--insecure", "--starttls-proto=smtp", "-p", str(server.port),
                               "--priority", priority, server.address],
                              input=b"QUIT\r\n", capture_output=True, timeout=20)
    assert shake(f"NORMAL:%COMPAT:-VERS-ALL:+VERS-{version}").returncode == 0
    assert server.sessions[-1].tls_version == version
    assert shake(f"NORMAL:+VERS-TLS-ALL:-VERS-{version}").returncode != 0


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
def test_scripted_server_turns_away_clients_without_certificate(serve, version):
    server = serve(Behaviour(versions=(version,), demand_certificate=True))
    smtp = client(server)
    with pytest.raises((ssl.SSLError, OSError, smtplib.SMTPException)):
        smtp.starttls(context=context())
        smtp.ehlo()
    net.wait_for(lambda: server.sessions[0].ended, "the end of the session")
    assert server.sessions[0].tls_error and server.sessions[0].channel == "plaintext"


@pytest.mark.parametrize("kind", ["close", "garbage", "alert"])
def test_scripted_server_breaks_the_handshake(serve, kind):
    smtp = client(serve(Behaviour(handshake=kind)))
    with pytest.raises((ssl.SSLError, OSError, smtplib.SMTPException)):
        smtp.starttls(context=context())


def test_scripted_server_refuses_and_hangs_up_as_told(serve):
    server = serve(Behaviour(starttls="454 4.7.0 not now", rcpt={"no@test": "550 5.1.1 no such user"},
                             drop=(".",)))
    smtp = client(server)
    with pytest.raises(smtplib.SMTPResponseException):
        smtp.starttls(context=context())
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        smtp.sendmail("a@sender.test", ["no@test", "b@test"], TEXT)
    message = server.sessions[0].messages[0]
    assert (message.recipients, message.accepted, server.messages) == (["b@test"], False, [])


def test_scripted_server_floods_only_as_long_as_somebody_reads(serve):
    server = serve(Behaviour(flood="line"))
    with socket.create_connection((server.address, server.port)) as s:
        s.recv(1000)
    net.wait_for(lambda: server.sessions[0].ended, "the flood to end")
    assert server.sessions[0].flooded < 1 << 28


def test_aiosmtpd_takes_a_message_over_tls(certificates):
    block = net.Block()
    server = aio.AioServer(block.address(), block.port, "mx.test", certificates)
    try:
        smtp = client(server)
        smtp.starttls(context=context())
        smtp.sendmail("a@sender.test", ["b@aio.test"], TEXT)
        smtp.quit()
        assert server.envelopes[0].content == TEXT and server.envelopes[0].was_tls
    finally:
        server.close()


def ask(server, name, rtype, over=dns.query.udp):
    return over(dns.message.make_query(name, rtype), server.address, port=server.port, timeout=2)


def zone():
    z = name_servers.Zone()
    z.mx("example.test", 10, "mx1.example.test")
    z.address("mx1.example.test", "127.0.0.9")
    z.cname("alias.test", "example.test")
    z.add("null.test", "MX", "0 .")
    return z


@pytest.mark.parametrize("kind", ["knot", "scripted"])
def test_name_servers_answer_from_the_zone(tmp_path, kind):
    block = net.Block()
    where = (f"{block.prefix}.1", block.port, zone())
    server = (name_servers.Knot(tmp_path / "knot", *where) if kind == "knot"
              else name_servers.ScriptedDns(*where))
    try:
        assert "10 mx1.example.test." in ask(server, "example.test", "MX").to_text()
        assert len(ask(server, "alias.test", "MX").answer) == 2
        assert "MX 0 ." in ask(server, "null.test", "MX").to_text()
        assert ask(server, "nothing.test", "MX").rcode() == dns.rcode.NXDOMAIN
        nodata = ask(server, "mx1.example.test", "AAAA")
        assert nodata.rcode() == dns.rcode.NOERROR and not nodata.answer
    finally:
        server.close()


def test_scripted_name_server_fails_as_told():
    block = net.Block()
    server = name_servers.ScriptedDns(f"{block.prefix}.1", block.port, zone(), {
        "a.test": "servfail", "b.test": "timeout", "c.test": "garbage", "d.test": "empty-mx",
        ("example.test", "MX"): "truncated"})
    try:
        assert ask(server, "a.test", "MX").rcode() == dns.rcode.SERVFAIL
        with pytest.raises(dns.exception.Timeout):
            dns.query.udp(dns.message.make_query("b.test", "MX"), server.address, port=server.port,
                          timeout=0.1)
        with pytest.raises((dns.exception.DNSException, ValueError)):
            ask(server, "c.test", "MX")
        with pytest.raises(dns.exception.DNSException):
            ask(server, "d.test", "MX")
        assert ask(server, "example.test", "MX", over=dns.query.tcp).answer
        assert ("b.test", "MX") in server.queries
    finally:
        server.close()


@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_real_receivers_store_what_they_are_given(kind, request):
    receiver = request.getfixturevalue(kind)
    before = len(receiver.messages())
    smtp = client(receiver)
    smtp.starttls(context=context())
    smtp.sendmail("a@sender.test", [f"b@{kind}.test"], TEXT)
    smtp.quit()
    net.wait_for(lambda: len(receiver.messages()) > before, f"{kind} to store the message")
    assert receiver.messages()[-1].endswith(TEXT)
