"""The listener: mail servers hand their mail over by LMTP and SMTP to a real `hikyaku run`."""
import concurrent.futures
import contextlib
import shutil
import signal
import smtplib
import sqlite3
import stat
import subprocess
import threading

import pytest

from peers import net
from peers.smtpd import Behaviour
from peers.submit import TIMEOUT_S, Client, queued_id
from world import END_S, HEADER, MESSAGE, without_trace

ENVELOPE = b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n"


def crlf(message):
    return message.replace(b"\n", b"\r\n")


class Door:
    """A world whose daemon listens: `path` speaks LMTP, `address` SMTP."""

    def __init__(self, world, **options):
        self.world = world
        self.path = world.directory / "l"
        self.address = (world.block.address(), world.port)
        self.places = [f"lmtp:{self.path}", f"smtp:{self.address[0]}:{self.address[1]}"]
        world.configure(**{"listen": self.places, **options})
        self.open()

    def open(self):
        self.process = self.world.daemon()
        self.wait(self.path)
        self.wait(self.address)

    def wait(self, place):
        def is_open():
            assert self.process.poll() is None, self.world.daemon_output()
            try:
                Client(place).close()
            except OSError:
                return False
            return True
        net.wait_for(is_open, f"{place} to be open")

    def log(self, part):
        """Lines of the log with that part of the program, from their text on."""
        lines = (self.world.directory / "log").read_text().splitlines()
        return [line.split("]: ", 1)[1] for line in lines if f" hikyaku/{part}[" in line]


@pytest.fixture
def lmtp(world):
    """A door whose messages have one host to go to."""
    world.server = world.one_host()
    return Door(world)


# -- what comes in goes out --

TRICKY = crlf(HEADER + b"Content-Type: text/plain; charset=utf-8\n\n.\n..\n.dot first\n...\n\n"
              b"tabs\t and blanks  \n\xe9\xa3\x9b\xe8\x84\x9a\n" + b"x" * 998 + b"\n\n.\n")


def test_smtplib_hands_a_message_over_with_its_envelope_and_every_octet(world):
    server = world.one_host([Behaviour(replies={"MAIL": "451 4.3.0 later"}), Behaviour()])
    door = Door(world)
    with smtplib.SMTP(*door.address, timeout=TIMEOUT_S) as client:
        client.ehlo("me.test")
        for name in ("pipelining", "8bitmime", "smtputf8", "dsn", "chunking", "enhancedstatuscodes"):
            assert client.has_extn(name), name
        assert client.esmtp_features["size"] == str(50 << 20)
        client.mail("ä@sender.test", ["BODY=8BITMIME", "SMTPUTF8", f"SIZE={len(TRICKY)}", "RET=HDRS", "ENVID=e+2B1"])
        client.command_encoding = "utf-8"
        assert client.rcpt("b@example.test", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;c+40z.test"])[0] == 250
        code, text = client.data(TRICKY)
        assert code == 250
    message_id = queued_id(text)
    net.wait_for(lambda: world.log(message_id), "the first attempt")
    (shown,) = world.json("queue", "show", message_id)
    assert (shown["sender"], shown["envid"], shown["ret"]) == ("ä@sender.test", "e+2B1", "hdrs")
    (to,) = shown["items"][0]["recipients"]
    assert (to["orcpt"], to["notify"]) == ("rfc822;c+40z.test", ["success", "delay"])
    world.run("queue", "retry", message_id)
    world.wait_gone(message_id)
    (message,) = server.messages
    assert without_trace(message.data) == TRICKY
    for word in ("BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=e+2B1"):
        assert word in message.parameters, word
    (rcpt,) = [line for line in server.sessions[-1].lines("tls") if line.startswith("RCPT")]
    assert "NOTIFY=SUCCESS,DELAY" in rcpt and "ORCPT=rfc822;c+40z.test" in rcpt
    trace = message.data.split(b"\r\nFrom: ", 1)[0]
    assert trace.startswith(b"Received: from me.test ([127.0.0.1])\r\n"
                            b"\tby client.sender.test (hikyaku) with UTF8SMTP\r\n\tid " + message_id.encode() + b"; ")
    (line,) = [line for line in door.log("smtpd") if line.startswith(message_id)]
    assert line == (f"{message_id}: client=unknown[127.0.0.1], from=<ä@sender.test>, size={len(TRICKY)}, nrcpt=1, "
                    "proto=UTF8SMTP, helo=<me.test>")


def test_lmtp_pipelined_and_in_chunks_with_a_reply_a_recipient(lmtp, world):
    with Client(lmtp.path) as client:
        assert client.hello() == {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "ENHANCEDSTATUSCODES"}
        flight = (b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@example.test>\r\nRCPT TO:<b@ex ample>\r\n"
                  b"RCPT TO:<c@example.test>\r\nDATA\r\n")
        assert [reply[:9] for reply in client.ask(flight, 5)] == \
            ["250 2.1.0", "250 2.1.5", "553 5.1.3", "250 2.1.5", "354 end w"]
        # Two messages and the end in one go: each recipient has a reply, in order.
        chunk = b"MAIL FROM:<>\r\nRCPT TO:<d@example.test>\r\n"
        body = b"Subject: chunks\r\n\r\n.\r\nbare\nline ends\rare\r\n"
        client.send(crlf(MESSAGE) + b".\r\n" + chunk + b"BDAT 5\r\n" + body[:5] +
                    b"BDAT %d LAST\r\n" % (len(body) - 5) + body[5:] + b"QUIT\r\n")
        replies = client.replies(7)
        assert [reply[:9] for reply in replies] == \
            ["250 2.0.0"] * 2 + ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "221 2.0.0"]
        assert client.rest() == ""
    first, second = queued_id(replies[0]), queued_id(replies[5])
    assert queued_id(replies[1]) == first != second
    world.wait_gone(first, second)
    received = {tuple(m.recipients): without_trace(m.data) for m in world.server.messages}
    assert received == {("b@example.test", "c@example.test"): crlf(MESSAGE),
                        ("d@example.test",): b"Subject: chunks\r\n\r\n.\r\nbare\r\nline ends\r\nare\r\n"}
    assert b"(local socket)\r\n\tby client.sender.test (hikyaku) with LMTP\r\n" in world.server.messages[0].data


SMUGGLED = b"MAIL FROM:<x@sender.test>\r\nRCPT TO:<smuggled@example.test>\r\nDATA\r\nSubject: y\r\n\r\ny\r\n.\r\n"


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n"],
                         ids=lambda end: repr(end)[2:-1])
def test_a_message_cannot_be_smuggled_into_another(lmtp, world, end):
    """CVE-2023-51764: what one side takes for the end of a message and the other does not."""
    with Client(lmtp.path) as client:
        client.hello()
        assert client.ask(ENVELOPE, 3)[2].startswith("354")
        verdict = client.ask(b"Subject: x\r\n\r\nx" + end + SMUGGLED)
        assert verdict.startswith(("550 5.6.0", "554 5.6.0")), verdict
        assert client.ask("NOOP").startswith("250")
        assert client.ask(ENVELOPE, 3)[2].startswith("354")
        good = queued_id(client.ask(crlf(MESSAGE) + b".\r\n"))
    world.wait_gone()
    (message,) = world.server.messages
    assert message.recipients == ["b@example.test"] and world.outcomes(good) == ["delivered"]
    (line,) = [line for line in lmtp.log("lmtpd") if line.startswith("NOQUEUE")]  # it came before the good one
    assert line.startswith(f"NOQUEUE: reject: LMTP from local[unix]: {verdict[:9]}")


def test_commands_with_bare_line_ends_end_the_session(lmtp, world):
    for command in (b"LHLO me.test\n", b"NOOP\rNOOP\r\n"):
        with Client(lmtp.path) as client:
            client.reply()
            client.send(command + ENVELOPE)
            assert client.rest().startswith("500 5.5.2")
    assert world.queue() == []


# -- limits --

def test_limits_of_clients_recipients_size_and_time(world):
    door = Door(world, max_clients=2, max_recipients=100, max_message_size=10240, client_timeout="500ms")
    net.wait_for(lambda: Client(door.path).hello(), "the probes of the set-up to be gone")
    with Client(door.path) as client:
        client.hello()
        assert client.ask("MAIL FROM:<> SIZE=10241").startswith("552 5.3.4")
        client.ask("MAIL FROM:<>")
        codes = [r[:9] for r in client.ask(b"".join(b"RCPT TO:<u%d@example.test>\r\n" % i for i in range(101)), 101)]
        assert codes == ["250 2.1.5"] * 100 + ["452 4.5.3"]
        assert client.ask("DATA").startswith("354")
        replies = client.ask(b"x" * 80 + (b"\r\n" + b"x" * 78) * 128 + b"\r\n.\r\n", 100)
        assert {reply[:9] for reply in replies} == {"552 5.3.4"}
        # Whoever comes now has to wait, but no longer than the idle one is let in.
        with Client(door.address) as other:
            assert other.reply().startswith("220")
            with Client(door.address) as third:
                assert third.rest() == "421 4.7.0 client.sender.test too many clients, come later\r\n"
            assert other.rest().startswith("421 4.4.2 client.sender.test timeout")
        assert client.rest().startswith("421 4.4.2")
    with Client(door.path) as client:
        client.hello()
    assert world.queue() == []
    assert any("max_clients = 2" in line for line in (world.directory / "log").read_text().splitlines())


def test_who_may_come_in(world):
    """TCP: the clients named. A unix socket: who may write to it."""
    door = Door(world, relay_clients=["192.0.2.0/24", "::1"], listen_mode="0600")
    assert stat.S_IMODE(door.path.stat().st_mode) == 0o600
    with Client(door.path) as client:
        client.hello()
    with Client(door.address) as client:
        assert client.rest() == ("554 5.7.1 client.sender.test 127.0.0.1 may not hand mail over here; "
                                 "see relay_clients\r\n")
    asked = 2    # the door, whether it is open, and the client
    net.wait_for(lambda: len(door.log("smtpd")) == asked, "a line in the log for each who was refused")
    assert all(line.startswith("NOQUEUE: reject: CONNECT from unknown[127.0.0.1]: 554 5.7.1 ")
               for line in door.log("smtpd"))


# -- beginning and end --

def test_a_socket_left_by_a_dead_worker_is_replaced_and_a_live_one_is_not(world):
    door = Door(world)
    door.process.kill()
    door.process.wait()
    assert door.path.exists()
    door.open()
    other = world.directory / "other.conf"
    other.write_text(f'queue = "{world.directory}/other.db"\nlisten = {{ "{door.places[0]}" }}\n')
    done = subprocess.run([world.binary, "-c", other, "run"], capture_output=True, env=world.env, timeout=60, check=False)
    assert done.returncode != 0
    assert f"listen on {door.path}: another process listens there" in done.stderr.decode()
    with Client(door.path) as client:
        client.hello()
    world.stop(door.process)
    assert not door.path.exists()


@pytest.mark.threads
def test_sigterm_lets_a_message_end_and_keeps_what_was_acknowledged(world):
    door = Door(world)
    with Client(door.path) as busy, Client(door.address) as idle:
        busy.hello()
        idle.hello("EHLO")
        assert busy.ask(ENVELOPE, 3)[2].startswith("354")
        busy.send(b"Subject: x\r\n\r\n")
        door.process.send_signal(signal.SIGTERM)
        assert idle.rest().startswith("421 4.3.2 client.sender.test shutting down")
        with pytest.raises(OSError):
            Client(door.path)
        message_id = queued_id(busy.ask(b"x\r\n.\r\n" + ENVELOPE))
        assert busy.rest().startswith("421 4.3.2")
        assert door.process.wait(END_S) == 0
    assert [entry["id"] for entry in world.queue()] == [message_id]
    assert world.run("queue", "show", message_id, "--message").stdout.endswith(b"Subject: x\r\n\r\nx\r\n")


def test_sighup_after_sigterm_opens_nothing_again(world):
    """The doors are closed at once; a delivery under way keeps the worker for some time more."""
    verdict = threading.Event()
    server = world.one_host(Behaviour(hold_data=verdict))
    door = Door(world)
    world.send("b@example.test")
    net.wait_for(lambda: server.sessions and server.sessions[0].messages, "the message to be sent")
    door.process.send_signal(signal.SIGTERM)
    net.wait_for(lambda: not door.path.exists(), "the doors to be closed")
    door.process.send_signal(signal.SIGHUP)
    verdict.set()
    assert door.process.wait(END_S) == 0
    assert "reloaded" not in (world.directory / "log").read_text()


@pytest.mark.threads
def test_sighup_opens_and_closes_places(world):
    door = Door(world)
    new = world.directory / "n"
    with Client(door.path) as client:
        client.hello()
        world.configure(listen=[door.places[1], f"smtp:{new}", "lmtp:/nowhere/at/all"], max_message_size=4096)
        world.write_configuration()
        door.process.send_signal(signal.SIGHUP)
        door.wait(new)
        assert not door.path.exists()
        assert client.ask("NOOP").startswith("250")
    with smtplib.SMTP(*door.address, timeout=TIMEOUT_S) as client:
        client.ehlo("me.test")
        assert client.esmtp_features["size"] == "4096"
    assert "listen on /nowhere/at/all: No such file or directory" in (world.directory / "log").read_text()


def test_what_was_acknowledged_survives_a_kill_and_nothing_is_there_twice(world):
    """Clients that send as fast as they can; the worker is killed under them, again and again."""
    door = Door(world, dns_servers=[f"{world.block.prefix}.254:9"])  # nobody answers: all of it stays queued
    acknowledged, attempted = set(), set()

    def hand_over(number):
        """Until the worker is gone."""
        try:
            with Client(door.path) as client:
                client.hello()
                for count in range(100000):
                    name = f"{number}.{len(acknowledged)}.{count}"
                    attempted.add(name)
                    client.ask(ENVELOPE, 3)
                    if not client.ask(f"Subject: {name}\r\n\r\nx\r\n.").startswith("250 2.0.0"):
                        return
                    acknowledged.add(name)
        except OSError:
            pass

    for _ in range(3):
        wanted = len(acknowledged) + 40
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            clients = [pool.submit(hand_over, number) for number in range(5)]
            net.wait_for(lambda: len(acknowledged) >= wanted, "some messages to be acknowledged")
            door.process.kill()
            for client in clients:
                client.result()
        door.process.wait()
        door.open()
    world.stop(door.process)
    with contextlib.closing(sqlite3.connect(world.directory / "queue.db")) as db:
        bodies = [row[0] for row in db.execute("SELECT bytes FROM chunk")]  # one of each small message
    assert len(bodies) == len(world.queue())
    assert all(body.endswith(b"\r\n\r\nx\r\n") for body in bodies)
    stored = [body.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for body in bodies]
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored) <= attempted


@pytest.mark.threads
def test_twenty_clients_hand_over_fifty_messages_each_and_each_arrives_once(world):
    """Whichever loop a destination belongs to, and whichever socket a message comes by."""
    domains = [f"d{n}.test" for n in range(5)]
    server = world.host("mx1.example.test")
    for domain in domains:
        world.domain(domain, server)
    door = Door(world, workers=3)

    def address(number, count):
        return f"u{number}.{count}@{domains[count % 5]}"

    def body(number, count):
        return crlf(HEADER) + b"X-Number: %d.%d\r\n\r\n.%d\r\n%s" % (number, count, number, (b"." * number + b"x\r\n") * count)

    def hand_over(number):
        kind = smtplib.LMTP if number % 2 else smtplib.SMTP
        with kind(*((str(door.path),) if number % 2 else door.address)) as client:
            client.sock.settimeout(TIMEOUT_S)
            for count in range(50):
                client.sendmail("a@sender.test", [address(number, count)], body(number, count))

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(hand_over, range(20)))
    world.wait_gone()
    received = sorted((m.recipients[0], without_trace(m.data)) for m in server.messages)
    assert received == sorted((address(n, c), body(n, c)) for n in range(20) for c in range(50))


# -- somebody else's client --

@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
@pytest.mark.parametrize("protocol", ["ESMTP", "LMTP"])
def test_swaks_hands_a_message_over(lmtp, world, protocol):
    place = ["--socket", lmtp.path] if protocol == "LMTP" else ["--server", lmtp.address[0], "--port", str(lmtp.address[1])]
    done = subprocess.run(["swaks", "--protocol", protocol, *place, "--pipeline", "--helo", "me.test",
                           "--from", "a@sender.test", "--to", "b@example.test,c@example.test",
                           "--header", "Subject: from swaks", "--body", ".\nbody\n"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    world.wait_gone(queued_id(done.stdout))
    (message,) = world.server.messages
    assert message.recipients == ["b@example.test", "c@example.test"]
    assert b"\r\nSubject: from swaks\r\n" in message.data and b"\r\n\r\n.\r\nbody\r\n" in message.data
