"""The retry log and the log lines: what happened, in a form for people and one for programs."""
import re
import signal
import subprocess

from peers import net
from peers.smtpd import Behaviour

FIELDS = {"time", "id", "attempt", "sender", "domain", "recipients", "mx", "address", "port", "channel",
          "fallback", "rule", "policy_generation", "sni", "tls", "outcome", "failure", "stage", "reply",
          "next_channel", "next_attempt", "duration_ms"}
LINE = re.compile(r"""hikyaku/smtp\[\d+\]:\ (?P<id>[0-9A-F]{16}):\ to=<(?P<to>[^>]*)>,\ (orig_to=<[^>]*>,\ )?
    relay=(?P<relay>none|\S+\[[0-9a-fA-F.:]+\]:\d+),\ (conn_use=\d+,\ )?delay=[\d.]+,\ delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+,
    \ dsn=(?P<dsn>\d\.\d+\.\d+),.*?status=(?P<status>sent|deferred|bounced)\ \((?P<text>.*)\)""", re.VERBOSE)


def three_outcomes(world):
    """One delivered, one deferred, one bounced; their ids."""
    world.one_host()
    world.one_host(Behaviour(handshake="close"), domain="later.test")
    world.one_host(Behaviour(replies={"RCPT": "550 5.1.1 no such user"}), domain="never.test")
    world.one_host(domain="sender.test")
    ids = [world.send(f"b@{d}.test") for d in ("example", "later", "never")]
    world.once()
    return ids


def test_every_entry_has_every_field(world):
    ids = three_outcomes(world)
    delivered, deferred, bounced = (world.log(i)[0] for i in ids)
    for entry in (delivered, deferred, bounced):
        assert FIELDS <= set(entry), FIELDS - set(entry)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["time"])
        assert entry["port"] == world.port and entry["attempt"] == 1 and entry["policy_generation"] >= 1
        assert set(entry["recipients"][0]) >= {"address", "outcome", "code", "enhanced", "text"}
    assert (delivered["outcome"], delivered["failure"], delivered["next_attempt"]) == ("delivered", None, None)
    assert set(delivered["tls"]) >= {"version", "cipher", "peer", "resumed", "verified"}
    assert (deferred["outcome"], deferred["failure"], deferred["tls"]) == ("deferred", "tls_handshake", None)
    assert deferred["next_channel"] == "plaintext" and deferred["next_attempt"]
    assert deferred["stage"] == "tls"
    assert (bounced["outcome"], bounced["failure"], bounced["stage"]) == ("bounced", "smtp_permanent", "rcpt")
    assert bounced["recipients"][0]["code"] == 550 and bounced["next_attempt"] is None


def test_the_log_can_be_asked_for_a_part(world):
    ids = three_outcomes(world)
    assert {e["id"] for e in world.log(None, "--failures")} == set(ids[1:])
    assert {e["domain"] for e in world.log(None, "--domain", "later.test")} == {"later.test"}
    assert len(world.log(None, "--since", "1h")) >= 3
    assert world.log(None, "--since", "2090-01-01") == []


def test_an_empty_log_and_queue_print_nothing_and_succeed(world):
    world.once()
    for words in (["log", "--json"], ["queue", "list", "--json"], ["log"], ["log", "--failures"]):
        done = world.run(*words)
        assert done.stdout == b"", words


def test_the_log_remains_after_the_message_has_left(world):
    ids = three_outcomes(world)
    assert world.entry(ids[0]) is None and world.log(ids[0])


def test_for_a_person_the_log_reads_like_a_story(world):
    three_outcomes(world)
    text = world.text("log")
    for word in ("mx1.example.test", "mx1.later.test", "plaintext", "550", "no such user", "TLS1.3"):
        assert word in text, word
    assert "\x1b" not in text, "no colour where there is no terminal"
    assert "\x1b" in world.text("--color=always", "log")
    assert "\x1b" not in world.text("log", env={"NO_COLOR": "1"})


def test_log_lines_follow_the_grammar_that_tools_read(world):
    ids = three_outcomes(world)
    found = {}
    for line in (world.directory / "log").read_text().splitlines():
        match = LINE.search(line)
        if match:
            found[match["id"]] = match
            assert "tls=" in line or "plaintext" in line
        assert " to=<" not in line or match, line
    assert [found[i]["status"] for i in ids] == ["sent", "deferred", "bounced"]
    assert [found[i]["to"] for i in ids] == ["b@example.test", "b@later.test", "b@never.test"]
    assert found[ids[0]]["dsn"].startswith("2.") and found[ids[1]]["dsn"].startswith("4.")
    assert found[ids[2]]["dsn"] == "5.1.1" and "no such user" in found[ids[2]]["text"]
    assert found[ids[0]]["relay"].startswith("mx1.example.test[")


def test_follow_shows_what_happens_as_it_happens(world):
    server = world.one_host()
    world.once()
    world.daemon()
    follower = subprocess.Popen([world.binary, "-c", world.conf, "log", "--follow", "--json"],
                                stdout=subprocess.PIPE, env=world.env)
    try:
        message_id = world.send("b@example.test")
        net.wait_for(lambda: server.messages, "the message")
        line = follower.stdout.readline().decode()
        assert message_id in line
    finally:
        follower.terminate()
        follower.wait()
        follower.stdout.close()


def test_reasons_name_the_rule_that_decided(world):
    world.one_host()
    world.policy("nomtatsl.txt", "# comment\nexample.test\n")
    message_id = world.send("b@example.test")
    world.once()
    assert world.log(message_id)[0]["rule"].endswith("nomtatsl.txt:2")


def test_the_tls_log_tells_of_errors_that_no_handshake_tells_of(world):
    world.one_host(Behaviour(starttls="454 4.7.0 not now"))
    world.one_host(Behaviour(starttls=None), domain="strict.test")
    world.configure(blocks='destination "strict.test" { tls = required }\n')
    world.send("b@example.test", "c@strict.test")
    world.once()
    lines = (world.directory / "tls.log").read_text().splitlines()
    (refused,), (missing,) = ([l for l in lines if f"domain={d}" in l] for d in ("example.test", "strict.test"))
    assert " error id=" in refused and "454 4.7.0 not now" in refused
    assert " error id=" in missing and "offers no STARTTLS" in missing


def test_the_log_is_kept_as_long_as_it_is_told_to_be(world):
    world.configure(log_retention="0s")
    world.one_host()
    message_id = world.send("b@example.test")
    world.once()
    world.once()  # which prunes when it starts
    assert world.outcomes(message_id) == ["delivered"], "0 keeps entries for ever"
    process = world.daemon()
    other = world.send("b@example.test")
    net.wait_for(lambda: world.log(other), "the entry of the other message")
    assert world.log(message_id)
    world.configure(log_retention="1s")
    world.write_configuration()
    process.send_signal(signal.SIGHUP)
    net.wait_for(lambda: not world.log(), "all entries to be removed while the worker runs")
