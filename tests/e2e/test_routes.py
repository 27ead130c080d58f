"""Routes: mail goes where the lines of routes.txt say, and nowhere else."""
from peers import net
from peers.smtpd import Behaviour


def relay(world, name="relay.test", behaviour=None):
    """A host that no MX record names, and its target in routes.txt."""
    server = world.host(name, behaviour)
    return server, f"smtp://[{name}]"


def log_text(world):
    return (world.directory / "log").read_text()


def test_relays_are_found_by_name_address_and_mx_in_their_order(world):
    by_name, target = relay(world)
    by_address = world.host("address.test")
    by_mx = world.host("mx1.group.test")
    world.domain("group.test", by_mx)
    world.domain("direct.test", direct := world.host("mx1.direct.test"))
    down = world.block.address()
    world.policy("routes.txt", f"[name.test] {target}\n"
                               f"[address.test] smtp://[{by_address.address}]:{world.port}\n"
                               f"[mx.test] smtp://group.test:{world.port}\n"
                               f"[backup.test] smtp://[{down}], {target}\n")
    cases = {"name.test": by_name, "address.test": by_address, "mx.test": by_mx,
             "backup.test": by_name, "direct.test": direct}
    message_id = world.send(*[f"b@{domain}" for domain in cases])
    world.once()
    for domain, server in cases.items():
        assert f"b@{domain}" in [r for m in server.messages for r in m.recipients], domain
    backup = [e for e in world.log(message_id) if e["domain"] == "backup.test"]
    assert [e["outcome"] for e in backup] == ["deferred", "delivered"]
    assert [e["failure"] for e in backup] == ["connect", None]
    assert backup[1]["mx"] == "relay.test" and backup[1]["port"] == world.port
    assert "relay=relay.test[" in log_text(world)


def test_what_a_route_discards_or_refuses_needs_no_host(world):
    world.policy("routes.txt", "[sink.test] discard\n[no.test] error:5.7.1 no mail for you\n"
                               "[later.test] error:4.3.2 come back later\n")
    message_id = world.send("a@sink.test", "b@no.test", "c@later.test")
    world.once()
    entries = {e["domain"]: e for e in world.log(message_id)}
    routes = world.policy_dir / "routes.txt"
    sink, no, later = entries["sink.test"], entries["no.test"], entries["later.test"]
    assert (sink["outcome"], sink["detail"]) == ("delivered", "discarded by routes.txt:1")
    assert (no["outcome"], no["recipients"][0]["enhanced"]) == ("bounced", "5.7.1")
    assert (later["outcome"], later["recipients"][0]["enhanced"]) == ("deferred", "4.3.2")
    for number, entry in enumerate((sink, no, later), 1):
        assert entry["rule"] == f"{routes}:{number}" and entry["stage"] == "route"
        assert entry["mx"] is entry["address"] is entry["channel"] is entry["failure"] is None
    assert "relay=none, " in log_text(world)
    assert "status=sent (discarded by routes.txt:1)" in log_text(world)
    # The bounce is on its way to the sender; the deferred one waits for its schedule.
    queued = world.queue()
    assert sorted(e["sender"] for e in queued) == ["", "a@sender.test"]
    story = world.text("log", "--id", message_id)
    assert "no mail for you" in story and "no reason known" not in story


def test_a_relay_that_is_mistyped_defers(world):
    world.policy("routes.txt", "[a.test] smtp://[no-such-host.test]\n[b.test] smtp://nowhere.test\n")
    message_id = world.send("x@a.test", "x@b.test")
    world.once()
    assert world.outcomes(message_id) == ["deferred", "deferred"]
    for entry in world.log(message_id):
        assert entry["detail"].startswith("relay ") and " of routes.txt:" in entry["detail"]
        assert entry["recipients"][0]["enhanced"] in ("4.3.5", None)


def test_an_edit_counts_for_the_next_connection(world):
    first, first_target = relay(world, "one.test")
    second, second_target = relay(world, "two.test")
    world.policy("routes.txt", f"* {first_target}\n")
    world.daemon()
    world.wait_gone(world.send("b@example.test"))
    world.policy("routes.txt", f"* {second_target}\n")

    def follows():
        world.wait_gone(world.send("b@example.test"))
        return bool(second.messages)
    net.wait_for(follows, "mail at the second relay", interval_s=0.1)
    seen = len(first.messages)
    world.wait_gone(world.send("c@example.test"))
    assert len(first.messages) == seen
    # A version with an error in it changes nothing.
    world.policy("routes.txt", "* nonsense\n")
    net.wait_for(lambda: "routes.txt:1" in log_text(world), "the error in the log")
    world.wait_gone(world.send("d@example.test"))
    assert [m.recipients for m in second.messages[-2:]] == [["c@example.test"], ["d@example.test"]]


def test_the_limit_of_a_relay_is_for_all_its_destinations(world):
    server, target = relay(world)
    world.configure('destination "relay.test" { max_sessions_per_destination = 5 }\n')
    world.policy("routes.txt", f"* {target}\n")
    message_id = world.send(*[f"b@d{n}.test" for n in range(300)])
    world.once()
    assert world.outcomes(message_id) == ["delivered"] * 300
    assert 2 <= server.most_at_once <= 5
    assert len(server.sessions) <= 5 + 2    # they were kept, and used for whatever came
