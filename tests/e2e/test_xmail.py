"""XMail's files: `intake xmail`, the watched directory, `deliver --xmail`; each file once, whatever is killed."""
import signal
import subprocess
import time

import pytest

from peers import net
from peers.smtpd import Behaviour
from world import EX_DATAERR, EX_NOINPUT, EX_OK, EX_USAGE, TIMEOUT_S, without_trace

EX_UNAVAILABLE, EX_TEMPFAIL = 69, 75
TRICKY = (b"From: a@sender.test\r\nTo: b@example.test\r\nSubject: one\r\n\r\n.\r\n..\r\n.dot first\r\n\r\n"
          b"<<MAIL-DATA>>\r\nrcpt to:<x@y.test>\r\n\t blanks \r\n\xe9\xa3\x9b\r\n" + b"x" * 998 + b"\r\n")


def local(number, content=TRICKY, sender="a@sender.test"):
    return (f"mail from:<{sender}>\r\nrcpt to:<b{number}@example.test>\r\n"
            f"rcpt to:<c{number}@example.test>\r\n\r\n").encode() + content


def spool(number, content=TRICKY, sender="a@sender.test"):
    return ("[192.0.2.1]:4711;[192.0.2.9]:25;Sat, 21 Nov 2026 12:00:00 +0000\r\nmail.sender.test\r\n"
            f"S{number}\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<b{number}@example.test>\r\n"
            "<<MAIL-DATA>>\r\n").encode() + content


@pytest.fixture
def drop(world):
    path = world.directory / "drop"
    path.mkdir()
    return path


def put(path, data):
    """As XMail does it: written elsewhere, then moved."""
    scratch = path.parent.parent / "scratch"
    scratch.write_bytes(data)
    scratch.rename(path)
    return path


def intake(world, *words, failpoints=None, status=EX_OK):
    """What was taken, {path: id}, and what was said."""
    env = {"HIKYAKU_FAILPOINTS": failpoints} if failpoints else {}
    done = world.run("intake", "xmail", *map(str, words), check=False, env=env)
    assert done.returncode == status, done
    lines = [line.split(" ", 1) for line in done.stdout.decode().splitlines()]
    return {path: message_id for message_id, path in lines}, done.stderr.decode()


def arrived(server):
    """{first recipient's number: how often} of what the server has taken."""
    counts = {}
    for message in server.messages:
        number = int(message.recipients[0].split("@")[0][1:])
        counts[number] = counts.get(number, 0) + 1
    return counts


# ---- what is taken ----


def test_both_kinds_of_files_arrive_with_their_envelope_and_every_octet(world, drop):
    server = world.one_host()
    put(drop / "1", local(1))
    put(drop / "2", spool(2, sender=""))
    taken, said = intake(world, drop)
    assert set(taken) == {f"{drop}/1", f"{drop}/2"} and not said
    assert not list(drop.iterdir())
    assert {e["id"] for e in world.queue()} == set(taken.values())
    world.once()
    messages = {m.sender: m for m in server.messages}
    assert sorted(messages["a@sender.test"].recipients) == ["b1@example.test", "c1@example.test"]
    assert messages[""].recipients == ["b2@example.test"]
    for message in messages.values():
        assert without_trace(message.data) == TRICKY
        assert b"(hikyaku, from a file of XMail)" in message.data


def test_a_spool_is_taken_where_new_messages_are_and_nowhere_else(world):
    root = world.directory / "spool"
    for path in ("0/0/mess/1", "22/7/mess/2", "0/0/rsnd/3", "0/0/froz/4", "local/5", "temp/6"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        put(root / path, spool(int(path[-1])))
    world.prepare()
    taken, _ = intake(world, root)
    assert set(taken) == {f"{root}/0/0/mess/1", f"{root}/22/7/mess/2"}
    assert sorted(p.name for p in root.rglob("*") if p.is_file()) == ["3", "4", "5", "6"]


def test_a_bad_file_stays_and_is_named_with_its_line_and_the_others_are_taken(world, drop):
    bad = put(drop / "bad", b"mail from:<a@sender.test>\r\nrcpt to:<b@example.test>\r\nrcpt to:<c@@>\r\n\r\nx\r\n")
    (drop / "esc\x1b[31m\n").write_bytes(b"")
    put(drop / "good", local(1))
    taken, said = intake(world, drop, status=EX_DATAERR)
    assert list(taken) == [f"{drop}/good"]
    assert f"hikyaku: {bad}: line 3: recipient \"<c@@>\"" in said
    assert f"{drop}/esc?[31m : line 1: the file is empty" in said
    assert sorted(p.name for p in drop.iterdir()) == ["bad", "esc\x1b[31m\n"]
    assert len(world.queue()) == 1, "nothing of a bad file is queued for its good recipients"
    _, said = intake(world, drop / "absent", status=EX_NOINPUT)
    assert "absent" in said


def test_200_files_are_taken_quickly_and_once_by_two_at_a_time(world, drop):
    names = [str(put(drop / str(n), local(n))) for n in range(200)]
    world.prepare()
    begun = time.monotonic()
    two = [subprocess.Popen([world.binary, "-c", world.conf, "intake", "xmail", drop], env=world.env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    lines = []
    for process in two:
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == EX_OK and not err, err
        lines += out.decode().splitlines()
    assert time.monotonic() - begun < 20
    assert sorted(line.split(" ", 1)[1] for line in lines) == sorted(names)
    assert len(world.queue()) == 200 and not list(drop.iterdir())


def test_a_queue_that_is_full_leaves_the_files_for_the_next_time(world, drop):
    server = world.one_host()
    put(drop / "1", local(1))
    taken, said = intake(world, drop, failpoints="queue.commit.before=error:ENOSPC", status=EX_TEMPFAIL)
    assert not taken and said.count("\n") == 1
    left = [p.name for p in drop.iterdir()]
    assert len(left) == 1 and left[0].startswith("1.hikyaku-")
    taken, _ = intake(world, drop)
    assert taken == {f"{drop}/1": left[0][-16:]}
    world.once()
    assert arrived(server) == {1: 1}


# ---- what is killed ----

STEPS = ["xmail.marked", "queue.commit.before", "queue.commit.after", "xmail.remove", "xmail.remove@2"]


def kill_at(step):
    name, _, turn = step.partition("@")
    return f"{name}=kill" + (f"@{turn}" if turn else "")


@pytest.mark.parametrize("delivers_between", [False, True], ids=["queued", "delivered"])
def test_a_crash_at_any_step_leaves_one_delivery_of_each_file(world, drop, delivers_between):
    server = world.one_host()
    world.will_be_cut_short()
    for number, step in enumerate(STEPS):
        for n in range(3):
            put(drop / f"{number}-{n}", local(10 * number + n))
        intake(world, drop, failpoints=kill_at(step), status=-signal.SIGKILL)
        assert list(drop.iterdir()), f"{step}: nothing is removed too early"
        if delivers_between:
            world.once()
        intake(world, drop)
        assert not list(drop.iterdir()), step
    world.once()
    assert arrived(server) == {10 * number + n: 1 for number in range(len(STEPS)) for n in range(3)}


# ---- files that are not ours ----


def test_a_kept_file_stays_as_it_is_for_xmail_to_remove(world, drop):
    path = put(drop / "1", spool(1))
    taken, _ = intake(world, "--keep", path)
    assert list(taken) == [str(path)] and path.read_bytes() == spool(1)
    assert list(drop.iterdir()) == [path] and len(world.queue()) == 1
    _, said = intake(world, "--keep", drop, status=EX_DATAERR)
    assert "file by file" in said


def test_the_external_line_of_the_manual_tells_xmail_what_to_do(world, drop):
    """sh -c "hikyaku ... && exit 16" FILE: 16 keeps XMail from the lines that follow."""
    path = put(drop / "1", spool(1))
    put(drop / "2", b"no such thing")
    command = f"{world.binary} -c {world.conf} intake xmail --keep $0 && exit 16"
    world.prepare()
    for name, status in (("1", 16), ("2", EX_DATAERR)):
        done = subprocess.run(["/bin/sh", "-c", command, drop / name], env=world.env, capture_output=True,
                              timeout=TIMEOUT_S)
        assert done.returncode == status, done
    assert path.exists() and len(world.queue()) == 1


def test_deliver_takes_envelope_and_message_from_a_file(world, drop):
    server = world.one_host([Behaviour(), Behaviour(rcpt={"b2@example.test": "550 5.1.1 no"})])
    for number in (1, 2):
        put(drop / str(number), spool(number))
    done = world.run("deliver", "--xmail", drop / "1", check=False)
    assert done.returncode == EX_OK and done.stdout.startswith(b"b1@example.test: delivered"), done
    assert world.run("deliver", "--xmail", drop / "2", check=False).returncode == EX_UNAVAILABLE
    assert without_trace(server.messages[0].data) == TRICKY
    bad = world.run("deliver", "--xmail", world.conf, check=False)
    assert bad.returncode == EX_UNAVAILABLE and b"hikyaku.conf: line 3: neither" in bad.stderr
    assert world.run("deliver", "--xmail", drop / "3", check=False).returncode == EX_TEMPFAIL
    for words in (["--xmail", drop / "1", "b@example.test"], ["--xmail", drop / "1", "-f", "x@y.test"], []):
        assert world.run("deliver", *words, check=False).returncode == EX_USAGE
    assert sorted(p.name for p in drop.iterdir()) == ["1", "2"]


# ---- the watched directory ----


def watching(world, drop, **how):
    world.configure(xmail_dir=str(drop))
    return world.daemon(**how)


def lines_of_log(world, what):
    path = world.directory / "log"
    return [line for line in path.read_text().splitlines() if what in line] if path.exists() else []


def wait_for_log(world, what, count=1):
    net.wait_for(lambda: len(lines_of_log(world, what)) >= count, f"{what!r} in the log")


@pytest.mark.threads
def test_what_appears_in_the_watched_directory_is_delivered(world):
    server = world.one_host()
    drop = world.directory / "later"
    process = watching(world, drop)
    wait_for_log(world, "xmail: ")
    assert "No such file" in lines_of_log(world, "xmail: ")[0], "a directory that is not there is told of"
    drop.mkdir()
    put(drop / "0", local(0))
    net.wait_for(lambda: arrived(server) == {0: 1}, "the first message")
    wait_for_log(world, "xmail: files are taken again")
    bad = put(drop / "bad", b"mail from:<a>\r\nrcpt to:<b9@example.test>\r\n\r\nx\r\n")
    for number in range(1, 30):
        put(drop / str(number), local(number))
    net.wait_for(lambda: arrived(server) == {n: 1 for n in range(30)}, "30 messages")
    assert all(without_trace(m.data) == TRICKY for m in server.messages)
    wait_for_log(world, "bad stays: line 1: sender")
    assert [p.name for p in drop.iterdir()] == ["bad"]
    put(bad, local(30))
    net.wait_for(lambda: arrived(server).get(30) == 1, "the file that was put right")
    assert len(lines_of_log(world, "bad stays")) == 1, "a bad file is told of once"
    line = lines_of_log(world, "hikyaku/xmail[")[0]
    assert f"file={drop}/0, from=<a@sender.test>, size={len(local(0))}, nrcpt=2" in line
    world.stop(process)


@pytest.mark.threads
def test_another_directory_is_watched_after_sighup(world, drop):
    server = world.one_host()
    process = world.daemon()
    put(drop / "1", local(1))
    world.configure(xmail_dir=str(drop))
    world.write_configuration()
    net.wait_for(lambda: world.run("queue", "wake", check=False).returncode == EX_OK, "the worker")
    process.send_signal(signal.SIGHUP)
    net.wait_for(lambda: arrived(server) == {1: 1}, "what was there already")
    other = world.directory / "other"
    other.mkdir()
    world.configure(xmail_dir=str(other))
    world.write_configuration()
    process.send_signal(signal.SIGHUP)
    put(other / "2", local(2))
    net.wait_for(lambda: arrived(server) == {1: 1, 2: 1}, "what is in the other one")
    put(drop / "3", local(3))
    world.stop(process)
    assert [p.name for p in drop.iterdir()] == ["3"]


def test_a_worker_that_is_killed_at_any_step_queues_each_file_once(world, drop):
    """Nobody takes the mail until the end: what a kill does to a delivery is shown elsewhere."""
    server = world.one_host(Behaviour(replies={"banner": "421 4.3.2 later"}))
    world.will_be_cut_short()
    for number, step in enumerate(STEPS):
        process = watching(world, drop, env={"HIKYAKU_FAILPOINTS": kill_at(step)})
        for n in range(2):
            put(drop / f"{number}-{n}", local(10 * number + n))
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL, step
    process = watching(world, drop)
    net.wait_for(lambda: not list(drop.iterdir()), "the directory to be empty")
    world.stop(process)
    assert len(world.queue()) == 2 * len(STEPS)
    server.script = Behaviour()
    world.retry()
    assert arrived(server) == {10 * number + n: 1 for number in range(len(STEPS)) for n in range(2)}


def test_a_disk_that_is_full_for_a_while_is_told_of_once_and_loses_no_file(world, drop):
    server = world.one_host()
    process = watching(world, drop, env={"HIKYAKU_FAILPOINTS": "xmail.marked=error:ENOSPC"})
    for number in (1, 2):
        put(drop / str(number), local(number))
        net.wait_for(lambda: len(list(drop.glob("*.hikyaku-*"))) == number, f"file {number} to be marked")
    world.stop(process)
    assert len(lines_of_log(world, "No space left on device; tried again")) == 1
    process = watching(world, drop)
    net.wait_for(lambda: arrived(server) == {1: 1, 2: 1}, "both")
    world.stop(process)


def test_a_file_that_cannot_be_removed_is_told_of_once_and_when_it_is_gone(world, drop):
    server = world.one_host()
    process = watching(world, drop, env={"HIKYAKU_FAILPOINTS": "xmail.remove=error:EROFS"})
    for number in (1, 2, 3):  # each is a look at those before it
        put(drop / str(number), local(number))
        wait_for_log(world, f"{drop}/{number} stays: queued as ")
    world.stop(process)
    assert len(lines_of_log(world, " stays: ")) == 3
    assert not lines_of_log(world, "; removed"), "not yet"
    process = watching(world, drop)
    wait_for_log(world, "was in the queue already; removed", 3)
    net.wait_for(lambda: arrived(server) == {1: 1, 2: 1, 3: 1}, "all three")
    world.stop(process)
    assert not list(drop.iterdir())
    assert arrived(server) == {1: 1, 2: 1, 3: 1}
