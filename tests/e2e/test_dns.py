"""Where a message goes: MX and address records, and what their absence or failure means.

Knot DNS serves the zones; failures come from the scripted name server.
"""
import pytest

from peers import net
from peers.smtpd import Behaviour


def result(world, message_id):
    entry = world.log(message_id)[-1]
    return entry["outcome"], entry["failure"], entry["recipients"][0]["enhanced"]


def test_hosts_are_tried_in_the_order_of_their_preference(world):
    closed = Behaviour(replies={"banner": "421 4.3.2 busy"})
    hosts = [world.host(f"mx{i}.example.test", closed) for i in range(3)]
    world.domain("example.test", (30, hosts[0]), (10, hosts[1]), (20, hosts[2]))
    message_id = world.send("b@example.test")
    world.once()
    assert [e["mx"] for e in world.log(message_id)] == [f"mx{i}.example.test" for i in (1, 2, 0)]


def test_equal_preferences_are_shuffled(world):
    hosts = [world.host(f"mx{i}.example.test") for i in range(2)]
    world.domain("example.test", *[(10, h) for h in hosts])
    world.configure(max_sessions_per_destination=1)
    for _ in range(20):  # both seen but for one run in half a million, where nothing is reused
        world.send("b@example.test")
        world.once()
        if all(h.messages for h in hosts):
            break
    assert all(h.messages for h in hosts)


def test_all_addresses_of_a_host_are_tried(world):
    dead = world.block.address()
    server = world.host("mx1.example.test")
    world.zone.address("mx1.example.test", dead)
    world.domain("example.test", server)
    for _ in range(3):
        world.send("b@example.test")
    world.once()
    assert len(server.messages) == 3


def test_a_domain_without_mx_is_its_own_host(world):
    server = world.host("example.test")
    world.send("b@example.test")
    world.once()
    assert server.sessions[0].sni == "example.test" and len(server.messages) == 1


def test_an_mx_that_cannot_be_used_never_leads_to_the_address_of_the_domain(world):
    server = world.host("example.test")
    world.domain("example.test", (10, "gone.example.test"))
    message_id = world.send("b@example.test")
    world.once()
    assert server.sessions == [] and world.log(message_id)[-1]["outcome"] != "delivered"


def test_a_null_mx_bounces_at_once(world):
    server = world.host("example.test")
    world.zone.add("example.test", "MX", "0 .")
    message_id = world.send("b@example.test")
    world.once()
    assert server.sessions == []
    assert result(world, message_id) == ("bounced", "dns", "5.1.10")
    assert world.entry(message_id) is None


def test_a_root_among_other_hosts_is_ignored(world):
    server = world.one_host()
    world.zone.add("example.test", "MX", "0 .")
    world.send("b@example.test")
    world.once()
    assert len(server.messages) == 1


def test_a_domain_that_does_not_exist_bounces(world):
    message_id = world.send("b@nothing.test")
    world.once()
    assert result(world, message_id) == ("bounced", "dns", "5.1.2")


def test_a_domain_without_mx_and_address_bounces(world):
    world.zone.add("empty.test", "TXT", '"here"')
    message_id = world.send("b@empty.test")
    world.once()
    assert result(world, message_id)[:2] == ("bounced", "dns")


def test_a_cname_leads_to_the_hosts_and_the_recipient_stays(world):
    server = world.one_host()
    world.zone.cname("alias.test", "example.test")
    world.policy("nomtatsl.txt", "[alias.test]\n")  # the policy's name is the envelope's
    world.send("b@alias.test")
    world.once()
    assert server.messages[0].recipients == ["b@alias.test"]
    assert server.messages[0].channel == "plaintext"


def test_an_mx_that_is_a_cname_is_followed_and_sni_is_its_own_name(world):
    server = world.host("real.example.test")
    world.zone.cname("mx1.example.test", "real.example.test")
    world.domain("example.test", (10, "mx1.example.test"))
    world.send("b@example.test")
    world.once()
    assert server.sessions[0].sni == "mx1.example.test"


def test_a_cname_loop_delivers_nowhere_and_ends(world):
    world.zone.cname("a.test", "b.test")
    world.zone.cname("b.test", "a.test")
    message_id = world.send("x@a.test")
    world.once()
    assert world.log(message_id)[-1]["failure"] == "dns"


def test_names_compare_without_case(world):
    server = world.one_host()
    world.send("B@EXAMPLE.Test")
    world.once()
    assert server.messages[0].recipients[0].lower() == "b@example.test"


def test_one_self_in_the_list_of_hosts_is_a_loop(world):
    world.domain("example.test", (10, "client.sender.test"))
    world.zone.address("client.sender.test", world.block.address())
    message_id = world.send("b@example.test")
    world.once()
    outcome, _, enhanced = result(world, message_id)
    assert (outcome, enhanced) == ("bounced", "5.4.6")


def test_one_self_cuts_the_list_of_hosts(world):
    better, worse = world.host("mx1.example.test"), world.host("mx3.example.test")
    world.domain("example.test", (10, better), (20, "client.sender.test"), (30, worse))
    world.zone.address("client.sender.test", world.block.address())
    better.script = Behaviour(replies={"banner": "421 4.3.2 busy"})
    message_id = world.send("b@example.test")
    world.once()
    assert worse.sessions == [] and world.entry(message_id)


def test_an_address_literal_is_connected_to_directly(world):
    server = world.host("mx1.example.test")
    world.send(f"b@[{server.address}]")
    world.once()
    assert server.messages[0].recipients == [f"b@[{server.address}]"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.1.1"])
def test_a_prohibited_address_is_never_connected_to(world, address):
    listening = [world.host("here.test", address="127.0.0.1")]
    if net.has_ipv6():
        listening.append(world.host("here6.test", address="::1"))
    world.zone.address("mx1.example.test", address)
    world.domain("example.test", "mx1.example.test")
    world.configure(prohibited_addresses=None)  # the default list
    # The name server is on loopback too; it is no mail host.
    message_id = world.send("b@example.test")
    world.once()
    entry = world.log(message_id)[-1]
    assert entry["outcome"] in ("deferred", "bounced") and entry["duration_ms"] < 5000
    assert entry["stage"] in ("dns", "connect") and entry["reply"] is None
    assert all(server.sessions == [] for server in listening)


@pytest.mark.skipif(not net.has_ipv6(), reason="no ::1 on this machine")
def test_ipv6_is_used_and_a_dead_family_costs_little(world):
    six = world.host("mx6.example.test", address="::1")
    world.domain("example.test", six)
    four = world.host("mx1.other.test")
    world.zone.address("mx1.other.test", "100::1")  # the discard prefix: no route, or no answer
    world.domain("other.test", four)
    world.configure(connect_timeout="10s")
    world.send("b@example.test")
    second = world.send("c@other.test")
    world.once()
    assert len(six.messages) == len(four.messages) == 1
    assert world.log(second)[-1]["duration_ms"] < 5000


FAILURES = ["servfail", "refused", "formerr", "notimp", "garbage", "empty-mx"]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_name_server_that_fails_defers_and_never_leads_to_the_address(world, failure):
    server = world.host("example.test")  # would be the implicit MX
    world.broken_dns({("example.test", "MX"): failure})
    message_id = world.send("b@example.test")
    world.once()
    assert server.sessions == [] and result(world, message_id)[:2] == ("deferred", "dns")
    assert world.entry(message_id)["next_channel"] == "tls", "it says nothing about TLS"


def test_a_name_server_that_is_silent_defers_in_time(world):
    world.broken_dns({"example.test": "timeout"})
    message_id = world.send("b@example.test")
    world.once()
    assert result(world, message_id)[:2] == ("deferred", "dns")


def test_a_name_server_that_recovers_gets_the_message_through(world):
    server = world.one_host()
    name_server = world.broken_dns({"example.test": "servfail"})
    world.send("b@example.test")
    world.once()
    name_server.failures.clear()
    world.retry()
    assert len(server.messages) == 1


def test_a_truncated_answer_is_asked_for_again_over_tcp(world):
    server = world.one_host()
    world.broken_dns({("example.test", "MX"): "truncated"})
    world.send("b@example.test")
    world.once()
    assert len(server.messages) == 1


def test_an_address_lookup_that_fails_for_one_host_leaves_the_other(world):
    first, second = world.host("mx1.example.test"), world.host("mx2.example.test")
    world.domain("example.test", first, second)
    world.broken_dns({"mx1.example.test": "servfail"})
    world.send("b@example.test")
    world.once()
    assert first.sessions == [] and len(second.messages) == 1


def test_answers_are_kept_for_their_time_and_a_message_costs_no_query(world):
    server = world.one_host(Behaviour(one_message=True))
    name_server = world.broken_dns({})
    for _ in range(10):
        world.send("b@example.test")
    world.once()
    assert len(server.messages) == 10
    assert name_server.queries.count(("example.test", "MX")) <= 2
