"""Hosts that hold sessions, beside hosts that take mail: who waits for whom.

200 destinations are tarpits, of nine kinds (tarpits.py). Nothing here measures a speed: tarpits.py does, as
`make check-tarpits`.
"""
import pytest

from peers import net
from peers.smtpd import Behaviour
from tarpits import KINDS, Tarpits
from world import MESSAGE

TARPITS = 200
FEW = 80  # sessions, where they are fewer than tarpits


@pytest.fixture
def swamp(world):
    """A world with tarpits t0.test ... and two healthy destinations, known.test and fresh.test."""
    world.tarpits = Tarpits(world.block.address, world.port)
    kinds = list(KINDS)
    for kind, address in world.tarpits.addresses.items():
        world.zone.address(f"{kind}.tar.test", address)
    for number in range(TARPITS):
        world.domain(f"t{number}.test", f"{kinds[number % len(kinds)]}.tar.test")
    world.known = world.one_host(Behaviour(), domain="known.test")
    world.fresh = world.one_host(Behaviour(), domain="fresh.test")
    world.configure(reply_timeout="10m", handshake_timeout="10m", data_timeout="10m", session_timeout="10m")
    yield world
    world.tarpits.close()  # then the worker has nothing to wait for when it is told to end


def to_tarpits(world, each=1):
    """`each` messages to each tarpit, the commands of as many sends."""
    recipients = [f"b@t{number}.test" for number in range(TARPITS)]
    for _ in range(each):
        world.send(*recipients)


def batch(world, domain, count):
    world.send_all([([f"b@{domain}"], MESSAGE)] * count)


def wait_for_messages(server, count):
    net.wait_for(lambda: len(server.messages) >= count, f"{count} messages to {server.name}", deadline_s=60)


def test_where_there_is_room_tarpits_are_not_noticed(swamp):
    swamp.configure(max_sessions=300)
    swamp.daemon()
    to_tarpits(swamp)
    net.wait_for(lambda: swamp.tarpits.open == TARPITS, "all tarpits to have a session")
    batch(swamp, "fresh.test", 100)
    wait_for_messages(swamp.fresh, 100)
    assert swamp.tarpits.open == swamp.tarpits.count == TARPITS, "all of them still have it"


def test_who_takes_mail_has_room_beside_tarpits_that_could_take_it_all(swamp):
    swamp.configure(max_sessions=FEW, crowded_timeout="10m")
    swamp.daemon()
    batch(swamp, "known.test", 1)
    wait_for_messages(swamp.known, 1)
    to_tarpits(swamp, each=25)  # 5,000 items
    net.wait_for(lambda: swamp.tarpits.open == FEW * 3 // 4, "the tarpits to have their part")
    for count in range(1, 4):   # what is queued later is found, too
        batch(swamp, "known.test", 100)
        wait_for_messages(swamp.known, 100 * count + 1)
    assert swamp.tarpits.open == swamp.tarpits.count == FEW * 3 // 4, "none has given way, and none has come"


def test_who_is_new_gets_room_from_tarpits(swamp):
    # On a busy machine even its first session may take longer than that: then it comes again.
    swamp.configure(max_sessions=FEW, crowded_timeout="1s", blocks='destination "fresh.test" { retry_schedule = "1s" }\n')
    swamp.daemon()
    to_tarpits(swamp, each=25)
    net.wait_for(lambda: swamp.tarpits.open >= FEW * 3 // 4, "the tarpits to have their part")
    batch(swamp, "fresh.test", 100)
    wait_for_messages(swamp.fresh, 100)
    assert swamp.tarpits.most <= FEW
    said = [e for e in swamp.log() if e["outcome"] == "deferred" and e["domain"] != "fresh.test"]
    assert said and all("others wait for one of max_sessions" in e["detail"] for e in said)
    assert {e["failure"] for e in said} <= {"connect", "session"}
    assert {e["next_channel"] for e in said} == {"tls"}, "it says nothing about TLS"


def test_no_tarpit_is_held_longer_than_session_timeout(swamp):
    swamp.configure(max_sessions=300, session_timeout="2s")
    swamp.daemon()
    to_tarpits(swamp)
    net.wait_for(lambda: len(swamp.tarpits.lasted_s) == TARPITS, "all sessions to end")
    assert 1.5 < min(swamp.tarpits.lasted_s) and max(swamp.tarpits.lasted_s) < 10
