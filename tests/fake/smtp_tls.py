"""The server's end of TLS, with its records made by hand once the handshake is over.

Python's ssl shakes hands and reads. What is sent afterwards is encrypted here, with the keys that ssl
writes to its key log: so a peer can send any record, and any alert, as part of the session.
"""
import hashlib
import hmac
import os
import pathlib
import ssl
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHANGE, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
RECORD_MAX = 16384
VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
WARNING, FATAL = 1, 2
# RFC 8446 section 6 and what it names of older versions; RFC 5246 section 7.2.
ALERTS = {"close_notify": 0, "unexpected_message": 10, "bad_record_mac": 20, "decryption_failed": 21,
          "record_overflow": 22, "decompression_failure": 30, "handshake_failure": 40, "no_certificate": 41,
          "bad_certificate": 42, "unsupported_certificate": 43, "certificate_revoked": 44,
          "certificate_expired": 45, "certificate_unknown": 46, "illegal_parameter": 47, "unknown_ca": 48,
          "access_denied": 49, "decode_error": 50, "decrypt_error": 51, "export_restriction": 60,
          "protocol_version": 70, "insufficient_security": 71, "internal_error": 80,
          "inappropriate_fallback": 86, "user_canceled": 90, "no_renegotiation": 100,
          "missing_extension": 109, "unsupported_extension": 110, "certificate_unobtainable": 111,
          "unrecognized_name": 112, "bad_certificate_status_response": 113, "bad_certificate_hash_value": 114,
          "unknown_psk_identity": 115, "certificate_required": 116, "no_application_protocol": 120, "199": 199}
NEW_SESSION_TICKET, KEY_UPDATE, HELLO_REQUEST = 4, 24, 0


def record(kind, payload, version=0x0303):
    """One record in the clear."""
    return struct.pack(">BHH", kind, version, len(payload)) + payload


def alert(name, level=FATAL):
    return bytes([level, ALERTS[name]])


def handshake(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def new_session_ticket(number):
    """RFC 8446 4.6.1: two hours, a ticket of 1,000 octets."""
    body = struct.pack(">II", 7200, number) + b"\x01" + bytes([number % 256]) + \
        struct.pack(">H", 1000) + b"t" * 1000 + b"\x00\x00"
    return handshake(NEW_SESSION_TICKET, body)


def server_hello(version=0x0303, cipher=0xC02B, extensions=b"", random=None):
    body = struct.pack(">H", version) + (random or os.urandom(32)) + b"\x00" + struct.pack(">HB", cipher, 0)
    return handshake(2, body + (struct.pack(">H", len(extensions)) + extensions if extensions else b""))


def _expand_label(secret, label, length, digest):
    """HKDF-Expand-Label with an empty context, RFC 8446 7.1."""
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + b"\x00"
    return hmac.new(secret, info + b"\x01", digest).digest()[:length]


def _prf(secret, seed, length, digest):
    """P_hash, RFC 5246 5."""
    out, a = b"", seed
    while len(out) < length:
        a = hmac.new(secret, a, digest).digest()
        out += hmac.new(secret, a + seed, digest).digest()
    return out[:length]


class Keys13:
    def __init__(self, suite, secret):
        digest, length = (hashlib.sha384, 32) if "AES_256" in suite else (hashlib.sha256, 16)
        self.digest, self.length = digest, length
        self.take(secret)

    def take(self, secret):
        self.secret = secret
        self.aead = AESGCM(_expand_label(secret, b"key", self.length, self.digest))
        self.iv = int.from_bytes(_expand_label(secret, b"iv", 12, self.digest), "big")
        self.number = 0  # the handshake sends no tickets: nothing was sealed with these keys

    def update(self):
        self.take(_expand_label(self.secret, b"traffic upd", self.digest().digest_size, self.digest))

    def seal(self, kind, payload, padding=0):
        inner = payload + bytes([kind]) + b"\x00" * padding
        head = struct.pack(">BHH", DATA, 0x0303, len(inner) + 16)
        nonce = (self.iv ^ self.number).to_bytes(12, "big")
        self.number += 1
        return head + self.aead.encrypt(nonce, inner, head)


class Keys12:
    """TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, RFC 5288."""

    def __init__(self, master, client_random, server_random):
        block = _prf(master, b"key expansion" + server_random + client_random, 40, hashlib.sha256)
        self.aead, self.salt = AESGCM(block[16:32]), block[36:40]
        self.client_aead, self.client_salt = AESGCM(block[:16]), block[32:36]
        self.number = self.client_number = 1  # 0 was the Finished

    def seal(self, kind, payload, padding=0):
        explicit = struct.pack(">Q", self.number)
        head = explicit + struct.pack(">BHH", kind, 0x0303, len(payload))
        self.number += 1
        return record(kind, explicit + self.aead.encrypt(self.salt + explicit, payload, head))

    def open(self, kind, payload):
        explicit, sealed = payload[:8], payload[8:]
        head = struct.pack(">QBHH", self.client_number, kind, 0x0303, len(sealed) - 16)
        self.client_number += 1
        return self.client_aead.decrypt(self.client_salt + explicit, sealed, head)


class Tls:
    """`send` is what happens to the octets of the handshake; afterwards use seal()."""

    def __init__(self, sock, certificate, key, version, scratch):
        self.sock = sock
        self.log = pathlib.Path(scratch)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = VERSIONS[version]
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        context.keylog_filename = str(self.log)
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(self.input, self.output, server_side=True)
        self.sent = self.raw = b""

    def handshake(self, send):
        while True:
            try:
                self.ssl.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(send)
                self._pull()
            else:
                self._flush(send)
                break
        self.keys = self._keys()
        self.raw = self.input.read()  # what the client said behind its Finished
        if not isinstance(self.keys, Keys12):
            self.input.write(self.raw)

    def _flush(self, send):
        data = self.output.read()
        self.sent += data
        if data:
            send(data)

    def _pull(self):
        data = self.sock.recv(65536)
        if not data:
            raise OSError("the client is gone")
        self.input.write(data)

    def _keys(self):
        lines = [line.split() for line in self.log.read_text().splitlines() if not line.startswith("#")]
        words = {line[0]: [bytes.fromhex(part) for part in line[1:]] for line in lines}
        if self.ssl.version() == "TLSv1.3":
            return Keys13(self.ssl.cipher()[0], words["SERVER_TRAFFIC_SECRET_0"][1])
        client_random, master = words["CLIENT_RANDOM"]
        return Keys12(master, client_random, self.sent[11:43])

    def read(self):
        """Some octets inside TLS; b"" when the client has said close_notify."""
        if isinstance(self.keys, Keys12):
            return self._read12()
        while True:
            try:
                return self.ssl.read(65536)
            except ssl.SSLWantReadError:
                self._pull()
            except ssl.SSLZeroReturnError:
                return b""

    def _read12(self):
        """By hand: OpenSSL takes the refusal of a renegotiation for the end."""
        while True:
            while len(self.raw) < 5 or len(self.raw) < 5 + int.from_bytes(self.raw[3:5], "big"):
                data = self.sock.recv(65536)
                if not data:
                    raise OSError("the client is gone")
                self.raw += data
            end = 5 + int.from_bytes(self.raw[3:5], "big")
            kind, payload = self.raw[0], self.raw[5:end]
            self.raw = self.raw[end:]
            plain = self.keys.open(kind, payload)
            if kind == DATA:
                return plain
            if kind == ALERT and plain[1] == ALERTS["close_notify"]:
                return b""

    def seal(self, data, kind=DATA):
        parts = [data[i:i + RECORD_MAX] for i in range(0, len(data), RECORD_MAX)] or [b""]
        return b"".join(self.keys.seal(kind, part) for part in parts)

    def update_keys(self):
        """A KeyUpdate that asks for one in return; what is sealed after it has the new keys."""
        data = self.seal(handshake(KEY_UPDATE, b"\x01"), HANDSHAKE)
        self.keys.update()
        return data
