"""The destinations of the soak: one row a kind, its share of the messages, what its hosts do.

A domain is dN.KIND.test; its host mx-dN-KIND.example.test has an address by itself, and what a
connection to that address gets is the kind's behaviour. Kinds that are `fresh` have a new
domain, a new host and a new address for each message: whatever is remembered of a
destination has to be bounded, or it is seen.
"""
import dataclasses
import typing

from peers import smtpd

CHUNKING, PLAIN = smtpd.CHUNKING, smtpd.EXTENSIONS
DELIVERED, BOUNCED, EITHER = "delivered", "bounced", "either"


class Memory:
    """Who was refused once already; what has been taken is forgotten."""

    def __init__(self):
        self.seen = set()

    def is_first(self, what):
        if what in self.seen:
            self.seen.discard(what)
            return False
        self.seen.add(what)
        return True


def grey(memory):
    """450 for the first RCPT of each address."""
    return lambda _session, line: "450 4.7.1 come back later" if memory.is_first(line) else None


def hang_up_once(memory):
    """Takes the whole message and hangs up without a word, the first time."""
    def reply(session, _line):
        if memory.is_first(session.messages[-1].sender):
            raise smtpd.HangUp
    return reply


def nobody(_session, line):
    return "550 5.1.1 nobody here" if "nobody" in line else None


@dataclasses.dataclass
class Kind:
    name: str
    share: float                 # of the messages, in percent
    fate: str = DELIVERED        # of each recipient that is not called nobody
    behaviour: smtpd.Behaviour = dataclasses.field(default_factory=smtpd.Behaviour)
    domains: int = 20
    fresh: bool = False
    dns: typing.Optional[str] = None  # "null-mx", "servfail", "nxdomain"
    recipients: tuple = ("u",)


def in_the_clear(**how):
    return smtpd.Behaviour(starttls=None, **how)


def make():
    """All kinds, with memories of their own."""
    memory = Memory()
    one, two, three = ("TLS1.0",), ("TLS1.2",), ("TLS1.3",)
    kinds = [
        Kind("plain", 10, behaviour=in_the_clear(), domains=300),
        Kind("tls12", 7, behaviour=smtpd.Behaviour(versions=two), domains=50),
        Kind("tls13", 7, behaviour=smtpd.Behaviour(versions=three), domains=50),
        Kind("chunking", 6, behaviour=smtpd.Behaviour(extensions=CHUNKING), domains=50),
        Kind("verified", 12, behaviour=smtpd.Behaviour(versions=three, extensions=CHUNKING), fresh=True),
        Kind("newplain", 14, behaviour=in_the_clear(extensions=CHUNKING), fresh=True),
        Kind("newtls", 15, behaviour=smtpd.Behaviour(extensions=CHUNKING), fresh=True),
        # Each of its recipients is at a new domain of newtls, see messages.py.
        Kind("several", 5, recipients=tuple("abcdefgh")),
        Kind("partial", 2, behaviour=in_the_clear(replies={"RCPT": nobody}), recipients=("u", "v", "nobody")),
        Kind("grey", 5, behaviour=smtpd.Behaviour(replies={"RCPT": grey(memory)})),
        Kind("reject", 3, BOUNCED, smtpd.Behaviour(replies={"RCPT": "550 5.1.1 no such user"})),
        Kind("refuse", 1, BOUNCED, in_the_clear(replies={".": "554 5.6.0 not this one"})),
        Kind("badtls", 3, behaviour=smtpd.Behaviour(handshake="alert")),
        Kind("newbadtls", 1, behaviour=smtpd.Behaviour(handshake="alert"), fresh=True),
        Kind("notls", 1, behaviour=smtpd.Behaviour(handshake="garbage")),
        Kind("oldtls", 1, behaviour=smtpd.Behaviour(versions=one)),
        Kind("noresume", 1, behaviour=smtpd.Behaviour(versions=three, breaks_resumption="hello"), domains=5),
        Kind("tlscut", 0.5, BOUNCED, smtpd.Behaviour(drop=("MAIL",))),
        Kind("reset", 0.7, EITHER, in_the_clear(drop=("body",), reset=True)),
        Kind("doubt", 0.7, behaviour=in_the_clear(replies={".": hang_up_once(memory)})),
        Kind("busy", 0.6, BOUNCED, in_the_clear(replies={"banner": "421 4.3.2 not now"})),
        Kind("silent", 0.3, BOUNCED, in_the_clear(stall=("banner",))),
        Kind("drip", 0.2, BOUNCED, in_the_clear(drip=("EHLO",))),
        Kind("tlsstall", 0.3, behaviour=smtpd.Behaviour(handshake="stall")),
        Kind("flood", 0.1, BOUNCED, smtpd.Behaviour(flood="banner")),
        Kind("nullmx", 0.8, BOUNCED, dns="null-mx", fresh=True),
        Kind("nxdomain", 1.2, BOUNCED, dns="nxdomain", fresh=True),
        Kind("servfail", 0.6, BOUNCED, dns="servfail"),
    ]
    # Where the notices go that hikyaku makes; no message is sent to it.
    kinds.append(Kind("back", 0, behaviour=smtpd.Behaviour(extensions=CHUNKING)))
    return {kind.name: kind for kind in kinds}
