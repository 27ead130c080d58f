"""CHUNKING: one flight where the host is known to be in step, and doubt where there is doubt."""
import pytest

from peers.smtpd import CHUNKING, Behaviour, HangUp
from test_delivery import LONG, TRICKY, crlf, stored
from world import MESSAGE, without_trace

CHUNKS = Behaviour(extensions=CHUNKING)


def send_after_another(world, message=MESSAGE):
    """A message that DATA takes, and over the same connection the one that matters."""
    world.configure(max_sessions_per_destination=1)
    world.send("first@example.test")
    return world.send("b@example.test", message=message)


def test_the_first_message_to_a_host_goes_after_data_and_the_next_in_one_flight(world):
    server = world.one_host(CHUNKS)
    ids = [world.send("b@example.test") for _ in range(4)]
    world.configure(max_sessions_per_destination=1)
    world.once()
    (session,) = server.sessions
    assert session.verbs("tls") == ["EHLO", "MAIL", "RCPT", "DATA"] + ["MAIL", "RCPT", "BDAT"] * 3 + ["QUIT"]
    assert [world.log(i)[-1]["stage"] for i in ids] == ["final", "bdat", "bdat", "bdat"]
    assert all(without_trace(m.data) == crlf(MESSAGE) for m in server.messages) and len(server.messages) == 4


@pytest.mark.parametrize("message", [TRICKY, LONG], ids=["tricky", "1.5 MB"])
@pytest.mark.parametrize("extensions", [CHUNKING, ("CHUNKING", "8BITMIME")], ids=["pipelined", "one by one"])
def test_chunks_arrive_as_the_message_was_sent(world, extensions, message):
    server = world.one_host(Behaviour(extensions=extensions))
    send_after_another(world, message)
    world.once()
    last = server.messages[-1]
    assert without_trace(last.data) == crlf(message) and len(server.messages) == 2
    sizes = [int(line.split()[1]) for line in server.sessions[0].lines() if line.startswith("BDAT")]
    assert sum(sizes) == len(last.data) and (len(sizes) > 20) == (message is LONG)


@pytest.mark.parametrize("kind", ["postfix", "exim"])
@pytest.mark.parametrize("message", [TRICKY, LONG], ids=["tricky", "1.5 MB"])
def test_a_real_mta_takes_chunks_byte_for_byte(world, kind, message, request):
    receiver = request.getfixturevalue(kind)
    before = len(receiver.messages())
    world.zone.mx(f"{kind}.test", 10, f"mx.{kind}.test")
    world.zone.address(f"mx.{kind}.test", receiver.address)
    world.configure(port=receiver.port, max_sessions_per_destination=1)
    ids = [world.send(f"b@{kind}.test", message=message) for _ in range(3)]
    world.once()
    assert sorted(world.log(i)[-1]["stage"] for i in ids) == ["bdat", "bdat", "final"]
    assert [without_trace(m) for m in stored(receiver, before, 3)] == [crlf(message)] * 3


def test_refused_recipients_of_a_flight_cost_the_others_nothing(world):
    server = world.one_host(Behaviour(extensions=CHUNKING, rcpt={"no@example.test": "550 5.1.1 no such user"}))
    world.configure(max_sessions_per_destination=1)
    world.send("first@example.test")
    nobody, mixed, last = (world.send(*to) for to in (["no@example.test"], ["no@example.test", "b@example.test"],
                                                      ["b@example.test"]))
    world.once()
    assert world.outcomes(nobody) == ["bounced"]
    verdicts = {r["address"]: r["outcome"] for r in world.log(mixed)[-1]["recipients"]}
    assert verdicts == {"no@example.test": "bounced", "b@example.test": "delivered"}
    assert world.outcomes(last) == ["delivered"]
    assert [m.recipients for m in server.messages] == [["first@example.test"], ["b@example.test"], ["b@example.test"]]


@pytest.mark.parametrize("scope", ["global", "destination"])
def test_chunking_can_be_switched_off(world, scope):
    server = world.one_host(CHUNKS)
    send_after_another(world)
    if scope == "global":
        world.configure(chunking="false")
    else:
        world.configure('destination "example.test" { chunking = false }\n')
    world.once()
    assert len(server.messages) == 2 and "BDAT" not in server.sessions[0].verbs()


def test_a_host_that_takes_content_for_commands_gets_the_message_once_after_data(world):
    server = world.one_host([Behaviour(extensions=CHUNKING, unknown=("BDAT",)), CHUNKS])
    smuggled = MESSAGE + b"RSET\nMAIL FROM:<x@evil.test>\nRCPT TO:<y@example.test>\nDATA\n\nevil\n.\n"
    message_id = send_after_another(world, smuggled)
    world.once()
    assert world.outcomes(message_id) == ["deferred", "delivered"]
    ours = [m for m in server.messages if m.sender == "a@sender.test"]
    assert len(ours) == 2 and server.sessions[1].verbs("tls") == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert without_trace(ours[-1].data) == crlf(smuggled)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "BDAT", "."])
@pytest.mark.parametrize("reply, outcome", [("451 4.3.0 later", "deferred"), ("550 5.7.1 never", "bounced"),
                                            ("421 4.3.2 shutting down", "deferred")])
def test_a_refusal_in_a_flight_is_no_doubt(world, verb, reply, outcome):
    taken = {"MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", ".": "250 2.0.0 ok"}
    server = world.one_host(Behaviour(extensions=CHUNKING,
                                      replies={verb: [taken[verb], reply] if verb in taken else reply}))
    message_id = send_after_another(world)
    world.once()
    entry = world.log(message_id)[0]
    if reply.startswith("421") and verb == "MAIL":  # a kept session that the host ends
        assert world.outcomes(message_id)[-1] != "in_doubt"
    else:
        assert (entry["outcome"], entry["reply"]["code"]) == (outcome, int(reply[:3]))
    assert len(server.messages) == 1


def lost_at(verb):
    """Ends the connection at its second message, where it comes to this verb."""
    seen = []

    def hang_up(_session, line):
        seen.append(line)
        if len(seen) == (1 if verb == "BDAT" else 2):
            raise HangUp
    return Behaviour(extensions=CHUNKING, replies={verb: hang_up})


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "BDAT", "."])
def test_a_flight_that_is_lost_is_in_doubt(world, verb):
    server = world.one_host([lost_at(verb), CHUNKS])
    message_id = send_after_another(world)
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["failure"]) == ("in_doubt", "in_doubt")
    assert entry["next_attempt"] is not None and len(server.messages) == 1
    world.retry()
    assert world.outcomes(message_id) == ["in_doubt", "delivered"] and len(server.messages) == 2


def test_a_host_whose_replies_are_out_of_step_is_never_trusted(world):
    """The second answer to RCPT must not become the verdict on what the host refuses."""
    server = world.one_host(Behaviour(extensions=CHUNKING, replies={
        "RCPT": b"250 ok\r\n250 ok\r\n", ".": "451 4.3.0 not taken"}))
    ids = [world.send("b@example.test") for _ in range(3)]
    world.once()
    world.retry()
    assert server.messages == [] and all("delivered" not in world.outcomes(i) for i in ids)
