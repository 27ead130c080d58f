"""Routes as the policy commands know them: checked, explained, edited, brought along."""
import json

import pytest

from world import EX_CONFIG

EX_USAGE, EX_DATAERR, EX_NOINPUT = 64, 65, 66


def routes_path(world):
    return world.policy_dir / "routes.txt"


def check(world):
    (checked,) = world.json("policy", "check")
    return checked


def words(done):
    return (done.stdout + done.stderr).decode()


def test_check_warns_of_routes_that_can_never_match_and_exits_0(world):
    secrets = world.directory / "credentials"
    secrets.write_text("relay me password secret\n")
    secrets.chmod(0o600)
    world.configure(credentials=str(secrets))
    world.policy("routes.txt", "# the order counts\n"
                 "example.test smtp://[relay.test]:587\n"
                 ".a.example.test discard\n"
                 "[b.test] mx:\n.b.test mx:\nb.test discard\n"
                 "* smtps://relay.test auth=relay\n"
                 "[late.test] mx:\n")
    done = world.run("policy", "check")
    path = routes_path(world)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        f"{path}:3: warning: the route for .a.example.test can never match: line 2 (example.test) "
        "takes all that it is for",
        f"{path}:6: warning: the route for b.test can never match: line 4 ([b.test]) and line 5 (.b.test) "
        "together take all that it is for",
        f"{path}:7: warning: auth= with smtps://relay.test: an MX record may lead to a host whose "
        "certificate is not for it, and which gets nothing then; to name the host yourself write smtps://[relay.test]",
        f"{path}:8: warning: the route for [late.test] can never match: line 7 (*) takes all that it is for",
    ]
    assert b"routes: 7" in done.stdout
    checked = check(world)
    assert checked["ok"] and checked["routes"] == 7 and checked["warning_count"] == 4
    assert [(w["line"], w["other_line"]) for w in checked["warnings"]] == [(3, 2), (6, 5), (7, None), (8, 7)]


@pytest.mark.parametrize("line, reason", [
    ("example.test smtp://relay.example:0", "smtp://relay.example:0: port must be 1 to 65535"),
    ("example.test smtp://[relay.test]:465", "write smtps://[relay.test]:465"),
    ("example.test mx: tsl=off", "no option is called \"tsl\"; did you mean tls=?"),
    ("example.test smtps://[relay.test] tls=off", "tls=off does not go with smtps://"),
])
def test_an_error_in_routes_stops_the_start_and_names_file_line_and_reason(world, line, reason):
    world.policy("routes.txt", f"# one\nok.test mx:\n{line}\n")
    for command in (["policy", "check"], ["policy", "explain", "example.test"], ["run", "--once"]):
        done = world.run(*command, check=False)
        assert done.returncode == EX_CONFIG, command
        assert "routes.txt:3: " in words(done) and reason in words(done), command
    done = world.run("policy", "check", "--json", check=False)
    (error,) = json.loads(done.stdout)["errors"]
    assert error["line"] == 3 and reason in error["text"]


def test_explain_names_the_route_its_relays_and_whom_the_rules_are_asked_for(world):
    world.policy("routes.txt", "example.test smtp://[relay.test]:587, smtps://[backup.test], mx:\n"
                 "old.test error:5.1.10 gone\ntrap.test discard\nlocal.test lmtp:/run/lmtp\n"
                 "sub.test smtp://[auth.test]:587 auth=me source=192.0.2.1 ehlo=out.test\n")
    world.policy("nomtatsl.txt", "relay.test\n")
    world.policy("mtaproto.txt", "auth.test TLS1.3\n")
    world.configure(blocks='destination "example.test" { tls = required }\n'
                           'destination "auth.test" { tls = off }\n')
    path = routes_path(world)

    explained = world.explain("b@example.test")
    assert explained["route"] == {
        "rule": f"{path}:1", "kind": "relays", "options": {},
        "targets": ["smtp://[relay.test]:587", "smtps://[backup.test]", "mx:"]}
    assert explained["channel"] == "plaintext" and explained["transport"] == "smtp"
    assert explained["decided_by"].endswith("nomtatsl.txt:1"), "the list is asked for the relay"
    assert not explained["required"], "and so is the destination block"
    assert explained["reasons"][0] == {
        "rule": f"{path}:1", "decided": False, "text": "the mail for example.test goes to "
        "smtp://[relay.test]:587: lists, pins and destination blocks are asked for relay.test"}
    assert [(r["target"], r["channel"], r["required"]) for r in explained["relays"]] == [
        ("smtp://[relay.test]:587", "plaintext", False), ("smtps://[backup.test]", "tls", True),
        ("mx:", "tls", True)]
    text = world.text("policy", "explain", "example.test")
    assert f"route          {path}:1: example.test smtp://[relay.test]:587, smtps://[backup.test], mx:" in text
    assert text.index(" 1. smtp://[relay.test]:587") < text.index(" 2. smtps://[backup.test]") < text.index(" 3. mx:")

    explained = world.explain("b@sub.test")
    assert explained["required"] and explained["verified"] and explained["channel"] == "tls"
    assert explained["decided_by"] == f"{path}:5" and explained["sni"] == "auth.test"
    assert explained["protocols"] == ["TLS1.3"] and explained["fallback"] == "none"
    assert explained["route"]["options"] == {"source": ["192.0.2.1"], "ehlo": "out.test", "auth": "me"}
    assert any("tls = off: STARTTLS is not used, but TLS is required" in r["text"] for r in explained["reasons"])

    explained = world.explain("b@local.test")
    assert explained["transport"] == "lmtp" and explained["channel"] == "plaintext"
    assert any("does not leave the machine" in r["text"] for r in explained["reasons"])

    for domain, kind, what in (("old.test", "error", 'refused with 5.1.10 "gone"'), ("trap.test", "discard", "dropped")):
        explained = world.explain(domain)
        assert explained["route"]["kind"] == kind and explained["route"]["targets"] == []
        for field in ("channel", "next_channel", "fallback", "sni", "transport"):
            assert explained[field] is None, field
        (reason,) = explained["reasons"]
        assert what in reason["text"] and "nothing is sent" in reason["text"]
        assert "next attempt   nothing is sent" in world.text("policy", "explain", domain)

    explained = world.explain("other.test")
    assert explained["route"] is None and explained["relays"] == []
    assert "route          none: the MX hosts of other.test" in world.text("policy", "explain", "other.test")


def test_show_and_edits_know_the_routes(world):
    path = world.policy("routes.txt", "# mine\r\na.test smtp://[relay.test]:587 tls=verified # why\r\n")
    shown = next(o for o in world.json("policy", "show") if o["list"] == "routes")
    assert shown["in_force"] and shown["entries"] == [{
        "line": 2, "entry": "a.test smtp://[relay.test]:587 tls=verified", "pattern": "a.test", "kind": "relays",
        "targets": ["smtp://[relay.test]:587"], "options": {"tls": "verified"}}]
    world.run("policy", "route", "add", "*", "smtps://[relay.test]", "auth=me")
    assert path.read_bytes().endswith(b"# why\r\n* smtps://[relay.test] auth=me\r\n")
    done = world.run("policy", "route", "add", "[b.test]", "mx:")
    assert b"note: the route for [b.test] can never match: line 3 (*)" in done.stderr
    world.run("policy", "route", "remove", "[b.test]")
    before = path.read_bytes()
    assert b"b.test" not in before
    for entry, status in ((["a.test", "discard"], EX_CONFIG), (["c.test", "smtp://[r.test]:465"], EX_DATAERR),
                          (["c.test"], EX_USAGE)):
        assert world.run("policy", "route", "add", *entry, check=False).returncode == status, entry
    assert path.read_bytes() == before
    assert "smtps://[relay.test] auth=me" in world.text("policy", "show")


XMAIL = '''# XMail
"foo.test"\t"mail.relay.test:7001;192.168.1.1:6123,NeedTLS=1"
"*.dummy.test"\t"#mail.relay.test,NeedTLS=2;mx.relay.test,NeedTLS=2"\r
"gw.test"\t"@relay.test"
"*"\t"out.test,NeedTLS=2,OutBind=192.0.2.1"
'''


def test_import_prints_what_xmail_had_and_appends_it_in_one_step(world):
    table = world.directory / "smtpfwd.tab"
    table.write_text(XMAIL)
    printed = world.text("policy", "import", "xmail", str(table))
    routes = [line for line in printed.splitlines() if not line.startswith("#")]
    assert routes == [
        "[foo.test] smtp://[mail.relay.test]:7001, smtp://[192.168.1.1]:6123",
        ".dummy.test smtp://[mail.relay.test], smtp://[mx.relay.test] tls=required order=turn",
        "[gw.test] mx:relay.test",
        "* smtp://[out.test] tls=required source=192.0.2.1"]
    assert f'# {table}:4: "gw.test" "@relay.test"' in printed, "the source stands above its route"
    assert not routes_path(world).exists(), "printing changes nothing"

    path = world.policy("routes.txt", "first.test discard")
    done = world.run("policy", "import", "xmail", "--append", str(table))
    assert done.stdout == b"" and b"4 routes appended to" in done.stderr
    assert path.read_text() == "first.test discard\n" + printed
    assert check(world)["routes"] == 5
    assert world.explain("b@foo.test")["route"]["rule"] == f"{path}:3"
    done = world.run("policy", "import", "xmail", "--append", str(table))
    assert done.stderr.count(b"can never match") == 4, "twice is told at once"


def test_import_tells_what_it_cannot_turn_over_and_appends_nothing_then(world):
    table = world.directory / "smtpfwd.tab"
    table.write_text('"ok.test"\t"relay.test"\n"mail*.test"\t"relay.test"\n"x.test"\t"a.test,NeedTLS=2;b.test"\n')
    done = world.run("policy", "import", "xmail", str(table), check=False)
    assert done.returncode == EX_DATAERR
    assert [line.split(": ")[0] for line in done.stderr.decode().splitlines()] == [f"{table}:2", f"{table}:3"]
    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["[ok.test] smtp://[relay.test]"]
    assert any("not turned over: the pattern \"mail*.test\" has its wildcard elsewhere" in line for line in lines)
    done = world.run("policy", "import", "xmail", "--json", str(table), check=False)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == EX_DATAERR and [o["route"] is None for o in objects] == [False, True, True]
    done = world.run("policy", "import", "xmail", "--append", str(table), check=False)
    assert done.returncode == EX_DATAERR and b"nothing was appended" in done.stderr
    assert not routes_path(world).exists()


def test_import_takes_pmailservers_list_and_shows_no_password(world):
    table = world.directory / "routing.txt"
    table.write_bytes("\ufeff@例え.jp\tmail.test:465\r\n*\tout.test:587\r\n".encode("utf-16-le"))
    routes = world.text("policy", "import", "pmailserver", str(table)).splitlines()[1::2]
    assert routes == ["[例え.jp] smtps://[mail.test]:465", "* smtp://[out.test]:587"]
    table.write_text("@a.test\trelay.test\tme\thunter2\n")
    done = world.run("policy", "import", "pmailserver", str(table), check=False)
    assert done.returncode == EX_DATAERR and b"credentials file" in done.stderr
    assert b"hunter2" not in done.stdout + done.stderr
    assert world.run("policy", "import", "exchange", str(table), check=False).returncode == EX_USAGE
    assert world.run("policy", "import", "xmail", str(table) + ".no", check=False).returncode == EX_NOINPUT
