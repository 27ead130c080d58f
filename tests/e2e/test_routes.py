"""Routes: mail goes where the lines of routes.txt say, and nowhere else."""
import smtplib

from peers import certs, lmtpd, net
from peers.smtpd import Behaviour
from world import EX_CONFIG, MESSAGE


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


def test_transports_reach_relays_in_their_own_way(world):
    """TLS from the first octet, a source address, an EHLO name, and what never is plaintext."""
    submissions = world.host("submissions.test", Behaviour(tls_first=True))
    plain = world.host("plain.test", Behaviour(starttls=None))
    waiting = world.host("waiting.test", Behaviour(tls_first=True))
    source = world.block.address()
    world.configure('destination "waiting.test" { reply_timeout = 300ms }\n', fallback="plaintext")
    world.policy("routes.txt", f"[a.test] smtps://[submissions.test]:{world.port} source={source} "
                               "ehlo=outside.sender.test\n"
                               f"[b.test] smtps://[plain.test]:{world.port}\n"
                               f"[c.test] smtp://[waiting.test]:{world.port}\n"
                               f"[d.test] smtp://[plain.test] tls=required\n")
    message_id = world.send(*[f"x@{name}.test" for name in "abcd"])
    world.once()
    entries = {e["domain"]: e for e in world.log(message_id)}
    assert {d: e["outcome"] for d, e in entries.items()} == {
        "a.test": "delivered", "b.test": "deferred", "c.test": "deferred", "d.test": "deferred"}
    (session,) = submissions.sessions
    assert session.client == source and session.sni == "submissions.test"
    assert session.lines()[0] == "EHLO outside.sender.test"
    assert session.lines("plaintext") == [] and not session.asked_for_tls
    assert entries["a.test"]["tls"] and entries["a.test"]["channel"] == "tls"
    assert "did you mean smtp://?" in entries["b.test"]["detail"]
    assert entries["b.test"]["failure"] == "tls_handshake"
    assert entries["b.test"]["next_channel"] == "tls"
    assert "did you mean smtps://?" in entries["c.test"]["detail"]
    assert entries["d.test"]["failure"] == "policy"
    assert not plain.messages and not waiting.messages


def test_a_certificate_that_must_be_good_is_asked_for_before_anything_is_sent(world):
    """tls=verified: for the host that is named; where MX records lead elsewhere, for the relay."""
    world.host("good.example.test")
    bare = world.host("bare.test")
    forged = world.host("mx.elsewhere.sub.test")    # the certificate is not for that name
    led = world.host("mx.other.test")               # it has a good one, for another domain
    within = world.host("mx.example.test")
    world.domain("led.sub.test", led)
    world.domain("example.test", within)
    world.configure(trust_file=str(world.certificates.ca))
    world.policy("routes.txt", "[a.test] smtp://[good.example.test] tls=verified\n"
                               "[b.test] smtp://[mx.elsewhere.sub.test] tls=verified\n"
                               f"[c.test] smtp://led.sub.test:{world.port} tls=verified\n"
                               f"[d.test] smtp://example.test:{world.port} tls=verified\n"
                               f"[e.test] smtp://[{bare.address}] tls=verified\n")
    message_id = world.send(*[f"x@{name}.test" for name in "abcde"])
    world.once()
    entries = {e["domain"]: e for e in world.log(message_id)}
    assert {d: e["outcome"] for d, e in entries.items()} == {
        "a.test": "delivered", "b.test": "deferred", "c.test": "deferred", "d.test": "delivered",
        "e.test": "deferred"}
    assert entries["a.test"]["tls"]["verified"] and entries["d.test"]["tls"]["verified"]
    for domain, server, name in (("b.test", forged, "mx.elsewhere.sub.test"), ("c.test", led, "led.sub.test"),
                                 ("e.test", bare, bare.address)):
        assert entries[domain]["failure"] == "policy" and entries[domain]["next_channel"] == "tls"
        assert f"has to be good for {name}, and is not: " in entries[domain]["detail"]
        assert server.sessions[-1].lines("tls") == []


def test_lmtp_has_a_verdict_for_each_recipient(world):
    path = world.directory / "lmtp"
    server = lmtpd.LmtpServer(path, Behaviour(starttls=None, verdicts={
        "full@a.test": "452 4.2.2 mailbox full", "no@a.test": "550 5.1.1 nobody"}), world.certificates)
    world.closers.append(server)
    world.policy("routes.txt", f"* lmtp:{path}\n[gone.test] discard\n")
    message_id = world.send("yes@a.test", "full@a.test", "no@a.test", "also@a.test")
    world.once()
    (entry,) = world.log(message_id)
    assert {r["address"]: r["outcome"] for r in entry["recipients"]} == {
        "yes@a.test": "delivered", "also@a.test": "delivered", "full@a.test": "deferred",
        "no@a.test": "bounced"}
    assert (entry["mx"], entry["address"], entry["port"]) == (str(path), None, None)
    assert server.sessions[0].lines()[0] == "LHLO client.sender.test"
    assert f"relay=localhost[{path}], " in log_text(world)
    assert [sorted(m.recipients) for m in server.messages] == [["also@a.test", "yes@a.test"]]
    # One session does for all that share the socket, the notice to the sender included.
    other_id = world.send("x@b.test", "x@c.test", "x@d.test")
    world.once()
    assert world.outcomes(other_id) == ["delivered"] * 3
    assert len(server.sessions) == 2 and len(server.sessions[1].messages) == 4


# -- who we are --

PASSWORD = "correct horse, battery"


def credentials(world, *lines):
    path = world.directory / "credentials"
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    world.configure(credentials=str(path), trust_file=str(world.certificates.ca))
    return path


def everything_written(world):
    """All that a secret could have got into."""
    shown = world.text("log") + world.text("log", "--json") + world.text("queue", "list", "--json")
    return shown + log_text(world) + (world.directory / "tls.log").read_text()


def test_each_mechanism_gets_in_with_the_password(world):
    mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")
    world.configure(workers=2)    # commands run on every loop
    credentials(world, f"main me@sender.test password {PASSWORD}",
                "ask me@sender.test password-command /bin/echo 'correct horse, battery'",
                "token me@sender.test token-command /bin/echo t0ken")
    lines, relays = [], {}
    for number, mechanism in enumerate((*mechanisms, "XOAUTH2")):
        token = mechanism == "XOAUTH2"
        name = f"r{number}.example.test"
        relays[mechanism] = world.host(name, Behaviour(
            tls_first=number % 2 == 1, mechanisms=(mechanism,),
            users={"me@sender.test": "t0ken" if token else PASSWORD}))
        entry = "token" if token else "ask" if number % 4 == 0 else "main"    # d0 and d4: two loops
        scheme = "smtps" if number % 2 else "smtp"
        lines.append(f"[d{number}.test] {scheme}://[{name}]:{world.port} auth={entry}\n")
    world.policy("routes.txt", "".join(lines))
    message_id = world.send(*[f"x@d{n}.test" for n in range(len(lines))])
    world.once()
    assert set(world.outcomes(message_id)) == {"delivered"}, world.log(message_id)
    for mechanism, server in relays.items():
        (session,) = server.sessions
        assert session.mechanisms == [mechanism] and session.user == "me@sender.test"
        assert not [c for c in session.lines("plaintext") if c.startswith("AUTH")]
    assert PASSWORD not in everything_written(world) and "t0ken" not in everything_written(world)


def test_the_first_mechanism_that_the_host_takes_is_used_for_all_that_share_the_session(world):
    refused = iter(["504 5.5.4 not that one", "504 5.5.4 nor that", None])
    server = world.host("r.example.test", Behaviour(
        users={"me": PASSWORD}, replies={"AUTH": lambda session, line: next(refused)}))
    credentials(world, f"main me password {PASSWORD}")
    world.policy("routes.txt", "* smtp://[r.example.test] auth=main\n")
    message_id = world.send(*[f"x@d{n}.test" for n in range(3)])
    world.once()
    assert set(world.outcomes(message_id)) == {"delivered"}
    (session,) = server.sessions
    assert session.mechanisms == ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"]
    assert len(session.messages) == 3


def test_credentials_that_do_not_work_defer_and_are_not_given_away(world):
    """A wrong password, none at all, no AUTH on offer, no TLS, and a host that is not who it
    should be: the mail waits, the log says why, and no password is anywhere."""
    users = {"me": "another one"}
    wrong = world.host("wrong.example.test", Behaviour(users=users))
    missing = world.host("missing.example.test", Behaviour(users=users))
    without = world.host("without.example.test")
    clear = world.host("clear.example.test", Behaviour(users=users, starttls=None, auth_in_clear=True))
    forged = world.host("mx.forged.sub.test", Behaviour(users=users))
    broken = world.host("broken.example.test", Behaviour(users=users))
    path = credentials(world, f"main me password {PASSWORD}", "broken me password-command /bin/false")
    world.configure(fallback="plaintext")
    world.policy("routes.txt", "".join(f"[{name}.test] smtp://[{host}] auth={entry}\n" for name, host, entry in (
        ("wrong", "wrong.example.test", "main"), ("missing", "missing.example.test", "nobody"),
        ("without", "without.example.test", "main"), ("clear", "clear.example.test", "main"),
        ("forged", "mx.forged.sub.test", "main"), ("broken", "broken.example.test", "broken"))))
    names = ("wrong", "missing", "without", "clear", "forged", "broken")
    message_id = world.send(*[f"x@{name}.test" for name in names])
    world.once()
    entries = {e["domain"].split(".")[0]: e for e in world.log(message_id)}
    assert {n: e["outcome"] for n, e in entries.items()} == dict.fromkeys(names, "deferred")
    assert all(e["next_channel"] == "tls" for e in entries.values())
    refused = entries["wrong"]
    assert (refused["failure"], refused["stage"]) == ("smtp_temporary", "auth")
    assert refused["reply"]["code"] == 535 and f"entry main of {path}" in refused["detail"]
    line = next(l for l in log_text(world).splitlines() if "to=<x@wrong.test>" in l)
    assert "status=deferred" in line and "535 5.7.8" in line and f"entry main of {path}" in line
    (item,) = [i for e in world.json("queue", "show", message_id) for i in e.get("items", [e])
               if "wrong.test" in str(i)][:1]
    assert f"entry main of {path}" in str(item)
    for name in names[1:]:
        assert entries[name]["failure"] == "policy", entries[name]
    assert "nobody" in entries["missing"]["detail"] and str(path) in entries["missing"]["detail"]
    assert "/bin/false" in entries["broken"]["detail"]
    for server in (missing, without, clear, forged, broken):
        assert not any(s.mechanisms for s in server.sessions), server.name
    assert len(wrong.sessions) == 1 and not any(m for s in world.servers.values() for m in s.messages)
    assert PASSWORD not in everything_written(world)
    # Put right, it goes out: the file is read for each session.
    path.write_text("main me password another one\n")
    world.retry("--domain", "wrong.test")
    assert wrong.sessions[-1].user == "me" and wrong.messages


def test_client_certificates_are_shown_and_expired_ones_are_not(world):
    mine = certs.ClientCertificates(world.certificates)
    strict = world.host("strict.example.test", Behaviour(demand_certificate=True))
    credentials(world, f"p12 - password {mine.PASSWORD}", "bad - password wrong")
    world.configure(fallback="plaintext")
    target = "smtp://[strict.example.test] tls=required"
    world.policy("routes.txt", f"[pem.test] {target} certificate={mine.cert} key={mine.key}\n"
                               f"[both.test] {target} certificate={mine.both}\n"
                               f"[p12.test] {target} certificate={mine.pkcs12} secret=p12\n"
                               f"[old.test] {target} certificate={mine.expired}\n"
                               f"[bad.test] {target} certificate={mine.pkcs12} secret=bad\n")
    for domain in ("pem.test", "both.test", "p12.test"):
        message_id = world.send(f"x@{domain}")
        world.once()
        assert world.outcomes(message_id) == ["delivered"], world.log(message_id)
        assert strict.sessions[-1].certificate == "client one"
    # Skipped, with a warning once; the server does not want us without one.
    seen = len(strict.sessions)
    message_id = world.send("x@old.test")
    other_id = world.send("y@old.test")
    world.once()
    for entry in world.log(message_id) + world.log(other_id):
        assert (entry["outcome"], entry["failure"]) == ("deferred", "tls_handshake")
    assert len(strict.sessions) > seen and strict.sessions[-1].certificate is None
    warnings = [l for l in log_text(world).splitlines() if "expired" in l and str(mine.expired) in l]
    assert len(warnings) == 1, warnings
    # Refused: no connection is made.
    world.configure(expired_certificates="refuse")
    seen = len(strict.sessions)
    world.retry("--domain", "old.test")
    last = world.log(message_id)[-1]
    assert (last["failure"], last["stage"]) == ("policy", "prepare")
    assert str(mine.expired) in last["detail"] and "expired" in last["detail"]
    bad_id = world.send("x@bad.test")
    world.once()
    assert [e["failure"] for e in world.log(bad_id)] == ["policy"]
    assert str(mine.pkcs12) in world.log(bad_id)[0]["detail"]
    assert len(strict.sessions) == seen
    assert mine.PASSWORD not in everything_written(world)


def test_notices_go_where_bounce_route_says(world):
    server = world.host("mail.sender.test")
    refusing = world.one_host(Behaviour(replies={"RCPT": "550 5.1.1 nobody"}))
    world.configure(bounce_route=f"smtp://[{server.address}]:{world.port}")
    world.policy("routes.txt", "[sender.test] discard\n")
    message_id = world.send("b@example.test")
    world.send("c@sender.test")
    world.once()
    (notice,) = [e for e in world.queue() if e["sender"] == ""]
    explained = world.explain(notice["id"])
    assert [r["target"] for r in explained["relays"]] == [f"smtp://[{server.address}]:{world.port}"]
    world.once()
    assert world.outcomes(message_id) == ["bounced"]
    (message,) = server.messages
    assert message.sender == "" and message.recipients == ["a@sender.test"]
    assert b"5.1.1" in message.data and not refusing.messages
    assert world.queue() == []


def test_the_checks_look_for_what_routes_refer_to(world):
    mine = certs.ClientCertificates(world.certificates)
    path = credentials(world, f"main me password {PASSWORD}", f"p12 - password {mine.PASSWORD}",
                       "bad - password wrong", "ask - password-command /bin/false")
    routes = world.policy("routes.txt", "".join(f"[d{n}.test] smtp://[r.test] {options}\n" for n, options in enumerate((
        "auth=main", "auth=nobody", f"certificate={mine.both}", "certificate=/nonexistent.pem",
        f"certificate={mine.expired}", f"certificate={mine.pkcs12} secret=p12",
        f"certificate={mine.pkcs12} secret=bad", f"certificate={mine.pkcs12} secret=ask",
        f"certificate={mine.pkcs12} secret=none"), 1)))
    done = world.run("policy", "check", check=False)
    assert done.returncode == EX_CONFIG
    lines = done.stderr.decode().splitlines()

    def said_of(number):
        return [l.removeprefix(f"{routes}:{number}: ") for l in lines if l.startswith(f"{routes}:{number}: ")]
    assert said_of(1) == said_of(3) == said_of(6) == []
    for number, option, what in ((2, "auth", "nobody"), (4, "certificate", "/nonexistent.pem"),
                                 (7, "certificate", str(mine.pkcs12)), (9, "secret", "none")):
        (text,) = said_of(number)
        assert text.startswith(f"{option}=: ") and what in text
    (expired,) = said_of(5)
    assert expired.startswith("warning: certificate=: ") and str(mine.expired) in expired
    (unchecked,) = said_of(8)
    assert "its password comes from a command" in unchecked
    (checked,) = world.json("policy", "check", check=False)
    assert not checked["ok"] and checked["error_count"] == 4 and checked["warning_count"] == 1
    assert {e["line"] for e in checked["errors"]} == {2, 4, 7, 9}
    assert PASSWORD not in done.stderr.decode() and mine.PASSWORD not in done.stderr.decode()
    # They defer mail; they do not keep the policy from being in force.
    world.policy("routes.txt", "* smtp://[r.test] auth=main\n")
    assert world.run("policy", "check").returncode == 0
    world.configure(bounce_route="smtp://[r.test] auth=nobody")
    world.write_configuration()
    done = world.run("config", "check", check=False)
    assert done.returncode == EX_CONFIG
    assert f"{world.conf}:" in done.stderr.decode() and "bounce_route: auth=: " in done.stderr.decode()
    assert str(path) in done.stderr.decode()


def test_a_tls_tunnel_for_a_server_that_speaks_none(world):
    """Plaintext SMTP in on loopback; out over TLS from the first octet, to who it must be."""
    relay = world.host("relay.example.test", Behaviour(tls_first=True))
    door, port = world.block.address(), world.port
    world.configure(listen=[f"smtp:{door}:{port}"], trust_file=str(world.certificates.ca))
    world.policy("routes.txt", f"[loop.test] smtp://[{door}]:{port}\n"
                               f"* smtps://[relay.example.test]:{world.port} tls=verified\n")
    process = world.daemon()
    net.wait_for_port(door, port, "the listener", process)
    with smtplib.SMTP(door, port, timeout=20) as client:
        client.sendmail("a@sender.test", ["b@example.test"], MESSAGE.replace(b"\n", b"\r\n"))
        client.sendmail("a@sender.test", ["c@loop.test"], MESSAGE.replace(b"\n", b"\r\n"))
    net.wait_for(lambda: relay.messages, "the message at the relay")
    (session,) = relay.sessions
    assert session.lines("plaintext") == [] and session.tls_version
    assert [m.recipients for m in relay.messages] == [["b@example.test"]]
    assert b"Hello." in relay.messages[0].data
    net.wait_for(lambda: [e for e in world.log() if e["domain"] == "loop.test"], "the loop to be seen")
    (entry,) = [e for e in world.log() if e["domain"] == "loop.test"]
    assert entry["outcome"] == "deferred" and "mail loops back" in entry["detail"]
