"""Certificates that something is wrong with, by name; PEM files are made when first asked for."""
import datetime
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
# A private extension that nobody knows: as large as wanted.
BALLAST = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")


class BadCertificates:
    """`get(what, host)` is (certificate, key). `what`: "expired", "not yet valid", "self-signed",
    "wrong name", "N KB" (a certificate of that size) or "chain of N"."""

    def __init__(self, directory):
        self.directory = directory
        self.lock = threading.Lock()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_file = directory / "bad.key"
        self.key_file.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def get(self, what, host):
        path = self.directory / (what.replace(" ", "-") + ".pem")
        with self.lock:
            if not path.exists():
                path.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.make(what, host)))
        return path, self.key_file

    def make(self, what, host):
        words = what.split()
        if words[-1] == "KB":
            return [self.sign(host, ballast=1000 * int(words[0]))]
        if words[0] == "chain":
            names = [host, *(f"authority {n}" for n in range(int(words[-1])))]
            return [self.sign(name, issuer) for name, issuer in zip(names, names[1:])]
        return [{"expired": lambda: self.sign(host, "old authority", first_day=-30, days=20),
                 "not yet valid": lambda: self.sign(host, "new authority", first_day=30, days=20),
                 "self-signed": lambda: self.sign(host),
                 "wrong name": lambda: self.sign("elsewhere.invalid", "other authority")}[what]()]

    def sign(self, name, issuer=None, first_day=-1, days=30, ballast=0):
        start = datetime.datetime.utcnow() + first_day * DAY
        builder = x509.CertificateBuilder(
            self.name(issuer or name), self.name(name), self.key.public_key(), x509.random_serial_number(),
            start, start + days * DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), False)
        if ballast:
            builder = builder.add_extension(x509.UnrecognizedExtension(BALLAST, b"x" * ballast), False)
        return builder.sign(self.key, hashes.SHA256())

    @staticmethod
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
