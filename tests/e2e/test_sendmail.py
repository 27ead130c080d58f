"""hikyaku-sendmail, run by what runs sendmail: mail, cron, PHP, git, Python, mutt; and what it says when it cannot."""
import email
import email.policy
import os
import pathlib
import shutil
import smtplib
import socket
import subprocess
import tempfile

import pytest

from peers import mta
from peers.smtpd import Behaviour
from world import EX_CONFIG, EX_DATAERR, EX_OK, EX_USAGE, TIMEOUT_S

EX_IOERR, EX_TEMPFAIL = 74, 75
HEADER = "From: Sue <sue@sender.test>\nTo: Bob <bob@example.test>\nSubject: hello\n"


class Sendmail:
    """The program, and scripts by the names that others run it by, with a configuration."""

    def __init__(self, world):
        self.world = world
        self.program = world.binary.parent / "hikyaku-sendmail"
        world.write_configuration()
        self.links = world.directory / "bin"
        self.links.mkdir()
        for name in "sendmail", "mailq", "newaliases":
            link = self.links / f"{name}.link" / name
            link.parent.mkdir()
            link.symlink_to(self.program)
            script = self.links / name
            script.write_text(f'#!/bin/sh\nexec {link} -C {world.conf} "$@"\n')
            script.chmod(0o755)
        self.path = self.links / "sendmail"

    def run(self, *words, stdin=b"", status=EX_OK, name="sendmail", env=None):
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([self.links / name, *words], input=stdin, capture_output=True, timeout=TIMEOUT_S,
                              env={**self.world.env, **(env or {})}, cwd=self.world.directory)
        assert done.returncode == status, f"{words}: {done.returncode}, {done.stderr.decode(errors='replace')}"
        return done

    def messages(self):
        """What is queued, oldest first: (entry of the queue, parsed message, its octets)."""
        for entry in self.world.queue():
            stored = self.world.run("queue", "show", entry["id"], "--message").stdout
            yield entry, email.message_from_bytes(stored, policy=email.policy.SMTP), stored

    def only(self):
        (found,) = self.messages()
        return found


@pytest.fixture
def sendmail(world):
    return Sendmail(world)


def client(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def run_client(world, *command, stdin=b"", **env):
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S, cwd=world.directory,
                          env={**world.env, "HOME": str(world.directory), **env})
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done


def body(message):
    return message.get_content().replace("\r\n", "\n")


# ---- those who run sendmail ----


def test_mail_sends(world, sendmail):
    try:
        root = mta.prepare_root("mailx")  # unpacked, not installed: its package brings a mail server along
    except mta.Unavailable as e:
        pytest.skip(f"mailx: {e}")
    libraries = ":".join(sorted({str(p.parent) for p in root.glob("**/*.so.*")}))
    rc = world.directory / "mailrc"
    rc.write_text(f"set sendmail={sendmail.path}\n")
    run_client(world, root / "usr/bin/bsd-mailx", "-n", "-s", "hello there", "-c", "carl@example.test",
               "-b", "dan@example.test", "bob@example.test", "root", stdin=b"one\n.\n..\ntwo\n",
               MAILRC=str(rc), LD_LIBRARY_PATH=libraries)
    entry, message, stored = sendmail.only()
    assert sorted(entry["recipients"]) == ["bob@example.test", "carl@example.test", "dan@example.test",
                                           "root@client.sender.test"]
    assert message["Subject"] == "hello there" and message["Cc"] == "carl@example.test"
    assert b"dan@" not in stored and message["Date"] and message["From"]
    assert body(message) == "one\n.\n..\ntwo\n"


def test_cron_sends(sendmail):
    output = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@x> run-parts\n\n.\nwarning: \xe9\n"
    sendmail.run("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", stdin=output)
    entry, message, stored = sendmail.only()
    assert entry["recipients"] == ["root@client.sender.test"]
    assert stored.endswith(b"\r\n\r\n.\r\nwarning: \xe9\r\n") and message["From"].startswith("root")
    assert len(message.get_all("From")) == 1 and message["Message-ID"]


def test_php_sends(world, sendmail):
    code = ('exit(mail("bob@example.test, Eve <eve@example.test>", "hello", "one\\n.\\ntwo\\n",'
            ' "From: Shop <shop@sender.test>\\r\\nBcc: dan@example.test", "-fbounce@sender.test") ? 0 : 1);')
    run_client(world, client("php"), "-n", "-d", f"sendmail_path={sendmail.path} -t -i", "-r", code)
    entry, message, stored = sendmail.only()
    assert entry["sender"] == "bounce@sender.test" and message["From"] == "Shop <shop@sender.test>"
    assert entry["recipients"] == ["bob@example.test", "eve@example.test", "dan@example.test"]
    assert b"dan@" not in stored and body(message).rstrip() == "one\n.\ntwo"


def test_git_send_email_sends(world, sendmail):
    git = client("git")
    if subprocess.run([git, "send-email", "-h"], capture_output=True).returncode not in (0, 1, 129):
        pytest.skip("git send-email is not installed")
    patch = world.directory / "0001-fix.patch"
    patch.write_text("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
                     "From: Sue <sue@sender.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nSubject: [PATCH] fix: =?x\n\n"
                     "Why.\n---\n a | 2 +-\n.\n--\n2.39.5\n")
    run_client(world, git, "send-email", "--quiet", "--confirm=never", "--suppress-cc=all", "--no-thread",
               f"--sendmail-cmd={sendmail.path}", "--from=Sue <sue@sender.test>", "--envelope-sender=bounce@sender.test",
               "--to=list@example.test", "--cc=carl@example.test", str(patch), GIT_CONFIG_NOSYSTEM="1")
    entry, message, _ = sendmail.only()
    assert entry["sender"] == "bounce@sender.test"
    assert sorted(entry["recipients"]) == ["carl@example.test", "list@example.test"]
    assert message["Subject"].startswith("[PATCH] fix") and "\n.\n--\n" in body(message)


def test_mutt_and_python_send_and_it_arrives(world, sendmail):
    server = world.one_host()
    world.prepare()
    sendmail.run("-oem", "-oi", "-f", "sue@sender.test", "-N", "failure,success", "-R", "hdrs", "-V", "E1", "--",
                 "bob@example.test", "-dash@example.test", stdin=HEADER + "\nhello\n.\n")
    message = email.message.EmailMessage()
    message["To"], message["Subject"] = "Bob <bob@example.test>", "飛脚"
    message["Bcc"] = "undisclosed: dan@example.test;"
    message.set_content("こんにちは\n")
    sendmail.run("-t", "-oi", "-r", "<>", "-F", "Jörg", stdin=message.as_bytes())
    assert {(e["sender"], *e["recipients"]) for e in world.queue()} == {
        ("sue@sender.test", "bob@example.test", "-dash@example.test"),
        ("", "bob@example.test", "dan@example.test")}
    sendmail.run("-q")
    world.wait_gone()
    first, second = sorted(server.messages, key=lambda m: m.sender, reverse=True)
    lines = [line for session in server.sessions for line in session.lines()]
    assert "RET=HDRS ENVID=E1" in first.parameters, first.parameters
    assert any("bob@example.test> NOTIFY=SUCCESS,FAILURE" in line for line in lines), lines
    assert first.sender == "sue@sender.test" and first.data.endswith(b"\r\n\r\nhello\r\n.\r\n")
    parsed = email.message_from_bytes(second.data, policy=email.policy.SMTP)
    assert parsed["From"] == "Jörg <MAILER-DAEMON@client.sender.test>" and parsed["Subject"] == "飛脚"
    assert parsed["Bcc"] is None and body(parsed) == "こんにちは\n"


class PipedSmtp(smtplib.SMTP):
    """smtplib, but it speaks to a process."""

    def __init__(self, sendmail):
        self.ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([sendmail.path, "-bs"], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
                                        env=sendmail.world.env)
        theirs.close()
        super().__init__("pipe", timeout=TIMEOUT_S)

    def _get_socket(self, host, port, timeout):
        self.ours.settimeout(timeout)
        return self.ours

    def end(self):
        self.close()
        _, errors = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, errors


def test_smtplib_speaks_to_it(world, sendmail):
    smtp = PipedSmtp(sendmail)
    refused = smtp.sendmail("sue@sender.test", ["bob@example.test", "carl@example..test"], HEADER + "\n.\nhello\n",
                            rcpt_options=["NOTIFY=FAILURE"])
    assert list(refused) == ["carl@example..test"] and refused["carl@example..test"][0] == 553
    assert len(world.queue()) == 1, "250 comes after the commit"
    smtp.sendmail("", ["dan@example.test"], (HEADER + "\nこ\n").replace("\n", "\r\n").encode(), mail_options=["BODY=8BITMIME"])
    assert smtp.quit()[0] == 221 and smtp.end() == (EX_OK, b"")
    (one, _, first), (two, _, second) = sendmail.messages()
    assert one["recipients"] == ["bob@example.test"] and first.endswith(b"\r\n\r\n.\r\nhello\r\n")
    assert two["sender"] == "" and second.endswith("こ\r\n".encode()) and b"with ESMTP" in second

    smtp = PipedSmtp(sendmail)
    smtp.ehlo()
    smtp.mail("sue@sender.test")
    smtp.rcpt("bob@example.test")
    smtp.docmd("DATA")
    smtp.send(HEADER.replace("\n", "\r\n") + "\r\nhalf of it")
    assert smtp.end() == (EX_OK, b"") and len(world.queue()) == 2


# ---- envelope and header ----


def test_recipients_come_from_where_they_are_said_to(sendmail):
    sendmail.run("-t", "-f", "sue", "more@example.test, Eve <eve@example.test>", stdin=(
        "To: friends: bob@example.test,\n\t\"Doe, C\" <carl@example.test>;\ncc: root (admin), bob@example.test\n"
        "Bcc: <@relay.test:dan@example.test>\n\nhi\n"))
    sendmail.run("-t", stdin=(
        "Resent-To: new@example.test\nResent-Bcc: blind@example.test\n" + HEADER + "Bcc: old@example.test\n\nhi\n"))
    (one, first, whole), (two, second, stored) = sendmail.messages()
    assert one["sender"] == "sue@client.sender.test"
    assert sorted(one["recipients"]) == [
        "bob@example.test", "carl@example.test", "dan@example.test", "eve@example.test", "more@example.test",
        "root@client.sender.test"]
    assert first["Bcc"] is None and b"\r\ncc: root (admin), bob@example.test\r\n" in whole
    assert two["recipients"] == ["new@example.test", "blind@example.test"]
    assert b"blind@" not in stored and b"old@" not in stored
    assert second["Resent-Message-ID"] and second["Resent-From"] and second["Message-ID"] is None


def test_a_message_ends_at_the_dot_and_needs_no_header(sendmail):
    sendmail.run("bob@example.test", stdin=b"hello\r\n..\r\n.\r\nnot this\r\n")
    sendmail.run("-G", "-i", "bob@example.test", stdin=b"Subject: x\nBcc: kept@example.test\n\n.\n")
    (_, first, one), (_, second, two) = sendmail.messages()
    assert one.endswith(b"\r\n\r\nhello\r\n..\r\n") and first["From"].endswith("@client.sender.test>")
    assert two.endswith(b"\r\nSubject: x\r\nBcc: kept@example.test\r\n\r\n.\r\n")
    assert second["From"] is None and second["Date"] is None


def test_a_large_message_streams(sendmail):
    sendmail.run("bob@example.test", stdin=HEADER + "\n" + "x" * 78 + "\n" * 2 + "y" * 3000000 + "\n.\nrest")
    entry, _, stored = sendmail.only()
    assert entry["size"] == len(stored) > 3000000 and stored.endswith(b"yyy\r\n")


@pytest.mark.parametrize("words, stdin, status, said", [
    ([], HEADER + "\nhi\n", EX_USAGE, "no recipient"),
    (["-t"], "Subject: x\n\nhi\n", EX_DATAERR, "no recipient"),
    (["-t"], "Resent-From: a@b.test\nTo: bob@example.test\n\nhi\n", EX_DATAERR, "Resent-To"),
    (["-t"], "To: undisclosed-recipients:;\n\nhi\n", EX_DATAERR, "no recipient"),
    (["-t"], "To: a@b.test\nCc: Joe Doe, x@y.test\n\nhi\n", EX_DATAERR, "Cc field of the message: \"Joe Doe, x@y.test\""),
    (["-t"], "To: <bob@exa mple.test>\n\nhi\n", EX_DATAERR, "To field of the message"),
    (["-t"], "To: a@b..test\n\nhi\n", EX_DATAERR, "a@b..test"),
    (["a b@c.test"], HEADER + "\nhi\n", EX_USAGE, "a b@c.test"),
    (["-f", "a@b.test, c@d.test", "bob@example.test"], HEADER, EX_USAGE, "is not one address"),
    (["bob@example.test"], HEADER + "\nnul \0\n", EX_DATAERR, "NUL"),
    (["bob@example.test"], HEADER + "X: y\n" * 200000 + "\nhi\n", EX_DATAERR, "header of the message is over"),
    (["bob@example.test"], HEADER + "\n" + "x\n" * 60000, EX_DATAERR, "max_message_size"),
    (["-y", "bob@example.test"], HEADER, EX_USAGE, "-y"),
    (["bob@example.test", "-f", "x@y.test"], HEADER, EX_USAGE, "-f"),
    (["-bd", "-q15m"], "", EX_USAGE, "hikyaku run"),
])
def test_what_is_wrong_is_said_and_nothing_is_queued(world, sendmail, words, stdin, status, said):
    world.configure(max_message_size="100k" if "max_" in said else None)
    world.write_configuration()
    done = sendmail.run(*words, stdin=stdin, status=status)
    assert said in done.stderr.decode() and done.stdout == b""
    sendmail.run("good@example.test", stdin=HEADER)
    assert len(world.queue()) == 1


# ---- the queue ----


def test_mailq_lists_the_queue_as_it_always_looked(world, sendmail):
    world.zone.address("mx.example.test", world.block.address())  # nobody listens there
    world.domain("example.test", "mx.example.test")
    world.prepare()
    sendmail.run("x@example.test", stdin="x\n")
    world.run("queue", "remove", "--all")
    assert sendmail.run(name="mailq").stdout == b"Mail queue is empty\n"
    sendmail.run("root@example.test", stdin="x\n")
    sendmail.run("-q")
    sendmail.run("-f", "<>", "carl@example.test", stdin="x" * 3000)
    told = sendmail.run("-v", "-f", "sue@sender.test", "held@example.test", stdin="x").stdout.decode()
    one, two, three = world.queue()
    assert told.startswith(f"{three['id']}: ") and "held@example.test" in told
    world.run("queue", "hold", three["id"])

    lines = sendmail.run("-bp").stdout.decode().splitlines()
    assert lines[0] == "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------"
    assert lines[1].split()[:2] == [one["id"], str(one["size"])] and lines[1].endswith("@client.sender.test")
    assert lines[2].strip() == f"({one['last_error']})" and lines[3] == " " * 47 + "root@example.test"
    assert lines[4] == "" and lines[5].startswith(f"{two['id']} ") and lines[5].endswith(" MAILER-DAEMON")
    assert lines[8].startswith(f"{three['id']}! ") and lines[9].strip() == "held@example.test"
    total = sum(e["size"] for e in (one, two, three))
    assert lines[-1] == f"-- {total // 1024} Kbytes in 3 Requests."

    assert sendmail.run("-qRCARL@", name="mailq").stdout.endswith(b"in 1 Request.\n")
    assert sendmail.run("-qI" + three["id"][4:].lower(), "-qSsue", "-bp").stdout.endswith(b"in 1 Request.\n")
    assert sendmail.run("-bp", "-qSsue", "-qRcarl").stdout == b"Mail queue is empty\n"
    assert sendmail.run(name="newaliases").stdout == b""


def test_a_queue_run_is_for_those_that_are_named(world, sendmail):
    server = world.one_host(Behaviour(replies={"RCPT": "450 4.2.0 not now"}))
    world.prepare()
    for name in "bob", "carl":
        sendmail.run("-f", f"from-{name}@sender.test", f"{name}@example.test", stdin=HEADER)
    sendmail.run("-q")
    assert [e["state"] for e in world.queue()] == ["due", "due"] and not server.messages
    server.script = Behaviour()
    assert b"nothing in the queue is like that" in sendmail.run("-qRnobody").stderr
    sendmail.run("-q")
    assert not server.messages, "they are not due for an hour"
    sendmail.run("-qRBOB@", "-qSfrom-")
    assert [m.recipients for m in server.messages] == [["bob@example.test"]]
    assert [e["recipients"] for e in world.queue()] == [["carl@example.test"]]


# ---- when it cannot ----


def test_a_queue_that_cannot_be_used_is_a_reason_to_come_back(world, sendmail):
    full = sendmail.run("bob@example.test", stdin=HEADER, status=EX_TEMPFAIL,
                        env={"HIKYAKU_FAILPOINTS": "queue.commit.before=error:ENOSPC"})
    assert b"not queued" in full.stderr
    sendmail.run("bob@example.test", stdin=HEADER)
    assert len(world.queue()) == 1
    world.configure(queue=str(world.directory / "none" / "queue.db"))
    world.write_configuration()
    assert b"none does not exist" in sendmail.run("bob@example.test", stdin=HEADER, status=EX_TEMPFAIL).stderr
    world.configure(queue="/etc/passwd")
    world.write_configuration()
    assert b"/etc/passwd" in sendmail.run("bob@example.test", stdin=HEADER, status=EX_CONFIG).stderr
    world.conf.write_text("frob = 1\n")
    assert b"hikyaku.conf:1" in sendmail.run("bob@example.test", stdin=HEADER, status=EX_CONFIG).stderr


def test_descriptors_that_are_closed_do_no_harm(world, sendmail):
    command = f"exec {sendmail.path} -v bob@example.test >&- 2>&-"
    done = subprocess.run(["/bin/sh", "-c", command], input=HEADER.encode(), env=world.env, timeout=TIMEOUT_S)
    assert done.returncode == EX_OK and len(world.queue()) == 1


@pytest.fixture
def users(world, sendmail):
    """The queue is nobody's, the configuration is where the program looks for it, and
    daemon runs what `users` is given: in a mount namespace of its own."""
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root to be two users")
    place = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-users-"))
    place.chmod(0o755)
    (place / "queue").mkdir()
    shutil.chown(place / "queue", "nobody")
    world.configure(queue=str(place / "queue" / "queue.db"))
    world.write_configuration()
    program = shutil.copy(sendmail.program, place)
    usual = next(o["default"] for o in world.json("config", "show", "--all") if o["name"] == "policy_dir")
    etc = pathlib.Path(usual).parent.parent
    script = place / "run"
    script.write_text(
        f"mount -t tmpfs -o mode=755 tmpfs {etc} && mkdir {etc}/hikyaku && cat {world.conf} >{etc}/hikyaku/hikyaku.conf &&"
        f' exec setpriv --reuid=daemon --regid=daemon --clear-groups {program} "$@"\n')

    def run(*words, is_set=True):
        shutil.chown(program, "nobody")
        os.chmod(program, 0o4755 if is_set else 0o755)
        return subprocess.run(["unshare", "-m", "sh", script, *words], input=HEADER.encode(), capture_output=True,
                              env={**world.env, "ASAN_OPTIONS": "detect_leaks=0"}, timeout=TIMEOUT_S, cwd="/")
    yield run
    shutil.rmtree(place, ignore_errors=True)


def test_other_users_send_with_set_user_id_and_are_told_without(world, sendmail, users):
    done = users("bob@example.test", is_set=False)
    assert done.returncode == EX_TEMPFAIL and b"Permission denied" in done.stderr and b"USERS" in done.stderr
    done = users("bob@example.test")
    assert done.returncode == EX_OK, done.stderr
    entry, message, stored = sendmail.only()
    assert entry["sender"] == "daemon@client.sender.test" and b"from userid 1)" in stored
    assert b"in 1 Request." in users("-bp").stdout
    for words in ["-C", str(world.conf), "bob@example.test"], ["-qRbob"]:
        done = users(*words)
        assert done.returncode not in (EX_OK, EX_USAGE), "as daemon, who may not"
    assert len(world.queue()) == 1
