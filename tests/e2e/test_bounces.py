"""A message that cannot be delivered goes back to its sender, once, and never in circles."""
import email

import pytest

from peers import net
from peers.smtpd import Behaviour
from world import MESSAGE

REFUSES = Behaviour(rcpt={"b@example.test": "550 5.1.1 no such user here"})


@pytest.fixture
def home(world):
    """The server of the sender's domain, where bounces arrive."""
    return world.one_host(domain="sender.test")


def parts(message):
    """Text, delivery status and returned part of a bounce."""
    bounce = email.message_from_bytes(message.data)
    assert bounce.get_content_type() == "multipart/report"
    assert bounce.get_param("report-type") == "delivery-status"
    return bounce, bounce.get_payload()


def test_a_bounce_is_an_rfc_3464_report_with_null_sender(world, home):
    world.one_host(REFUSES)
    message_id = world.send("b@example.test")
    world.attempts(2)
    (message,) = home.messages
    assert (message.sender, message.recipients) == ("", ["a@sender.test"])
    bounce, (text, status, returned) = parts(message)
    for field in ("From", "To", "Date", "Message-ID", "Subject"):
        assert bounce[field], field
    assert "a@sender.test" in bounce["To"]
    words = text.get_payload(decode=True).decode()
    told, tried = words.split("What was tried")
    assert "b@example.test" in told and told.count("no such user here") == tried.count("no such user here") == 1
    assert status.get_content_type() == "message/delivery-status"
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"].replace(" ", "") == "dns;client.sender.test"
    assert per_recipient["Final-Recipient"].replace(" ", "").lower() == "rfc822;b@example.test"
    assert (per_recipient["Action"], per_recipient["Status"]) == ("failed", "5.1.1")
    assert "550 5.1.1 no such user here" in per_recipient["Diagnostic-Code"]
    assert "mx1.example.test" in per_recipient["Remote-MTA"]
    assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers")
    assert b"<1@sender.test>" in returned.as_bytes()
    assert world.outcomes(message_id) == ["bounced"] and world.queue() == []


def test_recipients_that_fail_together_share_a_bounce_and_the_others_are_delivered(world, home):
    server = world.one_host(Behaviour(rcpt={"x@example.test": "550 5.1.1 no x", "y@example.test": "550 5.1.1 no y"}))
    world.send("x@example.test", "b@example.test", "y@example.test")
    world.attempts(2)
    assert server.messages[0].recipients == ["b@example.test"]
    (message,) = home.messages
    _, (_, status, _) = parts(message)
    assert [p["Status"] for p in status.get_payload()[1:]] == ["5.1.1", "5.1.1"]
    assert b"b@example.test" not in status.as_bytes()


def test_a_bounce_is_never_bounced_but_goes_to_the_postmaster(world):
    home = world.one_host(Behaviour(rcpt={"a@sender.test": "550 5.1.1 gone"}), domain="sender.test")
    world.one_host(REFUSES)
    world.send("b@example.test")
    world.attempts(4)
    assert [(m.sender, m.recipients) for m in home.messages] == [("", ["postmaster@sender.test"])]
    assert world.queue() == []


def test_when_even_the_postmaster_is_refused_it_ends(world):
    home = world.one_host(Behaviour(replies={"RCPT": "550 5.1.1 nobody here"}), domain="sender.test")
    world.one_host(REFUSES)
    world.send("b@example.test")
    world.attempts(6)
    assert home.messages == [] and world.queue() == []
    rounds = len(home.sessions)
    world.attempts(2)
    assert len(home.sessions) == rounds, "nothing goes in circles"


def test_the_null_sender_gets_no_bounce(world, home):
    world.one_host(REFUSES)
    world.send("b@example.test", sender="<>")
    world.attempts(3)
    assert all(m.recipients == ["postmaster@sender.test"] for m in home.messages)
    assert world.queue() == []


def test_after_max_attempts_it_is_returned(world, home):
    server = world.one_host(Behaviour(replies={"MAIL": "451 4.3.0 later"}))
    world.configure(max_attempts=3)
    message_id = world.send("b@example.test")
    world.attempts(4)
    assert len(server.sessions) == 3
    assert world.outcomes(message_id)[-1] == "bounced" and len(home.messages) == 1
    _, (text, status, _) = parts(home.messages[0])
    assert status.get_payload()[1]["Action"] == "failed"
    assert "451" in home.messages[0].data.decode() and "later" in text.get_payload(decode=True).decode()


def test_after_max_age_it_is_returned(world, home):
    world.one_host(Behaviour(replies={"MAIL": "451 4.3.0 later"}))
    world.configure(max_age="1s", retry_schedule="1s")
    message_id = world.send("b@example.test")
    world.daemon()
    net.wait_for(lambda: home.messages, "the bounce")
    world.wait_gone(message_id)
    assert world.outcomes(message_id)[-1] == "bounced"


def test_a_delay_is_told_once_and_the_message_stays(world, home):
    world.one_host(Behaviour(replies={"MAIL": "451 4.3.0 later"}))
    world.configure(bounce_delay_warning="1s", retry_schedule="1s")
    message_id = world.send("b@example.test")
    world.daemon()
    net.wait_for(lambda: home.messages, "the warning")
    rounds = len(world.log(message_id))
    net.wait_for(lambda: len(world.log(message_id)) >= rounds + 2, "two more rounds", interval_s=0.1)
    assert len(home.messages) == 1 and world.entry(message_id)
    _, (_, status, _) = parts(home.messages[0])
    assert status.get_payload()[1]["Action"] == "delayed"


def test_a_bounce_of_a_message_with_tricky_lines_is_sound(world, home):
    world.one_host(REFUSES)
    world.send("b@example.test", message=MESSAGE + b".\n--boundary\n" + "飛脚\n".encode() + b"z" * 998 + b"\n")
    world.attempts(2)
    (message,) = home.messages
    bounce, (_, _, returned) = parts(message)
    assert not bounce.defects and b"<1@sender.test>" in returned.as_bytes()


def test_control_characters_of_a_remote_reply_reach_nobody(world, home):
    world.one_host(Behaviour(rcpt={"b@example.test": b"550 5.1.1 \x1b[31mred\x07 \x00 \xff\r\n"}))
    message_id = world.send("b@example.test")
    world.attempts(2)
    log_file = (world.directory / "log").read_bytes()
    for data in (home.messages[0].data, world.run("log").stdout, log_file, world.run("log", "--json").stdout):
        assert not set(data) & {0x1b, 0x07, 0x00}
    assert "red" in world.log(message_id)[0]["recipients"][0]["text"]


def batch(world, *recipients):
    """One message by `send --batch`, with parameters of RFC 3461; its id."""
    lines = ["MAIL FROM:<a@sender.test> RET=HDRS ENVID=E1", *[f"RCPT TO:{r}" for r in recipients], "DATA"]
    return world.text("send", "--batch", stdin="\n".join(lines).encode() + b"\n" + MESSAGE + b".\nQUIT\n").strip()


@pytest.mark.parametrize("notify, bounces", [("NEVER", 0), ("SUCCESS", 0), ("DELAY", 0), ("FAILURE", 1)])
def test_who_did_not_ask_for_a_bounce_gets_none(world, home, notify, bounces):
    world.one_host(REFUSES)
    batch(world, f"<b@example.test> NOTIFY={notify}")
    world.attempts(2)
    assert len(home.messages) == bounces and world.queue() == []


@pytest.mark.parametrize("extensions, passed_on", [(("DSN",), True), ((), False)], ids=["DSN", "no DSN"])
def test_dsn_parameters_go_where_they_are_offered(world, extensions, passed_on):
    server = world.one_host(Behaviour(extensions=extensions))
    batch(world, "<b@example.test> NOTIFY=FAILURE ORCPT=rfc822;x+2By@example.test")
    world.once()
    commands = " ".join(server.sessions[0].lines("tls"))
    for word in ("RET=HDRS", "ENVID=E1", "NOTIFY=FAILURE", "ORCPT=rfc822;x+2By@example.test"):
        assert (word in commands) == passed_on
