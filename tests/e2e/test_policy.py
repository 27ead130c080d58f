"""The policy files: which list counts, picked up while it runs, explained and edited."""
import itertools

import pytest

from peers import net
from peers.smtpd import Behaviour
from world import EX_CONFIG


def channel_of(server):
    return server.messages[-1].channel


@pytest.mark.parametrize("allow, exclude, channel", [
    (None, None, "tls"),
    ("", None, "plaintext"),
    ("example.test\n", None, "tls"),
    ("other.test\n", None, "plaintext"),
    ("other.test\n", "", "plaintext"),
    ("example.test\n", "example.test\n", "tls"),
    (None, "example.test\n", "plaintext"),
    (None, "other.test\n", "tls"),
    (None, "*\n", "plaintext"),
    (None, "[example.test]\n", "plaintext"),
    (None, ".example.test\n", "tls"),
    (None, "*.example.test\n", "tls"),
    (None, "ample.test\n", "tls"),
    (None, "\ufeff  EXAMPLE.test.  # note\r\n\r\n", "plaintext"),
    (None, "\ufeffexample.test\r\n".encode("utf-16-le"), "plaintext"),
])
def test_the_lists_decide_the_channel_and_explain_says_the_same(world, allow, exclude, channel):
    server = world.one_host()
    for name, text in (("mtatsl.txt", allow), ("nomtatsl.txt", exclude)):
        if text is not None:
            world.policy(name, text)
    message_id = world.send("b@example.test")
    explained = world.explain("b@example.test")
    world.once()
    (entry,) = world.log(message_id)
    assert channel_of(server) == channel == entry["channel"] == explained["channel"]
    assert server.sessions[0].asked_for_tls == (channel == "tls")
    assert explained["decided_by"] == entry["rule"]


def test_domain_match_substring_is_for_files_that_were_written_for_it(world):
    server = world.one_host()
    world.policy("nomtatsl.txt", "ample.te\n")
    world.configure(domain_match="substring")
    world.send("b@example.test")
    world.once()
    assert channel_of(server) == "plaintext"


def test_a_u_label_in_a_list_is_the_a_label_of_a_recipient(world):
    server = world.one_host(domain="xn--r8jz45g.test")
    world.policy("nomtatsl.txt", "例え.test\n")
    world.send("b@xn--r8jz45g.test")
    world.once()
    assert channel_of(server) == "plaintext"


def deliver(world, server):
    """Sends one message to the running worker; the channel it came by."""
    before = len(server.messages)
    world.send("b@example.test")
    net.wait_for(lambda: len(server.messages) > before, "the message")
    return channel_of(server)


def wait_for_channel(world, server, channel):
    """Sends until messages come by that channel. A saved file is in force within a
    second; two more are for a busy machine and the messages themselves."""
    net.wait_for(lambda: deliver(world, server) == channel, f"messages by {channel}", deadline_s=3)


def test_a_saved_file_is_in_force_while_the_worker_runs(world):
    # Nothing is reused, so that each message shows the policy of its moment.
    server = world.one_host(Behaviour(one_message=True))
    world.daemon()
    assert deliver(world, server) == "tls"
    path = world.policy("nomtatsl.txt", "example.test\n")          # created
    wait_for_channel(world, server, "plaintext")
    path.write_text("other.test\n")                                 # edited in place
    wait_for_channel(world, server, "tls")
    world.policy("mtatsl.txt", "")                                  # an empty allow list
    wait_for_channel(world, server, "plaintext")
    (world.policy_dir / "mtatsl.txt").unlink()                      # deleted
    wait_for_channel(world, server, "tls")


def test_a_new_version_has_a_new_generation_in_the_log(world):
    server = world.one_host(Behaviour(one_message=True))
    world.daemon()
    deliver(world, server)
    world.policy("nomtatsl.txt", "example.test\n")
    wait_for_channel(world, server, "plaintext")
    world.wait_gone()
    log = world.log()
    first = {e["policy_generation"] for e in log if e["channel"] == "tls"}
    second = {e["policy_generation"] for e in log if e["channel"] == "plaintext"}
    assert max(first) < min(second)


def test_a_bad_version_never_replaces_a_good_one(world):
    server = world.one_host(Behaviour(one_message=True))
    world.policy("nomtatsl.txt", "example.test\n")
    world.daemon()
    assert deliver(world, server) == "plaintext"
    world.policy("nomtatsl.txt", "other.test\nbad..name\n")

    def complained():
        return "nomtatsl.txt:2" in (world.directory / "log").read_text() + world.daemon_output()
    net.wait_for(complained, "the log to name file and line")
    assert deliver(world, server) == "plaintext", "the last good version stays"
    done = world.run("policy", "check", check=False)
    assert done.returncode == EX_CONFIG and b"nomtatsl.txt:2" in done.stdout + done.stderr
    net.wait_for(lambda: "error" in _queue_talk(world), "the queue listing to tell of it")
    world.policy("nomtatsl.txt", "other.test\n")
    wait_for_channel(world, server, "tls")


def test_one_bad_file_keeps_the_old_version_of_all_files_until_it_is_mended(world):
    server = world.one_host()
    world.daemon()
    assert deliver(world, server) == "tls"
    world.policy("nomtatsl.txt", "bad..name\n")
    net.wait_for(lambda: "policy: 1 error, using version of " in _queue_talk(world), "the note")
    world.policy("mtatsl.txt", "")  # good by itself, and would switch TLS off
    reason = "nomtatsl.txt:1: an empty label"
    net.wait_for(lambda: (world.directory / "log").read_text().count(reason) >= 2, "the second complaint")
    assert deliver(world, server) == "tls", "the good file waits for the bad one"
    checked = world.run("policy", "check", check=False)
    (line,) = checked.stderr.decode().splitlines()
    assert checked.returncode == EX_CONFIG and f"policy: {line}\n" in (world.directory / "log").read_text()
    (world.policy_dir / "nomtatsl.txt").unlink()
    wait_for_channel(world, server, "plaintext")
    net.wait_for(lambda: "error" not in _queue_talk(world), "the note to go")


def test_a_kept_session_does_not_outlive_its_policy(world):
    server = world.one_host()
    world.daemon()
    assert [deliver(world, server), deliver(world, server)] == ["tls", "tls"]
    assert len(server.sessions) == 1, "the second message took the kept session"
    world.policy("nomtatsl.txt", "example.test\n")
    wait_for_channel(world, server, "plaintext")


def _queue_talk(world):
    done = world.run("queue")
    return (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("name, text, line", [
    ("nomtatsl.txt", "good.test\nbad..name\n", 2),
    ("mtatsl.txt", "a b.test\n", 1),
    ("mtatsl.txt", "a@b.test\n", 1),
    ("nomtatsl.txt", "[half.test\n", 1),
    ("nomtatsl.txt", "x" * 64 + ".test\n", 1),
    ("nomtatsl.txt", b"caf\xe9.test\n", 1),
    ("mtaproto.txt", "example.test\n", 1),
    ("mtaproto.txt", "example.test TLS1.4\n", 1),
    ("mtaproto.txt", "example.test SSL3.0\n", 1),
    ("nomtatsl.txt", "good.test\r\nbad..name\r\n".encode("utf-16"), 2),
    ("mtaproto.txt", "a.test TLS1.2\nb.test TLS1.2\nA.test TLS1.3\n", 3),
])
def test_an_error_in_a_policy_file_stops_the_start_and_names_file_and_line(world, name, text, line):
    world.policy(name, text)
    for words in (["policy", "check"], ["run", "--once"], ["run"]):
        done = world.run(*words, check=False)
        assert done.returncode == EX_CONFIG, words
        assert f"{name}:{line}".encode() in done.stderr + done.stdout, words


def test_a_file_that_cannot_be_trusted_is_an_error_and_not_a_missing_file(world):
    path = world.policy("mtatsl.txt", "example.test\n")
    path.chmod(0o666)
    done = world.run("policy", "check", check=False)
    assert done.returncode == EX_CONFIG and b"mtatsl.txt" in done.stderr + done.stdout
    path.unlink()
    path.mkdir()
    assert world.run("policy", "check", check=False).returncode == EX_CONFIG


def test_edits_keep_what_a_person_wrote(world):
    path = world.policy("nomtatsl.txt", "# my list\r\n\r\nb.test   # why\r\na.test\r\n")
    path.chmod(0o640)
    world.run("policy", "exclude", "add", "C.Test")
    assert path.read_bytes() == b"# my list\r\n\r\nb.test   # why\r\na.test\r\nC.Test\r\n".replace(
        b"C.Test", path.read_bytes().splitlines()[-1])
    assert path.read_bytes().splitlines()[-1].lower() == b"c.test"
    world.run("policy", "exclude", "remove", "b.test")
    assert b"b.test" not in path.read_bytes() and b"# my list\r\n" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640


def test_edits_make_files_and_change_what_happens(world):
    server = world.one_host(Behaviour(versions=("TLS1.1", "TLS1.2", "TLS1.3")))
    world.run("policy", "pin", "add", "example.test", "TLS1.2")
    world.send("b@example.test")
    world.once()
    assert server.sessions[-1].tls_version == "TLS1.2"
    world.run("policy", "pin", "add", "example.test", "TLS1.1")
    world.send("b@example.test")
    world.once()
    assert server.sessions[-1].tls_version == "TLS1.1"
    world.run("policy", "allow", "add", "other.test")
    world.send("b@example.test")
    world.once()
    assert channel_of(server) == "plaintext"
    world.run("policy", "allow", "remove", "other.test")
    assert (world.policy_dir / "mtatsl.txt").exists(), "an empty allow list means TLS nowhere"


def test_a_bad_edit_changes_nothing(world):
    path = world.policy("nomtatsl.txt", "a.test\n")
    done = world.run("policy", "exclude", "add", "bad..name", check=False)
    assert done.returncode != 0 and b"bad..name" in done.stderr
    assert path.read_bytes() == b"a.test\n"
    assert [p.name for p in world.policy_dir.iterdir()] == ["nomtatsl.txt"], "nothing is left beside it"


@pytest.mark.parametrize("setting, channel", [
    ({}, "tls"), ({"starttls": False}, "plaintext"),
    ({"blocks": 'destination "example.test" { tls = off }\n'}, "plaintext"),
    ({"blocks": 'destination "example.test" { tls = required }\n'}, "tls"),
    ({"blocks": 'destination "[other.test]" { tls = off }\n'}, "tls"),
])
def test_explain_agrees_with_what_happens_under_every_setting(world, setting, channel):
    server = world.one_host()
    world.configure(**setting)
    message_id = world.send("b@example.test")
    by_address, by_domain, by_id = (world.explain(w) for w in ("b@example.test", "example.test", message_id))
    world.once()
    assert channel_of(server) == channel
    for explained in (by_address, by_domain, by_id):
        assert explained["domain"] == "example.test" and explained["channel"] == channel
        for field in ("starttls", "decided_by", "rules", "protocols", "sni", "fallback", "next_channel", "reasons"):
            assert field in explained, field
    assert world.text("policy", "explain", "b@example.test").strip(), "and says it in words"


@pytest.mark.parametrize("lists", [{"nomtatsl.txt": "example.test\n"}, {"mtatsl.txt": ""},
                                   {"mtatsl.txt": "other.test\n", "nomtatsl.txt": "*\n"}])
def test_required_tls_weighs_more_than_the_lists(world, lists):
    server = world.one_host()
    world.configure(blocks='destination "example.test" { tls = required }\n')
    for name, text in lists.items():
        world.policy(name, text)
    world.send("b@example.test")
    explained = world.explain("b@example.test")
    world.once()
    assert channel_of(server) == explained["channel"] == "tls"
    assert "hikyaku.conf:" in explained["decided_by"]
    assert any("TLS is required, and that weighs more" in r["text"] for r in explained["reasons"])


def test_policy_show_prints_the_policy_in_force(world):
    world.policy("nomtatsl.txt", "a.test\n[b.test]\n")
    world.policy("mtaproto.txt", "c.test TLS1.3\n")
    text = world.text("policy", "show")
    for word in ("a.test", "b.test", "c.test", "TLS1.3"):
        assert word in text
    assert list(itertools.chain(world.json("policy", "show")))
