"""A name server whose answers are octets: what is asked of a name that has a deed (dns_deeds.py) is
answered as the deed says, everything else as in a small healthy zone.

    server = HostileDns(address, port, zone)
    server.deeds["b1.test", "MX"] = deed      # a function of an Ask
    server.asked                              # (name, type, "udp" or "tcp"), in their order

A deed returns what goes back: octets, a list of them (several datagrams), Late, Raw, or None (silence).
One thread a TCP connection, and one timer an answer that comes late: no deed holds up another.
"""
import collections
import dataclasses
import socket
import struct
import threading

from peers import dns

TYPES = {1: "A", 5: "CNAME", 6: "SOA", 15: "MX", 28: "AAAA"}
CODES = {name: code for code, name in TYPES.items()} | {"NS": 2, "TXT": 16, "OPT": 41}
ANSWER = 0x8180     # a response, recursion asked for and available
TC, AA = 0x0200, 0x0400
TO_QUESTION = b"\xc0\x0c"
TTL_S = 300
UDP_MAX = 1232   # what is longer comes over TCP


def name(text):
    """A name in its octets, not compressed."""
    labels = [label.encode("latin-1") for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner, kind, data, ttl=TTL_S, klass=1, length=None):
    """owner: a name, or octets. length: what RDLENGTH says, if that is a lie."""
    owner = owner if isinstance(owner, bytes) else name(owner)
    length = len(data) if length is None else length
    return owner + struct.pack("!HHIH", CODES.get(kind, kind), klass, ttl, length) + data


def mx(host, preference=10):
    return struct.pack("!H", preference) + (host if isinstance(host, bytes) else name(host))


def soa(zone):
    return record(zone, "SOA", name("ns." + zone) * 2 + struct.pack("!5I", 1, 3600, 600, 86400, 60))


@dataclasses.dataclass
class Late:
    message: bytes
    delay_s: float


@dataclasses.dataclass
class Raw:
    """Over TCP: these octets and no length before them; then the connection is closed, or left open."""
    octets: bytes
    stalls: bool = False


@dataclasses.dataclass
class Ask:
    """One question. `nth`: how often it has been asked, this time included."""
    server: "HostileDns"
    wire: bytes
    name: str
    type: str
    is_tcp: bool
    nth: int

    @property
    def question(self):
        end = self.wire.index(b"\0", 12) + 5
        return self.wire[12:end]

    @property
    def id(self):
        return self.wire[:2]

    def answer(self, *records, flags=ANSWER, question=None, authority=(), additional=(), counts=None):
        """counts: of the four sections, where they lie."""
        question = [self.question] if question is None else question
        sections = (question, records, authority, additional)
        header = struct.pack("!HHHHH", flags, *(counts or map(len, sections)))
        return self.id + header + b"".join(b"".join(section) for section in sections)

    def mx(self, *hosts, **how):
        """MX records of the name that was asked; a preference of 10 and more, in their order."""
        return self.answer(*(record(TO_QUESTION, "MX", mx(h, 10 + i)) for i, h in enumerate(hosts)), **how)

    def addresses(self, *addresses, **how):
        family = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}[self.type]
        return self.answer(*(record(TO_QUESTION, self.type, socket.inet_pton(family, a)) for a in addresses), **how)

    def healthy(self, **how):
        """As the healthy zone has it."""
        return self.server.zone_answer(self, **how)


class HostileDns(dns.ScriptedDns):
    """`zone`: a function of (name, type): the records' data in their octets, [] for no data, None for no name."""

    def __init__(self, address, port, zone):
        self.deeds, self.asked, self.counts = {}, [], collections.Counter()
        self.open, self.timers = set(), []
        super().__init__(address, port, zone)

    def close(self):
        for timer in self.timers:
            timer.cancel()
        for conn in list(self.open):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        super().close()

    def zone_answer(self, ask, **how):
        found = self.zone(ask.name, ask.type)
        if found is None:
            return ask.answer(flags=how.pop("flags", ANSWER) | 3, authority=[soa("test")], **how)
        records = [record(TO_QUESTION, ask.type, data) for data in found]
        return ask.answer(*records, authority=[] if records else [soa("test")], **how)

    def _answer(self, wire, is_udp):
        at, labels = 12, []
        while wire[at]:
            labels.append(wire[at + 1:at + 1 + wire[at]].decode("latin-1"))
            at += 1 + wire[at]
        asked = ".".join(labels).lower()
        (code,) = struct.unpack("!H", wire[at + 1:at + 3])
        kind = TYPES.get(code, str(code))
        self.counts[asked, kind] += 1
        self.asked.append((asked, kind, "udp" if is_udp else "tcp"))
        ask = Ask(self, wire, asked, kind, not is_udp, self.counts[asked, kind])
        answer = self.deeds.get((asked, kind), Ask.healthy)(ask)
        is_long = is_udp and isinstance(answer, bytes) and len(answer) > UDP_MAX
        return ask.answer(flags=ANSWER | TC) if is_long else answer

    def _send(self, answer, client):
        if isinstance(answer, Late):
            timer = threading.Timer(answer.delay_s, super()._send, (answer.message, client))
            timer.daemon = True
            self.timers.append(timer)
            timer.start()
            return
        for datagram in answer if isinstance(answer, list) else [answer]:
            super()._send(datagram, client)

    def _serve_connection(self, conn):
        self.open.add(conn)
        try:
            super()._serve_connection(conn)
        finally:
            self.open.discard(conn)

    def _write(self, answer, conn):
        if isinstance(answer, bytes):
            answer = Raw(struct.pack("!H", len(answer)) + answer)
        if answer is not None:
            conn.sendall(answer.octets)
        if answer is None or answer.stalls:
            conn.settimeout(None)
            while conn.recv(4096):
                pass
