"""The other side, a process of its own: a name server and all hosts of kinds.py.

    internet.py DIRECTORY PREFIX PORT

One socket takes the connections to all addresses; the address that was called tells the
kind. Names are computed, so that there may be any number of them. What a host has taken
is a line of DIRECTORY/received, see ledger.py.
"""
import collections
import pathlib
import re
import signal
import socket
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "e2e")]

from peers import certs, dns, smtpd  # noqa: E402
from soaking import kinds, lab, ledger  # noqa: E402

# Hosts are below example.test, for which the certificate is good.
NAME = re.compile(r"(?:(mx)-d(\d+)-(\w+)\.example|d(\d+)\.(\w+))\.test")
TTL_S = 300


def address_of(block, number):
    """127.x.y.z, another one for each number up to 187500: a kind has three blocks."""
    return f"127.{block + number // 62500 % lab.BLOCKS}.{number // 250 % 250 + 1}.{number % 250 + 1}"


class Names:
    """The records of a Zone, computed: a mapping from a name."""

    def __init__(self, table, blocks):
        self.table, self.blocks = table, blocks

    def split(self, name):
        """(is it a host, number, kind); the kind is None where there is none."""
        found = NAME.fullmatch(name)
        is_host, *words = found.groups() if found else (None,) * 5
        kind = self.table.get(words[1] or words[3])
        return (bool(is_host), int(words[0] or words[2]), kind) if kind else (False, 0, None)

    def __contains__(self, name):
        _, _, kind = self.split(name)
        return kind is not None and kind.dns != "nxdomain"

    def __getitem__(self, name):
        is_host, number, kind = self.split(name)
        if kind.dns == "null-mx":
            return [("MX", "0 .", TTL_S)]
        if is_host:
            return [("A", address_of(self.blocks[kind.name], number), TTL_S)]
        return [("MX", f"10 mx-d{number}-{kind.name}.example.test.", TTL_S)]


class Failures(Names):
    """What the scripted name server fails with, by (name, type) or name."""

    def get(self, name, default=None):
        kind = self.split(name)[2] if isinstance(name, str) else None
        return "servfail" if kind and kind.dns == "servfail" else default


class Connection(smtpd.Connection):
    def take(self, data, raw):
        """What was taken is told and forgotten."""
        try:
            super().take(data, raw)
        finally:
            message = self.session.messages.pop()
            self.server.note(message, self.session)


class Hosts(smtpd.SmtpServer):
    """All hosts on one socket. Unlike a test's server it keeps nothing of a session."""

    connection = Connection

    def __init__(self, port, table, blocks, certificates, out):
        self.table = table
        self.kind_of = {block + i: table[name] for name, block in blocks.items() for i in range(lab.BLOCKS)}
        self.out, self.lock = out, threading.Lock()
        super().__init__("0.0.0.0", port, "mx.test", None, certificates)

    def listen(self):
        return socket.create_server((self.address, self.port), backlog=500)

    def _accept(self):
        number = 0
        while not self._closing:
            try:
                sock, client = self._listener.accept()
                number += 1
                kind = self.kind_of.get(int(sock.getsockname()[0].split(".")[1]))
                if kind is None:
                    sock.close()
                    continue
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = smtpd.Session(number, time.monotonic(), client[0])
            connection = self.connection(self, sock, session, kind.behaviour)
            threading.Thread(target=connection.run, daemon=True).start()

    def note(self, message, session):
        line = ledger.received_line(message, session)
        with self.lock:
            self.out.write(line)
            self.out.flush()


def main():
    directory, prefix, port = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    table = kinds.make()
    blocks = {name: prefix + lab.BLOCKS * i for i, name in enumerate(table)}
    certificates = certs.Certificates(directory / "certificates")
    zone = dns.Zone()
    zone.records = Names(table, blocks)
    names = dns.ScriptedDns(f"127.{prefix - 1}.0.1", port + 2, zone)
    names.failures = Failures(table, blocks)
    names.queries = collections.deque(maxlen=0)  # not of interest, and many
    with open(directory / "received", "w", encoding="utf-8", errors="surrogateescape") as out:
        hosts = Hosts(port, table, blocks, certificates, out)
        print("ready", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        hosts.close()
        names.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
