"""A DNS that dies halfway: between the MX and the addresses, and while hundreds of messages wait."""
import collections

from faults import Patient, is_quiet
from peers import net
from peers.smtpd import Behaviour

MESSAGES, DOMAINS = 300, 60


class Dying(dict):
    """What a name server does, see ScriptedDns: nothing is answered after so many questions, while it is dead."""

    def __init__(self, after):
        super().__init__()
        self.left, self.is_dead = after, True

    def get(self, key, default=None):
        self.left -= isinstance(key, tuple)  # one a question
        return "timeout" if self.is_dead and self.left < 0 else default


def test_a_name_server_that_dies_between_mx_and_address_defers_and_is_asked_again(world):
    """Each way to die; then it answers, and each message goes through."""
    failures = {f"mx1.{how}.test": how for how in ("servfail", "refused", "timeout", "garbage")}
    dns = world.broken_dns(failures)
    hosts = {how: world.one_host(Behaviour(), domain=f"{how}.test") for how in failures.values()}
    world.configure(dns_timeout="200ms")
    ids = {how: world.send(f"b@{how}.test") for how in hosts}
    world.once(timeout=120)
    for how, message_id in ids.items():
        assert world.outcomes(message_id) == ["deferred"], how
        assert (f"{how}.test", "MX") in dns.queries and not hosts[how].sessions
    dns.failures.clear()
    world.retry()
    for how, message_id in ids.items():
        assert world.outcomes(message_id) == ["deferred", "delivered"] and len(hosts[how].messages) == 1, how


def test_hundreds_of_messages_survive_the_death_of_the_name_server_under_way(world):
    world.broken_dns({}).failures = dying = Dying(after=20)
    domains = [f"d{n}.test" for n in range(DOMAINS)]
    patient = Patient(world, retry_schedule="2s", dns_timeout="100ms")
    for domain in domains:
        world.domain(domain, patient.host)
    patient.start()
    ids = world.send_all([([f"u{n}@{domains[n % DOMAINS]}"], b"Subject: %d\n\n%s\n" % (n, b"x" * 100))
                          for n in range(MESSAGES)])
    net.wait_for(lambda: len(patient.lines("status=deferred")) > 50, "the name server to be missed")
    dying.is_dead = False
    world.wait_gone()
    arrived = collections.Counter(m.recipients[0] for m in patient.host.messages)
    assert len(arrived) == MESSAGES and set(arrived.values()) == {1}
    assert not patient.lines("status=bounced")
    is_quiet(patient)
    world.stop(patient.process)
