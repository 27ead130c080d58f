"""No memory for what is large: there is nothing large. No buffer grows with a message."""
import signal
import smtplib

import pytest
from faults import Patient, has_sanitizer
from peers import net
from peers.smtpd import CHUNKING, Behaviour

MIB = 1 << 20
SIZE = 3 * MIB


@pytest.fixture
def without_large_memory(world, library):
    """without_large_memory(octets): the environment of programs that get no piece of memory of so many.

    A sanitizer has an allocator of its own: the plain build beside it, which ./runtests makes, takes its place."""
    if has_sanitizer(world.binary):
        world.binary = world.binary.parent.parent / "build" / "hikyaku"
        if not world.binary.exists() or has_sanitizer(world.binary):
            pytest.skip(f"no program without a sanitizer at {world.binary}")
    return lambda limit: {"LD_PRELOAD": str(library("memory")), "FAULT_ALLOC_MAX": str(limit)}


def test_large_messages_pass_where_no_piece_of_memory_is_larger_than_a_mebibyte(world, without_large_memory):
    env = without_large_memory(MIB)
    patient = Patient(world, behaviour=[Behaviour(), Behaviour(extensions=CHUNKING)], max_message_size="100000000")
    world.one_host(Behaviour(replies={"MAIL": "550 5.7.1 no"}), domain="refuses.test")
    sender = world.one_host(Behaviour(), domain="sender.test")
    patient.start(env)
    assert patient.hand_over("by-the-door", size=SIZE)[0] == 250
    for how in (patient.send, patient.sendmail):
        done = how(how.__name__, env=env, size=SIZE)
        assert done.returncode == 0, done.stderr
    world.wait_gone()
    assert [patient.arrivals(tag) for tag in ("by-the-door", "send", "sendmail")] == [1, 1, 1]
    assert patient.hand_over("comes-back", to="b@refuses.test", size=SIZE, options=["RET=FULL"])[0] == 250
    del patient.acknowledged["comes-back"]
    net.wait_for(lambda: sender.messages, "the bounce")
    (bounce,) = sender.messages
    assert len(bounce.data) > SIZE, "it has the message in it"
    patient.wait_all_gone()
    assert net.peak_kib(patient.process.pid) < 64 * 1024
    world.stop(patient.process)


def test_a_worker_without_memory_says_so_and_the_next_one_has_all_that_was_acknowledged(world, without_large_memory):
    patient = Patient(world, behaviour=Behaviour(replies={"MAIL": ["451 4.3.0 later", None]}))
    patient.start(without_large_memory(300 * 1024))
    assert patient.hand_over("waits")[0] == 250
    net.wait_for(lambda: patient.lines("status=deferred"), "the first attempt")
    try:
        patient.hand_over("large", size=SIZE)
    except (OSError, smtplib.SMTPException):
        pass  # nobody is there any more
    assert patient.process.wait(15) == -signal.SIGABRT
    assert "out of memory" in world.daemon_output()
    done = patient.send("large", env=without_large_memory(300 * 1024), size=SIZE)
    assert done.returncode not in (0, None) and not done.stdout
    patient.start()
    world.run("queue", "retry", "--all")
    patient.wait_all_gone()
    assert patient.arrivals("large") == 0
    world.stop(patient.process)


def test_a_thousand_recipients_refused_at_length_need_no_piece_of_four_mebibytes(world, without_large_memory):
    """What does grow: a record has each recipient's reply, and both are limited, by max_recipients and 1,000 octets."""
    env = without_large_memory(4 * MIB)
    world.one_host(Behaviour(replies={"RCPT": "550 5.1.1 " + "r" * 980}))
    sender = world.one_host(Behaviour(), domain="sender.test")
    batch = b"".join(b"RCPT TO:<user%d@example.test>\n" % number for number in range(1000))
    world.run("send", "--batch", env=env, stdin=b"MAIL FROM:<a@sender.test>\n" + batch + b"DATA\n\nx\n.\nQUIT\n")
    world.once(env=env)
    world.once(env=env)
    assert len(sender.messages) == 1, "the bounce"
