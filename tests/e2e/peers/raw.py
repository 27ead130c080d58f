"""A server that is a function of its socket, for what no script of replies can say.

    def script(peer):
        peer.greet()                  # the banner, and EHLO answered
        peer.sock.sendall(b"...")
        peer.reset()

`peers` are the connections so far. A script may end by any error of its socket.
"""
import socket
import struct
import threading


class Peer:
    def __init__(self, sock):
        self.sock, self.buffer, self.lines, self.ended = sock, b"", [], False

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise OSError("the client is gone")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.lines.append(line.rstrip(b"\r").decode("latin-1"))
        return self.lines[-1]

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def greet(self, *extensions):
        self.say("220 raw ESMTP")
        self.line()
        words = ["raw", *extensions]
        for word in words[:-1]:
            self.say(f"250-{word}")
        self.say(f"250 {words[-1]}")

    def take(self, until="DATA"):
        """Answers commands well up to `until`, which is read and not answered."""
        while not self.line().upper().startswith(until):
            self.say("250 2.0.0 ok")

    def body(self):
        """After DATA: takes a message; how many octets it had."""
        self.say("354 go ahead")
        return self.body_after_354()

    def body_after_354(self):
        count, tail = len(self.buffer), self.buffer[-5:]
        self.buffer = b""
        while tail != b"\r\n.\r\n":
            data = self.sock.recv(1 << 20)
            if not data:
                raise OSError("the client is gone")
            count, tail = count + len(data), (tail + data)[-5:]
        return count

    def drain(self):
        while self.sock.recv(65536):
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class RawServer:
    def __init__(self, address, port, name, script, receive_buffer=None):
        self.address, self.port, self.name, self.script = address, port, name, script
        self.peers, self.threads = [], []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=200)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock)
            self.peers.append(peer)
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, peer):
        try:
            self.script(peer)
        except (OSError, ValueError):
            pass
        finally:
            peer.ended = True
            peer.sock.close()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for peer in self.peers:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in [self._thread, *self.threads]:
            thread.join(5)
