"""`deliver`: one attempt without the queue, and an exit status that a mail server understands."""
import json
import signal
import subprocess

import pytest

from peers import net
from peers.smtpd import Behaviour
from world import END_S, EX_OK, EX_USAGE, MESSAGE, SENDER, without_trace

EX_UNAVAILABLE, EX_TEMPFAIL = 69, 75
BODY = MESSAGE.replace(b"\n", b"\r\n")


def deliver(world, *recipients, stdin=MESSAGE, **how):
    scratch = world.directory / "tmp"
    scratch.mkdir(exist_ok=True)
    done = world.run("deliver", "-f", SENDER, *recipients, stdin=stdin, check=False,
                     env={"TMPDIR": str(scratch)}, **how)
    assert not list(scratch.iterdir()), "nothing of the message stays"
    return done


def test_a_message_is_delivered_at_once_over_tls_and_leaves_no_queue(world):
    server = world.one_host()
    done = deliver(world, "b@example.test", "c@example.test")
    line = f"b@example.test: delivered (mx1.example.test[{server.address}]:{server.port}, tls): 250 "
    assert done.returncode == EX_OK and done.stdout.decode().splitlines()[0].startswith(line), done
    message = server.messages[0]
    assert (message.channel, message.sender) == ("tls", SENDER)
    assert sorted(message.recipients) == ["b@example.test", "c@example.test"]
    assert without_trace(message.data) == BODY
    assert not (world.directory / "queue.db").exists()
    assert "status=sent" in (world.directory / "log").read_text()


def test_each_recipient_has_a_line_and_the_worst_one_that_can_be_mended_is_the_status(world):
    world.one_host(Behaviour(rcpt={"no@example.test": "550 5.1.1 no such user",
                                   "later@example.test": "451 4.7.1 come back"}))
    done = deliver(world, "--json", "ok@example.test", "no@example.test", "later@example.test")
    results = {r["address"]: r for r in map(json.loads, done.stdout.splitlines())}
    assert {a: r["outcome"] for a, r in results.items()} == {
        "ok@example.test": "delivered", "no@example.test": "bounced", "later@example.test": "deferred"}
    refused = results["no@example.test"]
    assert (refused["code"], refused["enhanced"]) == (550, "5.1.1") and "no such user" in refused["text"]
    assert done.returncode == EX_TEMPFAIL
    assert deliver(world, "ok@example.test", "no@example.test").returncode == EX_UNAVAILABLE


def test_results_that_nobody_reads_do_not_bring_the_message_twice(world):
    server = world.one_host()
    world.prepare()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([world.binary, "-c", world.conf, "deliver", "-f", SENDER, "b@example.test"],
                              input=MESSAGE, stdout=full, stderr=subprocess.PIPE, env=world.env)
    assert done.returncode == EX_OK and b"standard output" in done.stderr, done
    assert len(server.messages) == 1


def test_a_host_that_is_down_is_75_and_the_line_says_why(world):
    server = world.one_host()
    world.prepare()
    server.close()
    done = deliver(world, "b@example.test")
    assert done.returncode == EX_TEMPFAIL
    assert b"b@example.test: deferred" in done.stdout and b"refused" in done.stdout


def test_how_often_it_is_tried_is_for_the_caller_to_say(world):
    """max_attempts and max_age are about the queue, and there is none."""
    world.one_host(Behaviour(rcpt={"later@example.test": "451 4.7.1 come back"}, drop=(".",)))
    world.configure(fallback="none", max_attempts=1)
    done = deliver(world, "later@example.test")
    assert done.returncode == EX_TEMPFAIL and b"later@example.test: deferred" in done.stdout, done
    done = deliver(world, "doubt@example.test")
    assert done.returncode == EX_TEMPFAIL and b"in doubt, it may have been delivered" in done.stdout, done


def test_a_connection_that_breaks_after_the_dot_is_told_as_in_doubt(world):
    world.one_host(Behaviour(drop=(".",)))
    done = deliver(world, "b@example.test")
    assert done.returncode == EX_TEMPFAIL and b"in doubt, it may have been delivered" in done.stdout


def test_the_policy_counts_and_its_errors_never_bounce_mail(world):
    server = world.one_host()
    world.policy("nomtatsl.txt", "example.test\n")
    assert deliver(world, "b@example.test").returncode == EX_OK
    assert server.messages[0].channel == "plaintext"
    world.policy("nomtatsl.txt", "exa mple\n")
    done = deliver(world, "b@example.test")
    assert done.returncode == EX_TEMPFAIL and b"nomtatsl.txt:1" in done.stderr
    world.conf.write_text("no such option = 1\n")
    assert deliver(world, "b@example.test").returncode == EX_TEMPFAIL


@pytest.mark.parametrize("recipient, stdin, word", [
    ("b@@example.test", MESSAGE, b"b@@example.test"), ("b@example.test", b"", b"no message on standard input"),
    ("b@example.test", b"Subject: x\n\n\0", b"NUL")], ids=["address", "no message", "NUL"])
def test_what_can_never_be_delivered_is_69(world, recipient, stdin, word):
    world.one_host()
    done = deliver(world, recipient, stdin=stdin)
    assert done.returncode == EX_UNAVAILABLE and word in done.stderr and not done.stdout


def test_a_wrong_command_line_is_told(world):
    assert world.run("deliver", "-f", SENDER, check=False).returncode == EX_USAGE


def test_an_interrupted_delivery_is_75_and_leaves_nothing(world):
    """Those who have the message do not make up for those whom no host was asked about."""
    taker = world.one_host()
    holder = world.host("mx1.held.test", Behaviour(stall=("EHLO",)))
    world.domain("held.test", holder)
    world.prepare()
    scratch = world.directory / "tmp"
    scratch.mkdir()
    process = subprocess.Popen([world.binary, "-c", world.conf, "deliver", "-f", SENDER,
                                "b@example.test", "c@held.test"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**world.env, "TMPDIR": str(scratch)})
    process.stdin.write(MESSAGE)
    process.stdin.close()
    net.wait_for(lambda: taker.messages and holder.sessions, "a message and a session")
    process.send_signal(signal.SIGTERM)
    assert process.wait(END_S) == EX_TEMPFAIL
    assert not list(scratch.iterdir())
    told = process.stdout.read()
    assert b"b@example.test: delivered" in told and b"c@held.test: deferred: interrupted" in told
    process.stdout.close()
    process.stderr.close()


def test_waking_says_whether_a_worker_listens(world):
    server = world.one_host()
    world.prepare()
    done = world.run("queue", "wake", check=False)
    assert done.returncode == EX_UNAVAILABLE and b"hikyaku run" in done.stderr
    process = world.daemon()
    net.wait_for(lambda: world.run("queue", "wake", check=False).returncode == EX_OK, "a worker")
    world.send("b@example.test")
    net.wait_for(lambda: server.messages, "the message")
    world.stop(process)
