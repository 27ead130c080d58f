"""A server with one behaviour: it is good up to a phase, and there does what its row of the table says.

    peer = Peer(address, port, "mx.b1.test", row, lab)
    ... peer.met, peer.sessions ...

What it can do is in smtp_deeds.py (anywhere) and smtp_tls_deeds.py (in TLS, and to its handshake).
"""
import dataclasses
import itertools
import select
import socket
import struct
import time

from fake import smtp_deeds, smtp_tls_deeds
from fake.smtp_tls import ALERT, WARNING, Tls, alert
from peers.raw import RawServer

VERBS = {"MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", "DATA": "354 go ahead", "QUIT": "221 2.0.0 bye",
         "RSET": "250 2.0.0 ok", "NOOP": "250 2.0.0 ok"}


class Over(Exception):
    """The deed was the end of the session."""


@dataclasses.dataclass
class Lab:
    """What all peers of a world share."""

    certificates: object      # good ones
    bad_certificates: object
    scratch: object           # a directory
    pause_s: float            # between two octets of a drip
    crawl_s: float            # before each reply of one that crawls
    patience_s: float         # of one that ignores its client
    numbers: object = dataclasses.field(default_factory=itertools.count)


@dataclasses.dataclass
class Session:
    started: float
    ended: float = 0.0
    met: bool = False         # the phase was reached
    sent: int = 0             # octets that the client took after that
    lines: list = dataclasses.field(default_factory=list)  # (channel, line)
    channel: str = "plaintext"
    messages: int = 0         # whole ones that were accepted

    @property
    def lasted_s(self):
        return (self.ended or time.monotonic()) - self.started


class Conversation:
    def __init__(self, peer, sock, session):
        self.peer, self.sock, self.session, self.row = peer, sock, session, peer.row
        self.lab = peer.lab
        self.buffer, self.tls, self.is_slow = b"", None, False
        self.said = b""  # the last reply
        self.in_tls_place = self.row.place in ("TLS 1.2", "TLS 1.3", "PIPELINING")

    # -- octets --

    def write(self, data):
        """As they are, beside TLS if there is TLS."""
        self.sock.sendall(data)
        if self.session.met:
            self.session.sent += len(data)

    def send(self, data):
        self.said = data
        self.write(self.tls.seal(data) if self.tls else data)

    def read(self):
        data = self.tls.read() if self.tls else self.sock.recv(65536)
        if not data:
            raise Over
        return data

    def line(self):
        while b"\n" not in self.buffer:
            self.buffer += self.read()
        line, self.buffer = self.buffer.split(b"\n", 1)
        text = line.rstrip(b"\r").decode("latin-1")
        self.session.lines.append((self.session.channel, text))
        return text

    def drain(self):
        """Says nothing more, and waits for the client to leave."""
        while self.sock.recv(1 << 20):
            pass
        raise Over

    def abort(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    # -- the conversation --

    def is_here(self, phase):
        is_place = bool(self.tls) == self.in_tls_place
        return phase == self.row.phase and is_place and not self.session.met

    def do(self, good):
        """The deed. `good` is what should have been said."""
        self.session.met = True
        words = self.row.does
        deeds = {**smtp_deeds.DEEDS, **smtp_tls_deeds.DEEDS}
        name = max((n for n in deeds if words == n or words.startswith(n + " ")), key=len)
        deeds[name](self, words[len(name):].strip(), good)

    def reply(self, phase, text):
        good = text.encode() + b"\r\n"
        if self.is_slow:
            time.sleep(self.lab.crawl_s)
        if self.is_here(phase):
            self.do(good)
        else:
            self.send(good)

    def run(self):
        self.reply("banner", f"220 {self.peer.name} ESMTP")
        while True:
            line = self.line()
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb in ("EHLO", "HELO"):
                self.greet(verb)
            elif verb == "STARTTLS":
                self.start_tls()
            else:
                self.reply(verb, VERBS.get(verb, "500 5.5.1 unknown command"))
            if verb == "DATA" and self.said.startswith(b"3"):
                self.body()
            if verb == "QUIT":
                self.leave()

    def greet(self, verb):
        offers = [] if self.tls or self.row.place == "plaintext" else ["STARTTLS"]
        offers += ["PIPELINING"] if self.row.place == "PIPELINING" else []
        words = [self.peer.name, *(["ENHANCEDSTATUSCODES", "8BITMIME", *offers] if verb == "EHLO" else [])]
        lines = [f"250{'-' if n + 1 < len(words) else ' '}{word}" for n, word in enumerate(words)]
        self.reply("EHLO in TLS" if self.tls else "EHLO", "\r\n".join(lines))

    def start_tls(self):
        self.reply("STARTTLS", "220 2.0.0 go ahead")
        if not self.said.startswith(b"2"):
            return
        if self.row.phase == "handshake":
            self.sock.recv(1, socket.MSG_PEEK)  # the ClientHello is there
            self.do(b"")
        if not self.tls:
            self.shake_hands()

    def shake_hands(self, certificate=None, send=None):
        good = self.lab.certificates
        chain, key = certificate or (good.cert, good.key)
        version = "TLS 1.2" if self.row.place == "TLS 1.2" else "TLS 1.3"
        tls = Tls(self.sock, chain, key, version, self.lab.scratch / f"keys{next(self.lab.numbers)}")
        tls.handshake(send or self.write)
        self.tls = tls
        self.session.channel = "tls"

    def body(self):
        if self.is_here("body"):
            self.read()
            self.do(b"")
        tail = b"\r\n" + self.buffer
        while not tail.endswith(b"\r\n.\r\n"):
            tail = (tail + self.read())[-5:]
        self.buffer = b""
        self.session.messages += 1
        self.reply("verdict", "250 2.0.0 taken")

    def leave(self):
        if self.tls:
            self.send_close_notify()
        else:
            self.read_rest()
        raise Over

    def read_rest(self):
        """What is there already: unread, it would turn a close into a reset."""
        try:
            while self.sock.recv(1 << 20, socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass

    def is_left(self, within_s):
        """Whether the client gives up within that time."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(1000 * within_s))

    def send_close_notify(self):
        self.write(self.tls.seal(alert("close_notify", WARNING), ALERT))


class Peer(RawServer):
    """Listens on an address of its own until close()."""

    def __init__(self, address, port, name, row, lab):
        self.row, self.lab, self.sessions = row, lab, []
        super().__init__(address, port, name, None)

    @property
    def met(self):
        return any(session.met for session in self.sessions)

    def _run(self, peer):
        # So that what the client took is known from what it was possible to send.
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        session = Session(time.monotonic())
        self.sessions.append(session)
        try:
            Conversation(self, peer.sock, session).run()
        except (Over, OSError):
            pass
        finally:
            peer.sock.close()
            session.ended = time.monotonic()
