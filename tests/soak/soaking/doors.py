"""The ways in: each a thread that hands over what is in its queue, one message after the other."""
import queue
import subprocess
import threading
import time

from peers import submit

KEPT_FOR = 200          # messages over one connection
BATCH_MAX, BATCH_S = 20, 2.0
REFUSED_PAUSE_S, REFUSED_MAX = 0.5, 20
COMMAND_S = 120         # on a machine that is busy with other things


class Refused(Exception):
    pass


class Door(threading.Thread):
    """`share`: of the messages, in percent. When `hand_over` returns, it was acknowledged."""

    name_of_door, share = "", 0

    def __init__(self, lab, ledger):
        super().__init__(daemon=True)
        self.lab, self.ledger = lab, ledger
        self.todo = queue.Queue(50)
        self.taken = self.refused = 0
        self.trouble = []

    def run(self):
        while (message := self.todo.get()) is not None:
            self.one(message)
        self.leave()

    def one(self, message):
        self.ledger.expect(message)
        for _ in range(REFUSED_MAX):
            try:
                self.hand_over(message)
                self.ledger.acknowledge(message.id)
                self.taken += 1
                return
            except Refused as e:
                self.refused += 1
                self.note(f"{message.id}: {e}")
                time.sleep(REFUSED_PAUSE_S)
            except (OSError, AssertionError, subprocess.SubprocessError) as e:
                # Whether it was taken is not known: it must not be given again.
                self.note(f"{message.id}: {type(e).__name__}: {e}")
                self.leave()
                return

    def note(self, text):
        self.trouble.append(f"{self.name_of_door}: {text}"[:300])

    def hand_over(self, message):
        raise NotImplementedError

    def leave(self):
        pass

    def end(self):
        self.todo.put(None)


class Listener(Door):
    """A client of the listener; kept_for 1: a connection a message."""

    verb, kept_for = "EHLO", KEPT_FOR
    client, used = None, 0

    def place(self):
        return self.lab.smtp_place

    def hand_over(self, message):
        if self.client is None:
            self.client, self.used = submit.Client(self.place()), 0
            self.client.hello(self.verb)
        self.used += 1
        commands = [f"MAIL FROM:<{message.sender}>", *(f"RCPT TO:<{r}>" for r in message.recipients), "DATA"]
        replies = self.client.ask("".join(c + "\r\n" for c in commands).encode(), len(commands))
        if not replies[-1].startswith("354") or any(not r.startswith("250") for r in replies[:-1]):
            self.leave()
            raise Refused(" / ".join(replies))
        self.client.send(message.stuffed)
        replies = self.client.replies(len(message.recipients) if self.verb == "LHLO" else 1)
        if self.used >= self.kept_for:
            self.client.ask("QUIT")
            self.leave()
        if any(not r.startswith("250") for r in replies):
            raise Refused(" / ".join(replies))

    def leave(self):
        if self.client:
            self.client.close()
            self.client = None


class SmtpKept(Listener):
    name_of_door, share = "smtp-kept", 25


class SmtpFresh(Listener):
    name_of_door, share, kept_for = "smtp-fresh", 8, 1


class LmtpKept(Listener):
    name_of_door, share, verb = "lmtp-kept", 30, "LHLO"

    def place(self):
        return self.lab.lmtp_place


class LmtpFresh(LmtpKept):
    name_of_door, share, kept_for = "lmtp-fresh", 7, 1


class Command(Door):
    def ids(self, words, stdin):
        done = subprocess.run(list(map(str, words)), input=stdin, capture_output=True, timeout=COMMAND_S,
                              env=self.lab.env)
        if done.returncode == 75:
            raise Refused(done.stderr.decode(errors="replace"))
        assert done.returncode == 0, f"{words[:4]} exited with {done.returncode}: {done.stderr[:200]}"
        return done.stdout.decode().split()


class Send(Command):
    name_of_door, share = "send", 5

    def hand_over(self, message):
        words = self.lab.words("send", "-f", message.sender, *message.recipients)
        assert len(self.ids(words, message.content.replace(b"\r\n", b"\n"))) == 1


class Sendmail(Command):
    """Which prints no id."""

    name_of_door, share = "sendmail", 5

    def hand_over(self, message):
        words = [self.lab.sendmail, "-C", self.lab.conf, "-i", "-f", message.sender, "--", *message.recipients]
        self.ids(words, message.content.replace(b"\r\n", b"\n"))


class Batch(Command):
    name_of_door, share = "batch", 20

    def run(self):
        more = True
        while more:
            batch, end = [], time.monotonic() + BATCH_S
            while len(batch) < BATCH_MAX:
                try:
                    message = self.todo.get(timeout=max(0.01, end - time.monotonic()))
                except queue.Empty:
                    break
                if message is None:
                    more = False
                    break
                batch.append(message)
            if batch:
                self.many(batch)

    def many(self, batch):
        pieces = []
        for message in batch:
            self.ledger.expect(message)
            rcpt = "".join(f"RCPT TO:<{r}>\r\n" for r in message.recipients)
            pieces += [f"MAIL FROM:<{message.sender}>\r\n{rcpt}DATA\r\n".encode(), message.stuffed]
        try:
            ids = self.ids(self.lab.words("send", "--batch"), b"".join([*pieces, b"QUIT\r\n"]))
            assert len(ids) == len(batch), f"{len(ids)} ids for {len(batch)} messages"
        except (Refused, OSError, AssertionError, subprocess.SubprocessError) as e:
            self.note(f"{batch[0].id} and on: {e}")
            return
        for message in batch:
            self.ledger.acknowledge(message.id)
            self.taken += 1


ALL = (SmtpKept, SmtpKept, SmtpFresh, LmtpKept, LmtpKept, LmtpFresh, Batch, Send, Sendmail)


def open_all(lab, ledger):
    """[(door, share)]: kinds that stand in ALL twice have half of their share each."""
    return [(kind(lab, ledger), kind.share / ALL.count(kind)) for kind in ALL]
