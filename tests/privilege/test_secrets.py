"""Credentials are in memory while they are needed, and nowhere else."""
import base64
import email
import os
import pathlib
import threading

from peers import net
from peers.smtpd import Behaviour
from world import SENDER

PASSWORD, SLOW, TOKEN = "correct-horse-7f3a", "battery-staple-91c2", "ya29.token-5d0b"
USERS = {"me": PASSWORD, "you": SLOW, "it": TOKEN}


def shapes(secret, *users):
    """The ways in which a secret may be written down."""
    plain = secret.encode()
    forms = {plain, base64.b64encode(plain), plain.hex().encode(), plain.hex().upper().encode()}
    forms |= {base64.b64encode(f"\0{user}\0{secret}".encode()) for user in users}
    forms.add(base64.b64encode(f"user={users[0]}\x01auth=Bearer {secret}\x01\x01".encode()))
    # In the middle of other base64 it begins at one of three places.
    forms |= {base64.b64encode(b"\0" * skip + plain)[4 * (skip > 0):-4] for skip in range(3)}
    return forms


SHAPES = set().union(*(shapes(secret, user) for user, secret in USERS.items()))


def assert_free(name, octets):
    found = [shape for shape in SHAPES if shape in octets]
    assert not found, f"{found} in {name}"


def of_process(pid, what):
    """What /proc says; nothing of a command that has just ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def descendants(pid):
    children = of_process(pid, f"task/{pid}/children").decode().split()
    return [*children, *(d for child in children for d in descendants(child))]


def assert_processes_free(process):
    """How many there were to look at."""
    looked_at = 0
    for pid in (process.pid, *descendants(process.pid)):
        shown = {what: of_process(pid, what) for what in ("cmdline", "environ")}
        for what, octets in shown.items():
            assert_free(f"{what} of {pid}", octets)
        looked_at += all(shown.values())
    return looked_at


def assert_shown_free(world, message_id, *but):
    for words in (("log",), ("log", "--json"), ("queue", "list", "--json"), ("queue", "show", message_id, "--json"),
                  ("config", "show", "--all"), ("config", "check"), ("policy", "show"), ("policy", "check"),
                  ("policy", "explain", "fast.test")):
        done = world.run(*words, check=False)
        assert_free(" ".join(words), done.stdout + done.stderr)
    for path in world.directory.rglob("*"):
        if path.is_file() and path not in but:
            assert_free(path, path.read_bytes())


def write_credentials(world, *lines):
    path = world.directory / "credentials"
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    world.configure(credentials=str(path), trust_file=str(world.certificates.ca), fallback="none")
    return path


def test_secrets_are_in_no_argument_environment_log_or_file(world):
    """Looked at while a command is asked, while messages are under way, and afterwards."""
    hold = threading.Event()
    relay = world.host("relay.example.test", Behaviour(users=USERS, mechanisms=("PLAIN", "XOAUTH2"), hold_data=hold))
    fifo, token = world.directory / "fifo", world.directory / "token"
    os.mkfifo(fifo, 0o600)
    token.write_text(TOKEN)
    path = write_credentials(world, f"fast me password {PASSWORD}", f"slow you password-command /bin/cat {fifo}",
                             f"token it token-command /bin/cat {token}")
    world.policy("routes.txt", "".join(f"[{n}.test] smtp://[relay.example.test]:{world.port} auth={n}\n"
                                       for n in ("fast", "slow", "token")))
    process = world.daemon()
    message_id = world.send("b@fast.test", "b@slow.test", "b@token.test")
    net.wait_for(lambda: bytes(fifo) in b"".join(
        of_process(pid, "cmdline") for pid in descendants(process.pid)), "the command that is asked")
    assert assert_processes_free(process) >= 2
    with open(fifo, "w", encoding="ascii") as f:
        f.write(SLOW)
    net.wait_for(lambda: {s.user for s in relay.sessions} == set(USERS), "all three to log in")
    assert assert_processes_free(process)
    assert_shown_free(world, message_id, path, token, fifo)
    hold.set()
    world.wait_gone()
    assert set(world.outcomes(message_id)) == {"delivered"}
    assert assert_processes_free(process)
    world.stop(process)
    assert_shown_free(world, message_id, path, token, fifo)


def test_a_refused_password_stays_between_us_and_the_log(world):
    """What the sender is told has the words of the relay, and neither names nor files of ours."""
    home = world.one_host(domain="sender.test")
    world.host("relay.example.test", Behaviour(users={"me": "another"}, mechanisms=("PLAIN",)))
    world.host("bare.example.test", Behaviour())
    path = write_credentials(world, f"secret-entry me password {PASSWORD}")
    relay, bare = (f"smtp://[{name}.example.test]:{world.port}" for name in ("relay", "bare"))
    world.policy("routes.txt", f"[wrong.test] {relay} auth=secret-entry\n[missing.test] {relay} auth=no-entry\n"
                               f"[none.test] {bare} auth=secret-entry\n"
                               f"[certificate.test] {relay} certificate={world.directory}/no-such.pem\n")
    world.configure(bounce_delay_warning="1s", retry_schedule="1s", max_age="3s")
    recipients = [f"b@{name}.test" for name in ("wrong", "missing", "none", "certificate")]
    process = world.daemon()
    for recipient in recipients:
        world.send(recipient)
    net.wait_for(lambda: len(home.messages) >= 2 * len(recipients), "delay and failure of each")
    world.stop(process)
    log = (world.directory / "log").read_text()
    assert f"entry secret-entry of {path}" in log and "no entry no-entry" in log and "no-such.pem" in log
    kinds = set()
    for message in home.messages:
        report = email.message_from_bytes(message.data)
        status = report.get_payload(1).as_string()
        kinds.update(action for action in ("delayed", "failed") if f"Action: {action}" in status)
        whole = message.data.decode() + report.get_payload(0).get_payload(decode=True).decode()
        for private in (str(world.directory), "credentials", "secret-entry", "no-entry", "no-such.pem"):
            assert private not in whole.replace("=\r\n", ""), f"{private} in:\n{whole}"
        assert_free("a notice", whole.encode())
    assert kinds == {"delayed", "failed"}
    assert SENDER in home.messages[0].recipients[0]
    assert_free("the log", log.encode())
