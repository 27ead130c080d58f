"""No file descriptors are left."""
import contextlib
import socket
import subprocess

import pytest
from faults import EX_TEMPFAIL, Patient, is_quiet
from peers import net
from peers.smtpd import Behaviour
from world import MESSAGE

LATER = "451 4.3.0 later"


@contextlib.contextmanager
def no_descriptors(patient):
    """None but those that it has; end() gives it more. A sanitizer needs some to end."""
    before = patient.limit("nofile", 3)
    end = lambda: patient.limit("nofile", before)
    try:
        yield end
    finally:
        end()


def test_without_descriptors_mail_is_deferred_and_clients_wait_and_then_all_goes_on(world):
    patient = Patient(world, behaviour=Behaviour(replies={"MAIL": [LATER, None]}, one_message=True))
    patient.start()
    assert patient.hand_over("a")[0] == 250
    net.wait_for(lambda: len(patient.lines("status=deferred")) == 1, "the first attempt")
    net.wait_for(lambda: not patient.host.open_sessions, "the session to end")
    with no_descriptors(patient) as end, socket.create_connection(patient.door, timeout=15) as client:
        net.wait_for(lambda: patient.lines("accept a connection: Too many open files; further clients wait"),
                     "the door to say that it cannot accept")
        world.run("queue", "retry", "--all")
        net.wait_for(lambda: len(patient.lines("status=deferred")) == 2, "an attempt without a socket")
        assert "dsn=4." in patient.lines("status=deferred")[1]
        net.wait_for(lambda: patient.lines("policy: 4 errors, using version of"), "the policy to stay as it is")
        is_quiet(patient)
        end()
        assert client.recv(100).startswith(b"220 "), "who waited is served"
    world.run("queue", "retry", "--all")
    patient.wait_all_gone()
    assert world.outcomes(patient.acknowledged["a"]) == ["deferred", "deferred", "delivered"]
    world.stop(patient.process)


@pytest.mark.parametrize("program", ["hikyaku", "hikyaku-sendmail"])
def test_with_few_descriptors_a_message_is_queued_or_the_lack_is_told(world, program):
    world.write_configuration()
    words = {"hikyaku": ["-c", world.conf, "send", "-f"], "hikyaku-sendmail": ["-C", world.conf, "-f"]}[program]
    stored = 0
    for limit in range(4, 11):
        done = subprocess.run(["prlimit", f"--nofile={limit}", world.binary.parent / program, *words, "a@sender.test",
                               "b@example.test"], input=MESSAGE, capture_output=True, env=world.env)
        stored += done.returncode == 0
        assert done.returncode == 0 or (done.returncode == EX_TEMPFAIL and b"Too many open files" in done.stderr), done
    assert 0 < stored < 7 and len(world.queue()) == stored
