"""Where a message goes: MX and address records, and what their absence or failure means.

Knot DNS serves the zones; failures come from the scripted name server. What answers of all kinds lead to is
in tests/fake/dns.table.
"""
import os
import socket
import subprocess

import pytest

from peers import dns, net
from peers.smtpd import Behaviour
from world import MESSAGE


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


def test_by_default_loopback_addresses_are_never_connected_to(world):
    """The others are in tests/fake/dns.table."""
    listening = [world.host("here.test", address="127.0.0.1")]
    world.zone.address("mx1.example.test", "127.0.0.1")
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





def test_a_name_server_that_recovers_gets_the_message_through(world):
    server = world.one_host()
    name_server = world.broken_dns({"example.test": "servfail"})
    world.send("b@example.test")
    world.once()
    name_server.failures.clear()
    world.retry()
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


def dead_address(world, family=socket.AF_INET):
    """An address that never answers a SYN: its queue of connections is full."""
    address = "::1" if family == socket.AF_INET6 else world.block.address()
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, world.port))
    listener.listen(0)
    world.closers.append(listener)
    for _ in range(3):
        filler = socket.socket(family)
        filler.setblocking(False)
        filler.connect_ex((address, world.port))
        world.closers.append(filler)
    return address


@pytest.mark.skipif(not net.has_ipv6(), reason="no ::1 on this machine")
def test_a_dead_ipv6_address_costs_less_than_a_second(world):
    server = world.one_host()
    world.zone.address(server.name, dead_address(world, socket.AF_INET6))
    world.configure(connect_timeout="20s")
    message_id = world.send("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert entry["address"] == server.address and entry["duration_ms"] < 1000


def test_connect_timeout_acts_and_the_next_host_takes_over(world):
    second = world.host("mx2.example.test")
    world.zone.address("mx1.example.test", dead_address(world))
    world.domain("example.test", "mx1.example.test", second)
    world.configure(connect_timeout="1s")
    message_id = world.send("b@example.test")
    world.once()
    first, last = world.log(message_id)
    assert (first["failure"], first["stage"]) == ("connect", "connect") and 900 <= first["duration_ms"] < 3000
    assert last["outcome"] == "delivered" and last["mx"] == "mx2.example.test"


def test_of_many_hosts_ten_are_tried_and_the_message_stays(world):
    for number in range(100):
        world.zone.mx("example.test", number, f"mx{number}.example.test")
        world.zone.address(f"mx{number}.example.test", world.block.address())  # nobody listens there
    message_id = world.send("b@example.test")
    world.once()
    log = world.log(message_id)
    assert [e["mx"] for e in log] == [f"mx{n}.example.test" for n in range(10)]
    assert {e["failure"] for e in log} == {"connect"} and world.entry(message_id)


def test_of_many_addresses_of_many_hosts_ten_are_tried(world):
    """Trap of an MX with ten hosts of ten addresses each: a try is not a scan."""
    servers = []
    for host in range(4):
        for _ in range(4):
            address = world.block.address()
            servers.append(world.host(f"mx{host}.example.test", Behaviour(replies={"banner": "421 4.3.2 busy"}),
                                      address=address))
            world.servers[f"{host}-{address}"] = servers[-1]
        world.zone.mx("example.test", host, f"mx{host}.example.test")
    message_id = world.send("b@example.test")
    world.once()
    assert sum(len(s.sessions) for s in servers) == 10 and world.entry(message_id)


def test_addresses_that_are_dead_count_too(world):
    for host in range(12):
        for _ in range(2):
            world.zone.address(f"mx{host}.example.test", world.block.address())
        world.zone.mx("example.test", host, f"mx{host}.example.test")
    message_id = world.send("b@example.test")
    world.once()
    assert len(world.log(message_id)) == 5, "five hosts with two addresses each"


def test_a_hundred_hosts_without_addresses_do_not_hold_the_last_one_up(world):
    for number in range(99):
        world.zone.mx("example.test", number, f"gone{number}.example.test")
    server = world.host("mx.example.test")
    world.zone.mx("example.test", 1000, "mx.example.test")
    world.send("b@example.test")
    world.once()
    assert len(server.messages) == 1


def test_three_equal_hosts_share_the_load(world):
    hosts = [world.host(f"mx{i}.example.test", Behaviour(one_message=True)) for i in range(3)]
    world.domain("example.test", *[(10, h) for h in hosts])
    world.send_all([(["b@example.test"], MESSAGE)] * 60)
    world.once()
    # Each gets 20 or so; 5 or fewer come once in 30,000 runs.
    assert sum(len(h.messages) for h in hosts) == 60 and all(len(h.messages) > 5 for h in hosts)


@pytest.mark.parametrize("length, outcome", [(5, "delivered"), (15, "delivered"), (100, "deferred")])
def test_a_chain_of_aliases_is_followed_for_a_while(world, length, outcome):
    """Knot cuts an answer after five aliases: that is not the absence of a record."""
    world.one_host()
    for number in range(length):
        world.zone.cname(f"a{number}.test", f"a{number + 1}.test" if number + 1 < length else "example.test")
    message_id = world.send("b@a0.test")
    world.once()
    assert world.log(message_id)[-1]["outcome"] == outcome


def test_a_short_ttl_is_honoured_and_so_is_a_long_one(world):
    server = world.host("mx1.example.test", Behaviour(one_message=True))
    world.zone.add("example.test", "MX", "10 mx1.example.test.", ttl=1)
    name_server = world.broken_dns({})
    world.daemon()
    world.wait_gone(world.send("b@example.test"))

    def asked_again():
        world.wait_gone(world.send("b@example.test"))
        return name_server.queries.count(("example.test", "MX")) >= 3
    net.wait_for(asked_again, "the record to expire twice")
    assert name_server.queries.count(("mx1.example.test", "A")) == 1, "that one lasts for five minutes"
    assert len(server.messages) >= 3


def test_a_record_that_moves_is_followed_when_its_time_is_up(world):
    old = world.host("mx1.example.test")
    new = world.host("mx2.example.test")
    world.zone.add("example.test", "MX", "10 mx1.example.test.", ttl=1)
    world.broken_dns({})
    world.daemon()
    world.wait_gone(world.send("b@example.test"))
    world.zone.records["example.test"] = [("MX", "10 mx2.example.test.", 1)]

    def arrives_there():
        world.wait_gone(world.send("b@example.test"))
        return new.messages
    # A kept session does not ask: it ends two seconds after its last message.
    net.wait_for(arrives_there, "the new host to be used", interval_s=2.5)
    assert old.messages


def test_an_absence_is_remembered_for_a_while(world):
    name_server = world.broken_dns({})
    world.zone.address("example.test", world.block.address())
    for _ in range(5):
        world.send("b@example.test")
    world.once()
    # The scripted server sends no SOA, so nothing may be kept of "no MX": but one
    # question serves all that wait for it.
    assert 1 <= name_server.queries.count(("example.test", "MX")) <= 5


def test_a_second_name_server_answers_for_a_silent_first(world):
    server = world.one_host()
    world.broken_dns({})
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((world.block.address(), world.port))
    world.closers.append(silent)
    world.configure(dns_timeout="1s",
                    dns_servers=["{}:{}".format(*silent.getsockname()), f"{world.block.prefix}.1:{world.port}"])
    message_id = world.send("b@example.test")
    world.once()
    assert len(server.messages) == 1 and world.log(message_id)[0]["outcome"] == "delivered"


def has_mount_namespaces():
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "-m", "mount", "--bind", "/etc/hosts", "/etc/resolv.conf"],
                          capture_output=True).returncode == 0


@pytest.mark.skipif(not has_mount_namespaces(), reason="needs root and mount namespaces")
def test_without_dns_servers_resolv_conf_names_them(world):
    server = world.one_host()
    address = world.block.address()
    name_server = dns.ScriptedDns(address, 53, world.zone)
    world.closers.append(name_server)
    world.name_server = name_server
    (world.directory / "resolv.conf").write_text(f"search other.test\noptions ndots:5\nnameserver {address}\n")
    world.configure(dns_servers=None)
    message_id = world.send("b@example.test")
    world.prepare()
    command = (f"mount --bind {world.directory}/resolv.conf /etc/resolv.conf && "
               f"exec {world.binary} -c {world.conf} run --once")
    subprocess.run(["unshare", "-m", "sh", "-c", command], env=world.env, check=True, timeout=30)
    assert world.outcomes(message_id) == ["delivered"] and len(server.messages) == 1
    assert ("example.test", "MX") in name_server.queries
    assert not any("other.test" in name for name, _ in name_server.queries), "no search list is used"


def test_a_u_label_is_asked_for_as_its_a_label(world):
    server = world.host("mx1.example.test")
    world.zone.mx("xn--r8jz45g.test", 10, "mx1.example.test")
    world.send("b@例え.test")
    world.once()
    assert len(server.messages) == 1
