"""A Dovecot that stores mail by LMTP on a unix socket, and that knows OAuth 2.0 tokens for a
Postfix (submission.py). Its users are `users`; everybody else does not exist."""
import base64
import hashlib
import hmac
import json
import os

from . import mta, net

USER = "me@dovecot.test"
TOKEN_KEY = b"a key that signs tokens"


def token(user, key=TOKEN_KEY):
    """An access token (a JWT, RFC 7519) as an OAuth provider signs them."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = part(json.dumps({"sub": user, "email": user, "exp": 4102444800}).encode())
    signed = head + b"." + claims
    return (signed + b"." + part(hmac.new(key, signed, hashlib.sha256).digest())).decode()


class Dovecot(mta.Receiver):
    """The service that judges tokens is on address and port, LMTP on the unix socket `path`.
    A refusal is told at once: Dovecot makes clients wait, the longer the more often."""

    def __init__(self, address, port, users):
        super().__init__(mta.prepare_root("relay"), address, port)
        self.path = self.home / "lmtp"
        self.directory("mail", mta.DOVECOT_UID, mta.DOVECOT_UID)
        etc, inside = self.directory("etc"), self.inside
        self.directory("etc/keys/default/HS256")
        (etc / "keys/default/HS256/default").write_bytes(base64.b64encode(TOKEN_KEY))
        owner = f"{mta.DOVECOT_UID}:{mta.DOVECOT_UID}"
        (etc / "users").write_text("".join(f"{user}::{owner}::{inside}/mail/{user}::\n" for user in users))
        (etc / "oauth2.conf").write_text(f"""\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={inside}/etc/keys/
username_attribute = email
""")
        (etc / "dovecot.conf").write_text(f"""\
base_dir = {inside}/run
log_path = {inside}/log
state_dir = {inside}/run
protocols = lmtp
listen = {address}
ssl = no
first_valid_uid = {mta.DOVECOT_UID}
mail_location = maildir:~
postmaster_address = postmaster@dovecot.test
hostname = dovecot.test
auth_mechanisms = oauthbearer xoauth2
auth_failure_delay = 0
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {inside}/etc/oauth2.conf
}}
userdb {{
  driver = passwd-file
  args = {inside}/etc/users
}}
service auth {{
  inet_listener {{
    port = {port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service lmtp {{
  unix_listener {inside}/lmtp {{
    mode = 0666
  }}
}}
""")
        self.start("/usr/sbin/dovecot", "-F", "-c", f"{inside}/etc/dovecot.conf")
        net.wait_for(self.path.exists, f"{self.path}")

    def stored(self, recipient):
        files = sorted((self.home / "mail" / recipient / "new").glob("*"), key=os.path.getmtime)
        return [p.read_bytes().replace(b"\n", b"\r\n") for p in files]
