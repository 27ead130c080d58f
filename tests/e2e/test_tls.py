"""TLS as the servers see it: versions, pins, SNI, certificates, broken handshakes, the greeting inside."""
import socket
import subprocess
import threading

import pytest

from peers import net, raw
from peers.smtpd import Behaviour
from world import EX_CONFIG

VERSIONS = ["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
def test_a_server_with_one_current_version_gets_the_message_over_tls(world, version):
    server = world.one_host(Behaviour(versions=(version,)))
    message_id = world.send("b@example.test")
    world.once()
    assert server.sessions[0].tls_version == version and server.messages[0].channel == "tls"
    assert world.log(message_id)[0]["tls"]["version"] == version


@pytest.mark.parametrize("version", ["TLS1.0", "TLS1.1"])
def test_an_old_version_is_not_used_unless_it_is_named(world, version):
    server = world.one_host(Behaviour(versions=(version,)))
    world.configure(fallback="none")
    message_id = world.send("b@example.test")
    world.once()
    assert world.log(message_id)[0]["failure"] == "tls_handshake" and server.messages == []
    world.configure(protocols=VERSIONS)
    world.retry()
    assert server.messages[0].channel == "tls" and server.sessions[-1].tls_version == version


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pin_makes_a_destination_speak_that_version(world, version):
    server = world.one_host(Behaviour(versions=tuple(VERSIONS)))
    world.policy("mtaproto.txt", f"# the old box\nexample.test {version.lower()}\n")
    message_id = world.send("b@example.test")
    world.once()
    assert server.sessions[0].tls_version == version and server.messages[0].channel == "tls"
    assert world.log(message_id)[0]["tls"]["version"] == version


def test_a_pin_that_a_server_cannot_meet_fails_the_handshake(world):
    server = world.one_host(Behaviour(versions=("TLS1.2",)))
    world.policy("mtaproto.txt", "[example.test] TLS1.3\n")
    message_id = world.send("b@example.test")
    world.once()
    assert world.log(message_id)[0]["failure"] == "tls_handshake" and server.messages == []
    assert world.entry(message_id)["next_channel"] == "plaintext"


def test_the_most_specific_pin_wins_and_a_host_pin_beats_a_destination_pin(world):
    one = world.one_host(Behaviour(versions=tuple(VERSIONS)))
    other = world.one_host(Behaviour(versions=tuple(VERSIONS)), domain="other.test")
    third = world.one_host(Behaviour(versions=tuple(VERSIONS)), domain="third.test")
    world.policy("mtaproto.txt", "* TLS1.3\nexample.test TLS1.2\n[other.test] TLS1.3\n"
                                 "mx:[mx1.other.test] TLS1.1, TLS1.0\n")
    world.send("b@example.test", "c@other.test", "d@third.test")
    world.once()
    assert [s.sessions[0].tls_version for s in (one, other, third)] == ["TLS1.2", "TLS1.1", "TLS1.3"]


def test_a_pin_to_a_version_that_the_library_lacks_is_an_error(world):
    world.policy("mtaproto.txt", "example.test SSL3.0\n")
    done = world.run("policy", "check", check=False)
    assert done.returncode == EX_CONFIG
    assert b"mtaproto.txt:1" in done.stderr + done.stdout and b"SSL3.0" in done.stderr + done.stdout


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
def test_a_demanded_client_certificate_is_a_failed_handshake_in_every_version(world, version):
    strict = Behaviour(versions=(version,), demand_certificate=True)
    server = world.one_host(strict)
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["failure"], entry["outcome"], entry["next_channel"]) == ("tls_handshake", "deferred", "plaintext")
    world.retry()
    assert [m.channel for m in server.messages] == ["plaintext"]


def test_a_warning_alert_in_the_handshake_is_not_the_end(world):
    server = world.one_host(Behaviour(handshake="warning", versions=("TLS1.2",)))
    world.send("b@example.test")
    world.once()
    assert [m.channel for m in server.messages] == ["tls"]


def test_a_handshake_that_stalls_fails_in_time(world):
    server = world.one_host(Behaviour(handshake="stall"))
    world.configure(handshake_timeout="1s")
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["failure"] == "tls_handshake" and 900 <= entry["duration_ms"] < 10000
    world.retry()
    assert [m.channel for m in server.messages] == ["plaintext"]


def test_silence_from_the_handshake_to_the_first_reply_is_a_failed_handshake(world):
    server = world.one_host(Behaviour(stall=("tls:EHLO",)))
    world.configure(reply_timeout="1s")
    message_id = world.send("b@example.test")
    world.once()
    assert world.log(message_id)[0]["failure"] == "tls_handshake"
    assert server.sessions[0].verbs("tls")[0] == "EHLO"


def test_after_a_failed_handshake_the_connection_is_not_used_again(world):
    server = world.one_host(Behaviour(handshake="garbage"))
    world.configure(fallback="plaintext")
    world.send("b@example.test")
    world.once()
    assert server.sessions[0].verbs() == ["EHLO", "STARTTLS"], "no QUIT in the clear"
    assert len(server.sessions) == 2 and server.messages[0].channel == "plaintext"


@pytest.mark.parametrize("how", ["one segment", "two segments"])
def test_bytes_before_the_handshake_are_never_parsed_as_smtp(world, how):
    extra = b"250-mx1.example.test\r\n250 SIZE 1\r\n"
    injecting = (Behaviour(starttls="220 go", replies={"STARTTLS": b"220 go\r\n" + extra})
                 if how == "one segment" else Behaviour(inject=extra))
    server = world.one_host(injecting)
    world.configure(fallback="none")
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["failure"] == "tls_handshake" and entry["outcome"] == "deferred"
    assert server.messages == [] and server.sessions[0].verbs() == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("option, seen", [("on", "mx1.example.test"), ("off", None),
                                          ("other.name.test", "other.name.test")])
def test_sni_is_the_host_or_nothing_or_a_name(world, option, seen):
    server = world.one_host()
    world.configure(sni=option)
    message_id = world.send("b@example.test")
    world.once()
    assert server.sessions[0].sni == seen and world.log(message_id)[0]["sni"] == seen
    assert server.messages[0].channel == "tls"


def test_sni_of_one_destination(world):
    server, other = world.one_host(), world.one_host(domain="other.test")
    world.configure(blocks='destination "other.test" { sni = off }\n')
    world.send("b@example.test", "c@other.test")
    world.once()
    assert (server.sessions[0].sni, other.sessions[0].sni) == ("mx1.example.test", None)


def test_no_sni_for_an_address_literal(world):
    server = world.host("mx1.example.test")
    world.send(f"b@[{server.address}]")
    world.once()
    assert server.messages[0].channel == "tls" and server.sessions[0].sni is None


def test_ehlo_is_the_greeting_inside_tls(world):
    server = world.one_host()
    world.send("b@example.test")
    world.once()
    assert server.sessions[0].verbs("tls")[:2] == ["EHLO", "MAIL"]


def test_helo_inside_tls_gives_up_every_extension(world):
    server = world.one_host()
    world.configure(greeting_after_starttls="helo")
    world.send("b@example.test")
    world.once()
    session = server.sessions[0]
    assert session.verbs("tls")[:2] == ["HELO", "MAIL"] and not session.pipelined
    assert server.messages[0].parameters == ""


def test_ehlo_refused_inside_tls_is_followed_by_helo_on_the_same_session(world):
    server = world.one_host(Behaviour(replies={"tls:EHLO": "502 5.5.1 no more"}))
    world.send("b@example.test")
    world.once()
    assert len(server.sessions) == 1
    assert server.sessions[0].verbs("tls")[:3] == ["EHLO", "HELO", "MAIL"]
    assert server.messages[0].channel == "tls"


def test_what_was_learned_before_tls_is_forgotten(world):
    server = world.one_host(Behaviour(extensions=("8BITMIME",), replies={
        "plain:EHLO": "250-mx1\r\n250-SIZE 10\r\n250-PIPELINING\r\n250 STARTTLS"}))
    world.send("b@example.test")
    world.once()
    assert server.messages[0].channel == "tls" and "SIZE" not in server.messages[0].parameters
    assert not server.sessions[0].pipelined


WANTS_TLS = {"plain:MAIL": "530 5.7.0 Must issue a STARTTLS command first"}


def test_a_host_that_refuses_plaintext_gets_the_message_over_tls_in_its_turn(world):
    server = world.one_host([Behaviour(handshake="close"), Behaviour(replies=WANTS_TLS)])
    message_id = world.send("b@example.test")
    world.attempts(3)
    assert world.channels(message_id) == ["tls", "plaintext", "tls"]
    assert world.outcomes(message_id) == ["deferred", "deferred", "delivered"]
    assert world.log(message_id)[1]["failure"] == "smtp_temporary"
    assert [m.channel for m in server.messages] == ["tls"]


def test_a_host_that_refuses_the_plaintext_of_a_list_defers_and_the_log_says_why(world):
    server = world.one_host(Behaviour(replies=WANTS_TLS))
    world.policy("nomtatsl.txt", "example.test\n")
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["reply"]["code"]) == ("deferred", 530)
    assert "TLS only" in " ".join(world.text("log", "--id", message_id).split())
    world.policy("nomtatsl.txt", "")
    world.retry()
    assert [m.channel for m in server.messages] == ["tls"]


def test_starttls_off_is_plaintext_everywhere(world):
    server = world.one_host()
    world.configure(starttls=False)
    world.send("b@example.test")
    world.once()
    assert server.messages[0].channel == "plaintext" and not server.sessions[0].asked_for_tls


def test_starttls_leaves_alone_and_nothing_is_sent_behind_it(world):
    server = world.one_host(Behaviour(versions=("TLS1.2",)))
    world.send("b@example.test")
    world.once()
    assert server.sessions[0].early_bytes == b""


def test_a_trusted_certificate_is_noted_as_verified_and_another_delivers_all_the_same(world, certificates):
    world.one_host()
    world.configure(trust_file=None)  # the system's
    message_id = world.send("b@example.test")
    world.once()
    assert world.log(message_id)[0]["tls"]["verified"] is False
    world.configure(trust_file=str(certificates.ca))
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["tls"]["verified"] is True and "mail.test" in entry["tls"]["peer"]


def test_the_tls_log_has_a_line_for_each_handshake_and_each_error(world):
    world.one_host(Behaviour(versions=("TLS1.3",)))
    world.one_host(Behaviour(handshake="alert"), domain="other.test")
    world.send("b@example.test", "c@other.test")
    world.once()
    lines = (world.directory / "tls.log").read_text().splitlines()
    good = [l for l in lines if "mx1.example.test" in l]
    bad = [l for l in lines if "mx1.other.test" in l]
    assert len(good) == 1 and len(bad) >= 1
    for part in ("TLS1.3", "AES", "mail.test"):
        assert part in good[0], part
    assert "alert" in bad[0].lower()


# ---- real servers ----

def test_a_host_name_with_an_underscore_gets_the_message_over_tls_from_gnutls(world, exim):
    """GnuTLS ends a handshake whose SNI is no host name: Exim on Debian is one."""
    world.zone.mx("exim.test", 10, "mx_1.exim.test")
    world.zone.address("mx_1.exim.test", exim.address)
    world.configure(port=exim.port)
    message_id = world.send("b@exim.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["channel"]) == ("delivered", "tls")


def long_chain(certificates, directory, count):
    """The server's certificate, and one of its issuer `count` times."""
    path = directory / f"chain{count}.pem"
    path.write_bytes(certificates.cert.read_bytes() + certificates.ca.read_bytes() * count)
    return path


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
@pytest.mark.parametrize("count, outcome", [(20, "delivered"), (1000, "deferred")])
def test_a_huge_chain_of_certificates_is_a_failed_handshake_at_most(world, certificates, version, count, outcome):
    server = world.one_host(Behaviour(versions=(version,)))
    server.context(server.script).load_cert_chain(long_chain(certificates, world.directory, count), certificates.key)
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["outcome"] == outcome and entry["failure"] == (None if outcome == "delivered" else "tls_handshake")
    assert entry["duration_ms"] < 10000


OPENSSL_FLAGS = {"TLS1.0": "-tls1", "TLS1.1": "-tls1_1", "TLS1.2": "-tls1_2", "TLS1.3": "-tls1_3"}


class OpensslServer:
    """openssl s_server behind a STARTTLS of ours; SMTP comes and goes over its stdin and stdout."""

    def __init__(self, world, version):
        self.lines = []
        self.port = net.Block().port
        address = world.block.address()
        c = world.certificates
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-quiet", "-accept", f"{address}:{self.port}", "-cert", c.cert, "-key", c.key,
             "-cipher", "ALL:@SECLEVEL=0", "-naccept", "1", OPENSSL_FLAGS[version]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.inner = (address, self.port)
        self.thread = threading.Thread(target=self.talk, daemon=True)
        self.thread.start()
        self.front = raw.RawServer(world.block.address(), world.port, "mx1.example.test", self.relay)
        world.closers.append(self)

    def relay(self, peer):
        peer.greet("STARTTLS")
        peer.line()
        net.wait_for(self.connect, "s_server")
        peer.say("220 go ahead")
        back = threading.Thread(target=self.pump, args=(self.sock, peer.sock), daemon=True)
        back.start()
        self.pump(peer.sock, self.sock)
        back.join(5)

    def connect(self):
        try:
            self.sock = socket.create_connection(self.inner)
        except OSError:
            return False
        return True

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def talk(self):
        replies = {"EHLO": "250 inner", "DATA": "354 go", ".": "250 taken", "QUIT": "221 bye"}
        in_body = False
        for line in self.process.stdout:
            text = line.rstrip(b"\r\n").decode("latin-1")
            self.lines.append(text)
            if in_body and text != ".":
                continue
            verb = text.split(" ")[0].upper()
            in_body = verb == "DATA"
            self.process.stdin.write(replies.get(verb, "250 ok").encode() + b"\r\n")
            self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.front.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_s_server_of_each_version_gets_the_message(world, version):
    server = OpensslServer(world, version)
    world.zone.address("mx1.example.test", server.front.address)
    world.domain("example.test", "mx1.example.test")
    world.configure(protocols=VERSIONS)
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["tls"]["version"]) == ("delivered", version)
    assert "Hello." in server.lines
