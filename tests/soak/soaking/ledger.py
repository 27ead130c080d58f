"""What became of every message: what was acknowledged, what arrived, what came back.

A message is recognised by a header that its sender puts on top, and compared from there
on: what hikyaku puts before it is a Received field.
"""
import hashlib
import re

MARK = b"X-Soak-Id: "
FINAL = re.compile(rb"^Final-Recipient: *rfc822; *(\S+)", re.M | re.I)


def digest(content):
    """Of the content with CRLF, from the mark on."""
    at = 0 if content.startswith(MARK) else content.find(b"\n" + MARK) + 1
    return hashlib.sha256(content[at:]).hexdigest()[:24]


def received_line(message, session):
    """For the other side: one line a transaction that came to its final dot."""
    verdict = "taken" if message.accepted else "refused"
    if not message.sender:
        about = b",".join(FINAL.findall(message.data)).decode()
        return f"notice {verdict} {message.recipients[0]} {about or '-'}\n"
    return (f"mail {verdict} {message.sender} {','.join(message.recipients)} {digest(message.data)} "
            f"{session.channel}{'+resumed' if session.resumed else ''}\n")


def id_of(sender):
    return sender.split("@")[0]


class Entry:
    """One message that was acknowledged, or may have been."""
    __slots__ = ("kind", "digest", "waiting", "arrived", "returned", "acknowledged")

    def __init__(self, kind, content_digest, recipients):
        self.kind, self.digest = kind, content_digest
        self.waiting = set(recipients)   # of whom nothing was heard
        self.arrived, self.returned = [], []
        self.acknowledged = False


class Ledger:
    """`expect`, `acknowledge` and `doubt` are for other threads: each is one step."""

    def __init__(self):
        self.entries = {}
        self.problems = []
        self.arrived = self.returned = self.resumed = self.in_tls = 0
        self.in_doubt = set()            # ids of messages
        self._rest = b""

    # -- the sending side --

    def expect(self, message):
        self.entries[message.id] = Entry(message.kind.name, message.digest, message.recipients)

    def acknowledge(self, message_id):
        self.entries[message_id].acknowledged = True

    def doubt(self, sender, recipients):
        """By the retry log; what has no sender is a notice to the one of a message."""
        self.in_doubt.add(id_of(sender or recipients[0]))

    # -- the receiving side --

    def read(self, file):
        """Takes the lines that are new in it."""
        lines = (self._rest + file.read()).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take(line.decode().split(" "))

    def _take(self, words):
        kind, verdict = words[:2]
        if verdict != "taken":
            return
        if kind == "notice":
            self._notice(words[2], words[3].split(","))
        else:
            self._mail(*words[2:])

    def _entry(self, sender):
        entry = self.entries.get(id_of(sender))
        if entry is None:
            self.problems.append(f"something arrived that nobody sent: from or to {sender}")
        return entry

    def _mail(self, sender, recipients, content_digest, channel):
        entry = self._entry(sender)
        if entry is None:
            return
        if content_digest != entry.digest:
            self.problems.append(f"{sender}: arrived with other content")
        for recipient in recipients.split(","):
            self.arrived += 1
            entry.arrived.append(recipient)
            entry.waiting.discard(recipient)
        self.in_tls += channel.startswith("tls")
        self.resumed += channel.endswith("resumed")

    def _notice(self, to, about):
        entry = self._entry(to)
        if entry is None:
            return
        for recipient in about:
            self.returned += 1
            entry.returned.append(recipient)
            entry.waiting.discard(recipient)

    # -- the end --

    def unheard(self):
        # A copy in one step: others add to it meanwhile.
        return sum(bool(e.waiting) and e.acknowledged for e in list(self.entries.values()))

    def check(self, queued):
        """All that is wrong, as lines; `queued`: recipients that still wait, by id."""
        problems = list(self.problems)
        for message_id, entry in self.entries.items():
            problems += [f"{message_id} ({entry.kind}): {what}" for what in self._check_one(message_id, entry, queued)]
        return problems

    def _check_one(self, message_id, entry, queued):
        waits = set(queued.get(message_id, ()))
        if entry.acknowledged:
            for recipient in sorted(entry.waiting - waits):
                yield f"lost for {recipient}"
        if message_id in self.in_doubt:
            return
        for where, what in ((entry.arrived, "arrived"), (entry.returned, "was returned")):
            for recipient in sorted(set(where)):
                if where.count(recipient) > 1:
                    yield f"{what} {where.count(recipient)} times for {recipient}, and no attempt was in doubt"
        for recipient in sorted(set(entry.arrived) & set(entry.returned)):
            yield f"arrived and was returned for {recipient}, and no attempt was in doubt"

    def check_fates(self, table):
        """Kinds whose messages ended otherwise than their hosts make them end."""
        for message_id, entry in self.entries.items():
            fate = table[entry.kind].fate
            if fate == "delivered" and any("nobody" not in r for r in entry.returned):
                yield f"{message_id} ({entry.kind}): was returned"
            if fate == "bounced" and entry.arrived:
                yield f"{message_id} ({entry.kind}): arrived"

    def by_kind(self):
        """kind -> [messages, recipients that got it, recipients it came back for, duplicates]."""
        table = {}
        for entry in self.entries.values():
            row = table.setdefault(entry.kind, [0, 0, 0, 0])
            row[0] += entry.acknowledged
            row[1] += len(set(entry.arrived))
            row[2] += len(set(entry.returned))
            row[3] += len(entry.arrived) - len(set(entry.arrived))
        return table
