"""A relay as providers run them: a Postfix that takes mail for everywhere from whoever
authenticates. It checks passwords with Cyrus SASL, and tokens with a Dovecot.

Each of its services (SERVICES) is a host with an address of its own: `place(world, "smtps",
NAME)` gives one a name in a world's zone. What it took is in `stored(recipient)`, with the
Received field that says who handed it over, and how.
"""
import os
import re
import shutil
import subprocess

from . import auth, mta, net

USER, REALM, PASSWORD = "me", "relay.test", "correct horse, battery"
LOGIN = f"{USER}@{REALM}"
SASL = ("smtpd_sasl_auth_enable=yes",)
TLS = ("smtpd_tls_security_level=encrypt", "smtpd_tls_auth_only=yes")
DOVECOT = ("smtpd_sasl_type=dovecot", "smtpd_sasl_path=inet:{dovecot}")
# Services: options of smtpd(8).
SERVICES = {
    **{mechanism: (*SASL, *TLS, f"smtpd_sasl_mechanism_filter={mechanism}") for mechanism in auth.MECHANISMS},
    "smtps": (*SASL, *TLS, "smtpd_tls_wrappermode=yes"),
    "submission": (*SASL, *TLS),
    "plaintext": (*SASL, "smtpd_tls_security_level=none"),
    "oauth": (*SASL, *TLS, *DOVECOT),
    "xoauth2": (*SASL, *TLS, *DOVECOT, "smtpd_sasl_mechanism_filter=XOAUTH2"),
    # For the client whose certificate it knows, and nobody else.
    "certificate": (*TLS, "smtpd_tls_req_ccert=yes"),
    "certificate-asked": (*TLS, "smtpd_tls_ask_ccert=yes"),
}


class Submission(mta.Receiver):
    _make_spool = mta.Postfix._make_spool

    def __init__(self, block, certificates, client_certificate, dovecot):
        self.addresses = {name: block.address() for name in SERVICES}
        super().__init__(mta.prepare_root("relay"), self.addresses["submission"], block.port)
        self._make_spool()
        self.directory("data", mta.POSTFIX_UID, mta.POSTFIX_UID, 0o700)
        self.directory("mail", mta.POSTFIX_UID, mta.POSTFIX_UID)
        etc = self.directory("etc")
        for path, name in ((certificates.cert, "server.pem"), (certificates.key, "server.key"),
                           (certificates.ca, "ca.pem")):
            shutil.copy(path, etc / name)
        self._make_passwords(etc)
        self._configure(etc, _fingerprint(client_certificate), f"{dovecot.address}:{dovecot.port}")
        self.start("/usr/lib/postfix/sbin/master", "-d", "-c", f"{self.inside}/etc")

    def _make_passwords(self, etc):
        self.directory("etc/sasl")
        (etc / "sasl/smtpd.conf").write_text(f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                                             f"sasldb_path: {self.inside}/etc/sasldb2\n"
                                             f"mech_list: {' '.join(auth.MECHANISMS)}\n")
        subprocess.run(["chroot", self.root, "/usr/sbin/saslpasswd2", "-p", "-c", "-f", f"{self.inside}/etc/sasldb2",
                        "-u", REALM, USER], input=PASSWORD.encode(), check=True, capture_output=True)
        os.chown(etc / "sasldb2", mta.POSTFIX_UID, 0)

    def _configure(self, etc, fingerprint, dovecot):
        (etc / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.inside}/spool
data_directory = {self.inside}/data
maillog_file = {self.inside}/log
maillog_file_prefixes = /inst
myhostname = smtp.{REALM}
mydestination =
mynetworks =
inet_protocols = ipv4
alias_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = static:all
virtual_mailbox_base = {self.inside}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{mta.POSTFIX_UID}
virtual_gid_maps = static:{mta.POSTFIX_UID}
smtpd_relay_restrictions =
 check_ccert_access inline:{{ {{ {fingerprint} = permit }} }}
 permit_sasl_authenticated, reject
smtpd_tls_fingerprint_digest = sha256
smtpd_tls_cert_file = {self.inside}/etc/server.pem
smtpd_tls_key_file = {self.inside}/etc/server.key
smtpd_tls_CAfile = {self.inside}/etc/ca.pem
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_sasl_path = smtpd
smtpd_sasl_authenticated_header = yes
smtpd_sasl_local_domain = {REALM}
cyrus_sasl_config_path = {self.inside}/etc/sasl
smtpd_error_sleep_time = 0
smtpd_peername_lookup = no
""")
        listeners = "".join(f"{self.addresses[name]}:{self.port} inet n - n - - smtpd\n" +
                            "".join(f"  -o {option.replace('{dovecot}', dovecot)}\n" for option in options)
                            for name, options in SERVICES.items())
        (etc / "master.cf").write_text(listeners + mta.POSTFIX_SERVICES)

    def place(self, world, service, name):
        """Gives a service a name in the zone; its target in routes.txt."""
        world.zone.address(name, self.addresses[service])
        scheme = "smtps" if service == "smtps" else "smtp"
        return f"{scheme}://[{name}]:{self.port}"

    def stored(self, recipient):
        """The stored messages to that address."""
        mark = f"\r\nDelivered-To: {recipient}\r\n".encode()
        return [m for m in self.messages() if mark in b"\r\n" + m]

    def wait_stored(self, recipient, count=1):
        return net.wait_for(lambda: len(self.stored(recipient)) >= count and self.stored(recipient),
                            f"mail to {recipient} in {self.home}", interval_s=0.05)

    def mechanism_of(self, message):
        """Of the authentication of the client that handed a stored message over."""
        queue_id = re.search(rb" with ESMTPSA id (\w+)", message)[1].decode()
        return re.search(rf": {queue_id}: client=\S+, sasl_method=([\w-]+),", self.log())[1]

    def ends_of(self, client):
        """The commands of each session with that client that has ended, counted: "ehlo=2"."""
        mark = f": disconnect from unknown[{client}] "
        return [line.split(mark, 1)[1].split() for line in self.log().splitlines() if mark in line]

    def log(self):
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""


def _fingerprint(path):
    done = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip().split("=", 1)[1]
