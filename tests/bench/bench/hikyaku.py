"""hikyaku as a sender: the default configuration with at most the limits raised."""
import json
import os
import shutil
import subprocess
import time

from peers import net

from . import messages
from .lab import Failed
from .sender import result, wait_for_messages
from .watch import Watch, cpu_seconds

CONFIGURATION = """\
hostname = "sender.test"
postmaster = "postmaster@sender.test"
queue = "{home}/queue.db"
policy_dir = "{home}/policy"
log = "{home}/log"
dns_servers = {{ "{dns}" }}
prohibited_addresses = {{ }}
port = {port}
max_sessions = {sessions}
max_clients = 1000
listen = {{ {listen} }}
"""
SESSIONS = 400  # fewer than Postfix has open; the default is 200


class Hikyaku:
    name = "hikyaku"

    def __init__(self, lab, sessions=SESSIONS):
        self.lab = lab
        self.home = lab.scratch("hikyaku")
        self.binary = lab.build / "hikyaku"
        self.conf = self.home / "hikyaku.conf"
        (self.home / "policy").mkdir(mode=0o755)
        self.configure(sessions)

    def configure(self, sessions, listen=""):
        self.conf.write_text(CONFIGURATION.format(home=self.home, port=self.lab.port, sessions=sessions, listen=listen,
                                                  dns=f"{self.lab.dns_address}:{self.lab.dns_port}"))

    def words(self, *words):
        return [str(self.binary), "-c", str(self.conf), *words]

    def fill(self, recipients):
        """Queues a message for each; seconds of `send --batch`."""
        start = time.monotonic()
        with open(self.home / "ids", "wb") as ids:
            process = self.lab.spawn(self.words("send", "--batch"), stdin=subprocess.PIPE, stdout=ids)
        for piece in messages.batch(recipients):
            process.stdin.write(piece)
        process.stdin.close()
        status = process.wait()
        seconds = time.monotonic() - start
        self.lab.processes.remove(process)
        with open(self.home / "ids", "rb") as ids:
            count = sum(1 for _ in ids)
        if status != 0 or count != len(recipients):
            raise Failed(f"send --batch took {count} of {len(recipients)} messages, status {status}")
        return seconds

    def send_from_shells(self, count, shells):
        """`send` once a message, from several shells at a time; seconds."""
        message = self.home / "message"
        message.write_bytes(messages.text())
        script = ('i=0; while [ $i -lt "$1" ]; do i=$((i+1)); '
                  '"$2" -c "$3" send -f a@sender.test u@d0.test < "$4" > "$5" || exit 1; done')
        start = time.monotonic()
        running = [self.lab.spawn(["sh", "-c", script, "sh", count // shells, self.binary, self.conf,
                                   message, "/dev/null"]) for _ in range(shells)]
        statuses = [p.wait() for p in running]
        seconds = time.monotonic() - start
        for p in running:
            self.lab.processes.remove(p)
        if any(statuses):
            raise Failed("send failed in a shell")
        return seconds

    def accept(self, count, connections):
        """Takes messages over SMTP; seconds. The receiver has to be one that does not answer
        meanwhile: the only session waits for it."""
        place = f"{self.lab.peer_address}:{self.lab.port}"
        self.configure(1, f'"smtp:{place}"')
        process, watch, _ = self.start()
        net.wait_for_port(self.lab.peer_address, self.lab.port, "the listener", process)
        words = [self.lab.programs / "loadgen", "-n", count, "-c", connections, "-m", "pipeline", place]
        got = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        if got.returncode != 0:
            raise Failed(f"the listener does not take mail: {got.stderr.strip()}; see {self.home}")
        cpu_s, peak_kib = cpu_seconds(process.pid), watch.stop()
        process.kill()
        process.wait()
        self.lab.processes.remove(process)
        return json.loads(got.stdout)["seconds"], {"cpu_per_1000": cpu_s * 1000 / count, "peak_mib": peak_kib / 1024}

    def start(self, *words, prefix=()):
        """`run` with its watch; the process and the time it was started."""
        with open(self.home / "run.out", "ab") as out:
            start_ns = time.monotonic_ns()
            process = self.lab.spawn([*prefix, *self.words("run", *words)], stdout=out, stderr=out)
        return process, Watch(process.pid), start_ns

    def drain(self, expected, receiver, prefix=()):
        """Delivers all that is queued by `run --once`."""
        process, watch, start_ns = self.start("--once", prefix=prefix)
        pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.lab.processes.remove(process)
        peak_kib = watch.stop()
        counters = receiver.counters()
        if process.returncode != 0 or counters["distinct"] < expected:
            raise Failed(f"run --once delivered {counters['distinct']} of {expected}, status "
                         f"{process.returncode}; see {self.home}/run.out and log")
        return result(counters, start_ns, expected, used.ru_utime + used.ru_stime, peak_kib)

    def deliver_some(self, expected, receiver):
        """`run`, killed when that many have arrived: of a long queue the first ones."""
        process, watch, start_ns = self.start()
        counters = wait_for_messages(receiver, expected, process, f"hikyaku ({self.home})")
        cpu_s = cpu_seconds(process.pid)
        process.kill()
        process.wait()
        self.lab.processes.remove(process)
        return counters, result(counters, start_ns, counters["distinct"], cpu_s, watch.stop())

    def close(self):
        if not self.lab.keep:
            shutil.rmtree(self.home, ignore_errors=True)
