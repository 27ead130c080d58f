"""Relays as providers run them: Postfix's submission services, which want a password, a token or
a certificate, and Dovecot's LMTP. What the scripted servers show is in test_routes.py."""
import pathlib
import re
import smtplib
import subprocess

import pytest

from peers import auth, certs, dovecot as dovecots, net
from peers.submission import LOGIN, PASSWORD
from peers.smtpd import Behaviour
from world import EX_CONFIG, HEADER, MESSAGE, without_trace

WIRE = MESSAGE.replace(b"\n", b"\r\n")
PIN = "84625173"


@pytest.fixture
def credentials(world):
    """Writes the credentials file, as an editor does."""
    path = world.directory / "credentials"
    world.configure(credentials=str(path), trust_file=str(world.certificates.ca))

    def write(*lines):
        scratch = world.directory / "credentials~"
        scratch.write_text("".join(f"{line}\n" for line in lines))
        scratch.chmod(0o600)
        scratch.rename(path)
        return path
    return write


def log_text(world):
    return (world.directory / "log").read_text()


def secret_file(world, name, text):
    path = world.directory / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def assert_nowhere(world, secret, *but):
    """A secret is in no file of the world but those named, and in nothing that is shown."""
    shown = "".join(world.text(*words) for words in (
        ("log",), ("log", "--json"), ("queue", "list", "--json"), ("config", "show", "--all"), ("policy", "show")))
    assert secret not in shown
    for path in world.directory.rglob("*"):
        if path.is_file() and path not in but:
            assert secret.encode() not in path.read_bytes(), path


# -- getting in --

def test_every_way_of_authenticating_gets_mail_into_a_postfix(world, credentials, submission):
    secret = secret_file(world, "secret", PASSWORD + "\n")
    token = secret_file(world, "token", dovecots.token(dovecots.USER))
    path = credentials("# who we are at the provider", f"main {LOGIN} password {PASSWORD}",
                       f"command {LOGIN} password-command /bin/cat {secret}",
                       f"token {dovecots.USER} token-command /bin/cat {token}")
    services = [*auth.MECHANISMS, "submission", "smtps", "oauth", "xoauth2"]
    entries = {"submission": "command", "oauth": "token", "xoauth2": "token"}
    world.policy("routes.txt", "".join(
        f"[{service}.test] {submission.place(world, service, f'{service}.example.test')} "
        f"auth={entries.get(service, 'main')}\n" for service in services))
    message_id = world.send(*[f"{service}@{service}.test" for service in services])
    world.once()
    assert set(world.outcomes(message_id)) == {"delivered"}, world.log(message_id)
    for entry in world.log(message_id):
        assert entry["channel"] == "tls" and entry["tls"]["verified"], entry
    for service in services:
        (message,) = submission.wait_stored(f"{service}@{service}.test")
        user, mechanism = {"oauth": (dovecots.USER, "OAUTHBEARER"), "xoauth2": (dovecots.USER, "XOAUTH2")}.get(
            service, (LOGIN, service if service in auth.MECHANISMS else "SCRAM-SHA-256"))
        assert without_trace(message) == WIRE
        assert f"(Authenticated sender: {user})".encode() in message and b" with ESMTPSA id " in message
        assert submission.mechanism_of(message) == mechanism
    assert_nowhere(world, PASSWORD, path, secret)
    assert_nowhere(world, token.read_text(), token)


def test_a_wrong_password_waits_for_the_right_one(world, credentials, submission):
    """The worker goes on running: what is read next is the edited file."""
    wrong = "not the one, alas"
    target = submission.place(world, "submission", "submission.example.test")
    world.policy("routes.txt", f"* {target} auth=provider\n")
    path = credentials(f"provider {LOGIN} password {wrong}")
    daemon = world.daemon()
    message_id = world.send("b@wrong.test")
    net.wait_for(lambda: world.log(message_id), "the first attempt")
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["failure"], entry["stage"]) == ("deferred", "smtp_temporary", "auth")
    assert (entry["reply"]["code"], entry["next_channel"]) == (535, "tls")
    for words in (("log", "--id", message_id), ("queue", "show", message_id), ("queue", "list")):
        assert f"does not take entry provider of {path} by SCRAM-SHA-256" in world.text(*words), words
    assert "hikyaku queue retry --domain wrong.test" in world.text("log")
    (line,) = [l for l in log_text(world).splitlines() if "to=<b@wrong.test>" in l]
    assert "dsn=4.7.8, status=deferred" in line and f"entry provider of {path}" in line
    for file in ("cmdline", "environ"):
        assert wrong.encode() not in pathlib.Path(f"/proc/{daemon.pid}/{file}").read_bytes()
    assert_nowhere(world, wrong, path)
    assert submission.stored("b@wrong.test") == []
    credentials(f"provider {LOGIN} password {PASSWORD}")
    world.run("queue", "retry", message_id)
    world.wait_gone(message_id)
    assert world.outcomes(message_id) == ["deferred", "delivered"] and daemon.poll() is None
    (message,) = submission.wait_stored("b@wrong.test")
    assert without_trace(message) == WIRE
    assert_nowhere(world, PASSWORD, path)


def test_a_token_that_is_refused_is_asked_for_again(world, credentials, submission):
    """Its command runs for each session, and what Dovecot says of the token is passed on."""
    token = secret_file(world, "token", dovecots.token(dovecots.USER, key=b"of somebody else"))
    target = submission.place(world, "oauth", "oauth.example.test")
    world.policy("routes.txt", f"* {target} auth=provider\n")
    credentials(f"provider {dovecots.USER} token-command /bin/cat {token}")
    message_id = world.send("b@token.test")
    world.once()
    (entry,) = world.log(message_id)
    assert (entry["outcome"], entry["stage"], entry["reply"]["code"]) == ("deferred", "auth", 535)
    assert re.search(r"entry provider of \S+ by OAUTHBEARER: .*invalid_token", entry["detail"])
    assert_nowhere(world, token.read_text(), token)
    token.write_text(dovecots.token(dovecots.USER))
    world.retry()
    assert world.outcomes(message_id) == ["deferred", "delivered"]
    assert submission.wait_stored("b@token.test")


# -- keeping out --

def test_nothing_of_a_password_leaves_without_tls_or_for_a_stranger(world, credentials, submission):
    """Postfix would take it: it offers AUTH in plaintext, and everybody answers to a forged name."""
    path = credentials(f"main {LOGIN} password {PASSWORD}")
    source = world.block.address()
    world.configure(fallback="plaintext")
    names = {"clear": ("plaintext", "clear.example.test"), "forged": ("submission", "mx.forged.sub.test")}
    world.policy("routes.txt", "".join(
        f"[{domain}.test] {submission.place(world, service, name)} auth=main source={source}\n"
        for domain, (service, name) in names.items()))
    message_id = world.send("b@clear.test", "b@forged.test")
    world.attempts(2)
    entries = world.log(message_id)
    assert len(entries) == 4
    assert "credentials are for TLS only, and the host offers no STARTTLS" in log_text(world)
    for entry in entries:
        assert (entry["outcome"], entry["failure"], entry["next_channel"]) == ("deferred", "policy", "tls")
    sessions = net.wait_for(lambda: len(submission.ends_of(source)) >= 4 and submission.ends_of(source),
                            "Postfix to see four sessions end")
    assert len(sessions) == 4 and not any(w.startswith(("auth=", "mail=")) for s in sessions for w in s)
    assert_nowhere(world, PASSWORD, path)


# -- client certificates --

def softhsm(world, mine):
    """A token with the client's certificate and key; its URL."""
    (world.directory / "tokens").mkdir()
    conf = world.directory / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {world.directory}/tokens\nobjectstore.backend = file\n")
    world.env["SOFTHSM2_CONF"] = str(conf)
    url = "pkcs11:token=courier"
    for words in (["softhsm2-util", "--init-token", "--free", "--label", "courier", "--pin", PIN, "--so-pin", "5678"],
                  ["softhsm2-util", "--import", mine.key, "--token", "courier", "--label", "mine", "--id", "01",
                   "--pin", PIN],
                  ["p11tool", "--provider", "/usr/lib/softhsm/libsofthsm2.so", "--login", "--write", "--label", "mine",
                   "--id", "01", "--load-certificate", mine.cert, url]):
        subprocess.run(words, env={**world.env, "GNUTLS_PIN": PIN}, check=True, capture_output=True)
    return f"{url};object=mine"


def test_a_relay_for_those_with_a_certificate(world, credentials, submission):
    """In a file with its key beside it, in one with both, in PKCS#12, on a token."""
    mine = certs.ClientCertificates(world.certificates)
    path = credentials(f"p12 - password {mine.PASSWORD}", f"pin - password {PIN}")
    strict = submission.place(world, "certificate", "strict.example.test")
    asking = submission.place(world, "certificate-asked", "asking.example.test")
    shown = {"pem": f"certificate={mine.cert} key={mine.key}", "both": f"certificate={mine.both}",
             "p12": f"certificate={mine.pkcs12} secret=p12", "token": f"certificate={softhsm(world, mine)} secret=pin"}
    world.policy("routes.txt", "".join(
        f"[{name}.{kind}.test] {target} tls=verified {options}\n" for name, options in shown.items()
        for kind, target in (("strict", strict), ("asking", asking))) + f"[none.test] {asking} tls=verified\n")
    recipients = [f"b@{name}.{kind}.test" for name in shown for kind in ("strict", "asking")]
    message_id = world.send(*recipients)
    world.once()
    assert set(world.outcomes(message_id)) == {"delivered"}, world.log(message_id)
    for recipient in recipients:
        (message,) = submission.wait_stored(recipient)
        assert b'(Client CN "client one", Issuer "hikyaku test CA" (verified OK))' in message
    refused = world.send("b@none.test")
    world.once()
    assert world.outcomes(refused) == ["bounced"] and submission.stored("b@none.test") == []
    for secret in (mine.PASSWORD, PIN):
        assert secret not in log_text(world) + world.text("log", "--json")
    assert_nowhere(world, mine.PASSWORD, path)


def test_an_expired_certificate_is_left_out_or_stops_the_attempt(world, credentials, submission):
    mine = certs.ClientCertificates(world.certificates)
    target = submission.place(world, "certificate", "strict.example.test")
    source = world.block.address()
    world.policy("routes.txt", f"* {target} tls=verified source={source} certificate={mine.expired}\n")
    message_id = world.send("b@expired.test")
    world.attempts(2)
    for entry in world.log(message_id):
        assert (entry["outcome"], entry["reply"]["code"], entry["next_channel"]) == ("deferred", 421, "tls")
        assert "No client certificate presented" in entry["reply"]["text"]
    warnings = [line for line in log_text(world).splitlines() if f"client certificate {mine.expired} expired" in line]
    assert len(warnings) == 2, "one a process"
    world.configure(expired_certificates="refuse")
    world.retry()
    last = world.log(message_id)[-1]
    assert (last["outcome"], last["failure"], last["stage"]) == ("deferred", "policy", "prepare")
    assert f"no connection was made: the client certificate {mine.expired} expired on " in world.text("log")
    net.wait_for(lambda: len(submission.ends_of(source)) >= 2, "Postfix to see the sessions end")
    assert len(submission.ends_of(source)) == 2, "the third attempt did not connect"


# -- TLS from the first octet --

def test_port_465_is_never_spoken_to_in_plaintext(world, credentials, submission):
    """A slip of the editor: the routes in force stay, and `policy check` says what to write."""
    credentials(f"main {LOGIN} password {PASSWORD}")
    good = submission.place(world, "smtps", "smtps.example.test")
    path = world.policy("routes.txt", f"* {good} auth=main\n")
    world.daemon()
    world.wait_gone(world.send("b@first.smtps.test"))
    world.policy("routes.txt", "* smtp://[smtps.example.test]:465 auth=main\n")
    done = world.run("policy", "check", check=False)
    assert done.returncode == EX_CONFIG
    assert f"{path}:1: " in done.stderr.decode() and "write smtps://[smtps.example.test]:465" in done.stderr.decode()
    net.wait_for(lambda: "write smtps://[smtps.example.test]:465" in log_text(world), "the error in the log")
    message_id = world.send("b@second.smtps.test")
    world.wait_gone(message_id)
    (entry,) = world.log(message_id)
    assert (entry["port"], entry["channel"]) == (submission.port, "tls")
    for recipient in ("b@first.smtps.test", "b@second.smtps.test"):
        assert submission.wait_stored(recipient)


def test_a_server_without_tls_has_a_tunnel(world, credentials, submission):
    """Plaintext into the listener, by smtplib and swaks; TLS from the first octet out of it."""
    credentials(f"main {LOGIN} password {PASSWORD}")
    world.policy("routes.txt", f"* {submission.place(world, 'smtps', 'smtps.example.test')} auth=main\n")
    address, socket_path = world.block.address(), world.directory / "in"
    world.configure(listen=[f"smtp:{address}:{world.port}", f"lmtp:{socket_path}"])
    process = world.daemon()
    net.wait_for_port(address, world.port, "the listener", process)
    with smtplib.SMTP(address, world.port, timeout=30) as client:
        assert not client.sendmail("a@sender.test", ["b@tunnel.test", "c@tunnel.test"], WIRE)
    for protocol, place in (("ESMTP", ["--server", address, "--port", str(world.port)]),
                            ("LMTP", ["--socket", str(socket_path)])):
        done = subprocess.run(["swaks", *place, "--protocol", protocol, "--from", "a@sender.test", "--ehlo", "me.test",
                               "--to", f"b@{protocol}.test,c@{protocol}.test", "--data", "-"],
                              input=MESSAGE.removesuffix(b"\n"),  # it ends the last line itself
                              capture_output=True, timeout=30)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    world.wait_gone()
    for recipient in [f"{box}@{domain}.test" for box in "bc" for domain in ("tunnel", "ESMTP", "LMTP")]:
        (message,) = submission.wait_stored(recipient)
        assert without_trace(message) == WIRE
        assert b"using TLSv1.3" in message and b"(Authenticated sender: " in message
    assert {entry["channel"] for entry in world.log()} == {"tls"}


# -- which relay --

def test_relays_stand_in_for_each_other(world, credentials, submission):
    """The first is down, the second does not know the password, the third takes the mail."""
    credentials(f"main {LOGIN} password {PASSWORD}")
    down = f"smtp://[{world.block.address()}]:{world.port}"
    stranger = world.host("stranger.example.test", Behaviour(users={LOGIN: "another"}))
    third = submission.place(world, "submission", "third.example.test")
    targets = f"{down}, smtp://[stranger.example.test]:{world.port}, {third}"
    world.policy("routes.txt", f"[listed.relays.test] {targets} auth=main\n"
                               f".turn.relays.test {targets} auth=main order=turn\n")
    message_id = world.send("b@listed.relays.test")
    world.once()
    entries = world.log(message_id)
    assert [(e["failure"], e["stage"]) for e in entries[:2]] == [("connect", "connect"), ("smtp_temporary", "auth")]
    assert entries[2]["outcome"] == "delivered" and len(entries) == 3
    turns = [f"b@d{n}.turn.relays.test" for n in range(24)]
    world.send(*turns)
    before = len(stranger.sessions)
    world.once()
    for recipient in ["b@listed.relays.test", *turns]:
        assert submission.wait_stored(recipient)
    assert len(stranger.sessions) < before + 24, "some began with the third"


def test_dovecot_stores_what_lmtp_brings_and_bounces_whom_it_does_not_know(world, dovecot):
    world.policy("routes.txt", f"[lmtp.test] lmtp:{dovecot.path}\n")
    message = HEADER + b"\n.\n..dots\nend\n"
    message_id = world.send("b@lmtp.test", "nobody@lmtp.test", message=message)
    world.once()
    (entry,) = world.log(message_id)
    assert {r["address"]: r["outcome"] for r in entry["recipients"]} == {
        "b@lmtp.test": "delivered", "nobody@lmtp.test": "bounced"}
    assert (entry["mx"], entry["channel"], entry["tls"]) == (str(dovecot.path), "plaintext", None)
    (stored,) = dovecot.stored("b@lmtp.test")
    assert without_trace(stored) == message.replace(b"\n", b"\r\n") and b" with LMTP" in stored
