"""A throw-away certificate authority and one server certificate, made by openssl."""
import pathlib
import subprocess


class Certificates:
    """PEM files under a directory: ca.pem, server.pem, server.key. The server
    certificate is good for *.test, *.*.test and 127.0.0.1. stranger.pem is an authority that signed nothing."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca = self.directory / "ca.pem"
        self.stranger = self.directory / "stranger.pem"
        self.cert = self.directory / "server.pem"
        self.key = self.directory / "server.key"
        if not self.cert.exists():
            self._make()

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.directory, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _make(self):
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem",
                      "-days", "30", "-subj", "/CN=hikyaku test CA")
        self._openssl("req", "-x509", *new_key, "-keyout", "stranger.key", "-out", "stranger.pem",
                      "-days", "30", "-subj", "/CN=hikyaku test stranger")
        self._openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr",
                      "-subj", "/CN=mail.test")
        (self.directory / "ext").write_text(
            "subjectAltName=DNS:*.test,DNS:*.example.test,DNS:*.other.test,IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem",
                      "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                      "-extfile", "ext", "-out", "server.pem")


class ClientCertificates:
    """Certificates of a client, by the authority of the server's: client.pem with its key
    in client.key, both in one file, in PKCS#12 with a password, and an expired one."""

    PASSWORD = "open sesame"

    def __init__(self, certificates):
        self.authority = certificates
        directory = certificates.directory
        self.cert, self.key = directory / "client.pem", directory / "client.key"
        self.both, self.pkcs12 = directory / "both.pem", directory / "client.p12"
        self.expired = directory / "expired.pem"
        if not self.both.exists():
            self._make()

    def _sign(self, name, subject, *dates):
        openssl = self.authority._openssl
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", *dates)

    def _make(self):
        self._sign("client", "client one", "-days", "30")
        self._sign("old", "client old", "-days", "-1")
        self.authority._openssl("pkcs12", "-export", "-in", "client.pem", "-inkey", "client.key",
                                "-out", "client.p12", "-passout", f"pass:{self.PASSWORD}")
        directory = self.authority.directory
        self.expired.write_bytes((directory / "old.pem").read_bytes() + (directory / "old.key").read_bytes())
        self.both.write_bytes(self.cert.read_bytes() + self.key.read_bytes())
        for path in (self.key, self.both, self.pkcs12, self.expired):
            path.chmod(0o600)
