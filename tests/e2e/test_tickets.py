"""Sessions of TLS that are resumed: when they are, when not, and what it changes (nothing)."""
import pathlib

import pytest

from peers import net
from peers.smtpd import Behaviour


@pytest.fixture
def deliver(world):
    """Sends one message through the running daemon; its only entry in the retry log."""
    world.configure(max_sessions_per_destination=1)

    def one(recipient="b@example.test"):
        if not world.daemons:
            world.daemon()
        message_id = world.send(recipient)
        world.wait_gone(message_id)
        (entry,) = world.log(message_id)
        assert (entry["outcome"], entry["channel"], entry["failure"]) == ("delivered", "tls", None)
        return entry["tls"]
    return one


def tls_log(world):
    """Without those of idle sessions whose end the server forgets to announce."""
    lines = (world.directory / "tls.log").read_text().splitlines()
    return [line for line in lines if "stage=ready" not in line]


def is_connected(port):
    """Whether anybody here has a connection to that port."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
def test_the_next_connection_resumes_the_session(world, deliver, version):
    server = world.one_host(Behaviour(one_message=True, versions=(version,)))
    world.configure(trust_file=str(world.certificates.ca))
    first, second, third = deliver(), deliver(), deliver()
    assert [t["resumed"] for t in (first, second, third)] == [False, True, True]
    assert [s.resumed for s in server.sessions] == [False, True, True]
    for t in (second, third):
        assert {**t, "resumed": False} == first, "all else is as the certificate once said"
    assert first["version"] == version and first["verified"]
    assert [("resumed=yes" in line, "verified=yes" in line) for line in tls_log(world)] == [
        (False, True), (True, True), (True, True)]


def test_a_resumed_session_is_verified_no_better_than_the_first(world, deliver):
    world.one_host(Behaviour(one_message=True))
    first, second = deliver(), deliver()
    assert (first["resumed"], second["resumed"]) == (False, True)
    assert (first["verified"], second["verified"]) == (False, False)


def test_postfix_takes_its_ticket_back(world, deliver, postfix):
    world.zone.mx("postfix.test", 10, "mx.postfix.test")
    world.zone.address("mx.postfix.test", postfix.address)
    world.configure(port=postfix.port)
    # It renews no ticket in a resumed session, and a ticket is used once.
    for resumed in (False, True, False, True):
        assert deliver("b@postfix.test")["resumed"] == resumed
        net.wait_for(lambda: not is_connected(postfix.port), "the idle session to be let go")


def test_no_session_is_resumed_after_the_policy_changed(world, deliver):
    world.one_host(Behaviour(one_message=True))
    assert [deliver()["resumed"] for _ in range(2)] == [False, True]
    world.policy("mtaproto.txt", "example.test TLS1.2\n")

    def pinned():
        last = deliver()
        return last if last["version"] == "TLS1.2" else None
    first = net.wait_for(pinned, "the worker to follow the pin", deadline_s=5)
    assert first is None or not first["resumed"]
    lines = [line for line in tls_log(world) if "version=TLS1.2" in line]
    assert "resumed=no" in lines[0]
    assert deliver()["resumed"], "and from then on they are again"


def test_a_server_that_lost_its_key_makes_a_full_handshake_in_the_same_connection(world, deliver):
    server = world.one_host(Behaviour(one_message=True))
    assert [deliver()["resumed"] for _ in range(2)] == [False, True]
    server.forget_tickets()
    assert [deliver()["resumed"] for _ in range(2)] == [False, True]
    assert len(server.sessions) == 4 and len(tls_log(world)) == 4


@pytest.mark.parametrize("where, line", [("hello", "during the handshake, resuming a session"),
                                         ("reply", "resumed=yes")])
def test_a_host_that_breaks_on_tickets_is_asked_again_without(world, deliver, where, line):
    """Nothing is held against TLS, and no further ticket is offered."""
    server = world.one_host(Behaviour(one_message=True, breaks_resumption=where))
    assert [deliver()["resumed"] for _ in range(3)] == [False, False, False]
    assert [bool(s.tls_error) for s in server.sessions] == [False, True, False, False]
    assert [s.channel for s in server.sessions if s.messages] == ["tls"] * 3
    errors = [text for text in tls_log(world) if " error id=" in text]
    assert len(errors) == 1 and line in errors[0]


def test_what_fails_without_a_ticket_too_is_a_failed_handshake(world, deliver):
    """One more connection, and then the policy has its say."""
    good = Behaviour(one_message=True, versions=("TLS1.3",))
    server = world.one_host([good, Behaviour(handshake="alert")])
    deliver()
    message_id = world.send("b@example.test")
    net.wait_for(lambda: world.log(message_id), "the second attempt")
    (entry,) = world.log(message_id)
    assert (entry["failure"], entry["outcome"], entry["next_channel"]) == ("tls_handshake", "deferred", "plaintext")
    assert len(server.sessions) == 3
    assert ["resuming a session" in text for text in tls_log(world)] == [False, True, False]
