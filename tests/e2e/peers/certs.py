"""A throw-away certificate authority and one server certificate, made by openssl."""
import pathlib
import subprocess


class Certificates:
    """PEM files under a directory: ca.pem, server.pem, server.key. The server
    certificate is good for *.test, *.*.test and 127.0.0.1."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca = self.directory / "ca.pem"
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
        self._openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr",
                      "-subj", "/CN=mail.test")
        (self.directory / "ext").write_text(
            "subjectAltName=DNS:*.test,DNS:*.example.test,DNS:*.other.test,IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem",
                      "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                      "-extfile", "ext", "-out", "server.pem")
