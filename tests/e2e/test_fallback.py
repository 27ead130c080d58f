"""The four fallback modes over whole attempt sequences. The evidence is what the server saw.

Each round is a process of its own (`run --once`): the state is in the queue.
"""
import pytest

from peers import net
from peers.smtpd import Behaviour

MODES = ("none", "plaintext", "alternate", "alternate-any")


def saw(server):
    """One letter or two a session: T asked for TLS, P MAIL in plaintext, TP both in one session."""
    return " ".join(("T" if s.asked_for_tls else "") + ("P" if "MAIL" in s.verbs("plaintext") else "")
                    for s in server.sessions)


# In plaintext every one of these servers says 451 to MAIL, so that the sequence goes on.
LATER = {"plain:MAIL": "451 4.3.0 later"}
FAILURES = {
    "starttls_refused 454": Behaviour(starttls="454 4.7.0 not now", replies=LATER),
    "starttls_refused 502": Behaviour(starttls="502 5.5.1 not here", replies=LATER),
    "tls_handshake close": Behaviour(handshake="close", replies=LATER),
    "tls_handshake alert": Behaviour(handshake="alert", replies=LATER),
    "tls_handshake garbage": Behaviour(handshake="garbage", replies=LATER),
    "tls_handshake first reply": Behaviour(drop=("tls:EHLO",), replies=LATER),
    "tls_session": Behaviour(drop=("tls:MAIL",), replies=LATER),
    "in_doubt": Behaviour(drop=("tls:.",), replies=LATER),
    "smtp_temporary": Behaviour(replies={"MAIL": "451 4.3.0 later"}),
    "no_starttls": Behaviour(starttls=None, replies=LATER),
}
STAYS, FLIPS = "T T T T", "T P T P"
EXPECTED = {  # none, plaintext, alternate, alternate-any
    "starttls_refused 454": (STAYS, "TP TP TP TP", FLIPS, FLIPS),
    "starttls_refused 502": (STAYS, "TP TP TP TP", FLIPS, FLIPS),
    "tls_handshake close": (STAYS, "T P T P T P T P", FLIPS, FLIPS),
    "tls_handshake alert": (STAYS, "T P T P T P T P", FLIPS, FLIPS),
    "tls_handshake garbage": (STAYS, "T P T P T P T P", FLIPS, FLIPS),
    "tls_handshake first reply": (STAYS, "T P T P T P T P", FLIPS, FLIPS),
    "tls_session": (STAYS, STAYS, STAYS, FLIPS),
    "in_doubt": (STAYS, STAYS, STAYS, FLIPS),
    "smtp_temporary": (STAYS, STAYS, STAYS, STAYS),
    "no_starttls": ("P P P P",) * 4,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failure", FAILURES)
def test_four_attempts_of_a_message(world, failure, mode):
    server = world.one_host(FAILURES[failure])
    world.configure(fallback=mode)
    message_id = world.send("b@example.test")
    world.attempts(4)
    assert saw(server) == EXPECTED[failure][MODES.index(mode)]
    log = world.log(message_id)
    assert {e["attempt"] for e in log} == {1, 2, 3, 4}
    assert {e["fallback"] for e in log} == {mode}
    failed = {e["failure"] for e in log if e["channel"] == "tls"} - {"smtp_temporary"}
    assert failed <= {failure.split(" ")[0]}
    assert world.entry(message_id)["attempts"] == 4, "it is still queued"


WITHOUT_OUR_TLS = "[overrides]\ndisabled-version = tls1.2\ndisabled-version = tls1.3\n"


@pytest.mark.parametrize("mode, seen", [
    ("none", ""), ("plaintext", "P"), ("alternate", "P"), ("alternate-any", "P")])
def test_tls_that_cannot_begin_on_our_side(world, mode, seen):
    server = world.one_host()
    settings = world.directory / "gnutls.conf"
    settings.write_text(WITHOUT_OUR_TLS)
    world.env["GNUTLS_SYSTEM_PRIORITY_FILE"] = str(settings)
    world.configure(fallback=mode)
    message_id = world.send("b@example.test")
    world.attempts(2 if mode != "plaintext" else 1)
    assert saw(server) == seen, "no STARTTLS is sent that could not be followed by TLS"
    first = world.log(message_id)[0]
    assert first["failure"] == "tls_init" and first["downgraded"] == (mode == "plaintext")
    assert first["next_channel"] == {"none": "tls", "plaintext": None}.get(mode, "plaintext")
    assert "DOWNGRADED" in world.text("log") or mode == "none"


def channels_due(world, message_id, rounds):
    """The channel that queue, log and `policy explain` name before each round; they agree."""
    due = []
    for number in range(rounds):
        entry = world.entry(message_id)
        explained = world.explain(message_id)
        assert entry["next_channel"] == explained["channel"] == explained["next_channel"]
        due.append(entry["next_channel"])
        world.once() if number == 0 else world.retry()
        assert world.log(message_id)[-1]["next_channel"] in (None, world.entry(message_id)["next_channel"])
    return due


def test_queue_log_and_explain_agree_on_the_channel_that_is_due(world):
    world.one_host(FAILURES["tls_handshake close"])
    message_id = world.send("b@example.test")
    assert channels_due(world, message_id, 4) == ["tls", "plaintext", "tls", "plaintext"]


BY_MODE = {"none": ["tls"] * 3, "plaintext": ["tls"] * 3, "alternate": ["tls", "plaintext", "tls"],
           "alternate-any": ["tls", "plaintext", "tls"]}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_explained_before_an_attempt_is_what_the_log_says_after_it(world, mode):
    world.one_host(FAILURES["tls_handshake close"])
    world.configure(fallback=mode)
    message_id = world.send("b@example.test")
    for number, channel in enumerate(BY_MODE[mode]):
        explained = world.explain(message_id)
        words = world.text("policy", "explain", message_id)
        world.retry() if number else world.once()
        entry = [e for e in world.log(message_id) if e["attempt"] == number + 1][0]
        assert (explained["channel"], explained["fallback"]) == (channel, mode)
        assert (entry["channel"], entry["rule"]) == (channel, explained["decided_by"])
        assert explained["downgraded"] == entry["downgraded"] == ("DOWNGRADE" in words)
        last, queued = world.log(message_id)[-1], world.json("queue", "show", message_id)[0]["items"][0]
        assert explained["channel_after_failure"] == last["next_channel"] == queued["next_channel"]
        assert last["next_reason"] == queued["channel_reason"]
        if mode.startswith("alternate"):
            assert any(last["next_reason"] in r["text"] for r in world.explain(message_id)["reasons"])


def test_a_downgrade_is_said_wherever_one_looks(world):
    world.one_host(Behaviour(handshake="close"))
    message_id = world.send("b@example.test")
    world.once()
    assert "plaintext" in world.text("queue", "show", message_id)
    assert "DOWNGRADE: plaintext, because TLS failed" in world.text("policy", "explain", message_id)
    world.retry()
    assert "DOWNGRADED: sent without TLS" in world.text("log")
    assert world.log(message_id)[-1]["downgraded"] is True
    assert "downgraded=yes" in (world.directory / "log").read_text().splitlines()[-1]


@pytest.mark.parametrize("mode, attempts, sequence", [("plaintext", 1, "T P"), ("alternate", 2, "T P"),
                                                      ("alternate-any", 2, "T P")])
def test_a_host_with_broken_tls_gets_the_message_in_plaintext(world, mode, attempts, sequence):
    server = world.one_host(Behaviour(handshake="close"))
    world.configure(fallback=mode)
    message_id = world.send("b@example.test")
    world.attempts(attempts)
    assert saw(server) == sequence and len(server.messages) == 1
    last = world.log(message_id)[-1]
    assert (last["outcome"], last["channel"], last["attempt"]) == ("delivered", "plaintext", attempts)


def test_a_host_that_mends_gets_the_message_over_tls_again(world):
    broken, later = Behaviour(handshake="close"), Behaviour(replies=LATER)
    server = world.one_host([broken, later, Behaviour()])
    message_id = world.send("b@example.test")
    world.attempts(3)
    assert saw(server) == "T P T" and server.messages[0].channel == "tls"
    assert world.channels(message_id) == ["tls", "plaintext", "tls"]


def test_a_running_worker_alternates_across_a_restart_in_between(world):
    server = world.one_host(FAILURES["tls_handshake close"])
    world.configure(retry_schedule="1s")
    message_id = world.send("b@example.test")
    worker = world.daemon()
    net.wait_for(lambda: len(world.log(message_id)) >= 1, "the first attempt", interval_s=0.05)
    world.stop(worker)
    seen = len(server.sessions)
    world.daemon()
    net.wait_for(lambda: len(server.sessions) >= seen + 2, "two more attempts")
    sequence = saw(server).split()
    assert sequence[:seen + 1] == ["T", "P"] * (len(sequence[:seen + 1]) // 2) + ["T"] * ((seen + 1) % 2)


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_cannot_be_made_leaves_the_channel(world, mode):
    server = world.one_host(FAILURES["tls_handshake close"])
    world.configure(fallback=mode)
    message_id = world.send("b@example.test")
    world.once()
    before = world.entry(message_id)["next_channel"]
    server.close()
    world.retry()
    assert world.log(message_id)[-1]["failure"] == "connect"
    assert world.entry(message_id)["next_channel"] == before


def test_every_host_is_tried_on_the_channel_of_the_attempt(world):
    first = world.host("mx1.example.test", Behaviour(handshake="close"))
    second = world.host("mx2.example.test", Behaviour(handshake="close"))
    world.domain("example.test", first, second)
    world.send("b@example.test")
    world.once()
    assert (saw(first), saw(second)) == ("T", "T")
    world.retry()
    assert (saw(first), saw(second)) == ("T P", "T") and len(first.messages) == 1


def test_in_mode_plaintext_the_same_address_comes_before_the_next_host(world):
    first = world.host("mx1.example.test", Behaviour(handshake="close"))
    second = world.host("mx2.example.test")
    world.domain("example.test", first, second)
    world.configure(fallback="plaintext")
    world.send("b@example.test")
    world.once()
    assert saw(first) == "T P" and len(first.messages) == 1 and second.sessions == []


@pytest.mark.parametrize("end", [{"drop": ("MAIL",)}, {"replies": {"MAIL": "421 4.3.2 enough"}}], ids=["gone", "421"])
def test_in_mode_plaintext_a_host_that_refuses_and_hangs_up_gets_it_in_plaintext(world, end):
    """It would be met over TLS again and again otherwise."""
    server = world.one_host([Behaviour(starttls="454 4.7.0 not now", **end), Behaviour()])
    world.configure(fallback="plaintext")
    message_id = world.send("b@example.test")
    world.once()
    assert saw(server) == "TP P" and len(server.messages) == 1
    refused, delivered = world.log(message_id)
    assert refused["failure"] == "starttls_refused" and "454" in refused["detail"] and refused["downgraded"]
    assert delivered["outcome"] == "delivered" and delivered["channel"] == "plaintext" and delivered["attempt"] == 1


@pytest.mark.parametrize("mode", ["none", "alternate", "alternate-any"])
def test_only_in_mode_plaintext_a_refusal_is_followed_by_plaintext(world, mode):
    server = world.one_host(Behaviour(starttls="454 4.7.0 not now", drop=("MAIL",)))
    world.configure(fallback=mode)
    world.send("b@example.test")
    world.once()
    assert saw(server) == "T" and server.messages == []


def test_in_mode_none_the_next_host_gets_it_over_tls(world):
    first = world.host("mx1.example.test", Behaviour(starttls="454 4.7.0 not now"))
    second = world.host("mx2.example.test")
    world.domain("example.test", first, second)
    world.configure(fallback="none")
    world.send("b@example.test")
    world.once()
    assert saw(first) == "T" and second.messages[0].channel == "tls"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("behaviour", [Behaviour(starttls=None), Behaviour(starttls="554 5.7.1 never"),
                                       Behaviour(handshake="alert")], ids=["none", "refused", "broken"])
def test_required_tls_never_leads_to_plaintext_nor_to_a_bounce(world, mode, behaviour):
    server = world.one_host(behaviour)
    world.configure(fallback=mode, blocks='destination "example.test" { tls = required }\n')
    message_id = world.send("b@example.test")
    world.attempts(3)
    assert all("P" not in word for word in saw(server).split()) and server.messages == []
    assert world.entry(message_id)["next_channel"] == "tls"
    assert set(world.outcomes(message_id)) == {"deferred"}


def test_a_destination_can_have_a_mode_of_its_own(world):
    server = world.one_host(FAILURES["tls_handshake close"])
    other = world.one_host(FAILURES["tls_handshake close"], domain="other.test")
    world.configure(fallback="none", blocks='destination "other.test" { fallback = alternate }\n')
    world.send("b@example.test", "c@other.test")
    world.attempts(3)
    assert (saw(server), saw(other)) == ("T T T", "T P T")


def test_each_message_has_a_channel_of_its_own_unless_memory_is_shared(world):
    server = world.one_host(FAILURES["tls_handshake close"])
    world.send("b@example.test")
    world.once()
    world.send("c@example.test")
    world.once()
    assert saw(server) == "T T"


def test_with_fallback_memory_of_the_destination_others_start_where_it_stands(world):
    server = world.one_host([Behaviour(handshake="close"), Behaviour()])
    world.configure(fallback_memory="destination")
    world.send("b@example.test")
    world.once()
    second = world.send("c@example.test")
    assert world.explain(second)["channel"] == "plaintext"
    world.once()
    assert saw(server) == "T P" and server.messages[0].recipients == ["c@example.test"]


def test_the_memory_of_a_destination_ends_with_its_time(world):
    world.one_host(Behaviour(handshake="close"))
    world.configure(fallback_memory="destination", fallback_memory_ttl="1s")
    world.send("b@example.test")
    world.once()
    net.wait_for(lambda: world.explain("c@example.test")["channel"] == "tls", "the memory to end")
    world.configure(fallback_memory_ttl="1h")
    world.send("d@example.test")
    world.once()
    explained = world.explain("c@example.test")
    assert explained["channel"] == "plaintext"
    assert any("remembered for the destination until" in r["text"] for r in explained["reasons"])


@pytest.mark.parametrize("mode, status", [("none", 0), ("plaintext", 0), ("alternate", 78),
                                          ("alternate-any", 78)])
def test_modes_that_alternate_need_three_attempts(world, mode, status):
    world.configure(fallback=mode, max_attempts=2)
    done = world.run("config", "check", check=False)
    assert done.returncode == status
    assert status == 0 or b"attempts" in done.stderr + done.stdout
