"""Receivers that misbehave, where it takes a story to tell; what takes a line is in tests/fake."""
import socket
import threading

import pytest

from peers import net
from peers.raw import RawServer
from peers.smtpd import Behaviour
from world import HEADER


def small_quarantine(world):
    """What the address sanitizer keeps of freed memory is not the program's."""
    return {"ASAN_OPTIONS": world.env["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}


def test_a_lost_message_is_not_taken_for_sent_when_replies_fall_out_of_step(world):
    """A reply too many earlier on must not become the verdict on the message."""
    server = world.one_host(Behaviour(replies={"RCPT": b"250 ok\r\n250 ok\r\n", ".": "451 4.3.0 not taken"}))
    message_id = world.send("b@example.test")
    world.once()
    assert server.messages == [] and world.log(message_id)[-1]["outcome"] != "delivered"
    assert world.entry(message_id)


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
