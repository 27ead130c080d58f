"""The demonstration of ./quickstart: quickstart.py HIKYAKU DIRECTORY.

Three domains in a small DNS zone (dnsmasq on a loopback port), all served by real receivers on loopback addresses:

    tls.example      takes mail over STARTTLS (aiosmtpd)
    plain.example    could, but nomtatsl.txt excludes it (aiosmtpd)
    broken.example   breaks every TLS handshake; reached in plaintext on the second attempt

Exits 0 if each message was seen to arrive the way it should, by the receiver and by the retry log.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from peers import aio, certs, net, smtpd  # noqa: E402

MESSAGE = """From: you@here.example
To: {to}
Subject: {subject}

{text}
"""
STORIES = [  # domain, what is expected, subject, text
    ("tls.example", [("delivered", "tls")], "by TLS", "Over TLS, with the name of the host in SNI."),
    ("plain.example", [("delivered", "plaintext")], "in plaintext", "nomtatsl.txt excludes this domain."),
    ("broken.example", [("deferred", "tls"), ("delivered", "plaintext")], "in the end",
     "The handshake broke; the second attempt went without TLS."),
]


def say(text=""):
    print(text, flush=True)


class Demonstration:
    def __init__(self, hikyaku, directory):
        self.hikyaku = pathlib.Path(hikyaku).resolve()
        self.directory = directory
        self.conf = directory / "hikyaku.conf"
        self.block = net.Block()
        self.processes, self.servers = [], []
        self.problems = []

    def prepare(self):
        (self.directory / "policy").mkdir(parents=True, mode=0o755)
        certificates = certs.Certificates(self.directory / "certificates")
        self.tls = self.serve(aio.AioServer, "mx.tls.example", certificates)
        self.plain = self.serve(aio.AioServer, "mx.plain.example", certificates)
        self.broken = self.serve(
            lambda address, port, name, c: smtpd.SmtpServer(
                address, port, name, smtpd.Behaviour(handshake="close"), c),
            "mx.broken.example", certificates)
        (self.directory / "policy/nomtatsl.txt").write_text("# no STARTTLS for these\nplain.example\n")
        (self.directory / "policy/nomtatsl.txt").chmod(0o644)
        self.conf.write_text(f"""\
hostname = "quickstart.example"
queue = "{self.directory}/queue.db"
policy_dir = "{self.directory}/policy"
dns_servers = {{"{self.block.prefix}.1:{self.block.port}"}}
port = {self.block.port}
prohibited_addresses = {{}}	# the demonstration lives on loopback
log = "{self.directory}/log"
tls_log = "{self.directory}/tls.log"
fallback = alternate
retry_schedule = "1s"
retry_jitter = 0
""")
        self.serve_names()

    def serve(self, kind, name, certificates):
        server = kind(self.block.address(), self.block.port, name, certificates)
        self.servers.append(server)
        return server

    def serve_names(self):
        zone = []
        for server in self.servers:
            domain = server.name.split(".", 1)[1]
            zone += [f"mx-host={domain},{server.name},10", f"host-record={server.name},{server.address}"]
        conf = self.directory / "dnsmasq.conf"
        conf.write_text("\n".join([
            "no-resolv", "no-hosts", "no-daemon", "bind-interfaces", "local=/example/", "user=", "pid-file=",
            f"listen-address={self.block.prefix}.1", f"port={self.block.port}", *zone]) + "\n")
        dnsmasq = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")
        with open(self.directory / "dnsmasq.log", "wb") as log:
            self.start([dnsmasq, f"--conf-file={conf}"], log)
        net.wait_for_port(f"{self.block.prefix}.1", self.block.port, "dnsmasq", self.processes[-1])

    def start(self, words, log):
        self.processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def run(self, *words, stdin=""):
        done = subprocess.run([self.hikyaku, "-c", self.conf, *words], input=stdin, text=True,
                              stdout=subprocess.PIPE, timeout=30)
        if done.returncode != 0:
            raise SystemExit(f"quickstart: hikyaku {' '.join(words)} exited with {done.returncode}")
        return done.stdout

    def deliver(self):
        with open(self.directory / "run.log", "wb") as log:
            self.start([self.hikyaku, "-c", self.conf, "run"], log)
        self.ids = {}
        for domain, _, subject, text in STORIES:
            to = f"friend@{domain}"
            self.ids[domain] = self.run("send", "-f", "you@here.example", to, stdin=MESSAGE.format(
                to=to, subject=subject, text=text)).strip()
            say(f"    hikyaku send {to:<24} -> {self.ids[domain]}")
        try:
            net.wait_for(lambda: not self.run("queue", "list", "--json"), "the queue to empty", interval_s=0.1)
        except AssertionError as e:
            self.problems.append(str(e))

    def expect(self, holds, what):
        if not holds:
            self.problems.append(what)

    def check_receivers(self):
        """What the other side saw."""
        expected = {self.tls: True, self.plain: False}
        for server, was_tls in expected.items():
            got = [(e.rcpt_tos, e.was_tls) for e in server.envelopes]
            domain = server.name.split(".", 1)[1]
            self.expect(got == [([f"friend@{domain}"], was_tls)], f"{server.name} saw {got}")
        self.expect(self.tls.sni == ["mx.tls.example"], f"SNI at mx.tls.example was {self.tls.sni}")
        self.expect(self.plain.sni == [], "mx.plain.example saw a TLS handshake")
        sessions = self.broken.sessions
        self.expect([s.asked_for_tls for s in sessions] == [True, False]
                    and [m.channel for m in self.broken.messages] == ["plaintext"],
                    f"mx.broken.example saw {[s.lines() for s in sessions]}")

    def check_log(self):
        """What the program says about it."""
        for domain, expected, _, _ in STORIES:
            entries = [json.loads(l) for l in self.run("log", "--json", "--id", self.ids[domain]).splitlines()]
            got = [(e["outcome"], e["channel"]) for e in entries]
            self.expect(got == expected, f"the retry log of {domain} says {got}, not {expected}")

    def close(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for server in self.servers:
            server.close()


NEXT = """\
Type next:
    {hikyaku} -c {conf} log --json            the same for programs
    {hikyaku} -c {conf} policy explain friend@plain.example
    {hikyaku} -c {conf} config show
    cat {directory}/log {directory}/tls.log
    ./runtests                                        all tests
"""


def show(directory, hikyaku):
    demo = Demonstration(hikyaku, directory)
    try:
        say("==> a DNS zone, three receivers, a queue")
        demo.prepare()
        say("==> three messages")
        demo.deliver()
        say("==> the retry log: hikyaku log")
        say()
        say(demo.run("log"))
        demo.check_receivers()
        demo.check_log()
    finally:
        demo.close()
    return demo.problems


def main():
    hikyaku, directory = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    os.umask(0o022)
    # Ctrl-C and SIGTERM alike unwind, so that nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        problems = show(directory, hikyaku)
    except KeyboardInterrupt:
        say("quickstart: interrupted; nothing is left running")
        return 130
    except AssertionError as e:
        problems = [str(e)]
    for problem in problems:
        print(f"quickstart: {problem}", file=sys.stderr)
    if problems:
        print(f"quickstart: what happened is in {directory}", file=sys.stderr)
        return 1
    say(f"==> all three arrived as they should ({time.monotonic() - started:.1f} s): over TLS with SNI; in "
        "plaintext by\n    nomtatsl.txt; in plaintext on the second attempt, after a broken handshake\n")
    say(NEXT.format(hikyaku=os.path.relpath(hikyaku), conf=os.path.relpath(directory / "hikyaku.conf"),
                    directory=os.path.relpath(directory)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
