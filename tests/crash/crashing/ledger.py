"""What became of each message, recipient by recipient, and what is wrong with it."""
import collections
import email
import email.policy
import re

from world import without_trace

from . import kinds

FINAL = re.compile(rb"^Final-Recipient: *rfc822; *(\S+)", re.M | re.I)
WHOLE_MAX = 60_000     # a notice about a larger message has its header only


class Entry:
    """One message that somebody began to hand over."""

    def __init__(self, message):
        self.message = message
        self.is_acknowledged = False
        self.is_refused = False
        self.arrived, self.returned = collections.Counter(), collections.Counter()


class Ledger:
    """`expect` and `acknowledge` are for the feeders, `arrived` and `returned` for the hosts:
    each is one step."""

    def __init__(self, table):
        self.table = table
        self.entries = {}      # by sender, which no two messages share
        self.problems = []

    def expect(self, message):
        self.entries[message.sender] = Entry(message)

    def acknowledge(self, message):
        self.entries[message.sender].is_acknowledged = True

    def refuse(self, message):
        self.entries[message.sender].is_refused = True

    def arrived(self, sender, recipients, data):
        entry = self.entries.get(sender)
        if entry is None:
            self.problems.append(f"something arrived that nobody sent, from {sender!r}")
            return
        got, sent = without_trace(data), entry.message.content
        if got != sent:
            same = next((i for i, (a, b) in enumerate(zip(got, sent)) if a != b), min(len(got), len(sent)))
            self.problems.append(f"{sender}: arrived with {len(got)} octets in place of {len(sent)}, "
                                 f"other ones from {same} on")
        entry.arrived.update(recipients)

    def returned(self, to, data):
        entry = self.entries.get(to)
        if entry is None:
            self.problems.append(f"a notice for nobody's message, to {to!r}")
            return
        problem = self._notice_problem(entry.message, data)
        if problem:
            self.problems.append(f"{to}: {problem}")
        entry.returned.update(r.decode() for r in FINAL.findall(data))

    @staticmethod
    def _notice_problem(message, data):
        parts = list(email.message_from_bytes(data, policy=email.policy.SMTP).iter_parts())
        if len(parts) != 3 or not data.rstrip().endswith(b"--"):
            return f"a notice with {len(parts)} parts in place of 3"
        whole = message.content if len(message.content) <= WHOLE_MAX else message.content.split(b"\r\n\r\n")[0]
        return None if whole in data else "a notice without the message"

    # -- the end --

    def open(self):
        """How many of those that were acknowledged have not come to their end."""
        return sum(e.is_acknowledged and len(e.arrived.keys() | e.returned.keys()) < len(e.message.recipients)
                   for e in list(self.entries.values()))

    def check(self, log, queued):
        """All that is wrong, as lines. log: the whole retry log; queued: senders of messages in the queue."""
        doubts = collections.Counter()
        for record in log:
            for recipient in record["recipients"]:
                if "in_doubt" in (record["outcome"], recipient["outcome"]):
                    doubts[record["sender"], recipient["address"]] += 1
        problems = list(self.problems)
        for sender, entry in list(self.entries.items()):
            problems += [f"{sender}: {p}" for p in self._check_one(entry, doubts, sender in queued)]
        return problems

    def _check_one(self, entry, doubts, is_queued):
        sender, recipients = entry.message.sender, entry.message.recipients
        ended = entry.arrived.keys() | entry.returned.keys()
        if not is_queued:
            missing = [r for r in recipients if r not in ended]
            if entry.is_acknowledged:
                yield from (f"lost for {r}" for r in missing)
            elif missing and ended:
                yield f"was not acknowledged, and came to {len(ended)} of {len(recipients)} recipients"
        if entry.is_refused and (ended or is_queued):
            yield "was refused, and is there"
        for r in sorted(ended):
            yield from self._check_recipient(r, entry, doubts[sender, r], doubts["", sender])

    def _check_recipient(self, recipient, entry, doubts, notice_doubts):
        arrived, returned = entry.arrived[recipient], entry.returned[recipient]
        if arrived > 1 + doubts:
            yield f"arrived {arrived} times for {recipient}, with {doubts} attempts in doubt"
        if returned > 1 + notice_doubts:
            yield f"came back {returned} times for {recipient}, with {notice_doubts} attempts in doubt"
        if kinds.fate(self.table, recipient) == kinds.DELIVERED and returned:
            yield f"came back for {recipient}, whom its host knows"
        if kinds.fate(self.table, recipient) == kinds.BOUNCED and arrived:
            yield f"arrived for {recipient}, whom its host refuses"

    def figures(self, log):
        entries = [e for e in self.entries.values() if e.is_acknowledged]
        everything = list(self.entries.values())
        doubt = [r for r in log if r["outcome"] == "in_doubt"]
        return {
            "begun": len(everything), "acknowledged": len(entries),
            "not acknowledged, and there": sum(bool(e.arrived or e.returned) for e in everything
                                               if not e.is_acknowledged),
            "recipients delivered": sum(len(e.arrived) for e in everything),
            "recipients bounced": sum(len(e.returned) for e in everything),
            "attempts in doubt": len(doubt),
            "duplicates of messages": sum(e.arrived.total() - len(e.arrived) for e in everything),
            "duplicates of notices": sum(e.returned.total() - len(e.returned) for e in everything),
        }
