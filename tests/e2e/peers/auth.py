"""The server's side of AUTH (RFC 4954): what the scripted server says to each mechanism.

`authenticate(mechanism, initial, exchange, users)` returns the user, or None. exchange
sends a challenge and returns the client's answer, as octets.
"""
import base64
import hashlib
import hmac
import os

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")
ITERATIONS = 4096


class Cancelled(Exception):
    """The client said "*", or what no base64 is."""


def plain(initial, exchange, users):
    answer = exchange(b"") if initial is None else initial
    _, user, password = answer.decode().split("\0")
    return user if users.get(user) == password else None


def login(initial, exchange, users):
    user = (exchange(b"Username:") if initial is None else initial).decode()
    return user if users.get(user) == exchange(b"Password:").decode() else None


def cram_md5(initial, exchange, users):
    assert initial is None
    challenge = b"<1896.697170952@relay.test>"
    user, digest = exchange(challenge).decode().rsplit(" ", 1)
    wanted = hmac.new(users.get(user, "").encode(), challenge, "md5").hexdigest()
    return user if user in users and hmac.compare_digest(wanted, digest) else None


def scram(name):
    """RFC 5802, without channel binding."""
    def run(initial, exchange, users):
        first = (exchange(b"") if initial is None else initial).decode()
        assert first.startswith("n,"), first
        bare = first.split(",", 2)[2]
        fields = dict(f.split("=", 1) for f in bare.split(","))
        user, salt = fields["n"], os.urandom(16)
        server_first = (f"r={fields['r']}{base64.b64encode(os.urandom(9)).decode()},"
                        f"s={base64.b64encode(salt).decode()},i={ITERATIONS}")
        final = exchange(server_first.encode()).decode()
        without_proof, proof = final.rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac(name, users.get(user, "").encode(), salt, ITERATIONS)
        client_key = hmac.new(salted, b"Client Key", name).digest()
        message = ",".join((bare, server_first, without_proof)).encode()
        signature = hmac.new(hashlib.new(name, client_key).digest(), message, name).digest()
        wanted = bytes(a ^ b for a, b in zip(client_key, signature))
        if user not in users or base64.b64decode(proof) != wanted:
            return None
        server_key = hmac.new(salted, b"Server Key", name).digest()
        verifier = hmac.new(server_key, message, name).digest()
        exchange(b"v=" + base64.b64encode(verifier))
        return user
    return run


def xoauth2(initial, exchange, users):
    answer = exchange(b"") if initial is None else initial
    fields = dict(f.split(b"=", 1) for f in answer.split(b"\1") if f)
    user, token = fields[b"user"].decode(), fields[b"auth"].decode()
    if token == f"Bearer {users.get(user)}":
        return user
    exchange(b'{"status":"401","schemes":"bearer","scope":"mail"}')
    return None


HANDLERS = {"PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5, "SCRAM-SHA-1": scram("sha1"),
            "SCRAM-SHA-256": scram("sha256"), "XOAUTH2": xoauth2}


def authenticate(mechanism, initial, exchange, users):
    return HANDLERS[mechanism](initial, exchange, users)
