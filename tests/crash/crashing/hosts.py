"""The other side: a host a kind, and one that takes what comes back to senders."""
import random
import threading
import time

from peers import smtpd

from . import kinds

BACK = "back"


class Connection(smtpd.Connection):
    def take(self, data, raw):
        kind, (sender, _, recipients) = self.server.kind, self.envelope
        self.envelope = None
        if not kind.verdict.startswith("2"):
            self.reply(".", "", kind.verdict)
            return
        if kind.records == kinds.BEFORE:
            self.server.record(sender, recipients, data)
        if kind.slow_s:
            time.sleep(random.random() * kind.slow_s)  # a slow disk
        self.reply(".", "", kind.verdict)
        if kind.records == kinds.AFTER:
            self.server.record(sender, recipients, data)


class Host(smtpd.SmtpServer):
    """Keeps nothing of a session that is over: there are very many."""

    connection = Connection

    def __init__(self, address, port, name, kind, certificates, record):
        self.kind, self.record = kind, record
        super().__init__(address, port, name, kind.behaviour, certificates)

    def behaviour(self, number):
        self.sessions[:] = [s for s in self.sessions if not s.ended]
        for _ in range(len(self._connections)):
            connection, thread = self._connections.popleft()
            if not connection.session.ended or thread.is_alive():
                self._connections.append((connection, thread))
        return super().behaviour(number)


def start(world, table, ledger):
    """All of them, with their names. What comes to BACK are notices; it records after its reply."""
    lock = threading.Lock()

    def mail(sender, recipients, data):
        with lock:
            ledger.arrived(sender, recipients, data)

    def notice(_sender, recipients, data):
        with lock:
            ledger.returned(recipients[0], data)
    back = kinds.Kind(0, kinds.AFTER, behaviour=kinds.in_the_clear())
    for name, kind in {**table, BACK: back}.items():
        address = world.block.address()
        host = Host(address, world.port, f"mx.{name}.test", kind, world.certificates,
                    notice if name == BACK else mail)
        world.servers[name] = host
        world.zone.address(host.name, address)
        for domain in ([f"{BACK}.test"] if name == BACK else [f"d{i}.{name}.test" for i in range(3)]):
            world.zone.mx(domain, 10, host.name)
