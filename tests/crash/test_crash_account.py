"""The account of the crash tests notices each kind of wrong."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "soak")]

from crashing import kinds, ledger, mail  # noqa: E402

NOTICE = b"""\
Content-Type: multipart/report; boundary=b\r
\r
--b\r
\r
Sorry.\r
--b\r
\r
Final-Recipient: rfc822; %s\r
--b\r
\r
%s\r
--b--\r
"""


class Account:
    """One acknowledged message to one recipient of a kind."""

    def __init__(self, kind="plain"):
        table = kinds.make()
        self.ledger = ledger.Ledger(table)
        self.message = mail.Source("x", {kind: table[kind]}, 1).make()
        self.sender, self.recipient = self.message.sender, self.message.recipients[0]
        self.ledger.expect(self.message)
        self.ledger.acknowledge(self.message)

    def arrive(self, content=None):
        self.ledger.arrived(self.sender, [self.recipient], content or self.message.content)

    def come_back(self):
        self.ledger.returned(self.sender, NOTICE % (self.recipient.encode(), self.message.content))

    def problems(self, *doubts, queued=()):
        log = [{"sender": s, "outcome": "in_doubt", "recipients": [{"address": r, "outcome": "in_doubt"}]}
               for s, r in doubts]
        return self.ledger.check(log, set(queued))


@pytest.fixture
def account():
    return Account()


def test_what_arrived_once_is_well(account):
    account.arrive()
    assert account.problems() == []


def test_what_is_queued_is_not_lost(account):
    assert account.problems(queued=[account.sender]) == []


def test_what_is_nowhere_is_lost(account):
    assert account.problems() == [f"{account.sender}: lost for {account.recipient}"]


def test_what_arrived_twice_was_in_doubt_or_is_wrong(account):
    account.arrive()
    account.arrive()
    assert "arrived 2 times" in account.problems()[0]
    assert account.problems((account.sender, account.recipient)) == []


def test_a_doubt_about_another_recipient_excuses_nothing(account):
    account.arrive()
    account.arrive()
    assert account.problems((account.sender, "somebody@else.test"))


def test_an_octet_that_changed_is_told_with_its_place(account):
    account.arrive(account.message.content[:-3] + b"!\r\n")
    assert f"other ones from {len(account.message.content) - 3} on" in account.problems()[0]


def test_half_a_message_is_told(account):
    account.arrive(account.message.content[:200])
    assert "with 200 octets" in account.problems()[0]


def test_what_was_refused_must_not_be_there(account):
    account.ledger.refuse(account.message)
    account.arrive()
    assert any("was refused, and is there" in p for p in account.problems())


def test_a_bounce_of_what_the_host_takes_is_wrong(account):
    account.come_back()
    assert any("whom its host knows" in p for p in account.problems())


def test_a_bounce_of_what_the_host_refuses_is_well_once():
    account = Account("reject")
    account.come_back()
    assert account.problems() == []
    account.come_back()
    assert "came back 2 times" in account.problems()[0]
    assert account.problems(("", account.sender)) == []


def test_mail_that_nobody_sent_is_told(account):
    account.ledger.arrived("who@back.test", ["u@d0.plain.test"], b"x")
    assert any("nobody sent" in p for p in account.problems())
