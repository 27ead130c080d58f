"""A small internet and one hikyaku in it: what nearly every system test starts from.

    world.domain("example.test", world.host("mx1.example.test", Behaviour(...)))
    world.configure(fallback="alternate")
    id = world.send("b@example.test")
    world.once()
    assert world.outcomes(id) == ["delivered"]

Hosts are scripted servers on loopback addresses of their own; names come from
Knot DNS (or from a scripted name server, world.broken_dns). Attempts are driven with
`run --once` and `queue retry`, so that no test waits for a retry schedule; every
`run --once` is also a new process, which shows that state is in the queue.
"""
import json
import os
import pathlib
import re
import signal
import subprocess

from peers import dns, net, smtpd

HEADER = (b"From: a@sender.test\nTo: b@example.test\nSubject: one\n"
          b"Date: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <1@sender.test>\n")
MESSAGE = HEADER + b"\nHello.\n"
SENDER = "a@sender.test"
TIMEOUT_S = 60 * net.SLOWNESS
END_S = 15 * net.SLOWNESS  # a daemon, after SIGTERM
TSAN_SUPPRESSIONS = pathlib.Path(__file__).resolve().parent.parent / "tsan.supp"
EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_CONFIG = 0, 64, 65, 66, 78


class World:
    def __init__(self, directory, binary, certificates):
        self.directory = pathlib.Path(directory)
        self.binary = binary
        self.certificates = certificates
        self.block = net.Block()
        self.port = self.block.port
        self.zone = dns.Zone()
        self.servers, self.daemons, self.closers = {}, [], []
        self.cut_short = set()
        self.name_server = None
        self.conf = self.directory / "hikyaku.conf"
        self.policy_dir = self.directory / "policy"
        self.policy_dir.mkdir(mode=0o755)
        self.options, self.blocks = {}, ""
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC",
                    "ASAN_OPTIONS": f"log_path={self.directory}/sanitizer:detect_leaks=1",
                    "UBSAN_OPTIONS": f"log_path={self.directory}/sanitizer:print_stacktrace=1",
                    "TSAN_OPTIONS": f"log_path={self.directory}/sanitizer:suppressions={TSAN_SUPPRESSIONS}",
                    "VALGRIND_OPTS": f"--log-file={self.directory}/valgrind.%p"}

    # -- the outside --

    def host(self, name, script=None, address=None):
        """A server and its address record; returns the server."""
        address = address or self.block.address()
        server = smtpd.SmtpServer(address, self.port, name, script or smtpd.Behaviour(),
                                  self.certificates)
        self.servers[name] = server
        self.zone.address(name, address)
        return server

    def domain(self, domain, *servers):
        """MX records: each server, or (preference, server or name)."""
        for index, entry in enumerate(servers):
            preference, server = entry if isinstance(entry, tuple) else (10 * (index + 1), entry)
            self.zone.mx(domain, preference, getattr(server, "name", server))

    def one_host(self, behaviour=None, domain="example.test"):
        """The usual case: one domain with one host."""
        server = self.host(f"mx1.{domain}", behaviour)
        self.domain(domain, server)
        return server

    def broken_dns(self, failures):
        """Use the scripted name server; returns it."""
        self.name_server = dns.ScriptedDns(f"{self.block.prefix}.1", self.port, self.zone, failures)
        return self.name_server

    # -- the program --

    def configure(self, blocks="", **options):
        self.options.update(options)
        self.blocks = blocks or self.blocks

    def write_configuration(self):
        options = {
            "hostname": "client.sender.test", "queue": str(self.directory / "queue.db"),
            "policy_dir": str(self.policy_dir), "port": self.port,
            "dns_servers": [f"{self.block.prefix}.1:{self.port}"], "prohibited_addresses": [],
            "retry_schedule": "1h", "retry_jitter": 0, "log": str(self.directory / "log"),
            "tls_log": str(self.directory / "tls.log"), "postmaster": "postmaster@sender.test",
            # In the place of the system's authorities, which take half of the time of a short run to read.
            "trust_file": str(self.certificates.stranger),
        }
        options.update(self.options)
        lines = [f"{name} = {_value(value)}" for name, value in options.items() if value is not None]
        self.conf.write_text("\n".join(lines) + "\n" + self.blocks)

    def prepare(self):
        """Writes the configuration, and starts the name server when first needed: the
        zone is complete by then."""
        if self.name_server is None:
            self.name_server = dns.Knot(self.directory / "knot", f"{self.block.prefix}.1",
                                        self.port, self.zone)
        self.write_configuration()

    def run(self, *words, stdin=b"", check=True, env=None, timeout=60):
        """One hikyaku command; the finished process with bytes in stdout and stderr."""
        if not self.conf.exists():
            self.prepare()
        done = subprocess.run([self.binary, "-c", self.conf, *words], input=stdin, capture_output=True,
                              env={**self.env, **(env or {})}, timeout=timeout * net.SLOWNESS, cwd=self.directory)
        if check:
            assert done.returncode == 0, (
                f"hikyaku {' '.join(map(str, words))} exited with {done.returncode}: "
                f"{done.stderr.decode(errors='replace')}")
        return done

    def text(self, *words, **how):
        return self.run(*words, **how).stdout.decode()

    def json(self, *words, **how):
        """The objects of a --json command, one a line."""
        return [json.loads(line) for line in self.text(*words, "--json", **how).splitlines()]

    def send(self, *recipients, sender=SENDER, message=MESSAGE, **how):
        """Queues a message; its id."""
        lines = self.text("send", "-f", sender, *recipients, stdin=message, **how).splitlines()
        assert len(lines) == 1 and len(lines[0]) == 16, f"send printed {lines!r}"
        return lines[0]

    def send_all(self, mails, sender=SENDER):
        """Queues a message for each (recipients, message), in one process; their ids."""
        transactions = []
        for recipients, message in mails:
            stuffed = message.replace(b"\n.", b"\n..")
            transactions += [f"MAIL FROM:<{sender}>\n".encode(), *(f"RCPT TO:<{r}>\n".encode() for r in recipients),
                             b"DATA\n", stuffed, b".\n"]
        ids = self.text("send", "--batch", stdin=b"".join(transactions) + b"QUIT\n").split()
        assert len(ids) == len(mails), ids
        return ids

    def once(self, **how):
        """One round: everything that is due, in a process of its own."""
        self.prepare()
        return self.run("run", "--once", **how)

    def retry(self, *words):
        """Makes everything (or what is named) due and runs a round."""
        self.run("queue", "retry", *(words or ["--all"]))
        return self.once()

    def attempts(self, count):
        """The first round and further ones, until `count` rounds were made."""
        self.once()
        for _ in range(count - 1):
            self.retry()

    def daemon(self, env=None):
        """`run` in the background; ends with the world, or by stop()."""
        self.prepare()
        out = open(self.directory / f"daemon{len(self.daemons)}.out", "wb")
        process = subprocess.Popen([*net.DIE_WITH_PARENT, self.binary, "-c", self.conf, "run"], stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=out, env={**self.env, **(env or {})},
                                   cwd=self.directory)
        out.close()
        self.daemons.append(process)
        return process

    def stop(self, process, status=0):
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == status, self.daemon_output()

    def daemon_output(self):
        return "".join(p.read_text(errors="replace") for p in sorted(self.directory.glob("daemon*.out")))

    # -- what is known --

    def log(self, message_id=None, *words):
        return self.json("log", *(["--id", message_id] if message_id else []), *words)

    def queue(self):
        return self.json("queue", "list")

    def entry(self, message_id):
        """The queue's entry of a message, or None when it has left."""
        return next((e for e in self.queue() if e["id"] == message_id), None)

    def outcomes(self, message_id):
        return [e["outcome"] for e in self.log(message_id)]

    def channels(self, message_id):
        return [e["channel"] for e in self.log(message_id)]

    def wait_gone(self, *message_ids):
        """Until none of them (or nothing at all) is queued."""
        def gone():
            queued = {e["id"] for e in self.queue()}
            return not (queued & set(message_ids) if message_ids else queued)
        net.wait_for(gone, f"the queue to lose {message_ids or 'everything'}", interval_s=0.05)

    def explain(self, what, *words):
        return self.json("policy", "explain", what, *words)[0]

    def policy(self, name, text):
        """Writes a policy file as an editor does: beside, then renamed."""
        path = self.policy_dir / name
        scratch = self.policy_dir / f".{name}.new"
        scratch.write_bytes(text if isinstance(text, bytes) else text.encode())
        scratch.chmod(0o644)
        scratch.rename(path)
        return path

    # -- the end --

    def close(self):
        late = False
        for process in self.daemons:
            if process.poll() is None:
                process.terminate()
        for process in self.daemons:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                late = True
        for peer in [*self.servers.values(), *self.closers, self.name_server]:
            if peer is not None:
                peer.close()
        self.servers, self.closers, self.daemons, self.name_server = {}, [], [], None
        assert not late, "a daemon did not end in time after SIGTERM"

    def sanitizer_reports(self):
        reports = [p.read_text(errors="replace") for p in self.directory.glob("sanitizer.*")]
        reports += [_memcheck_report(p.read_text(errors="replace"), {p.suffix[1:], ALL} & self.cut_short)
                    for p in self.directory.glob("valgrind.*")]
        return "".join(reports)

    def will_be_cut_short(self, process=None):
        """By a signal, or a fail point; without a process: any of them. What it has open then, and its threads'
        memory, are no finding."""
        self.cut_short.add(str(process.pid) if process else ALL)


TRACE = (b"received:", b"return-path:", b"x-original-to:", b"delivered-to:", b"envelope-to:",
         b"delivery-date:")


def without_trace(stored):
    """A stored message without the trace fields that its receivers put on top."""
    lines = stored.split(b"\r\n")
    while lines and lines[0].lower().startswith(TRACE):
        lines.pop(0)
        while lines and lines[0][:1] in (b" ", b"\t"):
            lines.pop(0)
    return b"\r\n".join(lines)


INHERITED = re.compile(r"==\d+== Open [^\n]*\n==\d+==    <inherited from parent>\n(==\d+== *\n)*"
                       r"|==\d+== FILE DESCRIPTORS: [^\n]*\n(==\d+== *\n)*")
LEFT = re.compile(r"==\d+== (Open |[\d,]+ (\([^)]*\) )?bytes in )[^\n]*\n(==\d+==    [^\n]*\n)*(==\d+== *\n)*")
ALL = "all"  # the processes of a world


def _memcheck_report(text, was_cut_short):
    """What valgrind found, without the descriptors that the process was born with."""
    text = INHERITED.sub("", text)
    return LEFT.sub("", text) if was_cut_short else text


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(_value(v) for v in value) + "}"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
