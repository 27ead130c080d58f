"""Root starts it, and it goes on as a user of its own; nobody else gets at what it keeps."""
import os
import pathlib
import pwd
import random
import shutil
import signal
import smtplib
import stat
import subprocess
import sys

import pytest

from people import OWNER, STRANGER, as_user, ids
from peers import net
from peers.smtpd import Behaviour
from world import EX_CONFIG, EX_OK, MESSAGE, SENDER

CAP_NET_BIND_SERVICE = 1 << 10
WIRE = MESSAGE.replace(b"\n", b"\r\n")


def status_of(process):
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def low_port(address):
    while True:
        port = random.SystemRandom().randrange(600, 1024)
        if net.is_free(address, port):
            return port


def hand_over(address, port, process, recipient):
    net.wait_for_port(address, port, "the listener", process)
    with smtplib.SMTP(address, port, timeout=30) as client:
        assert not client.sendmail(SENDER, [recipient], WIRE)


def not_of(name, directory):
    """What is not that user's."""
    uid, gid = ids(name)
    return [p.name for p in directory.rglob("*") if (p.lstat().st_uid, p.lstat().st_gid) != (uid, gid)]


# -- the program --

def test_root_becomes_the_user_for_good(open_world):
    """Ports below 1024 are all that is kept of root's rights; a reload has what the start had."""
    world = open_world
    server = world.one_host()
    first, second = world.block.address(), world.block.address()
    port, later = low_port(first), low_port(second)
    queue, logs = world.directory / "queue", world.directory / "logs"
    for directory in (queue, logs):
        directory.mkdir()
        os.chown(directory, *ids(OWNER))
    world.configure(queue=str(queue / "queue.db"), log=str(logs / "log"), tls_log=str(logs / "tls.log"),
                    listen=[f"smtp:{first}:{port}"])
    process = world.daemon()
    hand_over(first, port, process, "b@example.test")
    uid, gid = ids(OWNER)
    status = status_of(process)
    assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4
    assert set(status["Groups"].split()) <= {str(gid)}
    for kept in ("CapPrm", "CapEff"):
        assert int(status[kept], 16) == CAP_NET_BIND_SERVICE, kept
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0 and status["NoNewPrivs"] == "1"
    assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0, "it leaves no core file: prctl(2), PR_SET_DUMPABLE"
    (logs / "log").rename(logs / "log.1")
    world.configure(listen=[f"smtp:{first}:{port}", f"smtp:{second}:{later}"])
    world.write_configuration()
    process.send_signal(signal.SIGHUP)
    hand_over(second, later, process, "c@example.test")
    world.send("d@example.test")  # root's, which becomes the same user
    subprocess.run([f"{world.binary}-sendmail", "-C", world.conf, "-i", "e@example.test"], input=MESSAGE, check=True,
                   env=world.env, timeout=60)
    world.wait_gone()
    assert len(server.messages) == 4
    assert "configuration reloaded" in (logs / "log").read_text()
    world.run("queue", "retry", "--all", check=False)
    world.stop(process)
    assert not_of(OWNER, queue) + not_of(OWNER, logs) == [], "nothing is left of root's"


def test_without_a_low_port_no_right_is_kept(open_world):
    world = open_world
    world.one_host()
    process = world.daemon()
    world.wait_gone(world.send("b@example.test"))
    status = status_of(process)
    assert {int(status[c], 16) for c in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
    world.run("policy", "exclude", "add", "example.test")
    assert (world.policy_dir / "nomtatsl.txt").stat().st_uid == 0, "the policy is not the program's to change"
    done = as_user(OWNER, sys.executable, "-c", f"open({str(world.policy_dir / 'nomtatsl.txt')!r}, 'a')")
    assert b"Permission" in done.stderr


def test_a_command_of_the_credentials_file_has_the_users_rights_and_no_more(open_world):
    world = open_world
    world.one_host(Behaviour(users={"me": "secret"}))
    seen, own = world.directory / "seen", world.block.address()
    credentials = world.directory / "credentials"
    credentials.write_text("main me password-command "
                           f"/bin/sh -c 'exec >{seen}; id -u; id -G; env; grep ^Cap /proc/self/status'\n")
    credentials.chmod(0o640)
    os.chown(credentials, 0, ids(OWNER)[1])
    trusted = world.directory / "ca.pem"
    trusted.write_bytes(pathlib.Path(world.certificates.ca).read_bytes())
    world.configure(credentials=str(credentials), trust_file=str(trusted),
                    listen=[f"smtp:{own}:{low_port(own)}"])
    world.policy("routes.txt", f"* smtp://[mx1.example.test]:{world.port} auth=main\n")
    process = world.daemon(env={"NOTIFY_SOCKET": "/nowhere", "HOME": "/root"})
    world.send("b@example.test")
    net.wait_for(lambda: seen.exists() and b"CapAmb" in seen.read_bytes(), "the command")
    uid, groups, *rest = seen.read_text().splitlines()
    assert (uid, groups) == tuple(map(str, ids(OWNER)))
    caps = [line.split() for line in rest if line.startswith("Cap")]
    assert {int(value, 16) for name, value in caps if name != "CapBnd:"} == {0}
    environment = dict(line.split("=", 1) for line in rest if "=" in line)
    assert set(environment) <= {"PATH", "LANG", "HOME", "PWD", "_", "SHLVL", "OLDPWD"}
    assert environment["HOME"] == pwd.getpwnam(OWNER).pw_dir, "its own, not root's"
    world.stop(process)


# -- what it refuses to start with --

def refused(world, *words):
    done = world.run(*words, check=False)
    assert done.returncode == EX_CONFIG, done.stderr
    return done.stderr.decode()


def test_it_does_not_start_where_it_could_not_go_on(open_world):
    world = open_world
    world.prepare()
    world.conf.chmod(0o600)
    assert f"may not read {world.conf}" in refused(world, "run", "--once")
    world.conf.chmod(0o644)
    world.configure(user="nobody-of-that-name")
    world.write_configuration()
    for words in (("run", "--once"), ("send", "b@example.test"), ("queue", "list")):
        assert "there is no user nobody-of-that-name; make it" in refused(world, *words)
    assert "there is no user nobody-of-that-name" in world.run("config", "check", check=False).stderr.decode()
    world.configure(user=OWNER)
    world.write_configuration()
    copy = world.directory / "hikyaku"
    shutil.copy(world.binary, copy)
    copy.chmod(0o755)
    env = {"PATH": world.env["PATH"], "ASAN_OPTIONS": "detect_leaks=0"}
    done = as_user(STRANGER, copy, "-c", world.conf, "run", "--once", env=env)
    assert done.returncode == EX_CONFIG and f"only root and {OWNER} may run this".encode() in done.stderr
    assert as_user(OWNER, copy, "-c", world.conf, "run", "--once", env=env).returncode == EX_OK


@pytest.mark.parametrize("option", ["queue", "policy_dir"])
def test_a_directory_that_others_may_write_to_is_refused(open_world, option):
    world = open_world
    place = world.directory / "place"
    place.mkdir()
    world.configure(**{option: str(place / "queue.db" if option == "queue" else place)})
    world.prepare()
    for owner, mode, said in ((OWNER, 0o777, "may be written to by everybody"),
                              (OWNER, 0o1777, "may be written to by everybody"),
                              (STRANGER, 0o755, f"belongs to uid {ids(STRANGER)[0]}, {STRANGER}")):
        place.chmod(mode)
        os.chown(place, *ids(owner))
        for words in (("config", "check"), ("run", "--once")):
            told = refused(world, *words)
            assert told.startswith(("hikyaku: ", "")[words[0] == "config"] + f"{option}: directory {place} ")
            assert said in told
    os.chown(place, *ids(OWNER))
    world.run("run", "--once")
    # A service manager starts it as its user: root, who checks, does not know whom.
    world.configure(user=None)
    world.write_configuration()
    world.run("config", "check")


def test_root_without_a_user_is_told_so(open_world):
    world = open_world
    os.chown(world.directory, 0, 0)
    world.configure(user=None)
    world.once()
    world.configure(user="root")
    world.once()
    warnings = [line for line in (world.directory / "log").read_text().splitlines() if "runs as root" in line]
    assert len(warnings) == 1 and "set user" in warnings[0]


# -- others --

TRY = """
import os, socket, stat, sys
def attempt(name, function):
    try:
        function()
        print(name)
    except PermissionError:
        pass
for path in sys.argv[1:]:
    mode = os.stat(path).st_mode
    if stat.S_ISSOCK(mode):
        attempt("connect " + path, lambda: socket.socket(socket.AF_UNIX).connect(path))
        continue
    flags = os.O_NONBLOCK | os.O_NOCTTY
    attempt("read " + path, lambda: os.open(path, os.O_RDONLY | flags))
    attempt("write " + path, lambda: os.open(path, os.O_WRONLY | flags))
"""


def test_nobody_else_gets_at_what_is_queued(open_world):
    """Even where the directory lets them in and the umask takes nothing away."""
    world = open_world
    world.one_host()
    queue = world.directory / "queue"
    queue.mkdir(mode=0o711)
    queue.chmod(0o711)
    os.chown(queue, *ids(OWNER))
    world.configure(queue=str(queue / "queue.db"), listen=[f"lmtp:{queue}/lmtp"], log=str(queue / "log"),
                    tls_log=str(queue / "tls.log"))
    world.prepare()
    old = os.umask(0)
    try:
        process = world.daemon()
        world.wait_gone(world.send("b@example.test"))
        net.wait_for((queue / "lmtp").exists, "the socket")
        found = {p.name: stat.S_IMODE(p.lstat().st_mode) for p in queue.iterdir()}
    finally:
        os.umask(old)
    doubt = [name for name in found if name.startswith("queue.db.doubt.")]
    assert len(doubt) == 1
    assert found == {**dict.fromkeys(["queue.db", "queue.db-wal", "queue.db-shm", "queue.db.lock", "queue.db.wake", *doubt],
                                     0o600),
                     "lmtp": 0o660, "log": 0o640, "tls.log": 0o640}
    paths = [str(queue / name) for name in found]
    done = as_user(STRANGER, sys.executable, "-c", TRY, *paths, cwd="/")
    assert (done.returncode, done.stdout) == (EX_OK, b""), done.stderr
    assert as_user(STRANGER, "ls", queue).returncode != 0, "nobody else may list it"
    done = as_user(OWNER, sys.executable, "-c", TRY, *paths, cwd="/")
    assert len(done.stdout.splitlines()) == 2 * len(paths) - 1, "the test can tell"
    world.stop(process)


def test_nothing_is_led_astray_by_links(open_world):
    """A link in the place of a file of ours is an error, and what it leads to stays as it is."""
    world = open_world
    target = world.directory / "target"
    target.write_bytes(b"root's own\n")
    target.chmod(0o600)
    world.configure(user="root")
    os.chown(world.directory, 0, 0)
    for name in ("log", "tls.log", "queue.db.lock", "queue.db-wal", "queue.db-shm", "queue.db.wake"):
        world.once()
        (world.directory / name).unlink(missing_ok=True)
        (world.directory / name).symlink_to(target)
        process = world.daemon()
        assert process.wait(30) not in (EX_OK, -signal.SIGTERM), name
        assert target.read_bytes() == b"root's own\n" and stat.S_IMODE(target.stat().st_mode) == 0o600, name
        (world.directory / name).unlink()
