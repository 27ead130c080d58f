"""What a peer can do to a handshake, and inside TLS; as in smtp_deeds.py."""
import os
import struct
import time

from fake import smtp_tls as tls
from fake.smtp_deeds import flood, text_of

DEEDS = {}
# RFC 8446 4.1.3: the random of a ServerHello that is a HelloRetryRequest.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
KEY_SHARE_P521 = bytes.fromhex("002b00020304" "003300020019")
X25519_SHARE = bytes.fromhex("002b00020304" "00330024001d0020") + b"\x09" * 32


def deed(words):
    def note(function):
        DEEDS[words] = function
        return function
    return note


# ---- instead of a handshake: the ClientHello is there, and TLS is not ----

@deed("clear alert")
def clear_alert(c, words, _good):
    c.write(tls.record(tls.ALERT, tls.alert(words)))
    c.drain()


@deed("clear alert and close")
def clear_alert_and_close(c, words, _good):
    c.write(tls.record(tls.ALERT, tls.alert(words)))
    c.sock.recv(65536)
    raise OSError


@deed("clear warning")
def clear_warning(c, words, _good):
    """Then the handshake goes on."""
    c.write(tls.record(tls.ALERT, tls.alert(words, tls.WARNING)))


@deed("endless warnings")
def endless_warnings(c, words, _good):
    if c.tls:
        flood(c, 200, lambda count: c.write(b"".join(
            c.tls.seal(tls.alert(words, tls.WARNING), tls.ALERT) for _ in range(count))))
    flood(c, tls.record(tls.ALERT, tls.alert(words, tls.WARNING)) * 5000, c.write)


@deed("plaintext")
def plaintext(c, words, _good):
    """SMTP beside TLS, or in its place."""
    c.write(text_of(words) + b"\r\n")
    c.drain()


@deed("server hello of version")
def wrong_version(c, words, _good):
    c.write(tls.record(tls.HANDSHAKE, tls.server_hello(int(words, 16))))
    c.drain()


@deed("record of version")
def record_version(c, words, _good):
    c.write(tls.record(tls.HANDSHAKE, tls.server_hello(), int(words, 16)))
    c.drain()


@deed("SSL 2.0 hello")
def ssl2(c, _words, _good):
    body = b"\x04\x00\x01\x00\x02" + struct.pack(">HHH", 0, 3, 16) + b"\x01\x00\x80" + b"i" * 16
    c.write(struct.pack(">H", 0x8000 | len(body)) + body)
    c.drain()


@deed("record of type")
def record_type(c, words, _good):
    data = tls.record(int(words), b"x" * 32)
    c.write(c.tls.seal(b"x" * 32, int(words)) if c.tls else data)
    c.drain()


@deed("record over the limit")
def long_record(c, _words, _good):
    kind = tls.DATA if c.tls else tls.HANDSHAKE
    c.write(struct.pack(">BHH", kind, 0x0303, 0xffff) + b"x" * 0xffff)
    c.drain()


@deed("cipher that was not offered")
def wrong_cipher(c, _words, _good):
    c.write(tls.record(tls.HANDSHAKE, tls.server_hello(cipher=0x0005)))
    c.drain()


@deed("extension that was not offered")
def wrong_extension(c, _words, _good):
    c.write(tls.record(tls.HANDSHAKE, tls.server_hello(extensions=bytes.fromhex("77770000"))))
    c.drain()


@deed("key of small order")
def small_order(c, _words, _good):
    """A key share of x25519 that makes every secret zero."""
    share = bytes.fromhex("002b00020304" "00330024001d0020") + b"\0" * 32
    c.write(tls.record(tls.HANDSHAKE, tls.server_hello(cipher=0x1301, extensions=share)))
    c.drain()


@deed("hello retry twice")
def retry_twice(c, _words, _good):
    retry = tls.record(tls.HANDSHAKE, tls.server_hello(cipher=0x1301, extensions=KEY_SHARE_P521, random=RETRY))
    c.write(retry)
    c.write(retry)
    c.drain()


@deed("Finished first")
def finished_first(c, _words, _good):
    c.write(tls.record(tls.HANDSHAKE, tls.handshake(20, b"f" * 12)))
    c.drain()


@deed("client hello")
def mirror(c, _words, _good):
    """What the client said, back to it."""
    c.write(c.sock.recv(65536))
    c.drain()


@deed("handshake message of 16 MB")
def huge_message(c, _words, _good):
    """Announced, and sent for as long as somebody reads."""
    c.write(tls.record(tls.HANDSHAKE, tls.server_hello(extensions=bytes.fromhex("ff01000100"))))
    c.write(tls.record(tls.HANDSHAKE, b"\x0b\xff\xff\xff" + b"c" * 1000))
    flood(c, tls.record(tls.HANDSHAKE, b"c" * tls.RECORD_MAX), c.write)


@deed("record, octet by octet")
def drip_record(c, _words, _good):
    """Of a record that is never whole."""
    kind = tls.DATA if c.tls else tls.HANDSHAKE
    c.write(struct.pack(">BHH", kind, 0x0303, 16000))
    while True:
        c.write(b"x")
        time.sleep(c.lab.pause_s)


@deed("endless empty records")
def endless_empty(c, _words, _good):
    if c.tls:
        flood(c, 200, lambda count: c.write(b"".join(c.tls.keys.seal(tls.DATA, b"") for _ in range(count))))
    flood(c, tls.record(tls.HANDSHAKE, b"") * 5000, c.write)


@deed("endless change of cipher")
def endless_change(c, _words, _good):
    flood(c, tls.record(tls.CHANGE, b"\x01") * 5000, c.write)


@deed("endless garbage")
def endless_garbage(c, _words, _good):
    flood(c, os.urandom(4096) * 16, c.write)


# ---- a real handshake, with something wrong in it ----

@deed("certificate:")
def certificate(c, words, _good):
    c.shake_hands(certificate=c.lab.bad_certificates.get(words, c.peer.name))


@deed("flight, octet by octet")
def flight_in_octets(c, _words, _good):
    def send(data):
        for n in range(len(data)):
            c.write(data[n:n + 1])
    c.shake_hands(send=send)


@deed("flight in a drip")
def flight_in_a_drip(c, _words, _good):
    def send(data):
        for n in range(len(data)):
            c.write(data[n:n + 1])
            time.sleep(c.lab.pause_s)
    c.shake_hands(send=send)


@deed("half a flight and")
def half_a_flight(c, words, _good):
    def send(data):
        c.write(data[:len(data) // 2])
        {"close": c.leave, "reset": c.abort, "stall": c.drain}[words]()
    c.shake_hands(send=send)


@deed("flight with a flaw")
def flawed_flight(c, _words, _good):
    """An octet near the end: of the Finished, or of a signature."""
    def send(data):
        c.write(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    c.shake_hands(send=send)
    c.drain()


# ---- inside TLS ----

@deed("cut")
def cut(c, _words, _good):
    """Closed without close_notify."""
    raise OSError


@deed("half and cut")
def half_and_cut(c, _words, good):
    c.send(good[:len(good) // 2])
    raise OSError


@deed("close_notify and go on")
def close_notify_and_go_on(c, _words, good):
    """What comes after the end does not count."""
    c.send_close_notify()
    c.send(good)
    c.drain()


@deed("say and cut")
def say_and_cut(c, words, _good):
    c.send(text_of(words) + b"\r\n")
    raise OSError


@deed("alert")
def sealed_alert(c, words, _good):
    c.write(c.tls.seal(tls.alert(words), tls.ALERT))
    c.drain()


@deed("warning")
def sealed_warning(c, words, good):
    """Then as if nothing had been."""
    c.write(c.tls.seal(tls.alert(words, tls.WARNING), tls.ALERT))
    c.send(good)


@deed("bad record")
def bad_record(c, _words, good):
    data = c.tls.seal(good)
    c.write(data[:-1] + bytes([data[-1] ^ 1]))
    c.drain()


@deed("record sent twice")
def replay(c, _words, good):
    data = c.tls.seal(good)
    c.write(data + data)
    c.drain()


@deed("record of padding only")
def only_padding(c, _words, _good):
    c.write(c.tls.keys.seal(0, b"", padding=100))
    c.drain()


@deed("padding")
def padding(c, _words, good):
    """As RFC 8446 5.4 allows."""
    c.write(c.tls.keys.seal(tls.DATA, good, padding=2000))


@deed("empty records")
def some_empty(c, words, good):
    for _ in range(int(words)):
        c.write(c.tls.keys.seal(tls.DATA, b""))
    c.send(good)


@deed("tickets")
def some_tickets(c, words, good):
    for number in range(int(words)):
        c.write(c.tls.seal(tls.new_session_ticket(number), tls.HANDSHAKE))
    c.send(good)


@deed("endless tickets")
def endless_tickets(c, _words, _good):
    flood(c, 20, lambda count: c.write(b"".join(
        c.tls.seal(tls.new_session_ticket(n), tls.HANDSHAKE) for n in range(count))))


@deed("key update")
def key_update(c, _words, good):
    c.write(c.tls.update_keys())
    c.send(good)


@deed("endless key updates")
def endless_key_updates(c, _words, _good):
    """Each of them asks for one in return."""
    flood(c, 50, lambda count: c.write(b"".join(c.tls.update_keys() for _ in range(count))))


@deed("hello request")
def hello_request(c, words, good):
    """The server asks for a renegotiation, so many times; then as if nothing had been."""
    for _ in range(int(words or 1)):
        c.write(c.tls.seal(tls.handshake(tls.HELLO_REQUEST, b""), tls.HANDSHAKE))
    c.send(good)


@deed("endless hello requests")
def endless_hello_requests(c, _words, _good):
    flood(c, 50, lambda count: c.write(b"".join(
        c.tls.seal(tls.handshake(tls.HELLO_REQUEST, b""), tls.HANDSHAKE) for _ in range(count))))


@deed("certificate request")
def certificate_request(c, _words, _good):
    """After the handshake, which the client did not offer."""
    c.write(c.tls.seal(tls.handshake(13, b"\x01r\x00\x00"), tls.HANDSHAKE))
    c.drain()


@deed("handshake message without end")
def late_huge_message(c, _words, _good):
    c.write(c.tls.seal(b"\x04\xff\xff\xff" + b"t" * 1000, tls.HANDSHAKE))
    flood(c, b"t" * tls.RECORD_MAX, lambda data: c.write(c.tls.seal(data, tls.HANDSHAKE)))
