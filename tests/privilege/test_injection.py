"""Words of strangers, everywhere they are shown: a table of where they come from, and one of where
they go. Nothing of them begins a line, moves a terminal, or turns the direction of text."""
import email
import json
import shutil
import socket
import subprocess
import unicodedata

from peers import certs, net
from peers.smtpd import Behaviour
from world import HEADER, MESSAGE

# ESC, BEL, a bare CR, C1 as a character and as an octet, the direction turned, separators of lines, NUL, DEL.
EVIL = (b"\x1b[2J\x1b]0;t\x07 \rFORGED \xc2\x9b31m \x9b31m \xe2\x80\xaemoc \xe2\x81\xa6 \xe2\x80\xa8FORGED: line "
        b"\xe2\x80\xa9FORGED \x00 \x7f end")
BIDI = {0x61c, 0x200e, 0x200f, *range(0x202a, 0x202f), *range(0x2066, 0x206a)}


def reply(code):
    return b"%d-" % code + EVIL + b"\r\n%d FORGED: to=<a>, status=sent\x1b[m\r\n" % code


# What the host of a domain of that name does.
HOSTS = {
    "banner": {"replies": {"banner": reply(554)}},
    "greeting": {"replies": {"plain:EHLO": b"250-mx\r\n" + reply(250).replace(b"250 ", b"250-") + b"250 X\r\n"}},
    "refused-ehlo": {"replies": {"EHLO": reply(550), "HELO": reply(550)}},
    "starttls": {"starttls": reply(454)},
    "mail": {"replies": {"MAIL": reply(550)}},
    "rcpt": {"replies": {"RCPT": reply(550)}},
    "later": {"replies": {"RCPT": reply(451)}},
    "data": {"replies": {"DATA": reply(554)}},
    "verdict": {"replies": {".": reply(554)}},
    "taken": {"replies": {".": reply(250)}},
    "quit": {"replies": {"QUIT": reply(221)}, "one_message": False},
    "garbage": {"replies": {"MAIL": EVIL.replace(b"\r", b"") + b"\r\n"}},
    "inject": {"inject": reply(220)},
}


def problem(char):
    return (unicodedata.category(char) in ("Cc", "Zl", "Zp") and char != "\n") or ord(char) in BIDI


def assert_text(name, octets):
    """Lines of ours, with what strangers said inside of them."""
    text = octets.replace(b"\r\n", b"\n").decode()  # all of it is UTF-8
    bad = sorted({hex(ord(c)) for c in text if problem(c)} - ({"0x9"} if name.startswith("columns") else set()))
    assert not bad, f"{bad} in {name}: {octets!r}"
    for line in text.split("\n"):
        assert not line.startswith("FORGED"), f"{name}: {line!r}"


def strings(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


def assert_json(name, octets):
    """One object a line, and nothing in its texts either."""
    assert_text(name, octets)
    for line in octets.decode().splitlines():
        value = json.loads(line)
        assert isinstance(value, dict), name
        bad = [s for s in strings(value) if any(map(problem, s))]
        assert not bad, f"{name}: {bad!r}"


def evil_certificate(certificates, directory):
    """Its subject, its issuer and a name in it are of that kind."""
    mine = certs.Certificates.__new__(certs.Certificates)
    shutil.copytree(certificates.directory, directory)
    mine.directory, mine.ca = directory, directory / "ca.pem"
    mine.cert, mine.key = directory / "evil.pem", directory / "evil.key"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8"]
    subject = "/CN=\x1b[2J\nFORGED \u202emoc \x9b31m\n/O=FORGED\x1b[2J"
    mine._openssl("req", "-x509", *new, "-keyout", "evil.key", "-out", "evil.pem", "-days", "3", "-subj", subject,
                  "-addext", "subjectAltName=DNS:a\x1b[2J.test")
    return mine


def lines_of_a_client(path, *lines):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        said = client.recv(4096)
        for line in lines:
            client.sendall(line)
            said += client.recv(4096)
    return said


def test_words_of_strangers_are_only_words(world):
    home = world.host("home.test", Behaviour())
    world.domain("sender.test", home)
    servers = {name: world.host(f"mx.{name}.test", Behaviour(**how)) for name, how in HOSTS.items()}
    for name, server in servers.items():
        world.domain(f"{name}.test", server)
    authority, world.certificates = world.certificates, evil_certificate(world.certificates, world.directory / "evil")
    world.domain("certificate.test", world.host("mx.certificate.test", Behaviour()))
    world.domain("strict.test", world.host("mx.strict.test", Behaviour()))
    world.certificates = authority
    world.zone.mx("name.test", 10, r"FORGED\010FORGED\027\2332J.test")
    boxes, drop = world.directory / "lmtp", world.directory / "drop"
    drop.mkdir()
    world.configure('destination "strict.test" { tls = verified }\n', fallback="plaintext", max_attempts=1,
                    listen=[f"lmtp:{boxes}"], xmail_dir=str(drop),
                    trust_file=str(authority.ca))
    domains = [*HOSTS, "certificate", "strict", "name"]
    process = world.daemon()
    net.wait_for(boxes.exists, "the listener")
    ids = {name: world.send(f'"FORGED: {name}"@{name}.test') for name in domains}

    # From a client: its name, its envelope, its commands.
    answers = lines_of_a_client(boxes, b"LHLO \x1b[2J\xe2\x80\xaeFORGED\r\n", b"FORGED\x1b[2J\r\n", b"LHLO FORGED\r\n",
                                b"MAIL FROM:<\xe2\x80\xaea@sender.test> SMTPUTF8\r\n", b"MAIL FROM:<a@sender.test>\r\n",
                                b"RCPT TO:<\x1b[2J@taken.test>\r\n", b"RCPT TO:<b@taken.test> ORCPT=rfc822;+1B+0AFORGED\r\n",
                                b"DATA\r\n", HEADER.replace(b"\n", b"\r\n") + b"X: \x1b\r\n\r\n.\r\n")
    assert b"250 2" in answers, answers
    # Names of files, and what is in them.
    evil = b"\x1b[2J\nFORGED\xe2\x80\xae"
    (drop / "good").write_bytes(b"mail from:<>\r\nFORGED\x1b\r\n")
    with open(bytes(drop) + b"/" + evil, "wb") as f:
        f.write(b"rcpt to:<\x1b[2J>\nFORGED")
    net.wait_for(lambda: (world.directory / "log").read_bytes().count(b"drop") >= 2, "two files to be refused")

    def settled():
        return {e["id"] for e in world.log()} >= set(ids.values()) and not world.queue()
    net.wait_for(settled, "all to have been tried, and the notices to be home", interval_s=0.1)

    # Where it is shown.
    texts = {"answers to a client": answers, "output": world.daemon_output().encode("utf-8", "surrogateescape")}
    for name in ("log", "tls.log"):
        texts[name] = (world.directory / name).read_bytes()
    for words in (("log",), ("queue", "list"), ("policy", "explain", "name.test"), ("log", "--failures")):
        texts[" ".join(words)] = world.run(*words).stdout
    with_json = {"log --json": world.run("log", "--json").stdout,
                 "explain --json": world.run("policy", "explain", "name.test", "--json").stdout}
    for words in (["send", "FORGED\x1b[2J\u202e@example.test"], ["send", "a\u2028FORGED@example.test"],
                  ["queue", "show", "\x1b[2J\nFORGED"], ["log", "--domain", "\x1b\nFORGED"], ["policy", "explain", "\x1b\nFORGED"],
                  ["deliver", "\nFORGED\x1b@example.test"], ["FORGED\x1b[2J\nFORGED"], ["intake", "xmail", evil],
                  ["policy", "allow", "add", "FORGED\x1b\nFORGED"], ["-c", "/\x1b\nFORGED", "run"]):
        done = subprocess.run([world.binary, "-c", world.conf, *words], input=MESSAGE, capture_output=True, env=world.env,
                              timeout=60, check=False)
        assert done.returncode != 0, words
        texts[f"stderr of {words!r}"] = done.stderr
        texts[f"stdout of {words!r}"] = done.stdout
    world.stop(process)

    # What waits in the queue: a message that is tried again, with what was said to it.
    world.configure(max_attempts=0)
    world.write_configuration()
    waiting = world.send("b@later.test", "b@strict.test", "b@starttls.test")
    world.once()
    texts["queue list, waiting"] = world.run("queue", "list").stdout
    texts["queue show"] = world.run("queue", "show", waiting).stdout
    with_json["queue list --json"] = world.run("queue", "list", "--json").stdout
    with_json["queue show --json"] = world.run("queue", "show", waiting, "--json").stdout
    texts["mailq"] = subprocess.run([f"{world.binary}-sendmail", "-C", world.conf, "-bp"], capture_output=True, check=True,
                                    env=world.env, timeout=60).stdout
    assert "FORGED" in texts["queue show"].decode() and "FORGED" in texts["mailq"].decode()

    for name, octets in texts.items():
        assert_text(name, octets)
    for name, octets in with_json.items():
        assert octets.strip(), name
        assert_json(name, octets)
    assert texts["log"].count(b"FORGED") > len(domains), "it is shown all the same"

    # What senders are told, and what goes on top of a message.
    assert len(home.messages) >= 6
    for message in home.messages:
        report = email.message_from_bytes(message.data)
        if report.get_content_type() == "multipart/report":
            assert_text("the text of a notice", report.get_payload(0).get_payload(decode=True))
            status = message.data.split(b"Delivery report", 1)[1].split(b"Content-Description", 1)[0]
            assert_text("the status of a notice", status)
        assert_text("columns: the header of a notice", message.data.split(b"\r\n\r\n")[0])
    (taken,) = [m for m in servers["taken"].messages if m.recipients == ["b@taken.test"]]
    assert_text("columns: Received", taken.data.split(b"\r\nFrom:")[0])
