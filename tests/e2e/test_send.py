"""Intake: `send` and `send --batch` with every kind of bad input, and what is left after it: nothing."""
import os
import pty
import signal
import sqlite3
import subprocess
import termios
import threading

import pytest

from peers import net
from world import EX_DATAERR, EX_OK, EX_USAGE, HEADER, MESSAGE

EX_IOERR, EX_TEMPFAIL = 74, 75
GOOD = b"MAIL FROM:<a@sender.test>\nRCPT TO:<good@example.test>\nDATA\n" + MESSAGE + b".\n"


def rows(world, table="message"):
    db = sqlite3.connect(world.directory / "queue.db")
    try:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        db.close()


def batch(world, data, **how):
    return world.run("send", "--batch", stdin=data, check=False, **how)


BAD_COMMANDS = [
    ("an unknown command", b"VRFY <a@b.test>\n", "VRFY"),
    ("a NUL", b"MAIL FROM:<a\0@sender.test>\n", "NUL"),
    ("control characters", b"MA\x1b[2J\n", "no command"),
    ("RCPT first", b"RCPT TO:<b@example.test>\n", "without MAIL"),
    ("DATA first", b"DATA\nSubject: x\n\nx\n.\n", "without MAIL"),
    ("no recipient", b"MAIL FROM:<a@sender.test>\nDATA\nSubject: x\n\nx\n.\n", "without RCPT"),
    ("MAIL before DATA", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test>\n", "had its DATA"),
    ("no <>", b"MAIL FROM:a@sender.test\n", "<>"),
    ("no >", b"MAIL FROM:<a@sender.test\n", ">"),
    ("a bad sender", b"MAIL FROM:<a@@x>\n", "a@@x"),
    ("a bad recipient", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@exa mple>\n", "exa mple"),
    ("an over-long local part", b"MAIL FROM:<" + b"x" * 65 + b"@sender.test>\n", "64"),
    ("an unknown parameter", b"MAIL FROM:<a@sender.test> FROB=1\n", "FROB"),
    ("a bad SIZE", b"MAIL FROM:<a@sender.test> SIZE=-1\n", "SIZE=-1"),
    ("a bad BODY", b"MAIL FROM:<a@sender.test> BODY=BINARYMIME\n", "BODY=BINARYMIME"),
    ("a bad RET", b"MAIL FROM:<a@sender.test> RET=SOME\n", "RET=SOME"),
    ("a bad ENVID", b"MAIL FROM:<a@sender.test> ENVID=+zz\n", "ENVID"),
    ("a bad NOTIFY", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test> NOTIFY=NEVER,DELAY\n", "NOTIFY"),
    ("a bad ORCPT", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test> ORCPT=none\n", "ORCPT"),
    ("an empty message", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test>\nDATA\n.\n", "empty"),
    ("a NUL in the content", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test>\nDATA\nSubject: x\n\n\0\n.\n", "NUL"),
]


@pytest.mark.parametrize("commands, word", [c[1:] for c in BAD_COMMANDS], ids=[c[0] for c in BAD_COMMANDS])
def test_a_bad_message_of_a_batch_is_named_and_the_others_go_on(world, commands, word):
    done = batch(world, GOOD + commands + GOOD + b"QUIT\n")
    talk = done.stderr.decode()
    assert done.returncode == EX_DATAERR and len(done.stdout.split()) == 2, talk
    assert word in talk and "line " in talk and talk.count("\n") == 1, talk
    assert "\x1b" not in talk
    if commands.startswith(b"MAIL FROM"):
        assert "message 2" in talk, talk
    assert rows(world) == rows(world, "item") == 2


@pytest.mark.parametrize("end", [
    b"MAIL FROM:<a@sender.test>\n", b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test>\nQUIT\n",
    b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test>\nDATA\n" + MESSAGE,
    b"MAIL FROM:<a@sender.test>\nRCPT TO:<b@example.test>\nDATA\n" + MESSAGE + b"x" * 500000,
    b"x" * 5000 + b"\n", b"x" * 100000,
], ids=["after MAIL", "QUIT without DATA", "inside the content", "inside a long line", "a long command", "no line"])
def test_a_batch_that_ends_early_queues_what_was_whole(world, end):
    done = batch(world, GOOD + end)
    assert done.returncode == EX_DATAERR and len(done.stdout.split()) == 1 and b"line " in done.stderr
    assert rows(world) == 1 and rows(world, "chunk") == 1


def test_a_message_over_the_limit_in_a_batch_does_not_stop_the_others(world):
    world.configure(max_message_size="100k")
    big = GOOD.replace(b"Hello.", b"x\n" * 60000)
    done = batch(world, GOOD + big + GOOD.replace(b"<a@sender.test>", b"<a@sender.test> SIZE=200000") + GOOD)
    assert done.returncode == EX_DATAERR and len(done.stdout.split()) == 2
    assert done.stderr.count(b"max_message_size") == 2
    assert rows(world) == rows(world, "chunk") == 2


def test_an_empty_batch_queues_nothing_and_is_no_error(world):
    for data in (b"", b"QUIT\n", b"\n\n"):
        done = batch(world, data)
        assert (done.returncode, done.stdout, done.stderr) == (EX_OK, b"", b"")


@pytest.mark.parametrize("words", [["send", "--batch", "b@example.test"], ["send", "--batch", "-f", "a@b.test"],
                                   ["send"], ["send", "-f"], ["send", "-x", "b@example.test"]])
def test_a_bad_use_of_send_is_told(world, words):
    done = world.run(*words, stdin=MESSAGE, check=False)
    assert done.returncode == EX_USAGE and done.stdout == b"" and done.stderr
    assert not (world.directory / "queue.db").exists()


def on_terminal(world, *words):
    """The command with a terminal on its standard input; the process and our end."""
    world.prepare()
    ours, theirs = pty.openpty()
    process = subprocess.Popen([world.binary, "-c", world.conf, *words], stdin=theirs, env=world.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    os.close(theirs)
    return process, ours


@pytest.mark.parametrize("words", [["send", "b@example.test"], ["send", "--batch"]], ids=["one", "batch"])
def test_a_terminal_is_told_what_is_waited_for(world, words):
    process, ours = on_terminal(world, *words)
    world.will_be_cut_short(process)
    hint = process.stderr.readline()
    assert b"terminal" in hint and b"Ctrl-D" in hint
    process.send_signal(signal.SIGINT)
    assert process.wait(net.SLOWNESS * 20) != 0 and process.stdout.read() == b""
    os.close(ours)
    assert rows(world) == 0


def test_a_message_typed_at_a_terminal_is_queued(world):
    process, ours = on_terminal(world, "send", "-f", "a@sender.test", "b@example.test")
    process.stderr.readline()
    os.write(ours, MESSAGE + b"\x04")
    assert process.wait(net.SLOWNESS * 20) == EX_OK and process.stdout.read().decode().strip() == world.queue()[0]["id"]
    os.close(ours)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("words", [["send", "-f", "a@sender.test", "b@example.test"], ["send", "--batch"]],
                         ids=["one", "batch"])
def test_a_signal_in_the_middle_of_a_big_message_leaves_nothing(world, number, words):
    world.prepare()
    process = subprocess.Popen([world.binary, "-c", world.conf, *words], stdin=subprocess.PIPE, env=world.env,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    world.will_be_cut_short(process)
    if "--batch" in words:
        process.stdin.write(GOOD.split(MESSAGE)[0])
    process.stdin.write(HEADER + b"\n" + b"x" * 70 * 1000 + b"\n" + b"y\n" * 1000000)
    process.stdin.flush()
    net.wait_for(lambda: (world.directory / "queue.db").exists() and rows(world, "chunk"), "some of it in the queue")
    process.send_signal(number)
    assert process.wait(net.SLOWNESS * 20) == -number and process.stdout.read() == b""
    process.stdin.close()
    assert world.queue() == []
    world.send("good@example.test")
    assert rows(world) == rows(world, "chunk") == 1, "what was staged is removed by who comes next"


def test_an_id_that_cannot_be_printed_is_told_with_what_it_means(world):
    world.prepare()
    for words, data in ((["send", "-f", "a@sender.test", "b@example.test"], MESSAGE), (["send", "--batch"], GOOD)):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([world.binary, "-c", world.conf, *words], input=data, stdout=full,
                                  stderr=subprocess.PIPE, env=world.env)
        assert done.returncode == EX_IOERR
        assert b"queued all the same" in done.stderr and world.queue()[-1]["id"].encode() in done.stderr
    assert rows(world) == 2


def test_a_standard_input_that_cannot_be_read_is_told(world):
    world.prepare()
    directory = os.open(world.directory, os.O_RDONLY)
    for words in (["send", "-f", "a@sender.test", "b@example.test"], ["send", "--batch"]):
        done = subprocess.run([world.binary, "-c", world.conf, *words], stdin=directory, capture_output=True,
                              env=world.env)
        assert done.returncode == EX_IOERR and b"standard input" in done.stderr and done.stdout == b""
    os.close(directory)
    assert rows(world) == 0


def test_batches_that_run_at_once_lose_nothing(world):
    """Ids are made by each process for itself: they must not meet."""
    world.prepare()
    data = b"".join(GOOD for _ in range(1500))
    done = []
    threads = [threading.Thread(target=lambda: done.append(batch(world, data))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [i for d in done for i in d.stdout.split()]
    assert [d.returncode for d in done] == [EX_OK] * 4 and len(ids) == len(set(ids)) == rows(world) == 6000


def test_a_default_sender_that_is_no_address_is_named(world):
    done = world.run("send", "b@example.test", stdin=MESSAGE, check=False, env={"USER": "two words"})
    assert done.returncode == EX_DATAERR and b"two words" in done.stderr and done.stdout == b""


def test_utf8_addresses_are_listed_as_they_are(world):
    world.send("é@example.test", sender="ü@sender.test")
    listed = world.text("queue", "list")
    assert "é@example.test" in listed and "ü@sender.test" in listed and "\x1b" not in listed


def test_a_long_queue_is_listed_whole_in_little_memory(world):
    """A million messages must not need a gigabyte: what is listed goes out page by page."""
    world.prepare()
    data = b"".join(GOOD.replace(b"good@", b"b%d@" % n) for n in range(2500))
    ids = batch(world, data).stdout.decode().split()
    lines = world.text("queue", "list").splitlines()
    assert lines[0].split()[:2] == ["ID", "SIZE"] and [line.split()[0] for line in lines[1:]] == sorted(ids)


def test_a_listing_on_a_terminal_keeps_to_its_width(world):
    world.send("é" * 30 + "@" + "x" * 60 + ".test", "b@example.test", sender="ü" * 30 + "@" + "y" * 50 + ".test")
    for columns in (80, 120):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        process = subprocess.Popen([world.binary, "-c", world.conf, "queue", "list"], stdin=subprocess.DEVNULL,
                                   stdout=theirs, stderr=subprocess.DEVNULL, env={**world.env, "NO_COLOR": "1", "TERM": "xterm"})
        os.close(theirs)
        out = b""
        try:
            while piece := os.read(ours, 65536):
                out += piece
        except OSError:
            pass  # the other end is closed
        assert process.wait(net.SLOWNESS * 20) == EX_OK
        os.close(ours)
        lines = out.decode().splitlines()
        assert len(lines) == 2 and all(len(line) <= columns for line in lines), lines
        assert "\x1b" not in out.decode() and "é" in lines[1]
