"""The messages that every sender gets: 4 KiB, one recipient, numbered by their sender."""

HEADER = b"""From: a@sender.test
To: u@d0.test
Subject: a message of the benchmark
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bench@sender.test>
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

"""
LINE = b"A courier runs through the night, and what it carries is of no concern.\n"
SIZE = 4096
AT_ONCE = 64


def text():
    """A message with LF line ends, SIZE octets at most when they are CRLF."""
    lines = HEADER.count(b"\n")
    room = SIZE - len(HEADER) - lines
    return HEADER + LINE * (room // (len(LINE) + 1))


def batch(recipients):
    """Batched SMTP, in pieces: message i from m<i> to recipients[i]."""
    body = text()
    for start in range(0, len(recipients), AT_ONCE):
        yield b"".join(b"MAIL FROM:<m%d@sender.test>\nRCPT TO:<%s>\nDATA\n%s.\n" % (i, to, body)
                       for i, to in enumerate(recipients[start:start + AT_ONCE], start))
    yield b"QUIT\n"


class Spread:
    """Recipients of `count` messages over d0.test ... in turn; without a list of them all."""

    def __init__(self, count, domains):
        self.count, self.names = count, [b"u@d%d.test" % i for i in range(domains)]

    def __len__(self):
        return self.count

    def __getitem__(self, key):
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(self.count))]
        return self.names[key % len(self.names)]
