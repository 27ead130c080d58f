"""Receivers that misbehave: the worker goes on, the message stays, nobody waits for ever."""
import time

import pytest

from peers import net
from peers.smtpd import Behaviour

HOSTILE = {
    "garbage banner": Behaviour(replies={"banner": b"\x00\xff\xfe\r\n"}),
    "HTTP": Behaviour(replies={"banner": b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"}),
    "endless line": Behaviour(flood="line"),
    "gigabyte banner": Behaviour(flood="banner"),
    "silent": Behaviour(stall=("banner",)),
    "codes that differ": Behaviour(replies={"EHLO": "250-one\r\n350 two"}),
    "endless EHLO": Behaviour(replies={"EHLO": b"250-X\r\n" * 5000}),
    "reply nobody asked for": Behaviour(replies={"MAIL": b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n"}),
    "3xx to MAIL": Behaviour(replies={"MAIL": "354 what?"}),
    "2xx to DATA": Behaviour(replies={"DATA": "250 what?"}),
    "code 999": Behaviour(replies={"MAIL": "999 what?"}),
    "NUL in a reply": Behaviour(replies={"MAIL": b"25\x000 ok\r\n"}),
    "verdict in doubt": Behaviour(replies={".": b"garbage\r\n"}),
    "NULs inside TLS": Behaviour(replies={"tls:EHLO": b"\x00" * 5000 + b"\r\n"}),
    "stalls in the body": Behaviour(stall=("DATA",)),
    "reset": Behaviour(drop=("tls:MAIL",), reset=True),
}
HOSTILE |= {f"hangs up at {where}": Behaviour(drop=(where,)) for where in
            ("banner", "plain:EHLO", "STARTTLS", "tls:EHLO", "MAIL", "RCPT", "DATA", "body", ".")}
HOSTILE |= {f"hangs up at {where} in plaintext": Behaviour(starttls=None, drop=(where,)) for where in
            ("MAIL", "RCPT", "DATA", "body", ".")}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_receiver_neither_hangs_the_worker_nor_loses_the_message(world, kind):
    bad = world.one_host(HOSTILE[kind], domain="bad.test")
    good = world.one_host()
    world.configure(reply_timeout="2s", data_timeout="2s", handshake_timeout="2s", session_timeout="8s")
    bad_id = world.send("b@bad.test")
    worker = world.daemon()
    net.wait_for(lambda: world.log(bad_id), "the attempt to end", interval_s=0.05)
    entry = world.log(bad_id)[-1]
    assert entry["outcome"] in ("deferred", "in_doubt") and entry["failure"]
    assert world.entry(bad_id), "it is still queued"
    good_id = world.send("b@example.test")
    world.wait_gone(good_id)
    assert len(good.messages) == 1 and worker.poll() is None
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
