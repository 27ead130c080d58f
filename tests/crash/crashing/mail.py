"""The messages: each has a mark, and bytes that follow from it and from the seed alone."""
import random

from soaking.messages import Message

SMALL, LARGE = (1, 3000), (500_000, 700_000)   # LARGE does not fit into memory: it is staged
LARGE_SHARE = 0.01
HEAD = """\
X-Crash-Mark: {id}
From: <{sender}>
To: {to}
Subject: crash {id}
Date: Sat, 28 Nov 2026 12:00:00 +0000
Message-ID: <{id}@crash.test>
MIME-Version: 1.0

"""


def lines(rng, size):
    """Of all lengths, some with dots in front, one empty one now and then."""
    out = []
    while size > 0:
        out.append("." * rng.choice((0, 0, 0, 0, 1, 2)) + f"{rng.getrandbits(64):x} " * rng.randrange(0, 40))
        size -= len(out[-1]) + 2
    return "\r\n".join(out) + "\r\n"


class Source:
    """kinds: name -> kinds.Kind. `make` is for one thread: each feeder has a source."""

    def __init__(self, name, kinds, seed):
        self.name, self.kinds = name, kinds
        self.rng = random.Random(f"{seed} {name}")
        self.count = 0

    def make(self, is_large=False):
        self.count += 1
        rng = self.rng
        names = rng.choices(list(self.kinds), [k.share for k in self.kinds.values()], k=rng.choice((1, 1, 1, 2, 3)))
        message_id = f"{self.name}{self.count:06d}"
        recipients = [f"{user}-{message_id}@d{rng.randrange(3)}.{kind}.test"
                      for kind in dict.fromkeys(names) for user in self.kinds[kind].users]
        sender = f"{message_id}@back.test"
        is_large |= rng.random() < LARGE_SHARE
        size = rng.randrange(*(LARGE if is_large else SMALL))
        head = HEAD.format(id=message_id, sender=sender, to=", ".join(recipients)).replace("\n", "\r\n")
        return Message(message_id, None, sender, recipients, (head + lines(rng, size)).encode(), "")
