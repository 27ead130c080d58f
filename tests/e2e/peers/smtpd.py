"""A scripted SMTP server that misbehaves as told and remembers what it saw.

One thread a connection, blocking calls: each misbehaviour is where it happens
in the conversation. `SmtpServer.sessions` is the evidence.
"""
import base64
import binascii
import collections
import dataclasses
import socket
import ssl
import struct
import threading
import time
import typing

from . import auth

VERSIONS = {"TLS1.0": ssl.TLSVersion.TLSv1, "TLS1.1": ssl.TLSVersion.TLSv1_1,
            "TLS1.2": ssl.TLSVersion.TLSv1_2, "TLS1.3": ssl.TLSVersion.TLSv1_3}
NAMES = {"TLSv1": "TLS1.0", "TLSv1.1": "TLS1.1", "TLSv1.2": "TLS1.2", "TLSv1.3": "TLS1.3"}
EXTENSIONS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN")
CHUNKING = (*EXTENSIONS, "CHUNKING")
FATAL_ALERT = bytes.fromhex("1503030002" "0228")      # handshake_failure
WARNING_ALERT = bytes.fromhex("1503030002" "0170")    # unrecognized_name, warning
LONG_RECORD = bytes.fromhex("1603033e80" "02003e7c")  # the head of a ServerHello of 16 KB


@dataclasses.dataclass
class Behaviour:
    """How one connection goes. The defaults are a well-behaved server."""

    extensions: tuple = EXTENSIONS
    starttls: typing.Optional[str] = "220 2.0.0 go ahead"  # None: not offered; 4xx, 5xx: refused
    # After the 220: "close", "garbage", "alert", "stall", "drip", "warning" (then goes on).
    handshake: typing.Optional[str] = None
    # Where a client that resumes a session is hung up on: "hello" (TLS 1.3), "reply" (to
    # the first command inside TLS).
    breaks_resumption: typing.Optional[str] = None
    inject: bytes = b""          # sent in the clear together with the 220
    versions: tuple = ("TLS1.2", "TLS1.3")
    demand_certificate: bool = False
    # Replies by verb, or by "tls:VERB" / "plain:VERB"; "banner" and "." (the
    # verdict on a message) are verbs too. A text without CRLF, bytes as they
    # are, a list (one after the other, the last one stays), or a function of
    # (session, line).
    replies: dict = dataclasses.field(default_factory=dict)
    rcpt: dict = dataclasses.field(default_factory=dict)  # address -> reply
    max_rcpt: int = 0            # more than that in a transaction: rcpt_over
    rcpt_over: str = "452 4.5.3 too many recipients"
    # Hang up instead of replying to this verb ("tls:EHLO", "plain:MAIL", "banner", ".");
    # "body": after the first octets of the message.
    drop: tuple = ()
    stall: tuple = ()            # likewise, but say nothing until the client leaves
    drip: tuple = ()             # likewise, but an octet now and then, without end
    cleartext: dict = dataclasses.field(default_factory=dict)  # verb -> octets beside TLS
    reset: bool = False          # hang up by RST
    flood: str = ""              # "line": a banner that never ends; "banner": lines without end
    one_message: bool = False    # hang up after the verdict, so that nothing is reused
    hold_data: typing.Optional[threading.Event] = None  # reply to the message when it is set
    unknown: tuple = ()          # verbs that it does not know: what follows is taken for commands
    tls_first: bool = False      # TLS from the first octet
    users: dict = dataclasses.field(default_factory=dict)  # user -> password or token: AUTH first
    mechanisms: tuple = auth.MECHANISMS  # that are listed, inside TLS
    auth_in_clear: bool = False  # and outside of it
    verdicts: dict = dataclasses.field(default_factory=dict)  # see lmtpd.py


@dataclasses.dataclass
class Message:
    sender: str
    recipients: list
    parameters: str              # after MAIL FROM:<>
    data: bytes                  # dots unstuffed, CRLF kept, without the final dot
    raw: bytes                   # as on the wire
    channel: str                 # "tls", "plaintext"
    accepted: bool
    time: float


@dataclasses.dataclass
class Session:
    """What one connection was."""

    number: int
    started: float               # time.monotonic()
    client: str
    commands: list = dataclasses.field(default_factory=list)   # (channel, line)
    messages: list = dataclasses.field(default_factory=list)
    channel: str = "plaintext"
    sni: typing.Optional[str] = None
    tls_version: typing.Optional[str] = None
    tls_error: str = ""
    resumed: bool = False
    user: typing.Optional[str] = None     # who authenticated
    mechanisms: list = dataclasses.field(default_factory=list)  # that were tried
    certificate: typing.Optional[str] = None  # common name of the client's
    early_bytes: bytes = b""     # came in together with STARTTLS
    pipelined: bool = False      # a command came in before the reply to the one before
    flooded: int = 0             # octets that a flood got rid of
    ended: bool = False

    def lines(self, channel=None):
        return [line for c, line in self.commands if channel in (None, c)]

    def verbs(self, channel=None):
        return [line.split(":")[0].split(" ")[0].upper() for line in self.lines(channel)]

    @property
    def asked_for_tls(self):
        return "STARTTLS" in self.verbs("plaintext")


class HangUp(Exception):
    """The script says that the connection ends here."""


class Connection:
    """One session from the banner to its end."""

    def __init__(self, server, sock, session, behaviour):
        self.server, self.sock, self.session, self.b = server, sock, session, behaviour
        self.raw = sock.dup()    # stays the plain socket when sock becomes TLS
        self.buffer = b""

    # -- bytes --

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise HangUp
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def drain(self):
        while self.sock.recv(65536):
            pass
        raise HangUp

    def drip(self, sock):
        """Never silent, and never done, until the client has had enough."""
        while True:
            sock.sendall(b"x")
            time.sleep(0.05)

    # -- the script --

    def keys(self, verb):
        channel = "tls" if self.session.channel == "tls" else "plain"
        return f"{channel}:{verb}", verb

    def is_scripted(self, verb, where):
        return any(key in where for key in self.keys(verb))

    def scripted_reply(self, verb, line, default):
        for key in self.keys(verb):
            if key not in self.b.replies:
                continue
            reply = self.b.replies[key]
            if isinstance(reply, list):
                reply = reply.pop(0) if len(reply) > 1 else reply[0]
            if callable(reply):
                reply = reply(self.session, line)
            return default if reply is None else reply
        return default

    def reply(self, verb, line, default):
        """Sends what the script, or else the default, says; returns its first digit."""
        if self.is_scripted(verb, self.b.drop):
            raise HangUp
        if self.is_scripted(verb, self.b.stall):
            self.drain()
        if self.is_scripted(verb, self.b.drip):
            self.send(b"250-")
            self.drip(self.sock)
        for key in self.keys(verb):
            if key in self.b.cleartext:
                self.raw.sendall(self.b.cleartext[key])
                self.drain()
        text = self.scripted_reply(verb, line, default)
        data = text if isinstance(text, bytes) else text.encode() + b"\r\n"
        self.send(data)
        if data.startswith(b"421"):
            raise HangUp
        return data[:1].decode("latin-1")

    # -- the conversation --

    def run(self):
        try:
            if self.b.tls_first:
                self.start_tls()
            self.flood()
            self.reply("banner", "", f"220 {self.server.name} ESMTP scripted")
            while True:
                self.command(self.line())
        except HangUp:
            pass
        except (OSError, ValueError) as e:
            self.session.tls_error = self.session.tls_error or str(e)
        finally:
            self.close()

    def close(self):
        if self.b.reset:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            try:
                self.raw.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sock.close()
        self.raw.close()
        self.session.ended = True

    def flood(self):
        chunk = {"line": b"220-" + b"x" * 65532, "banner": b"220-more\r\n" * 6500}.get(self.b.flood)
        while chunk and self.session.flooded < 1 << 30:
            self.send(chunk)
            self.session.flooded += len(chunk)

    def command(self, raw):
        line = raw.decode("utf-8", "surrogateescape")
        self.session.commands.append((self.session.channel, line))
        self.session.pipelined |= bool(self.buffer)
        verb = line.split(" ")[0].split(":")[0].upper()
        handler = None if verb in self.b.unknown else getattr(self, f"do_{verb.lower()}", None)
        if handler:
            handler(line)
        else:
            self.reply(verb, line, "500 5.5.1 unknown command")

    def do_ehlo(self, line):
        lines = [self.server.name, *self.b.extensions]
        if self.b.users and (self.b.auth_in_clear or self.session.channel == "tls"):
            lines.append("AUTH " + " ".join(self.b.mechanisms))
        if self.b.starttls and self.session.channel == "plaintext":
            lines.append("STARTTLS")
        text = "\r\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{word}"
                           for i, word in enumerate(lines))
        self.reply("EHLO", line, text)

    def do_helo(self, line):
        self.reply("HELO", line, f"250 {self.server.name}")

    def do_noop(self, line):
        self.reply("NOOP", line, "250 2.0.0 ok")

    def do_rset(self, line):
        self.envelope = None
        self.reply("RSET", line, "250 2.0.0 ok")

    def do_quit(self, line):
        self.reply("QUIT", line, "221 2.0.0 bye")
        if self.session.channel == "tls":
            self.sock.settimeout(0.2)  # close_notify is sent; the answer is a courtesy
            try:
                self.sock.unwrap()
            except (OSError, ValueError):
                pass
        raise HangUp

    chunks = b""
    envelope = None  # (sender, parameters, recipients)

    def do_mail(self, line):
        sender, parameters = line.split("<", 1)[1].split(">", 1)
        needs_auth = self.b.users and not self.session.user
        default = "530 5.7.0 authenticate first" if needs_auth else "250 2.1.0 ok"
        if self.reply("MAIL", line, default) == "2":
            self.envelope = (sender, parameters.strip(), [])
            self.chunks = b""

    def do_rcpt(self, line):
        address = line.split("<", 1)[1].split(">", 1)[0]
        accepted = self.envelope[2] if self.envelope else None
        if accepted is None:
            default = "503 5.5.1 MAIL first"
        elif self.b.max_rcpt and len(accepted) >= self.b.max_rcpt:
            default = self.b.rcpt_over
        else:
            default = self.b.rcpt.get(address, "250 2.1.5 ok")
        if self.reply("RCPT", line, default) == "2" and accepted is not None:
            accepted.append(address)

    def do_data(self, line):
        if not self.envelope or not self.envelope[2]:
            self.reply("DATA", line, "554 5.5.1 no valid recipients")
            return
        if self.reply("DATA", line, "354 go ahead") == "3":
            self.body()

    def body(self):
        if self.is_scripted("body", self.b.drop):
            while not self.buffer:
                self.more()
            raise HangUp
        while not (self.buffer.startswith(b".\r\n") or b"\r\n.\r\n" in self.buffer):
            self.more()
        if self.buffer.startswith(b".\r\n"):
            raw, self.buffer = b"", self.buffer[3:]
        else:
            raw, self.buffer = self.buffer.split(b"\r\n.\r\n", 1)
            raw += b"\r\n"
        data = b"\r\n".join(l[1:] if l.startswith(b".") else l for l in raw.split(b"\r\n"))
        self.take(data, raw)

    def do_bdat(self, line):
        """A chunk is read before anything is said of it (RFC 3030 section 2)."""
        size, is_last = int(line.split()[1]), line.upper().endswith(" LAST")
        if self.is_scripted("body", self.b.drop):
            self.more()
            raise HangUp
        while len(self.buffer) < size:
            self.more()
        chunk, self.buffer = self.buffer[:size], self.buffer[size:]
        if not self.envelope or not self.envelope[2]:
            self.reply("BDAT", line, "503 5.5.1 no valid recipients")
        elif self.scripted_reply("BDAT", line, None) or not is_last:
            self.chunks += chunk
            self.reply("BDAT", line, f"250 2.0.0 {size} octets")
        else:
            data = self.chunks + chunk
            self.take(data, data)

    def take(self, data, raw):
        sender, parameters, recipients = self.envelope
        message = Message(sender, list(recipients), parameters, data, raw,
                          self.session.channel, False, time.monotonic())
        self.session.messages.append(message)
        self.envelope = None
        if self.b.hold_data:
            self.b.hold_data.wait(30)
        message.accepted = self.reply(".", "", f"250 2.0.0 taken as {self.session.number}") == "2"
        if self.b.one_message:
            raise HangUp

    # -- AUTH --

    def challenge(self, octets):
        self.send(b"334 " + base64.b64encode(octets) + b"\r\n")
        try:
            return base64.b64decode(self.line(), validate=True)
        except binascii.Error as e:
            raise auth.Cancelled from e

    def do_auth(self, line):
        words = line.split(" ")
        # What is secret in it is no evidence that anybody needs.
        self.session.commands[-1] = (self.session.channel, " ".join(words[:2]))
        mechanism = words[1].upper()
        self.session.mechanisms.append(mechanism)
        initial = None
        if len(words) > 2:
            initial = b"" if words[2] == "=" else base64.b64decode(words[2])
        if mechanism not in self.b.mechanisms:
            self.reply("AUTH", line, "504 5.5.4 no such mechanism")
            return
        try:
            self.session.user = auth.authenticate(mechanism, initial, self.challenge, self.b.users)
        except auth.Cancelled:
            self.reply("AUTH", line, "501 5.5.0 cancelled")
            return
        self.reply("AUTH", line, "235 2.7.0 welcome" if self.session.user
                   else "535 5.7.8 authentication failed")

    # -- STARTTLS --

    def do_starttls(self, line):
        if self.reply("STARTTLS", line, self.b.starttls or "502 5.5.1 not offered") != "2":
            return
        self.session.early_bytes, self.buffer = self.buffer, b""
        if self.b.inject:
            self.send(self.b.inject)
        self.misbehave_in_handshake()
        self.start_tls()

    def misbehave_in_handshake(self):
        kind = self.b.handshake
        if kind is None:
            return
        if kind == "close":
            raise HangUp
        self.sock.recv(1, socket.MSG_PEEK)  # the ClientHello is under way
        if kind == "stall":
            self.drain()
        if kind == "drip":
            self.send(LONG_RECORD)
            self.drip(self.sock)
        self.send({"garbage": b"500 this is no TLS record\r\n" * 4, "alert": FATAL_ALERT,
                   "warning": WARNING_ALERT}[kind])
        if kind != "warning":
            self.drain()

    def start_tls(self):
        context = self.server.context(self.b)

        def note_sni(_sock, name, _context):
            self.session.sni = name
        context.sni_callback = note_sni
        if self.b.breaks_resumption == "hello" and offers_psk(self.sock.recv(8192, socket.MSG_PEEK)):
            self.session.tls_error = "refused to resume"
            raise HangUp
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except (ssl.SSLError, OSError) as e:
            self.session.tls_error = str(e)
            raise HangUp from e
        if self.sock.version() is None:
            raise HangUp  # the client is gone by now
        self.session.channel = "tls"
        self.session.tls_version = NAMES[self.sock.version()]
        self.session.resumed = bool(self.sock.session_reused)
        self.session.certificate = common_name(self.sock.getpeercert())
        if self.b.breaks_resumption == "reply" and self.session.resumed:
            self.session.tls_error = "refused to go on"
            raise HangUp
        self.envelope = None


def common_name(certificate):
    """Of the certificate that the client sent and that verified, or None."""
    names = [value for part in (certificate or {}).get("subject", ()) for key, value in part
             if key == "commonName"]
    return names[0] if names else None


def offers_psk(hello):
    """Whether a ClientHello has pre_shared_key, which is its last extension (RFC 8446 4.2.11)."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]                                    # session id
    at += 2 + int.from_bytes(hello[at:at + 2], "big")      # cipher suites
    at += 1 + hello[at] + 2                                # compression methods
    kinds = []
    while at < len(hello):
        kinds.append(int.from_bytes(hello[at:at + 2], "big"))
        at += 4 + int.from_bytes(hello[at + 2:at + 4], "big")
    return kinds[-1] == 41


class SmtpServer:
    """Listens on one address. `script` is a Behaviour, a list of them (one a
    connection, the last one stays), or a function of the connection's number."""

    def __init__(self, address, port, name, script, certificates):
        self.address, self.port, self.name = address, port, name
        self.script = script
        self.certificates = certificates
        self.sessions = []
        self.most_at_once = 0
        self._connections = collections.deque()
        self._contexts = {}
        self._closing = False
        self._listener = self.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    connection = Connection

    def listen(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        return socket.create_server((self.address, self.port), family=family, backlog=200)

    def behaviour(self, number):
        if callable(self.script):
            return self.script(number)
        if isinstance(self.script, list):
            return self.script[min(number, len(self.script)) - 1]
        return self.script

    def forget_tickets(self):
        """As after a restart: new keys, so that old tickets are not understood."""
        self._contexts.clear()

    def context(self, behaviour):
        """One a behaviour: tickets of one context resume only there."""
        key = (behaviour.versions, behaviour.demand_certificate)
        if key in self._contexts:
            return self._contexts[key]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates.cert, self.certificates.key)
        # Debian's OpenSSL refuses TLS 1.0 and 1.1 above security level 0.
        context.set_ciphers("ALL:@SECLEVEL=0")
        limits = [VERSIONS[v] for v in behaviour.versions]
        context.minimum_version, context.maximum_version = min(limits), max(limits)
        if behaviour.demand_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.certificates.ca)
        self._contexts[key] = context
        return context

    @property
    def open_sessions(self):
        return sum(not s.ended for s in self.sessions)

    @property
    def messages(self):
        return [m for s in self.sessions for m in s.messages if m.accepted]

    def _accept(self):
        while not self._closing:
            try:
                sock, client = self._listener.accept()
            except OSError:
                return
            session = Session(len(self.sessions) + 1, time.monotonic(), client[0] if client else "")
            self.sessions.append(session)
            self.most_at_once = max(self.most_at_once, self.open_sessions)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self.connection(self, sock, session, self.behaviour(session.number))
            thread = threading.Thread(target=connection.run, daemon=True)
            self._connections.append((connection, thread))
            thread.start()

    def close(self):
        self._closing = True
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._thread.join(5)
        for connection, _ in self._connections:
            try:
                connection.raw.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for _, thread in self._connections:
            thread.join(5)
