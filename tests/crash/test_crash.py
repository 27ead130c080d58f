"""Some kills of a worker, see README.md: 1,000 are `make check-crash`."""
import pathlib
import random
import struct
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "soak")]

from crashing import campaign, points  # noqa: E402

SHARES = 3             # they run side by side
KILLS = 17             # of each: 51 in all
JOURNAL_HEAD, JOURNAL_ENTRY, WIPED = 256, 256, 200  # octets, octets, entries; see src/queue/journal.c


def seed():
    return random.SystemRandom().randrange(10**6)


@pytest.fixture
def failpoints(binary):
    if not points.are_compiled_in(binary):
        pytest.skip("the program has no fail points: configure with --enable-failpoints")


def test_the_list_has_every_fail_point_of_the_sources_and_no_other():
    listed = [p.name for p in points.read()]
    assert sorted(listed) == sorted(points.in_sources())
    for point in points.read():
        assert set(point.actors) <= points.ACTORS and point.actors and point.leaves, point


@pytest.mark.parametrize("share", range(SHARES))
def test_what_was_acknowledged_survives_kills(world, failpoints, share):
    c = campaign.Campaign(world, seed())
    kills = campaign.plan(SHARES * KILLS, random.Random(c.seed))[share::SHARES]
    assert c.run(kills), f"seed {c.seed}: " + "\n".join(c.problems[:20])
    figures = c.figures()
    assert figures["kills of the worker"] >= KILLS - 1, figures  # one may have been too late
    assert figures["recipients delivered"] and figures["recipients bounced"], figures


def test_a_journal_that_forgets_its_marks_is_found_out(world, failpoints):
    def forget(_c):
        """As if no message had been marked before its final dot."""
        for path in world.directory.glob("queue.db.doubt.*"):
            with open(path, "r+b") as f:
                for number in range(WIPED):
                    f.seek(JOURNAL_HEAD + number * JOURNAL_ENTRY)
                    f.write(struct.pack("<q", 0))
    at_finish = next(p for p in points.of("worker") if p.name == "delivery.finish")
    c = campaign.Campaign(world, seed(), sabotage=forget)
    assert not c.run([campaign.Kill(at_finish, nth) for nth in (1, 2, 3, 2)])
    assert any("arrived 2 times" in p and "with 0 attempts in doubt" in p for p in c.problems), c.problems


def test_a_message_that_is_taken_away_is_missed(world, failpoints):
    taken = []

    def take_one(c):
        """An operator removes a message that was acknowledged, and tells nobody."""
        for entry in [] if taken else world.queue():
            known = c.ledger.entries.get(entry["sender"])
            if known and known.is_acknowledged and not known.arrived and not known.returned:
                world.run("queue", "remove", entry["id"])
                taken.append(entry["sender"])
                return
    c = campaign.Campaign(world, seed(), sabotage=take_one)
    assert not c.run([campaign.Kill(None, 0, 0.5)] * 4) and taken
    assert [p for p in c.problems if taken[0] in p and "lost for" in p], c.problems
