"""A client of hikyaku's listener that sends octets as told; for good manners there is smtplib."""
import re
import socket

from . import net

TIMEOUT_S = 30 * net.SLOWNESS


class Client:
    """An SMTP or LMTP client over a TCP address or a unix socket, with nothing in between."""

    def __init__(self, place):
        is_path = isinstance(place, (str, bytes)) or hasattr(place, "__fspath__")
        self.sock = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(place) if is_path else place)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode()

    def reply(self):
        """One reply, its lines joined; "" when the connection has ended."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                return "\n".join(lines)
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def ask(self, data, count=1):
        """Sends, and reads so many replies; one as text, several as a list."""
        self.send(data if isinstance(data, bytes) else data.encode() + b"\r\n")
        return self.reply() if count == 1 else self.replies(count)

    def hello(self, verb="LHLO"):
        """After the greeting; the extensions."""
        assert self.reply().startswith("220 "), "a greeting"
        return {line[4:].split()[0] for line in self.ask(f"{verb} me.test").splitlines()[1:]}

    def rest(self):
        """All that comes until the other side closes."""
        try:
            while data := self.sock.recv(65536):
                self.buffer += data
        except ConnectionResetError:
            pass
        rest, self.buffer = self.buffer, b""
        return rest.decode()


def queued_id(reply):
    """The id in "250 2.0.0 queued as ..."."""
    return re.search(r"queued as ([0-9A-F]{16})", reply if isinstance(reply, str) else reply.decode())[1]
