"""Delivery status from end to end (RFC 3461, 3464): who asks for what, who tells, and what is told."""
import email
import email.policy

import pytest

from peers import lmtpd
from peers.smtpd import EXTENSIONS, Behaviour
from world import HEADER, MESSAGE

NO_DSN = tuple(word for word in EXTENSIONS if word != "DSN")


@pytest.fixture
def home(world):
    """The server of the sender's domain, where notices arrive."""
    return world.one_host(domain="sender.test")


def batch(world, mail, *recipients, message=MESSAGE):
    """One message by `send --batch`; parameters and recipients as in SMTP. Its id."""
    lines = [f"MAIL FROM:<a@sender.test> {mail}".strip(), *[f"RCPT TO:{r}" for r in recipients], "DATA"]
    return world.text("send", "--batch", stdin="\n".join(lines).encode() + b"\n" + message + b".\nQUIT\n").strip()


class Notice:
    """A notice as Python's email package reads it."""

    def __init__(self, message):
        assert message.sender == "", "a notice has the null sender"
        self.mail = email.message_from_bytes(message.data, policy=email.policy.SMTP)
        assert self.mail.get_content_type() == "multipart/report"
        assert self.mail["Content-Type"].params["report-type"] == "delivery-status"
        assert self.mail["Auto-Submitted"] == "auto-replied" and self.mail["Return-Path"] is None
        assert not [d for part in self.mail.walk() for d in part.defects]
        assert all(len(line) <= 998 for line in message.data.split(b"\r\n"))
        text, self.status_part, self.returned = self.mail.iter_parts()
        self.text = text.get_content().replace("\r\n", "\n")
        self.status, *self.recipients = [{name: " ".join(value.split()) for name, value in block.items()}
                                         for block in self.status_part.get_payload()]


def notices(home):
    return [Notice(message) for message in home.messages]


def test_success_is_told_by_the_host_that_can_and_by_us_for_one_that_cannot(world, home):
    speaks = world.one_host(domain="speaks.test")
    mute = world.one_host(Behaviour(extensions=NO_DSN, rcpt={"gone@mute.test": "550 5.1.1 gone"}), domain="mute.test")
    message_id = batch(world, "RET=FULL ENVID=Q+2B1", "<b@speaks.test> NOTIFY=SUCCESS ORCPT=rfc822;B+2Bx@speaks.test",
                       "<b@mute.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;B+2Bx@mute.test",
                       "<c@mute.test> NOTIFY=NEVER", "<d@mute.test>", "<gone@mute.test> NOTIFY=SUCCESS")
    world.attempts(2)
    assert world.queue() == []

    commands = speaks.sessions[0].lines("tls")
    assert "RCPT TO:<b@speaks.test> NOTIFY=SUCCESS ORCPT=rfc822;B+2Bx@speaks.test" in commands
    assert any(line.endswith("RET=FULL ENVID=Q+2B1") for line in commands)
    assert not any(word in line for line in mute.sessions[0].lines() for word in ("NOTIFY", "ORCPT", "RET=", "ENVID"))
    assert mute.messages[0].recipients == ["b@mute.test", "c@mute.test", "d@mute.test"]

    (notice,) = notices(home)
    (recipient,) = notice.recipients
    assert notice.status["Reporting-MTA"] == "dns; client.sender.test"
    assert notice.status["Original-Envelope-Id"] == "Q+1" and notice.status["X-Hikyaku-Queue-ID"] == message_id
    assert notice.status["Arrival-Date"]
    assert recipient["Original-Recipient"] == "rfc822;B+x@mute.test"
    assert recipient["Final-Recipient"] == "rfc822; b@mute.test"
    assert (recipient["Action"], recipient["Status"]) == ("relayed", "2.0.0")
    assert recipient["Remote-MTA"] == "dns; mx1.mute.test"
    assert recipient["Diagnostic-Code"].startswith("smtp; 250 2.0.0 taken as")
    assert "Last-Attempt-Date" in recipient and "Will-Retry-Until" not in recipient
    assert "handed over to the mail server mx1.mute.test" in notice.text
    assert notice.returned.get_content_type() == "text/rfc822-headers", "RET=FULL is for failures"


def test_what_lmtp_took_is_delivered_and_what_a_route_drops_is_not(world, home):
    servers = {}
    for name, extensions in (("mute", NO_DSN), ("speaks", EXTENSIONS)):
        behaviour = Behaviour(starttls=None, extensions=extensions, verdicts={"full@mute.test": "552 5.2.2 over quota"})
        servers[name] = lmtpd.LmtpServer(world.directory / name, behaviour, world.certificates)
        world.closers.append(servers[name])
    world.policy("routes.txt", f"mute.test lmtp:{servers['mute'].path}\nspeaks.test lmtp:{servers['speaks'].path}\n"
                               "trap.test discard\n")
    recipients = ("b@mute.test", "full@mute.test", "b@speaks.test", "b@trap.test")
    batch(world, "", *(f"<{r}> NOTIFY=SUCCESS,FAILURE" for r in recipients))
    world.attempts(2)
    told = {r["Final-Recipient"]: (r["Action"], r["Status"], r.get("Remote-MTA"))
            for n in notices(home) for r in n.recipients}
    socket = f"x-unix; {servers['mute'].path}"
    assert told == {"rfc822; b@mute.test": ("delivered", "2.0.0", socket),
                    "rfc822; full@mute.test": ("failed", "5.2.2", socket),
                    "rfc822; b@trap.test": ("relayed", "2.0.0", None)}
    assert "RCPT TO:<b@speaks.test> NOTIFY=SUCCESS,FAILURE" in servers["speaks"].sessions[0].lines()
    full, = (n for n in notices(home) if n.recipients[0]["Action"] == "failed")
    assert "mailbox is full" in full.text and "b@mute.test" not in full.text
    assert str(servers["mute"].path) in full.text


LOGS = {
    "en": ("Undelivered mail returned to sender",
           [", attempt 1\n    mx1.example.test[", "the host said \"450 4.2.0 greylisted\"",
            ", attempt 2\n    mx1.example.test[", "the host said \"550 5.1.1 no such user here\""],
           "There is no such mailbox."),
    "ja": ("メールを配送できませんでした",
           [" (1 回目)\n    mx1.example.test[", "ホストの応答「450 4.2.0 greylisted」",
            " (2 回目)\n    mx1.example.test[", "ホストの応答「550 5.1.1 no such user here」"],
           "そのアドレスのメールボックスはありません。"),
}


@pytest.mark.parametrize("language", LOGS)
def test_a_failure_has_the_retry_log_in_it_in_the_language_of_the_option(world, home, language):
    subject, log, meaning = LOGS[language]
    world.one_host(Behaviour(replies={"RCPT": ["450 4.2.0 greylisted", "550 5.1.1 no such user here"]}))
    world.one_host(Behaviour(replies={"MAIL": "451 4.3.0 not now"}), domain="other.test")
    world.configure(dsn_language=language)
    world.send("b@example.test", "b@other.test")
    world.attempts(3)
    (notice,) = notices(home)
    assert home.messages[0].data.isascii()
    assert notice.mail["Subject"] == subject and meaning in notice.text
    places = [notice.text.index(line) for line in log]
    assert places == sorted(places), "in the order of time"
    assert notice.text.count("mx1.example.test[") == 2 and "with TLS1." not in notice.text.split(log[0])[0]
    assert "other.test" not in notice.text, "another destination is another story"
    assert notice.mail["References"] == "<1@sender.test>"
    assert notice.recipients[0]["Action"] == "failed"


def test_a_delay_is_told_to_those_who_want_to_know(world, home):
    world.one_host(Behaviour(replies={"MAIL": "451 4.3.0 later"}))
    world.configure(bounce_delay_warning="1ms")
    batch(world, "RET=FULL", "<b@example.test>", "<c@example.test> NOTIFY=DELAY",
          "<d@example.test> NOTIFY=FAILURE,SUCCESS", "<e@example.test> NOTIFY=NEVER")
    world.attempts(3)
    (notice,) = notices(home)
    assert [r["Final-Recipient"] for r in notice.recipients] == ["rfc822; b@example.test", "rfc822; c@example.test"]
    assert {(r["Action"], r["Status"]) for r in notice.recipients} == {("delayed", "4.3.0")}
    assert all(r["Will-Retry-Until"] for r in notice.recipients)
    assert "do not need to send it again" in " ".join(notice.text.split())
    assert "<b@example.test>, <c@example.test>: the host said \"451 4.3.0 later\"" in notice.text
    assert notice.returned.get_content_type() == "text/rfc822-headers"


def test_the_message_comes_back_as_ret_says(world, home):
    world.one_host(Behaviour(replies={"RCPT": "550 5.1.1 nobody here"}))
    big = MESSAGE + b"x" * 70 + b"\n" + b"line\n" * 20000
    cases = {"HDRS": ("RET=HDRS", MESSAGE), "FULL": ("RET=FULL", big), "small": ("", MESSAGE), "big": ("", big)}
    for name, (mail, message) in cases.items():
        batch(world, f"{mail} ENVID={name}".strip(), "<b@example.test>", message=message)
    world.attempts(2)
    found = {notice.status["Original-Envelope-Id"]: notice for notice in notices(home)}
    assert {name: notice.returned.get_content_type() for name, notice in found.items()} == {
        "HDRS": "text/rfc822-headers", "FULL": "message/rfc822",
        "small": "message/rfc822", "big": "text/rfc822-headers"}
    for name in ("HDRS", "big"):
        header = found[name].returned.get_content().replace("\r\n", "\n").rstrip("\n")
        assert header.endswith(HEADER.decode().rstrip("\n")), "all of the header, and nothing but it"
    assert found["FULL"].returned.get_payload()[0].get_content().count("line") == 20000
    assert found["small"].returned.get_payload()[0].get_content().strip() == "Hello."


def test_addresses_outside_of_ascii_have_the_forms_of_rfc_6533(world, home):
    world.one_host(Behaviour(rcpt={"飛脚@example.test": "550 5.1.1 nobody here"}))
    world.send("飛脚@example.test")
    world.attempts(2)
    (notice,) = notices(home)
    assert notice.status_part.get_content_type() == "message/global-delivery-status"
    assert "Final-Recipient: utf-8; 飛脚@example.test\r\n".encode() in home.messages[0].data
    assert notice.returned.get_content_type() == "message/global"
    assert "<飛脚@example.test>" in notice.text


def test_a_message_that_needs_smtputf8_comes_back_to_a_sender_who_has_none(world):
    """What is not ASCII is in the content of the notice, which is no matter of SMTPUTF8: the
    hosts of a sender with an ASCII address need not know it."""
    old = Behaviour(extensions=tuple(word for word in EXTENSIONS if word != "SMTPUTF8"))
    home = world.one_host(old, domain="sender.test")
    world.one_host(old)
    world.send("b@example.test", message=b"Subject: \xe9\xa3\x9b\xe8\x84\x9a\n\nHello.\n")
    world.attempts(2)
    (notice,) = notices(home)
    assert b"Status: 5.6.7\r\n" in home.messages[0].data
    assert notice.returned.get_content_type() == "message/global"
    assert "SMTPUTF8" not in home.messages[0].parameters and "BODY=8BITMIME" in home.messages[0].parameters
    assert "Subject: 飛脚\r\n".encode() in home.messages[0].data


def test_the_postmaster_is_told_once_of_a_notice_that_got_lost(world):
    home = world.one_host(Behaviour(rcpt={"a@sender.test": "550 5.1.1 gone"}), domain="sender.test")
    world.one_host(Behaviour(replies={"RCPT": "550 5.1.1 nobody here"}))
    batch(world, "", "<b@example.test>")
    world.attempts(4)
    (notice,) = notices(home)
    assert home.messages[0].recipients == ["postmaster@sender.test"] and world.queue() == []
    assert "without a sender" in notice.text
    (inner,) = notice.returned.get_payload()
    assert inner.get_content_type() == "multipart/report", "the lost notice is in it"
