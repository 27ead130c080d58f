"""The judge of the soak, with series that are made: it has to see a small leak, and not what is none."""
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from soaking import judge, ledger  # noqa: E402

LENGTH_S, EVERY_S, WARM_UP_S = 7200, 10, 600
TIMES = range(0, LENGTH_S, EVERY_S)
MEMORY = judge.Allowance(0.06, 4096)  # as for KiB of memory
ROWS = judge.Allowance(0.25, 200)


def series(shape, noise=0.0, seed=1):
    rng = random.Random(seed)
    return [shape(t) + rng.gauss(0, noise) for t in TIMES]


def grows(values, allowance=MEMORY):
    return judge.judge("x", TIMES, values, WARM_UP_S, allowance).grows


def warming_up(t, level=60000):
    return level * min(1.0, 0.4 + 0.6 * t / WARM_UP_S)


LEAKS = {
    # 200,000 messages: 20 octets each, some 4 MiB.
    "a little with each message": lambda t: 60000 + 4000 * t / LENGTH_S,
    "after an hour": lambda t: 60000 + max(0, t - 3600) * 8000 / 3600,
    "in four jumps": lambda t: 60000 + 1800 * (t // 1440),
    "slower and slower": lambda t: 60000 + 9000 * (t / LENGTH_S) ** 0.5,
    "under a saw": lambda t: 60000 + 3000 * (t % 600) / 600 + 5000 * t / LENGTH_S,
}


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("seed", range(5))
def test_a_leak_is_seen(name, seed):
    assert grows(series(LEAKS[name], 300, seed))


HEALTHY = {
    "level": lambda t: 60000,
    "growing in the warm-up alone": warming_up,
    "a saw": lambda t: 60000 + 6000 * (t % 900) / 900,
    "a day's wave in small": lambda t: 60000 + 1500 * (1 if t % 1800 < 900 else -1),
    "falling": lambda t: 60000 - 2 * t,
    "one high hour in the middle": lambda t: 60000 + (3000 if 2400 < t < 4800 else 0),
}


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("seed", range(5))
def test_what_goes_up_and_down_is_no_leak(name, seed):
    assert not grows(series(HEALTHY[name], 300, seed))


def test_a_peak_does_not_turn_the_slope():
    values = [60000 + (20000 if 5000 < t < 5100 else 0) for t in TIMES]
    assert abs(judge.judge("x", TIMES, values, WARM_UP_S, MEMORY).drift) < 1


def test_what_a_few_samples_happen_to_see_is_no_growth():
    assert not grows([60000 + (9000 if 6000 < t < 6050 else 0) for t in TIMES])
    assert grows([60000 + (9000 if t > 6000 else 0) for t in TIMES])


def test_a_table_that_is_never_pruned_is_seen_beside_one_that_is():
    assert grows(series(lambda t: 28 * t, 100), ROWS)
    assert not grows(series(lambda t: 28 * min(t, 180) + 28 * (t % 18), 100), ROWS)


def test_one_descriptor_in_five_thousand_messages_is_seen():
    assert grows(series(lambda t: 110 + t / LENGTH_S * 40, 8), judge.Allowance(0.25, 16))
    assert not grows(series(lambda t: 110, 5), judge.Allowance(0.25, 16))


def test_little_is_said_of_few_samples():
    assert judge.judge("x", range(10), range(10), 0, MEMORY) is None


class Sent:
    def __init__(self, number, recipients):
        self.id, self.recipients, self.digest = f"m{number}", recipients, "d"
        self.kind = self
        self.name = "plain"


class Lines:
    """A file that has grown by these lines."""

    def __init__(self, *lines):
        self.octets = "".join(line + "\n" for line in lines).encode()

    def read(self):
        return self.octets


def account(*lines, in_doubt=False, queued=None):
    book = ledger.Ledger()
    book.expect(Sent(1, ["a@x.test", "b@x.test"]))
    book.acknowledge("m1")
    if in_doubt:
        book.doubt("m1@back.test", [])
    book.read(Lines(*lines))
    return book.check(queued or {})


A = "mail taken m1@back.test a@x.test d tls"
B = "mail taken m1@back.test b@x.test d tls"
NOTICE = "notice taken m1@back.test b@x.test"


@pytest.mark.parametrize("lines, how, wrong", [
    ((A, B), {}, []),
    ((A, NOTICE), {}, []),
    ((A,), {"queued": {"m1": ["b@x.test"]}}, []),
    ((A,), {}, ["m1 (plain): lost for b@x.test"]),
    ((A, "mail refused m1@back.test b@x.test d tls"), {}, ["m1 (plain): lost for b@x.test"]),
    ((A, A, B), {}, ["m1 (plain): arrived 2 times for a@x.test, and no attempt was in doubt"]),
    ((A, A, B), {"in_doubt": True}, []),
    ((A, B, NOTICE), {}, ["m1 (plain): arrived and was returned for b@x.test, and no attempt was in doubt"]),
    ((A.replace(" d ", " e "), B), {}, ["m1@back.test: arrived with other content"]),
    ((A, B, A.replace("m1@", "m2@")), {}, ["something arrived that nobody sent: from or to m2@back.test"]),
])
def test_what_became_of_a_message_is_told(lines, how, wrong):
    got = account(*lines, **how)
    assert [p for p in got if p not in wrong] == [] and [w for w in wrong if w not in got] == []


def test_content_counts_from_its_mark_and_to_its_end():
    content = b"X-Soak-Id: 1\r\nSubject: s\r\n\r\nbody\r\n"
    assert ledger.digest(b"Received: from x\r\n by y\r\n" + content) == ledger.digest(content)
    assert ledger.digest(content + b"\r\n") != ledger.digest(content)
