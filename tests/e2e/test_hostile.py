"""Receivers that misbehave: the worker goes on, the message stays, nobody waits for ever."""
import socket
import threading
import time

import pytest

from peers import net
from peers.raw import RawServer
from peers.smtpd import FATAL_ALERT, Behaviour
from world import HEADER, MESSAGE

# What each does, and the class of failure that it has to be.
PLAIN = {"starttls": None}
LATE_REPLIES = b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n"
HOSTILE = {
    "garbage banner": (Behaviour(replies={"banner": b"\x00\xff\xfe\r\n"}), "session"),
    "HTTP": (Behaviour(replies={"banner": b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"}), "session"),
    "endless line": (Behaviour(flood="line"), "session"),
    "gigabyte banner": (Behaviour(flood="banner"), "session"),
    "silent": (Behaviour(stall=("banner",)), "connect"),
    "codes that differ": (Behaviour(replies={"EHLO": "250-one\r\n350 two"}), "session"),
    "endless EHLO": (Behaviour(replies={"EHLO": b"250-X\r\n" * 5000}), "session"),
    "endless EHLO inside TLS": (Behaviour(replies={"tls:EHLO": b"250-X\r\n" * 1000000}), "tls_handshake"),
    "endless line inside TLS": (Behaviour(replies={"tls:EHLO": b"250-" + b"x" * (1 << 24)}), "tls_handshake"),
    "million lines to MAIL": (Behaviour(replies={"MAIL": b"250-X\r\n" * 1000000}), "tls_session"),
    "reply nobody asked for": (Behaviour(replies={"MAIL": LATE_REPLIES}), "tls_session"),
    "3xx to MAIL": (Behaviour(replies={"MAIL": "354 what?"}), "tls_session"),
    "2xx to DATA": (Behaviour(replies={"DATA": "250 what?"}), "tls_session"),
    "code 999": (Behaviour(replies={"MAIL": "999 what?"}), "tls_session"),
    "NUL in a reply": (Behaviour(replies={"MAIL": b"25\x000 ok\r\n"}), "tls_session"),
    "verdict in doubt": (Behaviour(replies={".": b"garbage\r\n"}), "in_doubt"),
    "NULs inside TLS": (Behaviour(replies={"tls:EHLO": b"\x00" * 5000 + b"\r\n"}), "tls_handshake"),
    "bad record before the first reply": (Behaviour(cleartext={"tls:EHLO": b"500 what?\r\n"}), "tls_handshake"),
    "bad record": (Behaviour(cleartext={"MAIL": bytes.fromhex("1703030010") + b"x" * 16}), "tls_session"),
    "alert in the clear": (Behaviour(cleartext={"RCPT": FATAL_ALERT}, versions=("TLS1.2",)), "tls_session"),
    "SMTP in the clear for a verdict": (Behaviour(cleartext={".": b"250 ok\r\n"}), "in_doubt"),
}
TLS_PHASES = {"banner": "connect", "plain:EHLO": "session", "STARTTLS": "tls_handshake", "tls:EHLO": "tls_handshake",
              "MAIL": "tls_session", "RCPT": "tls_session", "DATA": "tls_session", ".": "in_doubt"}
PLAIN_PHASES = {"banner": "connect", "EHLO": "session", "MAIL": "session", "RCPT": "session", "DATA": "session",
                ".": "in_doubt"}
for phases, how, where in ((TLS_PHASES, {}, ""), (PLAIN_PHASES, PLAIN, " in plaintext")):
    for at, failure in phases.items():
        HOSTILE[f"closes at {at}{where}"] = (Behaviour(drop=(at,), **how), failure)
        HOSTILE[f"resets at {at}{where}"] = (Behaviour(drop=(at,), reset=True, **how), failure)
        HOSTILE[f"drips at {at}{where}"] = (Behaviour(drip=(at,), **how), failure)
        HOSTILE[f"stalls at {at}{where}"] = (Behaviour(stall=(at,), **how), failure)
    HOSTILE[f"closes in the body{where}"] = (Behaviour(drop=("body",), **how), PLAIN_PHASES["DATA"] if how else TLS_PHASES["DATA"])
HOSTILE |= {f"{kind} in the handshake": (Behaviour(handshake=kind), "tls_handshake")
            for kind in ("close", "garbage", "alert", "stall", "drip")}
FLIPS = ("starttls_refused", "tls_handshake")


def small_quarantine(world):
    """What the address sanitizer keeps of freed memory is not the program's."""
    return {"ASAN_OPTIONS": world.env["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_receiver_neither_hangs_the_worker_nor_loses_the_message(world, kind):
    behaviour, failure = HOSTILE[kind]
    bad = world.one_host(behaviour, domain="bad.test")
    good = world.one_host()
    world.configure(reply_timeout="1s", data_timeout="1s", handshake_timeout="1s", session_timeout="8s")
    worker = world.daemon(env=small_quarantine(world))
    warm_id = world.send("b@example.test")
    world.wait_gone(warm_id)
    before = net.peak_kib(worker.pid)
    # More than the sockets hold: its end is never sent where nobody reads it.
    bad_id = world.send("b@bad.test", message=MESSAGE + b"x\n" * (4 << 20) if "body" in kind else MESSAGE)
    net.wait_for(lambda: bad.sessions, "the worker to connect")
    good_id = world.send("b@example.test")
    world.wait_gone(good_id)
    net.wait_for(lambda: world.log(bad_id), "the attempt to end", interval_s=0.05)
    entry = world.log(bad_id)[-1]
    assert (entry["failure"], entry["outcome"]) == (failure, "in_doubt" if failure == "in_doubt" else "deferred")
    assert world.entry(bad_id)["next_channel"] == ("plaintext" if failure in FLIPS else "tls")
    assert entry["duration_ms"] < 5000 and bad.messages == []
    assert len(good.messages) == 2 and worker.poll() is None
    assert net.peak_kib(worker.pid) - before < 16 * 1024, "memory stays flat"
    assert all(s.flooded < 1 << 26 for s in bad.sessions), "the client hung up early"
    world.stop(worker)


def test_a_lost_message_is_not_taken_for_sent_when_replies_fall_out_of_step(world):
    """A reply too many earlier on must not become the verdict on the message."""
    server = world.one_host(Behaviour(replies={"RCPT": b"250 ok\r\n250 ok\r\n", ".": "451 4.3.0 not taken"}))
    message_id = world.send("b@example.test")
    world.once()
    assert server.messages == [] and world.log(message_id)[-1]["outcome"] != "delivered"
    assert world.entry(message_id)


def test_a_tarpit_is_left_when_the_session_is_over_time(world):
    def slow(session, line):
        time.sleep(0.4)  # the peer is slow; the test is not waiting for it
        return None
    server = world.one_host(Behaviour(extensions=(), replies={"RCPT": slow}))
    world.configure(session_timeout="1s", reply_timeout="1s")
    message_id = world.send(*[f"r{i}@example.test" for i in range(40)])
    world.once()
    assert server.messages == [] and world.log(message_id)[-1]["duration_ms"] < 6000
    assert len(world.entry(message_id)["recipients"]) == 40


def test_a_slow_receiver_does_not_hold_up_the_others(world):
    world.one_host(Behaviour(stall=("banner",)), domain="slow.test")
    quick = world.one_host()
    world.configure(reply_timeout="20s")
    world.daemon()
    for _ in range(5):
        world.send("b@slow.test")
    world.send("b@example.test")
    net.wait_for(lambda: quick.messages, "the quick one", deadline_s=10)


@pytest.mark.parametrize("code", ["550 5.1.1", "450 4.1.1"])
def test_a_remote_text_is_cut_and_clean_utf_8(world, code):
    world.one_host(Behaviour(rcpt={"b@example.test": code.encode() + b" " + "飛".encode() * 600 + b"\xff\x1b[0m\r\n"}))
    message_id = world.send("b@example.test")
    world.once()
    text = world.log(message_id)[0]["recipients"][0]["text"]
    assert 0 < len(text.encode()) <= 1000 and "飛" in text and "\x1b" not in text


def raw_host(world, script, domain="example.test", **how):
    """The one host of a domain, as a function of its socket."""
    server = RawServer(world.block.address(), world.port, f"mx1.{domain}", script, **how)
    world.closers.append(server)
    world.zone.address(server.name, server.address)
    world.domain(domain, server)
    return server


def test_a_reset_right_after_the_banner_is_a_failed_conversation(world):
    def script(peer):
        peer.say("220 hello")
        peer.reset()
    raw_host(world, script)
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["outcome"] == "deferred" and entry["failure"] in ("connect", "session")
    assert world.entry(message_id)["next_channel"] == "tls"


def test_a_host_that_talks_on_after_quit_delays_nobody(world):
    def script(peer):
        peer.greet()
        peer.take("DATA")
        peer.body()
        peer.say("250 2.0.0 taken")
        peer.take("QUIT")
        while True:
            peer.sock.sendall(b"221 bye\r\n" * 1000)
    server = raw_host(world, script)
    message_id = world.send("b@example.test")
    world.once(timeout=15)
    assert world.outcomes(message_id) == ["delivered"] and server.peers[0].lines[-1] == "QUIT"


@pytest.mark.parametrize("goodbye", [b"421 4.3.2 idle for too long\r\n", b"250 what?\r\n", b"\x00\xff", b""],
                         ids=["421", "250", "garbage", "none"])
def test_a_kept_session_that_the_host_ends_costs_the_next_message_nothing(world, goodbye):
    over = threading.Event()

    def script(peer):
        peer.greet()
        peer.take("DATA")
        peer.body()
        peer.say("250 2.0.0 taken")
        if len(server.peers) == 1:
            peer.sock.sendall(goodbye)
            peer.sock.shutdown(socket.SHUT_WR)
            peer.drain()
            over.set()
        peer.drain()
    server = raw_host(world, script)
    world.configure(max_sessions_per_destination=1)
    world.daemon()
    first = world.send("b@example.test")
    world.wait_gone(first)
    assert over.wait(10), "the worker leaves the session"
    second = world.send("b@example.test")
    world.wait_gone(second)
    assert world.outcomes(first) == world.outcomes(second) == ["delivered"] and len(server.peers) == 2


def test_replies_in_a_flood_while_the_message_is_sent_end_the_session(world):
    def script(peer):
        peer.greet("STARTTLS-NOT")
        peer.take("DATA")
        peer.say("354 go ahead")
        while True:
            peer.sock.sendall(b"250 ok\r\n" * 8000)
    server = raw_host(world, script)
    world.one_host(domain="other.test")
    world.configure(session_timeout="10s")
    worker = world.daemon(env=small_quarantine(world))
    world.wait_gone(world.send("b@other.test"))
    before = net.peak_kib(worker.pid)
    message_id = world.send("b@example.test", message=HEADER + b"\n" + b"x\n" * (4 << 20))
    net.wait_for(lambda: world.log(message_id), "the attempt to end", interval_s=0.05)
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["failure"]) == ("deferred", "session")
    assert entry["duration_ms"] < 8000, "it is not the limit of the session that ends it"
    assert net.peak_kib(worker.pid) - before < 24 * 1024 and len(server.peers) == 1


def test_a_host_that_refuses_early_and_stops_reading_is_heard_at_once(world):
    """552 in the middle of the message, and not an octet of it read any more."""
    def script(peer):
        peer.greet()
        peer.take("DATA")
        peer.say("354 go ahead")
        peer.sock.recv(1)
        peer.say("552 5.3.4 too large for me")
        over.wait(30)
    over = threading.Event()
    raw_host(world, script, receive_buffer=4096)
    world.configure(session_timeout="20s")
    message_id = world.send("b@example.test", message=HEADER + b"\n" + b"x\n" * (8 << 20))
    world.once()
    over.set()
    (entry,) = world.log(message_id)
    assert entry["reply"]["code"] == 552 and entry["duration_ms"] < 10000


def test_a_quit_is_said_to_a_host_that_refuses_the_session(world):
    def script(peer):
        peer.say("554 5.7.1 no service for you")
        peer.line()
    server = raw_host(world, script)
    message_id = world.send("b@example.test")
    world.once()
    net.wait_for(lambda: server.peers[0].ended, "the end of the session")
    assert server.peers[0].lines == ["QUIT"] and world.outcomes(message_id) == ["deferred"]


# ---- each limit of time acts, and a drip gains nothing ----

LIMITS = {
    "reply_timeout": [Behaviour(drip=(at,), **how) for how in ({}, PLAIN) for at in ("banner", "EHLO", "MAIL", "DATA")],
    "data_timeout": [Behaviour(drip=(".",)), Behaviour(stall=(".",), **PLAIN)],
    "handshake_timeout": [Behaviour(handshake="stall"), Behaviour(handshake="drip")],
}
LIMITS["session_timeout"] = [b for which in LIMITS.values() for b in which]


@pytest.mark.parametrize("option, number", [(o, n) for o, them in LIMITS.items() for n in range(len(them))])
def test_each_limit_of_time_ends_what_it_is_for(world, option, number):
    world.one_host(LIMITS[option][number])
    world.configure(**{option: "1s"})
    message_id = world.send("b@example.test")
    world.once(timeout=15)
    (entry,) = world.log(message_id)
    assert entry["outcome"] in ("deferred", "in_doubt") and 900 <= entry["duration_ms"] < 5000
    assert ("session_timeout" in entry["detail"]) == (option == "session_timeout")


@pytest.mark.parametrize("behaviour, failure", [
    (Behaviour(handshake="stall"), "tls_handshake"), (Behaviour(handshake="drip"), "tls_handshake"),
    (Behaviour(stall=("tls:EHLO",)), "tls_handshake"), (Behaviour(drip=("tls:EHLO",)), "tls_handshake"),
    (Behaviour(stall=("MAIL",)), "tls_session"), (Behaviour(stall=(".",)), "in_doubt")],
    ids=["stall in the handshake", "drip in the handshake", "stall before the first reply",
         "drip before the first reply", "stall later", "no verdict"])
def test_the_limit_of_the_session_is_a_time_out_like_any_other(world, behaviour, failure):
    """A stall counts by where it happens, whichever limit ends it."""
    world.one_host(behaviour)
    world.configure(session_timeout="1s")
    message_id = world.send("b@example.test")
    world.once(timeout=15)
    assert world.log(message_id)[0]["failure"] == failure
