"""The messages of a soak: from the seed alone, one after the other."""
import dataclasses
import random

from . import ledger

SMALL, MIDDLE, LARGE = (400, 2000), (80_000, 120_000), (5_000_000, 5_200_000)
MIDDLE_SHARE = 0.02
LARGE_EVERY, FIRST_LARGE = 2000, 70
SIDE_DOMAINS = 20
SPARE = 1_000_000  # of text, so that bodies begin in many places
HEAD = """\
X-Soak-Id: {id}
From: <{sender}>
To: {to}
Subject: soak {id}
Date: Sat, 28 Nov 2026 12:00:00 +0000
Message-ID: <{id}@soak.test>
MIME-Version: 1.0

"""


@dataclasses.dataclass
class Message:
    id: str
    kind: object
    sender: str
    recipients: list
    content: bytes   # with CRLF
    digest: str

    @property
    def stuffed(self):
        """As after DATA, with the final dot."""
        text = self.content.replace(b"\r\n.", b"\r\n..")
        return (b"." if text.startswith(b".") else b"") + text + b".\r\n"


class Source:
    def __init__(self, table, seed):
        self.table, self.rng = table, random.Random(seed)
        self.kinds = [k for k in table.values() if k.share]
        self.shares = [k.share for k in self.kinds]
        self.fresh = dict.fromkeys(table, 0)
        # Lines of all lengths, some with a dot in front; a body is a piece of it.
        lines, size = [], 0
        while size < LARGE[1] + SPARE:
            line = "." * self.rng.choice((0, 0, 0, 1, 2)) + f"{self.rng.random()} " * self.rng.randrange(1, 20)
            lines.append(line[:990])
            size += len(lines[-1]) + 2
        self.lines = "\r\n".join(lines).encode()

    def _domain(self, kind):
        number = self.rng.randrange(kind.domains)
        if kind.fresh:
            number = self.fresh[kind.name]
            self.fresh[kind.name] += 1
        return f"d{number}.{kind.name}.test"

    def _body(self, number):
        limits = LARGE if number % LARGE_EVERY == FIRST_LARGE else SMALL
        if self.rng.random() < MIDDLE_SHARE and limits is SMALL:
            limits = MIDDLE
        start = self.lines.index(b"\r\n", self.rng.randrange(SPARE // 2)) + 2
        end = self.lines.index(b"\r\n", start + self.rng.randrange(*limits)) + 2
        return self.lines[start:end]

    def make(self, number):
        kind = self.rng.choices(self.kinds, self.shares)[0]
        message_id = f"m{number:07d}"
        domain = self._domain(kind)
        recipients = [f"{name}-{message_id}@{domain}" for name in kind.recipients]
        if kind.name == "several":
            recipients = [f"{name}-{message_id}@{self._domain(self.table['newtls'])}" for name in kind.recipients]
        sender = f"{message_id}@d{number % SIDE_DOMAINS}.back.test"
        head = HEAD.format(id=message_id, sender=sender, to=", ".join(recipients))
        content = head.replace("\n", "\r\n").encode() + self._body(number)
        return Message(message_id, kind, sender, recipients, content, ledger.digest(content))
