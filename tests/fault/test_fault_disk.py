"""A disk that is full, that fails, or that may only be read."""
import errno
import subprocess
import threading

import pytest
from faults import IS_LONG, Control, Patient, Unavailable, is_quiet, is_told_once, refuses_all
from peers import net
from peers.smtpd import Behaviour


RESULTS = ("results of attempts cannot be stored", "results of attempts are stored again")


def held(world, **options):
    """A patient whose host keeps its verdicts back until the event is set."""
    verdict = threading.Event()
    return Patient(world, behaviour=Behaviour(hold_data=verdict), **options), verdict


def break_down(disk):
    try:
        disk.break_down()
    except Unavailable as e:
        pytest.skip(str(e))


def in_flight(patient, *tags):
    for tag in tags:
        said = patient.hand_over(tag)
        assert said[0] == 250, said
    net.wait_for(lambda: any(s.messages for s in patient.host.sessions), "a message to wait for its verdict")


def test_a_full_disk_refuses_what_is_new_keeps_results_and_goes_on_when_there_is_room(world, make_disk):
    disk = make_disk("tmpfs", size_kib=4096)
    patient, verdict = held(world, queue=disk.path / "queue.db")
    patient.start()
    in_flight(patient, "a", "b", "c")
    disk.fill()
    verdict.set()
    net.wait_for(lambda: patient.lines("results of attempts cannot be stored"), "a result that cannot be stored")
    refuses_all(patient, 452)
    is_quiet(patient)
    disk.make_room()
    assert net.wait_for(lambda: patient.hand_over("d")[0] == 250, "room for a message")
    patient.wait_all_gone()
    assert all(patient.arrivals(tag) == 1 for tag in "abcd")
    is_told_once(patient, *RESULTS)
    assert not any(patient.arrivals(f"refused-by-{how}") for how in ("the-door", "send", "sendmail"))
    world.stop(patient.process)


def test_a_disk_that_breaks_down_is_told_and_what_was_acknowledged_is_there_after_the_repair(world, make_disk):
    disk = make_disk("ext4", size_kib=16384)
    later = Behaviour(replies={"MAIL": "451 4.3.0 later"})
    patient = Patient(world, queue=disk.path / "queue.db", behaviour=[later, Behaviour()])
    patient.start()
    for tag in "abc":
        assert patient.hand_over(tag)[0] == 250
    net.wait_for(lambda: all(e["attempts"] for e in world.queue()), "the first attempts")
    break_down(disk)
    refuses_all(patient, 451)
    is_quiet(patient)
    assert any("Read-only file system" in line or "disk I/O error" in line for line in patient.lines("queue.db"))
    world.stop(patient.process)
    disk.repair()
    patient.start()
    world.run("queue", "retry", "--all")
    patient.wait_all_gone()


def test_what_was_under_way_when_a_disk_broke_down_is_in_doubt_after_the_repair(world, make_disk):
    """The mark before the final dot is in memory, and comes to the disk some time later: here never."""
    disk = make_disk("ext4", size_kib=16384)
    patient, verdict = held(world, queue=disk.path / "queue.db")
    patient.start()
    subprocess.run(["sync", "-f", disk.path], check=True)
    in_flight(patient, "a")
    break_down(disk)
    verdict.set()
    net.wait_for(lambda: patient.lines(RESULTS[0]), "the result that cannot be stored")
    if IS_LONG:  # it tries to store the result for some seconds
        world.stop(patient.process)
        assert len(patient.lines(f"the result of an attempt to deliver {patient.acknowledged['a']} is lost")) == 1
    else:
        patient.process.kill()
        patient.process.wait()
    disk.repair()
    patient.start()
    net.wait_for(lambda: "in_doubt" in world.outcomes(patient.acknowledged["a"]), "the doubt to be told")
    world.run("queue", "retry", "--all")
    patient.wait_all_gone()
    assert patient.arrivals("a") == 2
    world.stop(patient.process)


@pytest.mark.parametrize("kind", ["write", "sync"])
def test_errors_of_the_disk_are_told_once_and_when_they_end_all_goes_on(world, library, kind):
    patient, verdict = held(world)
    control = Control(world, library("preload"), patient.queue_path)
    patient.start(control.env)
    in_flight(patient, "a", "b", "c")
    control.fail(kind, errno.EIO)
    verdict.set()
    net.wait_for(lambda: patient.lines("results of attempts cannot be stored"), "a result that cannot be stored")
    refuses_all(patient, 451, env=control.env)
    is_quiet(patient)
    control.heal()
    assert net.wait_for(lambda: patient.hand_over("d")[0] == 250, "the disk to work")
    patient.wait_all_gone()
    assert all(patient.arrivals(tag) == 1 for tag in "abcd")
    is_told_once(patient, *RESULTS)
    world.stop(patient.process)
