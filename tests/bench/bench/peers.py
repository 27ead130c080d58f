"""Other mail servers as senders, each from Debian's packages in a root of its own.

They are fed over SMTP by the bare client while their delivery is off; then it is
turned on, and the receiver's clock tells how long they take. Their settings are those
with which they were fastest here; what they promise about the disk is left alone.
"""
import json
import os
import shutil
import subprocess
import time

from peers import mta, net

from .lab import Failed, end
from .sender import result, wait_for_messages
from .watch import Watch, cpu_seconds

SESSIONS = 20  # of the client that feeds them, and to a destination

mta.PACKAGES["opensmtpd"] = ["opensmtpd", "libevent-2.1-7", "libpam0g", "libaudit1", "libcap-ng0",
                             "zlib1g", *mta.LIBRARIES]
OPENSMTPD_UID, OPENSMTPQ_GID = 64324, 64325


class Peer(mta.Receiver):
    """A mail server in a copy of its root, so that the copy of the tests stays as it is."""

    package = name = feed_mode = None

    def __init__(self, lab):
        self.lab = lab
        root = lab.directory / "roots" / self.package
        if not root.exists():
            try:
                cached = mta.prepare_root(self.package)
            except mta.Unavailable as e:
                raise Failed(f"{self.name}: {e}") from e
            root.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", cached, root], check=True)
            shutil.rmtree(root / "inst", ignore_errors=True)
            (root / "etc/resolv.conf").write_text(f"nameserver {lab.dns_address}\n")
        super().__init__(root, lab.peer_address, lab.port)
        self.prepare()

    def words(self, *words):
        return ["chroot", str(self.root), *words]

    def spawn(self, *words):
        with open(self.home / "out", "ab") as out:
            return self.lab.spawn(self.words(*words), stdout=out, stderr=out,
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def stop(self):
        if self.process:
            end(self.process)
            self.lab.processes.remove(self.process)
            self.process = None

    def feed(self, recipients):
        """Over SMTP, from several sessions; seconds."""
        words = [self.lab.programs / "loadgen", "-n", len(recipients), "-c", SESSIONS, "-m", self.feed_mode,
                 "-d", len(recipients.names), f"{self.address}:{self.port}"]
        got = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        if got.returncode != 0:
            raise Failed(f"{self.name} does not take mail: {got.stderr.strip()}; see {self.home}")
        return json.loads(got.stdout)["seconds"]

    def wait(self, expected, receiver, start_ns, watch, cpu_before=0.0):
        """Until the receiver has everything; the figures."""
        counters = wait_for_messages(receiver, expected, self.process, f"{self.name} ({self.home})")
        cpu_s = cpu_seconds(self.process.pid) - cpu_before
        return result(counters, start_ns, expected, cpu_s, watch.stop())

    def close(self):
        self.stop()
        if not self.lab.keep:
            shutil.rmtree(self.home, ignore_errors=True)


class Postfix(Peer):
    package, name, feed_mode = "postfix", "Postfix", "pipeline"
    _make_spool = mta.Postfix._make_spool
    services = """\
{address}:{port} inet n - n - 50 smtpd
cleanup unix n - n - 0 cleanup
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""
    delivery = """\
qmgr unix n - n 300 1 qmgr
smtp unix - - n - 200 smtp
tlsproxy unix - - n - 0 tlsproxy
"""

    def prepare(self):
        self.etc = self.directory("etc")
        self.directory("data", mta.POSTFIX_UID, mta.POSTFIX_UID, 0o700)
        self._make_spool()
        (self.etc / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.inside}/spool
data_directory = {self.inside}/data
myhostname = sender.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_header_rewrite_clients =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
default_process_limit = 200
initial_destination_concurrency = {SESSIONS}
default_destination_concurrency_limit = {SESSIONS}
smtp_tls_security_level = may
smtp_tls_connection_reuse = yes
smtp_tls_session_cache_database = btree:{self.inside}/data/smtp_scache
""")

    def _start(self, services):
        (self.etc / "master.cf").write_text(services.format(address=self.address, port=self.port))
        self.process = self.spawn("/usr/lib/postfix/sbin/master", "-d", "-c", f"{self.inside}/etc")

    def fill(self, recipients):
        # The queue manager is not there; what wakes it finds a pipe that nobody reads.
        os.mkfifo(self.home / "spool/public/qmgr")
        os.chmod(self.home / "spool/public/qmgr", 0o622)
        self._start(self.services)
        net.wait_for_port(self.address, self.port, f"Postfix ({self.home})", self.process)
        seconds = self.feed(recipients)
        self.stop()
        return seconds

    def drain(self, expected, receiver):
        start_ns = time.monotonic_ns()
        self._start(self.services + self.delivery)
        return self.wait(expected, receiver, start_ns, Watch(self.process.pid))


class OpenSMTPD(Peer):
    package, name, feed_mode = "opensmtpd", "OpenSMTPD", "serial"

    def prepare(self):
        (self.root / "etc/passwd").write_text(mta.PASSWD + (
            f"opensmtpd:x:{OPENSMTPD_UID}:{OPENSMTPD_UID}::/:/bin/false\n"
            f"opensmtpq:x:{OPENSMTPQ_GID}:{OPENSMTPQ_GID}::/:/bin/false\n"))
        (self.root / "etc/group").write_text(mta.GROUP + (
            f"opensmtpd:x:{OPENSMTPD_UID}:\nopensmtpq:x:{OPENSMTPQ_GID}:\n"))
        for name in ("var/lib/opensmtpd/empty", "var/run", "run"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        smtpctl = self.root / "usr/sbin/smtpctl"
        os.chown(smtpctl, 0, OPENSMTPQ_GID)
        smtpctl.chmod(0o2755)
        # Its queue has no other place: it is emptied for each instance.
        self.spool = self.root / "var/spool/smtpd"
        shutil.rmtree(self.spool, ignore_errors=True)
        self.spool.mkdir(mode=0o711)
        (self.home / "smtpd.conf").write_text(f"""\
smtp limit max-mails 1000000
mta limit max-conn-per-host {SESSIONS}
mta limit max-conn-per-route {SESSIONS}
mta limit max-conn-per-connector {SESSIONS}
mta limit max-conn-per-source 1000
mta limit max-conn-per-relay {SESSIONS}
mta limit max-conn-per-domain {SESSIONS}
mta limit session-mail-max 1000000
scheduler limit max-inflight 10000
listen on {self.address} port {self.port} hostname sender.test
action "out" relay helo sender.test
match from any for any action "out"
""")

    def control(self, *words):
        done = subprocess.run(self.words("/usr/sbin/smtpctl", *words), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"smtpctl {' '.join(words)}: {done.stderr.strip()}")

    def fill(self, recipients):
        self.process = self.spawn("/usr/sbin/smtpd", "-d", "-f", f"{self.inside}/smtpd.conf")
        net.wait_for_port(self.address, self.port, f"OpenSMTPD ({self.home})", self.process)
        self.control("pause", "mta")
        return self.feed(recipients)

    def drain(self, expected, receiver):
        cpu_before = cpu_seconds(self.process.pid)
        watch = Watch(self.process.pid)
        start_ns = time.monotonic_ns()
        self.control("resume", "mta")
        return self.wait(expected, receiver, start_ns, watch, cpu_before)
