"""A small internet on the loopback interface: a name server, the receiver, a directory.

Addresses are in a /16 of 127/8, taken at random:
    .0.1 name server   .0.2 the SMTP service of a peer   .1.x destinations   .2.x tarpits
d0.test, d1.test ... lead to the destinations, t0.test, t1.test ... to the tarpits.
"""
import json
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile

from peers import certs, net

DESTINATIONS, TARPITS = 100, 200


class Failed(Exception):
    """What went wrong, for the person who runs the benchmark."""


class Lab:
    """Everything that a run starts or writes; close() ends and removes all of it.

    standard_ports: use 25 and 53, which other mail servers insist on and root may.
    """

    def __init__(self, build, parent_directory, standard_ports, keep=False):
        self.build = pathlib.Path(build).resolve()
        self.programs = self.build / "tests" / "bench"
        self.keep = keep
        self.processes = []
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-bench.", dir=parent_directory))
        self.directory.chmod(0o755)
        try:
            self.certificates = certs.Certificates(self.directory / "certificates")
            self._choose_addresses(standard_ports)
            self._start_dns()
        except BaseException:
            self.close()
            raise

    def _choose_addresses(self, standard_ports):
        rng = random.SystemRandom()
        while True:
            self.prefix = f"127.{rng.randrange(16, 250)}"
            self.port, self.dns_port = 25, 53
            if not standard_ports:
                self.port, self.dns_port = (rng.randrange(10000, 30000) for _ in range(2))
            if net.is_free(f"{self.prefix}.0.1", self.dns_port) and net.is_free(f"{self.prefix}.1.1", self.port):
                break
        self.dns_address = f"{self.prefix}.0.1"
        self.peer_address = f"{self.prefix}.0.2"

    def spawn(self, words, **how):
        """A process that ends with this one, however this one ends."""
        words = [*net.DIE_WITH_PARENT, *map(str, words)]
        how.setdefault("stdin", subprocess.DEVNULL)
        try:
            process = subprocess.Popen(words, **how)
        except FileNotFoundError as e:
            raise Failed(f"{e.filename} is not there; install or build it") from e
        self.processes.append(process)
        return process

    def _start_dns(self):
        program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not program:
            raise Failed("dnsmasq is not there; install dnsmasq-base")
        lines = ["no-resolv", "no-hosts", "no-poll", "bogus-priv", "local=/#/", "bind-interfaces",
                 "keep-in-foreground", "pid-file=", "user=root" if self.dns_port == 53 else "user=",
                 f"listen-address={self.dns_address}", f"port={self.dns_port}",
                 "local-ttl=3600", "cache-size=10000"]
        for kind, block, count in (("d", 1, DESTINATIONS), ("t", 2, TARPITS)):
            for i in range(count):
                lines += [f"mx-host={kind}{i}.test,mx.{kind}{i}.test,10",
                          f"host-record=mx.{kind}{i}.test,{self.prefix}.{block}.{i + 1}"]
        lines += [f"host-record=sender.test,{self.peer_address}"]
        conf = self.directory / "dnsmasq.conf"
        conf.write_text("\n".join(lines) + "\n")
        with open(self.directory / "dnsmasq.out", "wb") as out:
            process = self.spawn([program, f"--conf-file={conf}"], stdout=out, stderr=out)
        net.wait_for_port(self.dns_address, self.dns_port, "dnsmasq", process)

    def receiver(self, starttls=False, latency_ms=0, tarpits=False, numbers=0, workers=1):
        return Receiver(self, starttls, latency_ms, tarpits, numbers, workers)

    def scratch(self, name):
        """A new, empty directory."""
        return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.directory))

    def close(self):
        for process in reversed(self.processes):
            end(process)
        self.processes = []
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)


class Receiver:
    """tests/bench/receiver on the destinations, perhaps with the tarpits."""

    def __init__(self, lab, starttls, latency_ms, tarpits, numbers, workers):
        self.lab = lab
        self.socket = str(lab.scratch("receiver") / "s")
        words = [lab.programs / "receiver", "-p", lab.port, "-s", self.socket, "-u", numbers,
                 "-j", workers, "-d", latency_ms, "-l", f"{lab.prefix}.1.1/{DESTINATIONS}"]
        if starttls:
            words += ["-c", lab.certificates.cert, "-k", lab.certificates.key]
        if tarpits:
            words += ["-t", f"{lab.prefix}.2.1/{TARPITS}", "-T", 3000]
        self.process = lab.spawn(words, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise Failed("the receiver did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.lab.processes.remove(self.process)

    def counters(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            with s.makefile() as f:
                return json.loads(f.read())


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()
