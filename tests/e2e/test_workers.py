"""Several loops in one process (workers = 3): each destination belongs to one of them."""
import signal
import threading

import pytest

from peers import net
from peers.smtpd import Behaviour
from world import END_S, HEADER

pytestmark = pytest.mark.threads
WORKERS, DOMAINS, EACH = 3, 12, 5
LATER = Behaviour(replies={"MAIL": "451 4.3.0 later"})


def numbered(number):
    return HEADER + b"\nnumber %06d.\n" % number


def numbers(server):
    return sorted(int(m.data.rsplit(b"number ", 1)[1][:6]) for m in server.messages)


def names(count=DOMAINS):
    return [f"d{i}.test" for i in range(count)]


def hosts(world, behaviour=None, count=DOMAINS):
    """A host for each domain."""
    return [world.one_host(behaviour() if callable(behaviour) else behaviour, name) for name in names(count)]


def send_all(world, each=EACH, count=DOMAINS):
    """Numbered messages, each domain's its own; their ids."""
    return world.send_all([([f"b@{name}"], numbered(i * 100 + n))
                           for i, name in enumerate(names(count)) for n in range(each)])


def expected(index, each=EACH):
    return [index * 100 + n for n in range(each)]


@pytest.fixture
def workers(world):
    world.configure(workers=WORKERS)
    return world


def wait_held(servers):
    """Until each has a message whose verdict it holds back."""
    net.wait_for(lambda: all(any(s.messages for s in server.sessions) for server in servers), "a message for each")


def test_each_message_is_delivered_once_and_each_destination_is_of_one_loop(workers):
    verdict = threading.Event()
    servers = hosts(workers, lambda: Behaviour(hold_data=verdict))
    workers.configure(max_sessions_per_destination=1)
    send_all(workers)
    workers.daemon()
    wait_held(servers)
    verdict.set()
    workers.wait_gone()
    for index, server in enumerate(servers):
        assert numbers(server) == expected(index)
        assert server.most_at_once == 1, "two loops with a session each"


def test_run_once_ends_when_every_loop_has_attempted_what_was_due(workers):
    servers = hosts(workers)
    ids = send_all(workers)
    workers.once()
    assert [numbers(s) for s in servers] == [expected(i) for i in range(DOMAINS)]
    assert workers.queue() == []
    assert sorted(e["id"] for e in workers.log()) == sorted(ids), "one record each"


def test_run_once_tries_what_is_deferred_once(workers):
    servers = hosts(workers, LATER)
    send_all(workers, each=1)
    workers.once()
    assert [len(s.messages) for s in servers] == [0] * DOMAINS
    assert [e["attempts"] for e in workers.queue()] == [1] * DOMAINS


def test_run_once_with_nothing_due_ends(workers):
    workers.once()
    assert workers.log() == []


def shown(world, ids):
    """What the commands say of these messages, without what differs from one to the next."""
    fields = ("sender", "domain", "mx", "address", "channel", "outcome", "failure", "stage", "policy_generation",
              "attempt", "downgraded")
    log = sorted(str([e.get(f) for f in fields]) for e in world.log() if e["id"] in ids)
    listed = ("sender", "recipients", "domains", "state", "attempts", "next_channel", "last_error")
    queue = sorted(str([e.get(f) for f in listed]) for e in world.queue() if e["id"] in ids)
    return log, queue


def test_log_and_queue_show_the_same_as_with_one_loop(world):
    for name in names(4):
        world.one_host(None, name)
    for name in names(8)[4:]:
        world.one_host(LATER, name)
    one = send_all(world, each=2, count=8)
    world.once()
    world.configure(workers=WORKERS)
    several = send_all(world, each=2, count=8)
    world.once()
    assert shown(world, several) == shown(world, one)
    assert len(shown(world, one)[0]) == 16 and len(shown(world, one)[1]) == 8


def test_sighup_reaches_every_loop(workers):
    servers = hosts(workers, lambda: Behaviour(one_message=True))
    process = workers.daemon()
    send_all(workers, each=1)
    workers.wait_gone()
    workers.configure(sni="reloaded.test", workers=2)
    workers.write_configuration()
    process.send_signal(signal.SIGHUP)
    log = workers.directory / "log"
    net.wait_for(lambda: "configuration reloaded" in log.read_text(), "the reload")
    assert "workers = 2 counts when the program is started again" in log.read_text()

    def seen():
        send_all(workers, each=1)
        return all(any(s.sni == "reloaded.test" for s in list(server.sessions)) for server in servers)
    net.wait_for(seen, "the new SNI everywhere", interval_s=0.1)
    assert process.poll() is None


def test_an_edit_of_the_policy_reaches_every_loop_as_one_generation(workers):
    servers = hosts(workers)
    workers.daemon()
    send_all(workers, each=1)
    workers.wait_gone()
    workers.policy("nomtatsl.txt", "".join(f"{name}\n" for name in names()))
    log = workers.directory / "log"
    net.wait_for(lambda: "policy: generation 2 is in force" in log.read_text(), "the new policy")

    def in_plaintext():
        send_all(workers, each=1)
        return all(any(s.messages and s.channel == "plaintext" for s in list(server.sessions))
                   for server in servers)
    net.wait_for(in_plaintext, "plaintext everywhere", interval_s=0.1)
    workers.wait_gone()
    assert log.read_text().count("is in force") == 1
    assert {(e["channel"], e["policy_generation"]) for e in workers.log()} == {("tls", 1), ("plaintext", 2)}


def test_sigterm_lets_every_loop_finish_what_it_has(workers):
    verdict = threading.Event()
    servers = hosts(workers, lambda: Behaviour(hold_data=verdict))
    workers.configure(max_sessions_per_destination=1)
    send_all(workers)
    process = workers.daemon()
    wait_held(servers)
    process.send_signal(signal.SIGTERM)
    net.wait_for(lambda: "stopping" in (workers.directory / "log").read_text(), "the signal to be seen")
    verdict.set()
    assert process.wait(END_S) == 0
    # A verdict may overtake the word to stop on its way to a loop, and one more is begun.
    delivered = [len(s.messages) for s in servers]
    assert all(1 <= n <= 2 for n in delivered)
    assert [e["outcome"] for e in workers.log()] == ["delivered"] * sum(delivered)
    left = workers.queue()
    assert len(left) == DOMAINS * EACH - sum(delivered) and {e["attempts"] for e in left} == {0}


def test_sigterm_ends_every_loop_within_the_grace(workers):
    servers = hosts(workers, Behaviour(stall=("MAIL",)))
    send_all(workers, each=1)
    process = workers.daemon()
    net.wait_for(lambda: all(s.sessions and "MAIL" in s.sessions[0].verbs() for s in servers), "MAIL everywhere")
    workers.stop(process)
    assert len(workers.queue()) == DOMAINS


def test_kill_9_with_several_loops_loses_nothing_and_says_what_is_in_doubt(workers):
    verdict = threading.Event()
    servers = hosts(workers, lambda: [Behaviour(hold_data=verdict), Behaviour()])
    workers.configure(max_sessions_per_destination=1)
    ids = send_all(workers, each=2)
    process = workers.daemon()
    wait_held(servers)
    process.kill()
    process.wait()
    verdict.set()
    assert len(workers.queue()) == len(ids)
    workers.once()
    workers.retry()
    assert workers.queue() == []
    for index, server in enumerate(servers):
        assert set(numbers(server)) == set(expected(index, 2)), "nothing is lost"
        assert len(server.messages) <= 3
    doubted = [e["id"] for e in workers.log() if e["outcome"] == "in_doubt"]
    assert len(doubted) == DOMAINS, "each loop had marked what it was sending"


def test_more_loops_than_sessions_still_deliver(world):
    servers = hosts(world)
    world.configure(workers=5, max_sessions=2)
    send_all(world, each=2)
    world.once()
    assert [numbers(s) for s in servers] == [expected(i, 2) for i in range(DOMAINS)]
