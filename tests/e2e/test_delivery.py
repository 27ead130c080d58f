"""A message arrives as it was sent: at real MTAs over TLS with SNI, byte for byte."""
import threading

import pytest

from peers import aio, net, raw
from peers.smtpd import Behaviour
from world import HEADER, MESSAGE, without_trace


def crlf(message):
    return message.replace(b"\n", b"\r\n")


TRICKY = HEADER + (b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                   b"Content-Transfer-Encoding: 8bit\n"
                   b"\n.\n..\n.dot first\n...\n\nFrom here on\n\t tabs and trailing blanks  \n"
                   b"\xe9\xa3\x9b\xe8\x84\x9a\n" + b"x" * 998 + b"\n\n\n.\n")
LONG = HEADER + b"\n" + b"".join(b"%06d %s\n" % (i, b"0123456789" * 7) for i in range(20000))


@pytest.mark.parametrize("kind", ["postfix", "exim"])
@pytest.mark.parametrize("message", [TRICKY, LONG], ids=["tricky", "1.5 MB"])
def test_a_real_mta_stores_the_message_byte_for_byte_over_tls(world, kind, message, request):
    receiver = request.getfixturevalue(kind)
    before = len(receiver.messages())
    world.zone.mx(f"{kind}.test", 10, f"mx.{kind}.test")
    world.zone.address(f"mx.{kind}.test", receiver.address)
    world.configure(port=receiver.port)
    message_id = world.send(f"b@{kind}.test", message=message)
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["channel"], entry["sni"]) == ("delivered", "tls", f"mx.{kind}.test")
    assert entry["tls"]["version"] == "TLS1.3"
    net.wait_for(lambda: len(receiver.messages()) > before, f"{kind} to store the message")
    assert without_trace(receiver.messages()[-1]) == crlf(message)
    assert b"TLS" in receiver.messages()[-1].split(b"From: a@")[0]  # its Received: says so


def test_aiosmtpd_gets_the_message_byte_for_byte_over_tls_with_sni(world, certificates):
    server = aio.AioServer(world.block.address(), world.port, "mx1.example.test", certificates)
    world.closers.append(server)
    world.zone.address("mx1.example.test", server.address)
    world.domain("example.test", "mx1.example.test")
    world.send("b@example.test", message=TRICKY)
    world.once()
    (envelope,) = server.envelopes
    assert without_trace(envelope.content) == crlf(TRICKY)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("a@sender.test", ["b@example.test"])
    assert envelope.was_tls and server.sni == ["mx1.example.test"]


@pytest.mark.parametrize("sent, expected", [
    (b"\nno end", b"\r\nno end\r\n"),
    (b"\nbare\nlf\n", b"\r\nbare\r\nlf\r\n"),
    (b"\nbare\rcr\n", b"\r\nbare\r\ncr\r\n"),
    (b"\nmixed\r\nends\n\r\n", b"\r\nmixed\r\nends\r\n\r\n"),
    (b"\nsmuggled\n.\nMAIL FROM:<x@y.test>\n", b"\r\nsmuggled\r\n.\r\nMAIL FROM:<x@y.test>\r\n"),
    (b"\nsmuggled\r.\r\nQUIT\r\n", b"\r\nsmuggled\r\n.\r\nQUIT\r\n"),
    (b"\n.", b"\r\n.\r\n"),
], ids=["no last end", "LF", "CR", "mixed", "LF dot LF", "CR dot CRLF", "dot alone"])
def test_line_ends_become_crlf_and_dots_are_stuffed(world, sent, expected):
    server = world.one_host()
    world.send("b@example.test", message=HEADER + sent)
    world.once()
    (message,) = server.messages
    assert without_trace(message.data) == crlf(HEADER) + expected


def test_long_lines_are_folded_and_never_inside_a_character(world):
    server = world.one_host()
    line = "飛".encode() * 1500
    world.send("b@example.test", message=HEADER + b"\n" + line + b"\n")
    world.once()
    body = server.messages[0].data.split(b"\r\n\r\n", 1)[1]
    assert all(len(part) <= 998 for part in body.split(b"\r\n"))
    body.decode()
    assert body.replace(b"\r\n", b"").replace(b" ", b"") == line
    assert all(len(part) <= 1000 for part in server.messages[0].raw.split(b"\r\n"))


def test_a_large_message_is_streamed_and_arrives_whole(world):
    server = world.one_host()
    message = MESSAGE + b"".join(b"%07d %s\n" % (i, b"y" * 60) for i in range(120000))
    world.send("b@example.test", message=message)
    world.once()
    assert without_trace(server.messages[0].data) == crlf(message)


def test_what_the_queue_shows_is_what_the_receiver_gets(world):
    server = world.one_host()
    message_id = world.send("b@example.test", message=TRICKY)
    shown = world.run("queue", "show", message_id, "--message").stdout
    world.once()
    assert without_trace(shown) == without_trace(server.messages[0].data) == crlf(TRICKY)


def test_recipients_of_a_destination_share_one_transaction(world):
    server, other = world.one_host(), world.one_host(domain="other.test")
    message_id = world.send("b@example.test", "c@example.test", "d@other.test", "e@EXAMPLE.test")
    world.once()
    (message,) = server.messages
    assert [r.lower() for r in message.recipients] == ["b@example.test", "c@example.test", "e@example.test"]
    assert [m.recipients for m in other.messages] == [["d@other.test"]]
    assert world.outcomes(message_id) == ["delivered", "delivered"]
    assert world.queue() == []


@pytest.mark.parametrize("over", ["452 4.5.3 too many recipients", "552 5.5.3 too many recipients"])
def test_too_many_recipients_become_further_transactions(world, over):
    server = world.one_host(Behaviour(max_rcpt=2, rcpt_over=over))
    world.send(*[f"r{i}@example.test" for i in range(5)])
    world.once()
    assert sorted(r for m in server.messages for r in m.recipients) == [f"r{i}@example.test" for i in range(5)]
    assert [len(m.recipients) for m in server.messages] == [2, 2, 1]
    assert world.queue() == []


def test_each_recipient_has_its_own_verdict(world):
    server = world.one_host(Behaviour(rcpt={"no@example.test": "550 5.1.1 no such user",
                                            "later@example.test": "450 4.2.1 full"}))
    message_id = world.send("yes@example.test", "no@example.test", "later@example.test")
    world.once()
    assert server.messages[0].recipients == ["yes@example.test"]
    (entry,) = world.log(message_id)
    verdicts = {r["address"]: (r["outcome"], r["code"], r["enhanced"]) for r in entry["recipients"]}
    assert verdicts["yes@example.test"][0] == "delivered"
    assert verdicts["no@example.test"] == ("bounced", 550, "5.1.1")
    assert verdicts["later@example.test"] == ("deferred", 450, "4.2.1")
    assert world.entry(message_id)["recipients"] == ["later@example.test"]


@pytest.mark.parametrize("starttls", ["220 2.0.0 go ahead", None])
def test_messages_to_one_destination_share_a_connection(world, starttls):
    server = world.one_host(Behaviour(starttls=starttls))
    world.configure(max_sessions_per_destination=1)
    ids = [world.send("b@example.test") for _ in range(5)]
    world.once()
    assert len(server.messages) == 5 and len(server.sessions) == 1
    assert server.sessions[0].verbs().count("STARTTLS") == (1 if starttls else 0)
    assert [world.outcomes(i) for i in ids] == [["delivered"]] * 5


def test_sessions_to_one_destination_are_limited(world):
    server = world.one_host()
    world.configure(max_sessions_per_destination=2)
    for _ in range(8):
        world.send("b@example.test")
    world.once()
    assert len(server.messages) == 8 and server.most_at_once <= 2


def test_pipelining_is_used_where_offered_and_only_there(world):
    plain = world.one_host(Behaviour(extensions=("8BITMIME",)))
    quick = world.one_host(domain="other.test")
    world.send("b@example.test", "c@example.test", "d@other.test", "e@other.test")
    world.once()
    assert len(plain.messages) == len(quick.messages) == 1
    assert not plain.sessions[0].pipelined and quick.sessions[0].pipelined


def test_parameters_are_sent_where_offered_and_only_there(world):
    rich, poor = world.one_host(), world.one_host(Behaviour(extensions=()), domain="other.test")
    world.send("b@example.test", "c@other.test")
    world.once()
    assert "SIZE=" in rich.messages[0].parameters.upper()
    assert poor.messages[0].parameters == ""


def test_a_server_without_ehlo_gets_helo(world):
    server = world.one_host(Behaviour(replies={"EHLO": "502 5.5.1 what?"}))
    world.send("b@example.test")
    world.once()
    assert server.sessions[0].verbs()[:2] == ["EHLO", "HELO"] and len(server.messages) == 1


def test_a_second_host_takes_over_from_the_first(world):
    first = world.host("mx1.example.test", Behaviour(replies={"banner": "554 5.3.2 closed"}))
    second = world.host("mx2.example.test")
    world.domain("example.test", first, second)
    message_id = world.send("b@example.test")
    world.once()
    assert len(second.messages) == 1 and len(first.sessions) >= 1
    assert world.outcomes(message_id)[-1] == "delivered"


def test_what_happens_after_the_verdict_changes_nothing(world):
    server = world.one_host(Behaviour(drop=("QUIT",), reset=True))
    message_id = world.send("b@example.test")
    world.once()
    assert len(server.messages) == 1 and world.outcomes(message_id) == ["delivered"]


def test_the_host_that_may_have_a_message_is_asked_first_again(world):
    hosts = [world.host(f"mx{n}.example.test", Behaviour(drop=(".",))) for n in range(5)]
    world.domain("example.test", *((10, host) for host in hosts))
    message_id = world.send("b@example.test")
    world.attempts(3)
    assert world.outcomes(message_id) == ["in_doubt"] * 3
    assert sorted(len(host.sessions) for host in hosts) == [0, 0, 0, 0, 3]


def test_a_message_whose_verdict_is_lost_is_in_doubt_and_not_retried_at_once(world):
    first = world.host("mx1.example.test", [Behaviour(drop=(".",)), Behaviour()])
    second = world.host("mx2.example.test")
    world.domain("example.test", first, second)
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["failure"]) == ("in_doubt", "in_doubt")
    assert entry["next_attempt"] is not None
    assert len(first.sessions) == 1 and second.sessions == []
    world.retry()
    assert len(first.messages) == 1 and second.messages == [], "the same host is asked again first"
    assert world.outcomes(message_id) == ["in_doubt", "delivered"]


@pytest.mark.parametrize("where", ["banner", "EHLO", "MAIL", "RCPT", "DATA", ".", "tls:EHLO", "tls:MAIL"])
def test_421_anywhere_defers(world, where):
    server = world.one_host(Behaviour(replies={where: "421 4.3.2 shutting down"}))
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["outcome"] == "deferred" and entry["reply"]["code"] == 421
    assert server.messages == [] and world.entry(message_id)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("reply, outcome, failure", [("451 4.3.0 later", "deferred", "smtp_temporary"),
                                                     ("550 5.7.1 never", "bounced", "smtp_permanent")])
def test_a_refusal_defers_or_bounces_wherever_it_comes(world, verb, reply, outcome, failure):
    world.one_host(Behaviour(replies={verb: reply}))
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["failure"]) == (outcome, failure)
    assert (world.entry(message_id) is None) == (outcome == "bounced")


@pytest.mark.parametrize("behaviour, recipient, enhanced", [
    (Behaviour(extensions=("SIZE 100",)), "b@example.test", "5.3.4"),
    (Behaviour(extensions=("PIPELINING", "8BITMIME")), "飛@example.test", "5.6.7"),
], ids=["SIZE", "SMTPUTF8"])
def test_what_no_host_can_take_is_returned(world, behaviour, recipient, enhanced):
    server = world.one_host(behaviour)
    message_id = world.send(recipient)
    world.once()
    assert server.messages == [] and world.entry(message_id) is None
    (recipient,) = world.log(message_id)[-1]["recipients"]
    assert (recipient["outcome"], recipient["enhanced"]) == ("bounced", enhanced)


# ---- what it costs: memory, connections, transactions ----

LARGE_LINES = 800000
LARGE_SIZE = LARGE_LINES * 64  # over 50 MB as it is sent
LARGE_TO = ("example.test", "sample.test")


def small_quarantine(world):
    """What the address sanitizer keeps of freed memory is not the program's."""
    return {"ASAN_OPTIONS": world.env["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}


class Gates:
    """Holds readers back before the message, and before their verdict."""

    def __init__(self, world):
        self.sizes, self.waiting, self.gates = [], 0, (threading.Event(), threading.Event())
        self.lock = threading.Lock()
        self.server = raw.RawServer(world.block.address(), world.port, "mx1.example.test", self.script,
                                    receive_buffer=16384)
        world.closers.append(self.server)
        world.zone.address(self.server.name, self.server.address)
        for domain in LARGE_TO:
            world.domain(domain, self.server)

    def hold(self, gate):
        with self.lock:
            self.waiting += 1
        self.gates[gate].wait(60)

    def script(self, peer):
        peer.greet("PIPELINING", "SIZE 0")
        while True:
            peer.take("DATA")
            peer.say("354 go ahead")
            self.hold(0)
            self.sizes.append(peer.body_after_354())
            self.hold(1)
            peer.say("250 2.0.0 taken")

    def open(self, gate):
        with self.lock:
            self.waiting = 0
        self.gates[gate].set()


def two_large_messages(world):
    """Twice 50 MB are on their way at once, to a destination each; (gates, worker, its memory before, ids)."""
    gates = Gates(world)
    world.one_host(domain="other.test")
    world.configure(max_message_size=100 << 20)
    worker = world.daemon(env=small_quarantine(world))
    for gate in gates.gates:
        gate.set()
    world.wait_gone(world.send("b@other.test"), world.send("b@example.test"))
    for gate in gates.gates:
        gate.clear()
    gates.sizes.clear()
    gates.waiting = 0
    before = net.peak_kib(worker.pid)
    large = HEADER + b"\n" + (b"%062d\n" % 7) * LARGE_LINES
    return gates, worker, before, [world.send(f"b@{domain}", message=large) for domain in LARGE_TO]


def test_large_messages_to_slow_readers_cost_no_memory(world):
    gates, worker, before, ids = two_large_messages(world)
    net.wait_for(lambda: gates.waiting == 2, "two that do not read")
    assert gates.sizes == [] and net.peak_kib(worker.pid) - before < 16 * 1024
    gates.open(0)
    net.wait_for(lambda: gates.waiting == 2, "two whole messages")
    assert len(gates.sizes) == 2 and all(size > LARGE_SIZE for size in gates.sizes)
    assert net.peak_kib(worker.pid) - before < 16 * 1024
    gates.open(1)
    world.wait_gone(*ids)
    assert [world.outcomes(i) for i in ids] == [["delivered"]] * 2


def test_a_large_message_that_leaves_costs_no_memory(world):
    gates, worker, before, ids = two_large_messages(world)
    for gate in (0, 1):
        gates.open(gate)
    world.wait_gone(*ids)
    assert net.peak_kib(worker.pid) - before < 32 * 1024


@pytest.mark.parametrize("extensions", [("PIPELINING", "DSN", "SIZE 0"), ("SIZE 0",)], ids=["pipelined", "one by one"])
def test_many_recipients_go_in_transactions_of_a_hundred(world, extensions):
    server = world.one_host(Behaviour(extensions=extensions))
    everybody = [f"r{i}@example.test" for i in range(250)]
    message_id = world.send(*everybody)
    world.once()
    assert [len(m.recipients) for m in server.messages] == [100, 100, 50]
    assert sorted(r for m in server.messages for r in m.recipients) == sorted(everybody)
    assert len(server.sessions) == 1 and world.outcomes(message_id) == ["delivered"]


@pytest.mark.parametrize("over", ["452 4.5.3 too many recipients", "552 5.5.3 too many recipients"])
def test_many_recipients_and_a_limit_of_the_host(world, over):
    server = world.one_host(Behaviour(max_rcpt=30, rcpt_over=over))
    everybody = [f"r{i}@example.test" for i in range(250)]
    world.send(*everybody)
    world.once()
    assert sorted(r for m in server.messages for r in m.recipients) == sorted(everybody)
    assert {len(m.recipients) for m in server.messages[:-1]} == {30}
    assert len(server.sessions) == 1 and world.queue() == []


def test_a_burst_for_one_destination_needs_few_connections(world):
    server = world.one_host()
    world.configure(max_sessions_per_destination=4)
    world.send_all([(["b@example.test"], MESSAGE)] * 40)
    world.daemon()
    world.wait_gone()
    assert len(server.messages) == 40 and len(server.sessions) <= 4
    assert sum(s.verbs().count("STARTTLS") for s in server.sessions) == len(server.sessions)


def test_a_session_is_not_used_for_another_policy(world):
    """A list that changes between two messages counts for the second one."""
    server = world.one_host()
    world.configure(max_sessions_per_destination=1)
    world.daemon()
    world.wait_gone(world.send("b@example.test"))
    world.policy("nomtatsl.txt", "example.test\n")
    net.wait_for(lambda: world.explain("example.test")["channel"] == "plaintext", "the list", interval_s=0.05)

    def second_is_plain():
        world.wait_gone(world.send("b@example.test"))
        return server.messages[-1].channel == "plaintext"
    net.wait_for(second_is_plain, "the worker to follow the list", deadline_s=5)
    world.policy("nomtatsl.txt", "")

    def tls_again():
        world.wait_gone(world.send("b@example.test"))
        return server.messages[-1].channel == "tls"
    net.wait_for(tls_again, "the worker to follow the list", deadline_s=5)
    assert all({m.channel for m in s.messages} in ({"tls"}, {"plaintext"}) for s in server.sessions)
    assert not any(s.resumed for s in server.sessions), "and no ticket crosses it either"


# ---- real receivers, and their extensions ----

@pytest.fixture(params=["postfix", "exim"])
def real(world, request):
    """A real MTA as the host of its domain: (domain, receiver)."""
    receiver = request.getfixturevalue(request.param)
    world.zone.mx(f"{request.param}.test", 10, f"mx.{request.param}.test")
    world.zone.address(f"mx.{request.param}.test", receiver.address)
    world.configure(port=receiver.port)
    return f"{request.param}.test", receiver


def stored(receiver, before, count=1):
    net.wait_for(lambda: len(receiver.messages()) >= before + count, "the receiver to store it")
    return receiver.messages()[before:]


def test_a_real_mta_takes_many_recipients_and_many_messages_in_few_sessions(world, real):
    domain, receiver = real
    before = len(receiver.messages())
    ids = world.send_all([([f"r{i}-{n}@{domain}" for n in range(5)], MESSAGE) for i in range(20)])
    world.once()
    assert sorted((e["id"], e["outcome"]) for e in world.log()) == sorted((i, "delivered") for i in ids)
    stored(receiver, before, 20)


def test_a_real_mta_takes_more_recipients_than_a_transaction_holds(world, real):
    domain, receiver = real
    before = len(receiver.messages())
    message_id = world.send(*[f"r{i}@{domain}" for i in range(250)])
    world.once()
    (entry,) = world.log(message_id)
    assert len(entry["recipients"]) == 250 and {r["outcome"] for r in entry["recipients"]} == {"delivered"}
    stored(receiver, before, 3)


def test_a_real_mta_that_takes_less_than_the_message_bounces_it_by_size(world, real):
    domain, receiver = real
    world.configure(max_message_size=100 << 20)
    message_id = world.send(f"b@{domain}", message=HEADER + b"\n" + (b"z" * 70 + b"\n") * 1000000)
    world.once()
    entry = world.log(message_id)[-1]
    assert entry["outcome"] == "bounced" and entry["recipients"][0]["enhanced"] == "5.3.4"


def test_postfix_takes_dsn_parameters_eight_bits_and_utf8_addresses(world, postfix):
    world.zone.mx("postfix.test", 10, "mx.postfix.test")
    world.zone.address("mx.postfix.test", postfix.address)
    world.configure(port=postfix.port)
    before = len(postfix.messages())
    batch = (b"MAIL FROM:<a@sender.test> RET=HDRS ENVID=E+2B1\n"
             b"RCPT TO:<b@postfix.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bx@postfix.test\n"
             b"DATA\n" + TRICKY.replace(b"\n.", b"\n..") + b".\nQUIT\n")
    batch_id = world.text("send", "--batch", stdin=batch).strip()
    utf8_id = world.send("飛@postfix.test", message="Subject: 飛脚\nFrom: a@sender.test\n\n飛\n".encode())
    world.once()
    assert world.outcomes(batch_id) == world.outcomes(utf8_id) == ["delivered"]
    both = sorted(stored(postfix, before, 2), key=lambda m: "飛脚".encode() in m.split(b"\r\n\r\n")[0])
    assert without_trace(both[0]) == crlf(TRICKY)
    assert "Subject: 飛脚".encode() in both[1] and "飛@postfix.test".encode() in both[1]
    # What the parameters said is in what Postfix stored.
    assert b"X-Original-To: b@postfix.test\r\n" in both[0]
