"""One soak from its start to its verdict."""
import collections
import csv
import json
import subprocess
import threading
import time

from peers import net

from . import doors, judge, ledger, messages, watch
from .lab import Lab, Pace
from .meddle import Operator

SHORT_S = 300            # shorter runs have short times, see lab.Pace
WARM_UP_S = 600
COUNTS = ("acknowledged", "refused", "arrived", "returned", "unheard", "in_doubt", "behind_s")
KIB, MIB = 1024, 1024 * 1024
# Quantity -> how much it may be more. Rows, files and descriptors go with the mail that is
# under way, which comes by lot: a large message that waits is 5 MiB more of the file. Memory
# has less to go with, and threads and the journal have nothing. PSS is not among them: it
# rises when another process that has the same libraries ends.
ALLOWED = {
    "rss_kib": judge.Allowance(0.06, 4 * KIB),
    "private_dirty_kib": judge.Allowance(0.06, 4 * KIB),
    "threads": judge.Allowance(0, 0.5),
    "descriptors": judge.Allowance(0.25, 16),
    "database": judge.Allowance(0.1, 12 * MIB),
    "wal": judge.Allowance(0.1, 12 * MIB),
    "shm": judge.Allowance(0, 64 * KIB),
    "journal": judge.Allowance(0, 0.5),
    **{f"rows_{t}": judge.Allowance(0.25, 200) for t in watch.TABLES},
}


def verdicts(samples):
    """Of the time in which mail came in, but for the warm-up."""
    total = samples[-1]["acknowledged"]
    rows = [row for row in samples if row["acknowledged"] < total]
    times = [row["seconds"] for row in rows]
    found = [judge.judge(name, times, [row[name] for row in rows], WARM_UP_S, allowed)
             for name, allowed in ALLOWED.items()]
    return [v for v in found if v]


class Soak:
    def __init__(self, options, say):
        self.o, self.say = options, say
        self.pace = Pace(options.seconds < SHORT_S)
        self.ledger = ledger.Ledger()
        self.samples = []
        self.problems = []
        self.outcomes = collections.Counter()
        self.behind_s = 0.0

    # -- what goes on at the same time --

    def _feed(self):
        """Messages at an even rate, each to a door by lot."""
        source = messages.Source(self.lab.table, self.o.seed)
        shares = [share for _, share in self.doors]
        start, step = time.monotonic(), self.o.seconds / self.o.messages
        for number in range(self.o.messages):
            self.behind_s = time.monotonic() - (start + number * step)
            if self._over.wait(max(0, -self.behind_s)):
                return
            message = source.make(number)
            door = source.rng.choices(self.doors, shares)[0][0]
            door.todo.put(message)

    def _follow(self, process):
        """The retry log as it grows: the entries do not stay in it for long."""
        for line in process.stdout:
            entry = json.loads(line)
            self.outcomes[f"{entry['outcome']} {entry['failure'] or ''}".strip()] += 1
            if entry["outcome"] == "in_doubt":
                self.ledger.doubt(entry["sender"], [r["address"] for r in entry["recipients"]])

    def _sample(self, writer, start):
        row = {"seconds": round(time.monotonic() - start, 1)}
        row.update(watch.sample(self.lab.worker.pid, self.lab.home / "queue.db"))
        self.ledger.read(self.received)
        row["acknowledged"] = sum(d.taken for d, _ in self.doors)
        row["refused"] = sum(d.refused for d, _ in self.doors)
        row["arrived"], row["returned"] = self.ledger.arrived, self.ledger.returned
        row["unheard"], row["in_doubt"] = self.ledger.unheard(), len(self.ledger.in_doubt)
        row["behind_s"] = round(max(0.0, self.behind_s), 1)
        self.samples.append(row)
        writer.writerow(row)
        self.csv.flush()

    # -- the course --

    def run(self):
        """True if everything is as it should be."""
        self._over = threading.Event()
        self.lab = Lab(self.o.build, self.o.directory, self.pace)
        self.say(f"in {self.lab.home}")
        try:
            with open(self.lab.home / "received", "rb") as self.received, \
                    open(self.lab.home / "samples.csv", "w", newline="") as self.csv:
                self._course()
        finally:
            self._over.set()
            self.lab.close()
        self._judge()
        return not self.problems

    def _course(self):
        writer = csv.DictWriter(self.csv, ("seconds", *COUNTS, *watch.COLUMNS))
        writer.writeheader()
        follower = self.lab.follow_log()
        following = threading.Thread(target=self._follow, args=[follower], daemon=True)
        following.start()
        self.doors = doors.open_all(self.lab, self.ledger)
        for door, _ in self.doors:
            door.start()
        operator = Operator(self.lab, min(30, self.o.seconds / 12))
        operator.start()
        feeder = threading.Thread(target=self._feed, daemon=True)
        start = time.monotonic()
        feeder.start()
        while feeder.is_alive() and self.lab.is_alive():
            self._sample(writer, start)
            feeder.join(self.pace.sample_s)
        self.fed_s = time.monotonic() - start
        assert self.lab.is_alive(), "the worker or the other side ended; see run.out and internet.out"
        for door, _ in self.doors:
            door.end()
        for door, _ in self.doors:
            door.join(180)
        self.say("all messages are handed over; draining")
        self._drain(writer, start)
        operator.stop()
        follower.terminate()
        following.join(30)
        self._look_at_the_end(operator)

    def _drain(self, writer, start):
        end = time.monotonic() + self.pace.drain_s
        while time.monotonic() < end:
            self._sample(writer, start)
            if not self.samples[-1]["rows_item"] and not self.ledger.unheard():
                return
            time.sleep(self.pace.sample_s / 2)
        self.say("the queue was not empty in time")

    def _look_at_the_end(self, operator):
        entries = [json.loads(line) for line in self.lab.command("queue", "list", "--json").splitlines()]
        self.queued = {ledger.id_of(e["sender"]): e["recipients"] for e in entries if e["sender"]}
        self.operations = dict(operator.done)
        self.problems += operator.trouble
        status = self.lab.stop_worker()
        if status != 0:
            self.problems.append(f"the worker ended with status {status}")
        self.ledger.read(self.received)
        for door, _ in self.doors:
            self.problems += door.trouble

    # -- the verdict --

    def _judge(self):
        self.problems += self.ledger.check(self.queued)
        self.problems += self.ledger.check_fates(self.lab.table)
        self.growth = verdicts(self.samples) if self.o.seconds >= SHORT_S else []
        self.problems += [f"grows after the warm-up: {v}" for v in self.growth if v.grows]
