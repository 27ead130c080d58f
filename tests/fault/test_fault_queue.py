"""A queue that is moved, replaced, damaged or locked under a worker."""
import contextlib
import os
import shutil
import sqlite3
import threading

import pytest
from faults import EX_TEMPFAIL, LONG, Patient, is_quiet, is_told_once, refuses_all
from peers import net
from peers.smtpd import Behaviour

LATER = "451 4.3.0 later"
CLAIMS = ("nothing can be taken up for delivery", "mail is taken up for delivery again")


@pytest.fixture
def patient(world):
    """A worker, and mail that has had its first attempt; it is due again each second."""
    patient = Patient(world, behaviour=Behaviour(replies={"MAIL": [LATER, LATER, None]}), retry_schedule="1s")
    patient.start()
    for tag in ("waits", "waits-too"):
        assert patient.hand_over(tag)[0] == 250
    net.wait_for(lambda: len(patient.lines("status=deferred")) == 2, "the first attempts")
    return patient


def move(patient, to):
    """The queue with all its files, as `mv queue.db* elsewhere` does it."""
    to.mkdir(exist_ok=True)
    for path in files(patient):
        path.rename(to / path.name)


def files(patient):
    return list(patient.queue_path.parent.glob(patient.queue_path.name + "*"))


@pytest.mark.parametrize("is_replaced", [False, True], ids=["gone", "replaced"])
def test_a_queue_that_is_moved_away_takes_nothing_and_goes_on_when_it_is_back(world, patient, is_replaced):
    elsewhere, other = world.directory / "elsewhere", world.directory / "other"
    move(patient, elsewhere)
    if is_replaced:
        assert patient.send("in-the-other-queue").returncode == 0
        del patient.acknowledged["in-the-other-queue"]
    net.wait_for(lambda: patient.lines(CLAIMS[0]), "the claim that fails")
    assert "was moved, removed or replaced while it is open: put it back, or start" in patient.lines(CLAIMS[0])[0]
    assert patient.hand_over("refused")[0] == 451
    is_quiet(patient)
    move(patient, other)
    for path in list(elsewhere.iterdir()):
        path.rename(patient.queue_path.parent / path.name)
    net.wait_for(lambda: patient.hand_over("new")[0] == 250, "the queue to be taken up")
    patient.wait_all_gone()
    assert [patient.arrivals(tag) for tag in ("waits", "waits-too", "new", "refused")] == [1, 1, 1, 0]
    is_told_once(patient, *CLAIMS)
    world.stop(patient.process)


def cut(f, size):
    f.truncate(size // 2)


def overwrite(f, size):
    f.seek(4096)
    f.write(b"\xff" * (size - 4096))


def overwrite_header(f, size):
    f.write(b"\xff" * 4096)


@pytest.mark.parametrize("harm", [cut, overwrite, overwrite_header])
def test_a_damaged_queue_is_told_with_what_to_do_and_a_copy_of_it_goes_on(world, patient, harm):
    with contextlib.closing(sqlite3.connect(patient.queue_path)) as db:
        db.execute("BEGIN IMMEDIATE")  # the worker waits meanwhile
        assert db.execute("SELECT count(*) FROM claim").fetchone() == (0,)
        db.execute("ROLLBACK")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy = world.directory / "copy.db"
        with contextlib.closing(sqlite3.connect(copy)) as to:
            db.backup(to)
    with open(patient.queue_path, "r+b") as f:
        harm(f, os.path.getsize(patient.queue_path))
    refuses_all(patient, 451)
    for done in (patient.send("x"), patient.sendmail("x")):
        assert b"keep a copy" in done.stderr and b"stop hikyaku" in done.stderr
    is_quiet(patient)
    world.stop(patient.process)
    for path in files(patient):
        path.unlink()
    shutil.copy(copy, patient.queue_path)
    copy.chmod(0o600)
    patient.start()
    patient.wait_all_gone()


@pytest.mark.parametrize("while_s", [1.0, pytest.param(12.0, marks=LONG)])
def test_a_queue_that_is_locked_makes_all_wait_or_come_again(world, while_s):
    """Who waits for ten seconds is told to come again; the lock of a moment is nothing."""
    verdict = threading.Event()
    patient = Patient(world, behaviour=Behaviour(hold_data=verdict))
    patient.start()
    assert patient.hand_over("under-way")[0] == 250
    net.wait_for(lambda: any(s.messages for s in patient.host.sessions), "the message to wait for its verdict")
    said = []
    with contextlib.closing(sqlite3.connect(patient.queue_path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        verdict.set()
        client = threading.Thread(target=lambda: said.append(patient.hand_over("meanwhile")[0]))
        client.start()
        is_quiet(patient, while_s, max_lines=3)
        db.execute("ROLLBACK")
    client.join()
    assert said == [250 if while_s < 10 else 451]
    patient.wait_all_gone()
    assert patient.arrivals("meanwhile") == (said == [250])
    if while_s > 10:
        is_told_once(patient, "results of attempts cannot be stored", "results of attempts are stored again")
    world.stop(patient.process)
