"""What runs: the other side, and one worker with its configuration."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile

from peers import certs, net

from . import kinds, meddle

BLOCKS = 3  # of addresses, 127.x/16, that a kind has
HERE = pathlib.Path(__file__).resolve().parent
CONFIGURATION = """\
hostname = "soak.test"
postmaster = "postmaster@d0.back.test"
queue = "{home}/queue.db"
policy_dir = "{home}/policy"
log = "{home}/log"
tls_log = "{home}/tls.log"
trust_file = "{home}/certificates/ca.pem"
dns_servers = {{ "{dns}" }}
prohibited_addresses = {{ }}
port = {port}
workers = 2
max_sessions = 200
listen = {{ "lmtp:{home}/lmtp.sock", "smtp:{smtp}" }}
log_retention = {retention}s
retry_schedule = "{retry}"
max_age = {max_age}s
connect_timeout = 10s
handshake_timeout = {stall}s
reply_timeout = {stall}s
data_timeout = 60s
session_timeout = 120s
destination ".verified.test" {{
	tls = verified
}}
destination ".newbadtls.test" {{
	fallback_memory = destination
	fallback_memory_ttl = {memory}s
}}
"""


class Pace:
    """Times of a run: a soak's, or short ones for a run of a few seconds."""

    def __init__(self, is_short):
        self.retention_s, self.max_age_s, self.stall_s = (2, 6, 2) if is_short else (180, 240, 20)
        self.memory_s = 3 if is_short else 120
        self.retry = "1s" if is_short else "5s, 15s, 30s, 1m"
        self.sample_s = 1 if is_short else 10
        self.drain_s = 90 if is_short else 900


class Lab:
    """close() ends all of it. Its directory, home, is made in the one named and stays: it has the logs."""

    def __init__(self, build, directory, pace):
        self.binary = pathlib.Path(build).resolve() / "hikyaku"
        self.sendmail = self.binary.with_name("hikyaku-sendmail")
        # Of its own: what another run still does with its paths does not meet this one.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="soak.", dir=directory)).resolve()
        self.home.chmod(0o755)
        self.pace = pace
        self.conf = self.home / "hikyaku.conf"
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "USER": "soak",
                    **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "TSAN_"))}}
        self.table = kinds.make()
        certs.Certificates(self.home / "certificates")
        self._choose_addresses()
        self._configure()
        self.processes = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _choose_addresses(self):
        rng = random.SystemRandom()
        while True:
            # A block for the name server and our own, and one for each kind.
            self.prefix, self.port = rng.randrange(17, 250 - BLOCKS * len(self.table)), rng.randrange(3000, 9999)
            if all(net.is_free("0.0.0.0", self.port + i) for i in range(3)):
                break
        ours = f"127.{self.prefix - 1}.0"
        self.dns, self.smtp_place = f"{ours}.1:{self.port + 2}", (f"{ours}.2", self.port + 1)
        self.lmtp_place = self.home / "lmtp.sock"

    def _configure(self):
        (self.home / "policy").mkdir(mode=0o755, exist_ok=True)
        meddle.write_policy(self.home / "policy", 0)
        self.conf.write_text(CONFIGURATION.format(
            home=self.home, dns=self.dns, port=self.port, smtp="%s:%d" % self.smtp_place,
            retention=self.pace.retention_s, retry=self.pace.retry, max_age=self.pace.max_age_s,
            stall=self.pace.stall_s, memory=self.pace.memory_s))

    def _spawn(self, words, **how):
        process = subprocess.Popen([*net.DIE_WITH_PARENT, *map(str, words)], stdin=subprocess.DEVNULL, **how)
        self.processes.append(process)
        return process

    def _start(self):
        with open(self.home / "internet.out", "wb") as err:
            self.internet = self._spawn([sys.executable, "-B", HERE / "internet.py", self.home, self.prefix,
                                         self.port], stdout=subprocess.PIPE, stderr=err)
        assert self.internet.stdout.readline() == b"ready\n", f"the other side did not start: see {err.name}"
        with open(self.home / "run.out", "wb") as out:
            self.worker = self._spawn(self.words("run"), stdout=out, stderr=out, env=self.env)
        net.wait_for_port(*self.smtp_place, "the listener", self.worker)

    def words(self, *words):
        return [str(self.binary), "-c", str(self.conf), *words]

    def command(self, *words, timeout_s=120):
        """What a command prints; it must succeed."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, errors="replace",
                              timeout=timeout_s, env=self.env)
        assert done.returncode == 0, f"hikyaku {' '.join(words)} exited with {done.returncode}: {done.stderr[:300]}"
        return done.stdout

    def follow_log(self):
        """`log --follow`, whose lines the caller reads."""
        return self._spawn(self.words("log", "--follow", "--json"), stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, env=self.env)

    def is_alive(self):
        return self.worker.poll() is None and self.internet.poll() is None

    def stop_worker(self):
        """Its exit status."""
        self.worker.send_signal(signal.SIGTERM)
        return self.worker.wait(60)

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
