"""Behind real mail servers, which are configured with the very lines of hikyaku-behind(7)."""
import concurrent.futures
import os
import pathlib
import shutil
import smtplib

import pytest

from peers import manual, mta, net, submit
from peers.smtpd import Behaviour
from world import HEADER, SENDER, without_trace

PAGE = manual.Page("hikyaku-behind.7")
COUNT, THREADS = 200, 4
NOTIFY = "NOTIFY=NEVER"
LIMIT = 64 << 10    # max_message_size of hikyaku; the servers take more
REFUSED = Behaviour(rcpt={"no@example.test": "550 5.1.1 no such user here"})


def crlf(message):
    return message.replace(b"\n", b"\r\n")


def message(number):
    """Each one different, with what is easily damaged on the way."""
    return crlf(HEADER + b"X-Number: %d\nContent-Type: text/plain; charset=utf-8\n\n.\n..\n.%d\n\nFrom here\n"
                b">From there\n\xe9\xa3\x9b\xe8\x84\x9a\ttab and blanks  \n%s\n\n.\n" % (number, number, b"x" * (number * 4 % 990)))


def hand_over(server, mails):
    """Gives (recipient, content) to the server's SMTP port, several at a time."""
    def session(start):
        with smtplib.SMTP(server.address, server.port, local_hostname="client.test", timeout=30) as client:
            for recipient, content in mails[start:start + 10]:    # upon more, Exim puts them off
                client.ehlo_or_helo_if_needed()
                wish = [NOTIFY] if recipient == "u0@example.test" and client.has_extn("dsn") else []
                client.sendmail(SENDER, [recipient], content, mail_options=["BODY=8BITMIME"], rcpt_options=wish)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(session, range(0, len(mails), 10)))


# -- the ways: what the page says for one of them, given to `server` and to `world` --

def listening(world, server, place, block, places):
    """hikyaku.conf of the page, with a listener at `place`, and bounces back to the server."""
    world.place = place
    world.configure(PAGE.lines(f"{block} hikyaku.conf", {"[127.0.0.1]:25": f"[{server.address}]:{server.port}", **places}))


def piped(world, server, program):
    """hikyaku beside the server, in its root; the command that is in the page."""
    words = server.install(program)
    conf = PAGE.lines("postfix-pipe hikyaku.conf")
    # Of a world's files it sees only what is in the root.
    world.configure(conf, log=None, tls_log=None, trust_file=None, policy_dir=server.inside / "policy")
    server.directory("policy")
    world.prepare()
    shutil.copy(world.conf, server.home / "hikyaku.conf")
    return {"/usr/local/bin/hikyaku": f"{words} -c {server.inside}/hikyaku.conf"}


def postfix_lmtp(world, server, _program):
    server.directory("spool/hikyaku", 0, mta.POSTFIX_UID, 0o2710)
    listening(world, server, server.home / "spool/hikyaku/lmtp", "postfix-lmtp", {"/var/spool/postfix": server.home / "spool"})
    return {"main.cf": PAGE.lines("postfix-lmtp main.cf")}


def postfix_pipe(world, server, program):
    return {"main.cf": PAGE.lines("postfix-pipe main.cf"),
            "master.cf": PAGE.lines("postfix-pipe master.cf", piped(world, server, program))}


def exim_lmtp(world, server, _program):
    server.directory("run")
    listening(world, server, server.home / "run/lmtp", "exim-lmtp", {"/run/hikyaku": server.home / "run"})
    return {"routers": PAGE.lines("exim-lmtp routers"),
            "transports": PAGE.lines("exim-lmtp transports", {"/run/hikyaku": f"{server.inside}/run"})}


def exim_tcp(world, server, _program):
    address = world.block.address()
    listening(world, server, (address, world.port), "exim-lmtp", {"/run/hikyaku/lmtp": f"{address}:{world.port}"})
    return {"routers": PAGE.lines("exim-tcp routers", {"127.0.0.1": address}),
            "transports": PAGE.lines("exim-tcp transports", {"127.0.0.1": address, "10024": world.port})}


def exim_pipe(world, server, program):
    return {"routers": PAGE.lines("exim-lmtp routers"),
            "transports": PAGE.lines("exim-pipe transports", piped(world, server, program))}


def opensmtpd_smtp(world, server, _program):
    address = world.block.address()
    here = {"127.0.0.1:10025": f"{address}:{world.port}"}
    listening(world, server, (address, world.port), "opensmtpd-smtp", here)
    return {"smtpd.conf": PAGE.lines("opensmtpd-smtp smtpd.conf", here)}


def opensmtpd_pipe(world, server, program):
    return {"smtpd.conf": PAGE.lines("opensmtpd-pipe smtpd.conf", piped(world, server, program))}


WAYS = {"postfix-lmtp": (mta.Postfix, postfix_lmtp), "postfix-pipe": (mta.Postfix, postfix_pipe),
        "exim-lmtp": (mta.Exim, exim_lmtp), "exim-tcp": (mta.Exim, exim_tcp), "exim-pipe": (mta.Exim, exim_pipe),
        "opensmtpd-smtp": (mta.OpenSMTPD, opensmtpd_smtp), "opensmtpd-pipe": (mta.OpenSMTPD, opensmtpd_pipe)}


def accepts(place):
    try:
        submit.Client(place).close()
    except OSError:
        return False
    return True


@pytest.fixture
def front(world, certificates, request):
    """The mail server of a way, and hikyaku behind it."""
    kind, way = WAYS[request.param]
    world.receiver = world.one_host(REFUSED)
    world.configure(max_message_size=LIMIT)
    program = request.getfixturevalue("program") if request.param.endswith("pipe") else None
    block = net.Block()
    try:
        server = kind(block.address(), block.port, "sender.test", certificates,
                      lambda server: way(world, server, program))
    except mta.Unavailable as e:
        pytest.skip(f"{kind.__name__}: {e}")
    world.closers.append(server)
    if not program:
        world.daemon()
        net.wait_for(lambda: accepts(world.place), "hikyaku to listen")
        if "exim" in request.param and isinstance(world.place, pathlib.Path):
            os.chown(world.place, mta.HIKYAKU_UID, mta.HIKYAKU_UID)    # as if the worker were that user
    return server


def bounces(server, text):
    return [m for m in server.messages() if text in m]


@pytest.mark.parametrize("front", WAYS, indirect=True)
def test_each_of_200_messages_arrives_once_and_what_is_refused_comes_back(world, front, request):
    kind, way = request.node.callspec.params["front"].split("-")
    mails = [(f"u{n}@example.test", message(n)) for n in range(COUNT)]
    refused = ("no@example.test", crlf(HEADER) + b"\r\nfor nobody\r\n")
    too_long = ("long@example.test", crlf(HEADER + b"\n" + (b"z" * 70 + b"\n") * (2 * LIMIT // 71)))
    hand_over(front, [refused, too_long, *mails])
    net.wait_for(lambda: len(world.receiver.messages) >= COUNT, "all messages")
    net.wait_for(lambda: len(front.messages()) >= 2, "two bounces in the sender's mailbox")
    net.wait_for(lambda: front.queued() == 0, "the server's queue to drain", interval_s=0.2)
    if way != "pipe":
        world.wait_gone()
        asked = [line for s in world.receiver.sessions for line in s.lines() if line.startswith("RCPT TO:<u0@")]
        assert kind == "exim" or NOTIFY in asked[0]
    got = sorted((r, without_trace(m.data)) for m in world.receiver.messages for r in m.recipients)
    assert got == sorted(mails)
    (bounce,) = bounces(front, b"no such user here")
    assert b"no@example.test" in bounce
    maker = b"dns; mx.sender.test" if way == "pipe" else b"dns; client.sender.test"
    assert kind == "exim" and way == "pipe" or b"Reporting-MTA: " + maker in bounce    # Exim 4.96 names none
    # What hikyaku does not take in the first place is the server's to return.
    (bounce,) = bounces(front, b"long@example.test")
    assert b"Reporting-MTA: dns; client.sender.test" not in bounce


def test_a_server_whose_tls_is_broken_gets_its_mail_by_the_fallback(world, opensmtpd):
    """OpenSMTPD 6.8 of Debian 12 offers STARTTLS and cannot do it with OpenSSL 3."""
    world.zone.mx("opensmtpd.test", 10, "mx.opensmtpd.test")
    world.zone.address("mx.opensmtpd.test", opensmtpd.address)
    world.configure(port=opensmtpd.port, fallback="alternate")
    before = len(opensmtpd.messages())
    message_id = world.send("b@opensmtpd.test", message=message(7).replace(b"\r\n", b"\n"))
    world.attempts(2)
    assert world.channels(message_id) == ["tls", "plaintext"]
    assert world.outcomes(message_id) == ["deferred", "delivered"]
    net.wait_for(lambda: len(opensmtpd.messages()) > before, "the message to be stored")
    assert without_trace(opensmtpd.messages()[-1]) == message(7)


# -- the rest of the page --

def test_the_page_has_a_smarthost_with_a_password(world):
    relay = world.host("relay.example.test", Behaviour(users={"someone@provider.example": "open sesame"}))
    world.policy("routes.txt", PAGE.lines("smarthost routes.txt", {"[mail.provider.example]:587": f"[relay.example.test]:{world.port}"}))
    secrets = world.directory / "credentials"
    secrets.touch(mode=0o600)
    secrets.write_text(PAGE.lines("smarthost credentials"))
    world.configure(credentials=str(secrets), trust_file=str(world.certificates.ca))
    message_id = world.send("b@example.test")
    world.once()
    assert world.outcomes(message_id) == ["delivered"]
    assert relay.sessions[-1].user == "someone@provider.example"


def test_the_page_has_a_tls_tunnel(world):
    relay = world.host("relay.example.test", Behaviour(tls_first=True))
    world.policy("routes.txt", PAGE.lines("tunnel routes.txt", {"[mail.provider.example]:465": f"[relay.example.test]:{world.port}"}))
    world.configure(trust_file=str(world.certificates.ca))
    message_id = world.send("b@example.test")
    world.once()
    assert world.outcomes(message_id) == ["delivered"] and relay.messages[-1].channel == "tls"


@pytest.mark.parametrize("block", [name for name in PAGE.blocks if name.endswith("hikyaku.conf")])
def test_the_configurations_of_the_page_are_good(world, block):
    conf = PAGE.lines(block)
    world.configure(conf, **{line.split(" = ")[0]: None for line in conf.splitlines()})
    world.prepare()
    assert world.run("config", "check").returncode == 0


def test_every_marked_block_of_the_page_is_tried():
    source = pathlib.Path(__file__).read_text(encoding="utf-8")
    for name in PAGE.blocks:
        way, file = name.split(" ")
        assert f'"{name}"' in source or file == "hikyaku.conf", f"no test uses the lines {name}"
