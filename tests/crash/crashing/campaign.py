"""A worker that is killed and started again, with mail coming in all the while, and the verdict."""
import collections
import dataclasses
import itertools
import json
import random
import signal
import sqlite3
import subprocess
import threading
import time
import typing

from peers import net

from . import feeders, hosts, kinds, ledger, mail, points

PATIENCE_S = 4.0         # for a fail point to be reached
AT_START_S, LATER_S = 0.15, 1.2   # random kills: right after the start, or later
DRAIN_S = 120
COMMAND_S = 120
EMPTY_TABLES = ("message", "chunk", "item", "recipient", "claim", "holder", "note WHERE holder <> 0")
STAYS = {"", "-wal", "-shm", ".lock", ".wake"}


@dataclasses.dataclass
class Kill:
    point: typing.Optional[points.Point]   # None: at a random time
    nth: int = 1
    after_s: float = 0                     # the random time; of a point that `ends`: SIGTERM


def plan(count, rng, only=None, share_of_points=0.6):
    """The kills of the worker: each fail point at the 1st, 2nd and some Nth time, the others at random
    times. only: a part of the names of fail points; then there are no others."""
    at_points = [p for p in points.of("worker") if only is None or only in p.name]
    kills = [Kill(p, nth, rng.uniform(0.05, 0.5)) for p in at_points for nth in p.times(rng)]
    rng.shuffle(kills)
    wanted = count if only is not None else round(count * share_of_points)
    chosen = list(itertools.islice(itertools.cycle(kills), wanted if kills else 0))
    while len(chosen) < count:
        longest = AT_START_S if rng.random() < 0.3 else LATER_S
        chosen.append(Kill(None, 0, rng.uniform(0, longest)))
    rng.shuffle(chosen)
    return chosen


class Campaign:
    """world: a World that nothing was done with yet. sabotage(campaign): after each kill, for tests of the test."""

    def __init__(self, world, seed, say=lambda _text: None, pause_s=0.05, sabotage=None):
        self.world, self.seed, self.say, self.pause_s, self.sabotage = world, seed, say, pause_s, sabotage
        self.rng = random.Random(f"{seed} kills")
        self.table = kinds.make()
        self.ledger = ledger.Ledger(self.table)
        self.over = threading.Event()
        self.reached, self.missed = collections.Counter(), collections.Counter()
        self.commands_killed = collections.Counter()
        self.random_kills = 0
        self._lock = threading.Lock()
        self._kills = {}
        self._prepare()

    # -- what feeders and doors want to know --

    def source(self, name):
        return mail.Source(name, self.table, self.seed)

    def words(self, *words):
        return [self.world.binary, "-c", self.conf, *words]

    def trouble(self, text):
        with self._lock:
            self.ledger.problems.append(text[:500])
        self.say(f"PROBLEM {text[:500]}")

    def next_kill(self, actor):
        """(name, what to set) of the next fail point at which a command is to die."""
        with self._lock:
            if actor not in self._kills:
                rounds = [(p, nth) for nth in (1, 2) for p in points.of(actor)]
                self._kills[actor] = itertools.cycle(rounds)
            point, nth = next(self._kills[actor])
        return point.name, point.kill(nth)

    def count_command(self, point, was_killed):
        with self._lock:
            self.commands_killed[point] += was_killed

    # -- the course --

    def _prepare(self):
        w = self.world
        self.env, self.conf, self.policy_dir = w.env, w.conf, w.policy_dir
        self.sendmail = w.binary.with_name("hikyaku-sendmail")
        hosts.start(w, self.table, self.ledger)
        self.smtp_place, self.lmtp_place = (w.block.address(), w.port), w.directory / "l"
        w.configure(listen=[f"smtp:{self.smtp_place[0]}:{w.port}", f"lmtp:{self.lmtp_place}"], workers=2,
                    retry_schedule="1s", max_sessions=40)
        w.once()  # makes the queue: until then the operator is told that there is none

    def _start(self, failpoints=None):
        env = {**self.env, **({"HIKYAKU_FAILPOINTS": failpoints} if failpoints else {})}
        with open(self.world.directory / "worker.out", "ab") as out:
            process = subprocess.Popen([*net.DIE_WITH_PARENT, *self.words("run")], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, env=env)
        self.world.daemons[:] = [process]
        return process

    def _kill_at_random(self, kill):
        process = self._start()
        self._wait(process, kill.after_s)
        process.kill()
        self.random_kills += 1
        self._check_end(process, kill)

    def _kill_at_point(self, kill):
        """It kills itself; if it does not get there, it is killed."""
        point = kill.point
        process = self._start(point.kill(kill.nth))
        if point.words & {"ends", "policy"}:
            self._wait_until_open(process)
        if "ends" in point.words:
            self._wait(process, kill.after_s)
            process.send_signal(signal.SIGTERM)
        if "policy" in point.words:
            self._write_policy("no entry at all: !\n")
        self._wait(process, PATIENCE_S)
        was_reached = process.poll() == -signal.SIGKILL
        process.kill()
        if "policy" in point.words:
            self._write_policy("")
        (self.reached if was_reached else self.missed)[point.name, kill.nth] += 1
        self.random_kills += process.wait() == -signal.SIGKILL and not was_reached
        self._check_end(process, kill)

    def _check_end(self, process, kill):
        status = process.wait()
        if status != -signal.SIGKILL and not (status == 0 and kill.point and "ends" in kill.point.words):
            self.trouble(f"the worker ended by itself, with {status}, at {kill}")

    def _write_policy(self, text):
        """Of a file that nobody else edits."""
        scratch = self.policy_dir / ".crash.new"
        scratch.write_text(text)
        scratch.chmod(0o644)
        scratch.rename(self.policy_dir / "mtaproto.txt")

    def _wait_until_open(self, process):
        """From then on it knows how to end."""
        try:
            net.wait_for_port(*self.smtp_place, "the listener", process)
        except AssertionError as e:
            self.trouble(str(e))

    @staticmethod
    def _wait(process, limit_s):
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            pass

    def run(self, kills):
        """True if all is as it should be."""
        running = feeders.start(self, self.pause_s)
        try:
            for number, kill in enumerate(kills, 1):
                (self._kill_at_point if kill.point else self._kill_at_random)(kill)
                if self.sabotage:
                    self.sabotage(self)
                if number % 50 == 0:
                    self.say(f"{number} kills, {len(self.ledger.entries)} messages, {self.ledger.open()} under way, "
                             f"{len(self.ledger.problems)} problems")
        finally:
            self.over.set()
            for feeder in running:
                feeder.join(COMMAND_S)
        self._drain()
        self.problems = [*self.ledger.check(self.log, self.queued), *self._look_at_files()]
        return not self.problems

    def _command(self, *words):
        return subprocess.run(self.words(*words), capture_output=True, env=self.env, timeout=COMMAND_S,
                              check=True).stdout

    def _drain(self):
        """Until nothing is queued: what is in doubt waits for a minute, unless somebody says otherwise."""
        worker = self._start()
        end = time.monotonic() + DRAIN_S
        while True:
            self._command("queue", "release", "--all")
            self._command("queue", "retry", "--all")
            self.queued = {json.loads(line)["sender"] for line in self._command("queue", "list", "--json").splitlines()}
            if not self.queued or time.monotonic() > end or worker.poll() is not None:
                break
            time.sleep(0.3)
        self.log = [json.loads(line) for line in self._command("log", "--json").splitlines()]
        if self.queued:
            self.trouble(f"{len(self.queued)} messages are stuck in the queue: {sorted(self.queued)[:5]}")
        worker.terminate()
        status = worker.wait(60)
        if status != 0:
            self.trouble(f"the last worker ended with {status}")

    def _look_at_files(self):
        """The queue is empty and nobody has it open: what there is now is left over."""
        queue = self.world.directory / "queue.db"
        left = {p.name.removeprefix(queue.name) for p in queue.parent.glob(queue.name + "*")} - STAYS
        if left:
            yield from (f"left over: {queue.name}{suffix}" for suffix in sorted(left))
        db = sqlite3.connect(f"file:{queue}?mode=ro", uri=True)
        try:
            answer = db.execute("PRAGMA integrity_check").fetchall()
            if answer != [("ok",)]:
                yield f"the database is damaged: {answer[:3]}"
            for rows_of in EMPTY_TABLES if not self.queued else ():
                rows = db.execute(f"SELECT count(*) FROM {rows_of}").fetchone()[0]
                if rows:
                    yield f"{rows} rows are left over in {rows_of}"
        finally:
            db.close()

    def figures(self):
        worker_kills = self.random_kills + sum(self.reached.values())
        return {"kills of the worker": worker_kills, "of these at fail points": sum(self.reached.values()),
                "fail points reached": len({name for name, _ in self.reached}),
                "kills of commands": sum(self.commands_killed.values()), **self.ledger.figures(self.log)}

    def never_reached(self):
        """Fail points of the worker that were tried, and at which it never died."""
        return sorted({name for name, _ in self.missed} - {name for name, _ in self.reached})
