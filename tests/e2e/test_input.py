"""What bad input gets: a message that names what, where and what to do, a sysexits status, nothing half done."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from world import EX_CONFIG, EX_DATAERR, EX_NOINPUT, EX_OK, EX_USAGE, MESSAGE

EX_TEMPFAIL = 75


@pytest.mark.parametrize("line, words", [
    ("no_such_option = 1", ["no_such_option"]),
    ("fallbak = none", ["fallbak", "fallback"]),
    ("port = 26\nport = 27", ["port"]),
    ("port = 0", ["port"]), ("port = 65536", ["port"]), ("port = many", ["port"]),
    ("fallback = sometimes", ["fallback", "sometimes"]),
    ("starttls = perhaps", ["starttls"]),
    ("protocols = {\"TLS9.9\"}", ["protocols", "TLS9.9"]),
    ("protocols = {}", ["protocols"]),
    ("retry_schedule = \"0s\"", ["retry_schedule"]), ("retry_schedule = \"soon\"", ["retry_schedule"]),
    ("max_age = \"-1d\"", ["max_age"]), ("max_age = \"1 fortnight\"", ["max_age"]),
    ("dns_servers = {\"not an address\"}", ["dns_servers"]),
    ("prohibited_addresses = {\"10.0.0.0/33\"}", ["prohibited_addresses"]),
    ("greeting_after_starttls = hello", ["greeting_after_starttls"]),
    ("sni = \"bad..name\"", ["sni"]),
    ("domain_match = regex", ["domain_match"]),
    ("max_message_size = 0", ["max_message_size"]),
    ("workers = 0", ["workers"]),
    ("destination \"a..b\" { port = 26 }", ["a..b"]),
    ("destination \"a.test\" { queue = \"x\" }", ["queue"]),
    ("destination \"a.test\" { port = 26", ["}"]),
    ("max_sessions = ", ["max_sessions"]),
])
def test_a_bad_option_is_refused_with_file_line_and_name(world, line, words):
    world.prepare()
    first = "# a comment first\n"
    world.conf.write_text(first + line + "\n")
    for command in (["config", "check"], ["run", "--once"], ["send", "b@example.test"], ["queue", "list"]):
        done = world.run(*command, stdin=MESSAGE, check=False)
        talk = (done.stderr + done.stdout).decode()
        assert done.returncode == EX_CONFIG, (command, talk)
        assert "hikyaku.conf:" in talk, talk
        for word in words:
            assert word in talk, (word, talk)


def test_every_error_of_a_file_is_told_with_its_line(world):
    world.prepare()
    world.conf.write_text("fallback = none\nport = 0\n\nfallbak = x\n")
    talk = world.run("config", "check", check=False).stderr.decode()
    assert "hikyaku.conf:2" in talk and "hikyaku.conf:4" in talk


def test_an_empty_configuration_works_and_a_missing_one_is_named(world):
    world.prepare()
    world.conf.write_text("")
    assert world.run("config", "check").returncode == EX_OK
    done = subprocess.run([world.binary, "-c", world.directory / "none.conf", "config", "check"],
                          capture_output=True, env=world.env)
    assert done.returncode in (EX_CONFIG, EX_NOINPUT) and b"none.conf" in done.stderr


def test_config_check_looks_at_the_credentials(world):
    path = world.directory / "credentials"
    world.configure(credentials=str(path))
    assert world.run("config", "check").returncode == EX_OK, "it need not exist"
    path.write_text("# ours\nrelay user password hunter2\n")
    path.chmod(0o600)
    assert world.run("config", "check").returncode == EX_OK
    path.chmod(0o644)
    done = world.run("config", "check", check=False)
    assert done.returncode == EX_CONFIG and f"chmod g-w,o= {path}" in done.stderr.decode()
    path.write_text("relay user hunter2\n")
    path.chmod(0o600)
    done = world.run("config", "check", "--json", check=False)
    told = json.loads(done.stdout)
    assert done.returncode == EX_CONFIG and not told["valid"] and f"{path}:1: " in told["errors"][0]
    assert b"hunter2" not in done.stdout + done.stderr


def test_config_show_prints_what_differs_or_all(world):
    world.configure(fallback="none", max_age="3d")
    some, everything = world.text("config", "show"), world.text("config", "show", "--all")
    assert "fallback" in some and "none" in some and "max_age" in some and "data_timeout" not in some
    assert "data_timeout" in everything and len(everything) > len(some)
    world.conf.write_text(everything)
    assert world.run("config", "check").returncode == EX_OK, "its output is a configuration"
    assert world.json("config", "show")


@pytest.mark.parametrize("recipient", [
    "", "@example.test", "b@", "b@exa mple.test", "b@example..test", "b@-.test@", "b c@example.test",
    "b@example.test\nRCPT TO:<x@y.test>", "b@example.test\r", "b@\x01.test", "b\x7f@example.test",
    "x" * 65 + "@example.test", "b@" + "x" * 64 + ".test", "b@" + "x." * 130 + "test",
    "b@[127.0.0.300]", "b@[IPv6:zz]", "b@[127.0.0.1", "@relay.test:b@example.test",
])
def test_a_bad_recipient_is_refused_and_nothing_is_queued(world, recipient):
    done = world.run("send", "--", "good@example.test", recipient, stdin=MESSAGE, check=False)
    assert done.returncode in (EX_DATAERR, EX_USAGE) and done.stdout == b"" and done.stderr.strip()
    assert b"\x01" not in done.stderr and b"\r" not in done.stderr
    world.run("send", "good@example.test", stdin=MESSAGE)
    assert len(world.queue()) == 1


@pytest.mark.parametrize("sender", ["a", "a@", "a@b c", "a@sender.test\nX", "x" * 65 + "@sender.test"])
def test_a_bad_sender_is_refused(world, sender):
    done = world.run("send", "-f", sender, "b@example.test", stdin=MESSAGE, check=False)
    assert done.returncode in (EX_DATAERR, EX_USAGE) and done.stdout == b"" and done.stderr.strip()


@pytest.mark.parametrize("message", [b"", b"Subject: x\n\nnul\0here\n", b"\0"], ids=["empty", "NUL", "NUL alone"])
def test_an_empty_or_binary_message_is_refused(world, message):
    done = world.run("send", "-f", "a@sender.test", "b@example.test", stdin=message, check=False)
    assert done.returncode == EX_DATAERR and done.stdout == b"" and done.stderr.strip()
    world.send("good@example.test")
    assert len(world.queue()) == 1


def test_a_message_over_the_limit_is_refused_and_leaves_nothing(world):
    world.configure(max_message_size="100k")
    done = world.run("send", "-f", "a@sender.test", "b@example.test", stdin=MESSAGE + b"x\n" * 60000, check=False)
    assert done.returncode == EX_DATAERR and b"max_message_size" in done.stderr
    world.send("good@example.test", message=MESSAGE + b"x\n" * 20000)
    assert len(world.queue()) == 1


def test_a_mail_loop_is_refused(world):
    done = world.run("send", "-f", "a@sender.test", "b@example.test", check=False,
                     stdin=b"Received: from x by y; now\n" * 150 + MESSAGE)
    assert done.returncode != EX_OK and done.stdout == b"" and b"eceived" in done.stderr


@pytest.mark.parametrize("words", [
    ["nonsense"], ["queu"], ["queue", "nonsense"], ["send"], ["send", "--nonsense", "b@example.test"],
    ["run", "extra"], ["queue", "show"], ["queue", "show", "XYZ"], ["queue", "retry"], ["log", "--since", "whenever"],
    ["policy", "explain"], ["policy", "allow", "frob", "a.test"], ["--color=often", "version"],
])
def test_a_bad_command_line_says_what_and_exits_with_usage(world, words):
    done = world.run(*words, stdin=MESSAGE, check=False)
    assert done.returncode == EX_USAGE and done.stderr.strip() and done.stdout == b""


def test_a_near_miss_names_the_command_that_was_meant(world):
    assert b"queue list" in world.run("queue", "lst", check=False).stderr


def test_every_command_has_help(world):
    usage = world.text("--help")
    for name in ("send", "run", "queue list", "log", "policy explain", "config show", "version"):
        assert name in usage
        assert "Usage" in world.text(*name.split(), "--help")
    assert "hikyaku" in world.text("version") and "GnuTLS" in world.text("version")
    assert world.json("version")


def test_a_missing_queue_is_named_by_commands_that_only_look(world):
    for words in (["queue", "list"], ["log"], ["queue", "show", "0123456789ABCDEF"]):
        done = world.run(*words, check=False)
        assert done.returncode not in (EX_OK, 70) and b"queue.db" in done.stderr
    assert not (world.directory / "queue.db").exists(), "looking creates nothing"


def test_a_queue_in_a_directory_that_is_missing_is_named(world):
    world.configure(queue=str(world.directory / "no" / "queue.db"))
    done = world.run("send", "b@example.test", stdin=MESSAGE, check=False)
    assert done.returncode not in (EX_OK, 70) and b"/no" in done.stderr and done.stdout == b""


@pytest.mark.parametrize("content", [b"this is no database at all\n" * 100, b"SQLite format 3\0" + b"\xff" * 4000],
                         ids=["text", "broken header"])
def test_a_file_that_is_no_queue_is_refused_and_left_as_it_is(world, content):
    path = world.directory / "queue.db"
    path.write_bytes(content)
    for words in (["send", "b@example.test"], ["run", "--once"], ["queue", "list"]):
        done = world.run(*words, stdin=MESSAGE, check=False)
        assert done.returncode not in (EX_OK, 70) and b"queue.db" in done.stderr, words
    assert path.read_bytes() == content


def test_a_queue_of_another_version_is_refused(world):
    world.send("b@example.test")
    with sqlite3.connect(world.directory / "queue.db") as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1000}")
    db.close()
    done = world.run("send", "b@example.test", stdin=MESSAGE, check=False)
    assert done.returncode == EX_CONFIG and b"version" in done.stderr and done.stdout == b""


def test_a_locked_queue_is_told_as_a_passing_trouble(world):
    world.send("b@example.test")
    db = sqlite3.connect(world.directory / "queue.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    try:
        done = world.run("send", "b@example.test", stdin=MESSAGE, check=False)
        assert done.returncode == EX_TEMPFAIL and b"queue.db" in done.stderr and done.stdout == b""
    finally:
        db.execute("ROLLBACK")
        db.close()
    assert len(world.queue()) == 1


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_an_unwritable_queue_is_named(world):
    world.send("b@example.test")
    (world.directory / "queue.db").chmod(0o444)
    for path in [world.directory, *world.directory.parents][:4]:
        path.chmod(path.stat().st_mode | 0o055)
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    binary = world.directory / "hikyaku-copy"
    shutil.copy(world.binary, binary)
    binary.chmod(0o755)
    done = subprocess.run([*drop, binary, "-c", world.conf, "send", "b@example.test"], input=MESSAGE,
                          capture_output=True, env={"PATH": world.env["PATH"]}, cwd="/")
    assert done.returncode not in (EX_OK, 70) and b"queue.db" in done.stderr and done.stdout == b""



@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_told_and_nothing_is_half_done(world):
    small = world.directory / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", small], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        world.configure(queue=str(small / "queue.db"))
        stored, full = 0, None
        for _ in range(20):
            done = world.run("send", "-f", "a@sender.test", "b@example.test", check=False,
                             stdin=MESSAGE + b"x" * 70 * 1000)
            if done.returncode:
                full = done
                break
            stored += 1
        assert full is not None and full.returncode == EX_TEMPFAIL and full.stdout == b""
        assert b"full" in full.stderr or b"space" in full.stderr
        assert len(world.queue()) == stored, "what was acknowledged is there"
    finally:
        world.close()
        subprocess.run(["umount", small], check=True)
