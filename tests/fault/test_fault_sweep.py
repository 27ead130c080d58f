"""Every call fails once: the first write, the second one, and so on, until a run needs no more of them.

As SQLite's own tests of I/O errors do it, with the whole program: the command that queues, a worker that delivers
once, bounces and ends, and a worker that stays. The short form tries a few numbers of each kind; the figures of the long
one are printed with `-s`.
"""
import errno
import subprocess

import pytest
from faults import ALWAYS, IS_LONG, Control, Patient
from peers import net
from peers.smtpd import Behaviour

# Name: kind of call, its error, and those that the short form tries.
FAULTS = {"write EIO": ("write", errno.EIO, (2, 9)), "write ENOSPC": ("write", errno.ENOSPC, (4,)),
          "sync EIO": ("sync", errno.EIO, (2, 5)), "size ENOSPC": ("size", errno.ENOSPC, (1,)),
          "open EMFILE": ("open", errno.EMFILE, (4,))}
STATUSES = {"send": (0, 75), "run": (0, 74, 75, 77)}
MAX_CALLS = 400


class Sweep:
    """A world in which the same story is told again and again."""

    def __init__(self, world, library, fault, count):
        self.world, self.fault, self.count = world, fault, count
        self.kind, self.code, self.few = FAULTS[fault]
        self.told = 0  # how often the program said that it could not
        self.patient = Patient(world)
        self.refuses = world.one_host(Behaviour(replies={"MAIL": "550 5.7.1 no"}), domain="refuses.test")
        self.sender = world.one_host(Behaviour(), domain="sender.test")
        self.control = Control(world, library("preload"), self.patient.queue_path)
        world.prepare()

    def begin(self):
        self.control.reset()
        for path in self.world.directory.glob("queue.db*"):
            path.unlink()
        for server in self.world.servers.values():
            server.sessions.clear()
        self.patient.acknowledged.clear()

    def fail(self, number):
        self.control.reset()
        self.control.fail(self.kind, self.code, number, self.count)

    def heal(self):
        """How many calls of the kind there were."""
        calls = self.control.calls(self.kind)
        self.control.heal()
        return calls

    def run_once(self):
        """Ends by itself; where the fault stays, when that has gone."""
        process = subprocess.Popen([self.world.binary, "-c", self.world.conf, "run", "--once"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env={**self.world.env, **self.control.env})
        try:
            _, said = process.communicate(timeout=1 if self.count == ALWAYS else 30)
        except subprocess.TimeoutExpired:
            self.control.heal()
            _, said = process.communicate(timeout=30)
        assert process.returncode in STATUSES["run"], (process.returncode, said)
        self.told += process.returncode != 0

    def settle(self):
        """Rounds without faults, until nothing is queued."""
        for _ in range(6):
            if not self.world.queue():
                return
            self.world.retry()
        assert not self.world.queue()

    def check(self):
        """What was acknowledged, and the bounce that it caused: once, and more often only in doubt."""
        log = self.world.log()
        for tag, message_id in self.patient.acknowledged.items():
            doubts = [e for e in log if e["id"] == message_id and e["outcome"] == "in_doubt"]
            if tag != "bounces":
                assert 1 <= self.patient.arrivals(tag) <= 1 + len(doubts), (tag, log)
        if "bounces" in self.patient.acknowledged:
            doubts = [e for e in log if not e["sender"] and e["outcome"] == "in_doubt"]
            assert 1 <= len(self.sender.messages) <= 1 + len(doubts), log

    # -- the stories --

    def send(self, number):
        self.begin()
        self.fail(number)
        done = self.patient.send("a", env=self.control.env)
        calls = self.heal()
        assert done.returncode in STATUSES["send"], (done.returncode, done.stderr)
        self.told += done.returncode != 0
        if done.returncode:
            assert str(self.patient.queue_path).encode() in done.stderr and not done.stdout, done
        assert self.patient.send("after").returncode == 0, "whatever was left half done"
        self.settle()
        self.check()
        if done.returncode and b"may be stored all the same" not in done.stderr:
            assert not self.patient.arrivals("a"), "what was refused is not delivered"
        return calls

    def run(self, number):
        self.begin()
        assert self.patient.send("a").returncode == 0
        assert self.patient.send("bounces", to="b@refuses.test").returncode == 0
        self.fail(number)
        self.run_once()
        calls = self.heal()
        self.settle()
        self.check()
        return calls

    def is_taken(self, tag, to):
        code, _ = self.patient.hand_over(tag, to=to)
        self.told += code != 250
        return code == 250

    def is_all_delivered(self):
        """A worker that could not be woken looks by itself, but only each half minute."""
        self.world.run("queue", "retry", "--all")
        return not self.world.queue()

    def worker(self, number):
        """Takes what it refused when it comes again, and delivers it, without being started anew."""
        self.begin()
        self.patient.start(self.control.env)
        self.fail(number)
        try:
            for tag, to in (("a", "b@example.test"), ("bounces", "b@refuses.test"), ("c", "b@example.test")):
                net.wait_for(lambda: self.is_taken(tag, to), "the message to be taken")
            net.wait_for(self.is_all_delivered, "all to be delivered", interval_s=0.2)
            calls = self.heal()
            self.check()
        finally:
            self.world.stop(self.patient.process)
        return calls


def tell_all(sweep, story):
    for number in range(1, MAX_CALLS) if IS_LONG else sweep.few:
        if getattr(sweep, story)(number) < number:
            break
    print(f"\n{story}, {sweep.fault}: {number - IS_LONG} calls failed, {'once' if sweep.count == 1 else 'and all after them'};"
          f" {sweep.told} times that was told, else it did not matter")
    assert not IS_LONG or sweep.told and number < MAX_CALLS - 1


@pytest.mark.parametrize("story, fault", [(story, fault) for story in ("send", "run", "worker") for fault in FAULTS
                                          if story != "worker" or fault not in ("size ENOSPC", "open EMFILE")])
def test_each_call_fails_once_and_nothing_is_lost_or_sent_twice(world, library, story, fault):
    """A worker makes room and opens files when it begins, as run --once does."""
    tell_all(Sweep(world, library, fault, count=1), story)


@pytest.mark.skipif(not IS_LONG, reason="make check-fault has it")
@pytest.mark.parametrize("fault", ["write EIO", "write ENOSPC", "sync EIO"])
@pytest.mark.parametrize("story", ["send", "run"])
def test_from_each_call_on_all_fail_and_nothing_is_lost_or_sent_twice(world, library, story, fault):
    tell_all(Sweep(world, library, fault, count=ALWAYS), story)
