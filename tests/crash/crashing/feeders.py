"""Who does things while the worker is killed: those who hand mail over, an operator, an editor of policies.

Each is a thread. `turn` does one thing, and says to the ledger what came of it; commands are
now and then killed at a fail point themselves.
"""
import random
import signal
import subprocess
import threading
import time

from peers import submit
from soaking import doors

COMMAND_S = 120          # on a machine that is busy with other things
OPEN_MAX = 400           # messages under way, then the feeders wait
CLOSED_S = 0.01          # between two looks at a door that is closed
ABORTED_SHARE = 0.02
KILLED_SHARE = 0.15      # of the commands
EX_OK, EX_TEMPFAIL = 0, 75


class Feeder(threading.Thread):
    """pause_s: on average, after each turn."""

    actor = None          # whose fail points its commands are killed at

    def __init__(self, campaign, name, pause_s):
        super().__init__(daemon=True, name=name)
        self.campaign, self.ledger, self.pause_s = campaign, campaign.ledger, pause_s
        self.source = campaign.source(name)
        self.rng = random.Random(f"{campaign.seed} {name} turns")

    def run(self):
        while not self.campaign.over.wait(self.rng.expovariate(1 / self.pause_s)):
            if self.ledger.open() > OPEN_MAX:
                continue
            try:
                self.turn()
            except Exception as e:  # pylint: disable=broad-except; a thread must not end in silence
                self.campaign.trouble(f"{self.name}: {type(e).__name__}: {e}")
        self.leave()

    def turn(self):
        raise NotImplementedError

    def leave(self):
        pass

    def next_kill(self):
        """(name of a fail point, what to set), mostly (None, "")."""
        return self.campaign.next_kill(self.actor) if self.rng.random() < KILLED_SHARE else (None, "")

    def command(self, words, stdin=b"", kill=(None, "")):
        """The finished process. It may have been killed."""
        point, failpoints = kill
        env = {**self.campaign.env, **({"HIKYAKU_FAILPOINTS": failpoints} if point else {})}
        done = subprocess.run(list(map(str, words)), input=stdin, capture_output=True, env=env, timeout=COMMAND_S,
                              check=False)
        if point:
            self.campaign.count_command(point, done.returncode == -signal.SIGKILL)
        if done.returncode not in (EX_OK, EX_TEMPFAIL, -signal.SIGKILL):
            self.campaign.trouble(f"{words[:6]} exited with {done.returncode}: {done.stderr[:300]}")
        return done


class AtDoor(Feeder):
    """A client of the listener, SMTP or LMTP, that stays connected or comes anew each time."""

    def __init__(self, campaign, name, pause_s, kind):
        super().__init__(campaign, name, pause_s)
        self.door = kind(campaign, None)

    def turn(self):
        if not self.connect():
            return
        message = self.source.make()
        self.ledger.expect(message)
        if self.rng.random() < ABORTED_SHARE:
            self.abort(message)
            return
        try:
            self.door.hand_over(message)
            self.ledger.acknowledge(message)
        except doors.Refused as e:
            # An empty reply is a connection that ended: nobody knows.
            if "" not in str(e).split(" / "):
                self.ledger.refuse(message)
            self.leave()
        except (OSError, AssertionError):
            self.leave()

    def connect(self):
        try:
            if self.door.client is None:
                self.door.client, self.door.used = submit.Client(self.door.place()), 0
                self.door.client.hello(self.door.verb)
            return True
        except (OSError, AssertionError):
            self.leave()
            time.sleep(CLOSED_S)
            return False

    def abort(self, message):
        """Goes away before the end of a large message: it must never be there."""
        self.ledger.refuse(message)
        recipients = "".join(f"RCPT TO:<{r}>\r\n" for r in message.recipients)
        try:
            self.door.client.ask(f"MAIL FROM:<{message.sender}>\r\n{recipients}DATA\r\n".encode(),
                                 2 + len(message.recipients))
            self.door.client.send(message.stuffed[:-3] + b"x" * 600_000)
        except OSError:
            pass
        self.leave()

    def leave(self):
        self.door.leave()


class Send(Feeder):
    actor = "send"

    def turn(self):
        kill = self.next_kill()
        message = self.source.make(is_large="stage" in kill[1])
        self.ledger.expect(message)
        done = self.command(self.campaign.words("send", "-f", message.sender, *message.recipients),
                            message.content.replace(b"\r\n", b"\n"), kill)
        if done.stdout.strip():
            self.ledger.acknowledge(message)   # the id counts, even if the end was not peaceful
        elif done.returncode == EX_TEMPFAIL:
            self.ledger.refuse(message)
        elif done.returncode == EX_OK:
            self.campaign.trouble(f"send printed no id for {message.id}")


class Batch(Feeder):
    actor = "send"

    def turn(self):
        batch = [self.source.make() for _ in range(self.rng.randrange(1, 12))]
        pieces = []
        for message in batch:
            self.ledger.expect(message)
            recipients = "".join(f"RCPT TO:<{r}>\r\n" for r in message.recipients)
            pieces += [f"MAIL FROM:<{message.sender}>\r\n{recipients}DATA\r\n".encode(), message.stuffed]
        done = self.command(self.campaign.words("send", "--batch"), b"".join([*pieces, b"QUIT\r\n"]),
                            self.next_kill())
        ids = done.stdout.split()
        for message in batch[:len(ids)]:
            self.ledger.acknowledge(message)
        if done.returncode == EX_OK and len(ids) != len(batch):
            self.campaign.trouble(f"send --batch printed {len(ids)} ids for {len(batch)} messages")


class Sendmail(Feeder):
    actor = "sendmail"

    def turn(self):
        message = self.source.make()
        self.ledger.expect(message)
        done = self.command([self.campaign.sendmail, "-C", self.campaign.conf, "-i", "-f", message.sender, "--",
                             *message.recipients], message.content.replace(b"\r\n", b"\n"), self.next_kill())
        if done.returncode == EX_OK:
            self.ledger.acknowledge(message)
        elif done.returncode == EX_TEMPFAIL:
            self.ledger.refuse(message)


class Operator(Feeder):
    """Holds a destination, releases it, and does not wait for times."""

    actor = "operator"

    def turn(self):
        verb = self.rng.choice((["hold", "--domain", f"d{self.rng.randrange(3)}.plain.test"], ["release", "--all"],
                                ["retry", "--all"], ["retry", "--all"]))
        self.command(self.campaign.words("queue", *verb), kill=self.next_kill())


class Editor(Feeder):
    """Edits a policy file, and sees that it is the old one or the new one."""

    actor = "policy"

    def __init__(self, campaign, name, pause_s):
        super().__init__(campaign, name, pause_s)
        self.count = 0
        self.sure, self.maybe = [], []

    def turn(self):
        self.count += 1
        entry = f"[k{self.count}.away.test]"
        done = self.command(self.campaign.words("policy", "exclude", "add", entry), kill=self.next_kill())
        (self.sure if done.returncode == EX_OK else self.maybe).append(entry)
        self.check()

    def check(self):
        directory = self.campaign.policy_dir
        path = directory / "nomtatsl.txt"
        entries = path.read_text().splitlines() if path.exists() else []
        expected = [e for e in entries if e in self.sure or e in self.maybe]
        if entries != expected or not set(self.sure) <= set(entries):
            self.campaign.trouble(f"the policy file has {entries[-3:]} at its end, after {self.count} edits")
        beside = [p.name for p in directory.iterdir() if path.name in p.name and p != path]
        if len(beside) > 1:
            self.campaign.trouble(f"beside the policy file there are {beside}")


def start(campaign, pause_s):
    """All of them, running. pause_s: of a client of the listener."""
    kinds = {"sk": doors.SmtpKept, "sf": doors.SmtpFresh, "lk": doors.LmtpKept, "lf": doors.LmtpFresh}
    feeders = [AtDoor(campaign, name, pause_s, kind) for name, kind in kinds.items()]
    feeders += [Send(campaign, "se", 3 * pause_s), Batch(campaign, "ba", 6 * pause_s),
                Sendmail(campaign, "sm", 3 * pause_s), Operator(campaign, "op", 6 * pause_s),
                Editor(campaign, "ed", 6 * pause_s)]
    for feeder in feeders:
        feeder.start()
    return feeders
