"""The destinations: a row a kind, what its host does, when it counts a message as its own.

A domain is dN.KIND.test. A host that records BEFORE has the message whatever becomes of its
reply; one that records AFTER has it only once the reply has left: where the worker was
killed in between it has nothing, and a worker that forgot the message would have lost it.
"""
import dataclasses

from peers import smtpd
from soaking.kinds import Memory, grey, nobody

BEFORE, AFTER = "before", "after"
DELIVERED, BOUNCED = "delivered", "bounced"


@dataclasses.dataclass
class Kind:
    share: float
    records: str = BEFORE
    fate: str = DELIVERED        # of who is not called nobody
    slow_s: float = 0            # before the reply to the message, at most
    verdict: str = "250 2.0.0 taken"
    behaviour: smtpd.Behaviour = dataclasses.field(default_factory=smtpd.Behaviour)
    users: tuple = ("u",)


def in_the_clear(**how):
    return smtpd.Behaviour(starttls=None, **how)


def make():
    memory = Memory()
    return {
        "plain": Kind(20, BEFORE, behaviour=in_the_clear()),
        "after": Kind(15, AFTER, behaviour=in_the_clear()),
        "chunks": Kind(15, AFTER, behaviour=in_the_clear(extensions=smtpd.CHUNKING)),
        "tls": Kind(6, BEFORE),
        "chunkstls": Kind(6, AFTER, behaviour=smtpd.Behaviour(extensions=smtpd.CHUNKING)),
        "slow": Kind(8, BEFORE, slow_s=0.3, behaviour=in_the_clear()),
        "slowafter": Kind(8, AFTER, slow_s=0.3, behaviour=in_the_clear(extensions=smtpd.CHUNKING)),
        "grey": Kind(6, BEFORE, behaviour=in_the_clear(replies={"RCPT": grey(memory)})),
        "reject": Kind(8, fate=BOUNCED, behaviour=in_the_clear(replies={"RCPT": "550 5.1.1 no such user"})),
        "refuse": Kind(4, fate=BOUNCED, verdict="554 5.6.0 not this one", behaviour=in_the_clear()),
        "partial": Kind(4, AFTER, behaviour=in_the_clear(replies={"RCPT": nobody}), users=("u", "nobody")),
    }


def fate(kinds, recipient):
    """What becomes of a message to it in the end."""
    return BOUNCED if recipient.startswith("nobody") else kinds[recipient.split(".")[-2]].fate
