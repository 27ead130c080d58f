"""Postfix and Exim from Debian's packages, each in a root of its own; and mailx, which
wants a mail server beside it.

The packages conflict, so neither is ever installed: they are fetched with `apt-get
download`, unpacked with the libraries they need into a directory, and run
chroot()ed in it. Every receiver is an instance under ROOT/inst with its own
configuration, spool and mailbox. The roots are kept between runs.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import net

LIBRARIES = """libc6 libgcc-s1 libstdc++6 libcrypt1 libdb5.3 libnsl2 libtirpc3 libssl3 libgssapi-krb5-2
    libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1""".split()
PACKAGES = {
    "postfix": ["postfix", "libsasl2-2", "libicu72", *LIBRARIES],
    "exim": ["exim4-daemon-light", "exim4-base", "libgnutls30", "libgnutls-dane0", "libidn12",
             "libidn2-0", "libpcre2-8-0", "libunbound8", "libgmp10", "libhogweed6", "libnettle8",
             "libp11-kit0", "libtasn1-6", "libunistring2", "libevent-2.1-7", "libffi8", *LIBRARIES],
    "mailx": ["bsd-mailx", "liblockfile1", "libbsd0", "libmd0"],
    # Postfix with Cyrus SASL's mechanisms, and Dovecot: see submission.py.
    "relay": ["postfix", "libsasl2-2", "libsasl2-modules", "libsasl2-modules-db", "sasl2-bin", "dovecot-core",
              "dovecot-lmtpd", "libapparmor1", "libaudit1", "libbz2-1.0", "libcap-ng0", "libcap2",
              "libexttextcat-2.0-0", "libgcrypt20", "libgpg-error0", "libicu72", "liblua5.4-0", "liblz4-1",
              "liblzma5", "libpam0g", "libsodium23", "libstemmer0d", "libsystemd0", "libunwind8", "libwrap0",
              "libzstd1", "zlib1g", *LIBRARIES],
}
# Numbers that no user of the machine has.
PASSWD = """root:x:0:0::/:/bin/sh
postfix:x:64321:64321::/:/bin/false
Debian-exim:x:64322:64322::/:/bin/false
dovecot:x:64324:64324::/:/bin/false
dovenull:x:64325:64325::/:/bin/false
nobody:x:65534:65534::/:/bin/false
"""
GROUP = """root:x:0:
mail:x:8:
postfix:x:64321:
Debian-exim:x:64322:
postdrop:x:64323:
dovecot:x:64324:
dovenull:x:64325:
nogroup:x:65534:
"""
POSTFIX_UID, EXIM_UID, POSTDROP_GID, DOVECOT_UID = 64321, 64322, 64323, 64324
# All of master.cf but the listeners.
POSTFIX_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Unavailable(Exception):
    """Why a receiver cannot run on this machine."""


def cache_directory():
    if "HIKYAKU_TEST_CACHE" in os.environ:
        return pathlib.Path(os.environ["HIKYAKU_TEST_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "hikyaku-tests"


def prepare_root(name):
    """The unpacked root of one of PACKAGES, made if it is not there yet."""
    if os.geteuid() != 0:
        raise Unavailable("chroot needs root")
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    root = cache / name
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one run, and other runs
        if not root.exists():
            scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache))
            try:
                _fill_root(scratch, PACKAGES[name])
                scratch.rename(root)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return root


def _fill_root(root, packages):
    os.chmod(root, 0o755)
    debs = root / "debs"
    debs.mkdir()
    got = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages],
                         cwd=debs, capture_output=True, text=True)
    if got.returncode != 0:
        raise Unavailable(f"apt-get download: {got.stderr.strip().splitlines()[-1:]}")
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    shutil.rmtree(debs)
    for directory in ("etc", "dev", "tmp", "inst", "var/spool"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    os.chmod(root / "tmp", 0o1777)
    for name, text in {"passwd": PASSWD, "group": GROUP, "resolv.conf": "",
                       "hosts": "127.0.0.1 localhost\n", "services": "smtp 25/tcp\n",
                       "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n"}.items():
        (root / "etc" / name).write_text(text)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod(root / "dev" / name, 0o020666, os.makedev(1, minor))
        os.chmod(root / "dev" / name, 0o666)
    try:
        (root / "dev/null").write_text("x")
    except OSError as e:
        raise Unavailable(f"devices do not work under {root}: {e}") from e


class Receiver:
    """One running MTA that stores what it gets. `messages()` are the stored
    files, oldest first, with CRLF line ends."""

    def __init__(self, root, address, port):
        self.root, self.address, self.port = root, address, port
        (root / "inst").mkdir(exist_ok=True)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="r", dir=root / "inst"))
        os.chmod(self.home, 0o755)
        self.inside = pathlib.Path("/") / self.home.relative_to(root)
        self.process = None

    def directory(self, name, uid=0, gid=0, mode=0o755):
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        return path

    def start(self, *words):
        with open(self.home / "out", "wb") as out:
            self.process = subprocess.Popen([*net.DIE_WITH_PARENT, "chroot", str(self.root), *words], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env={"PATH": "/usr/sbin:/usr/bin"})
        net.wait_for_port(self.address, self.port, f"{type(self).__name__} ({self.home})", self.process)

    def messages(self):
        files = sorted((self.home / "mail").glob("**/new/*"), key=lambda p: p.stat().st_mtime_ns)
        return [p.read_bytes().replace(b"\n", b"\r\n") for p in files]

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


class Postfix(Receiver):
    """Takes everything for `domain`, stores it by virtual(8) in one maildir."""

    def __init__(self, address, port, domain, certificates):
        super().__init__(prepare_root("postfix"), address, port)
        etc = self.directory("etc")
        self.directory("data", POSTFIX_UID, POSTFIX_UID, 0o700)
        self.directory("mail", POSTFIX_UID, POSTFIX_UID)
        self._make_spool()
        shutil.copy(certificates.cert, etc / "server.pem")
        shutil.copy(certificates.key, etc / "server.key")
        (etc / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.inside}/spool
data_directory = {self.inside}/data
maillog_file = {self.inside}/log
maillog_file_prefixes = /inst
myhostname = mx.{domain}
mydestination =
mynetworks =
inet_protocols = ipv4
alias_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {self.inside}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{POSTFIX_UID}
virtual_gid_maps = static:{POSTFIX_UID}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.inside}/etc/server.pem
smtpd_tls_key_file = {self.inside}/etc/server.key
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_peername_lookup = no
""")
        (etc / "master.cf").write_text(f"{address}:{port} inet n - n - - smtpd\n{POSTFIX_SERVICES}")
        self.start("/usr/lib/postfix/sbin/master", "-d", "-c", f"{self.inside}/etc")

    def _make_spool(self):
        self.directory("spool")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "private", "saved", "trace"):
            self.directory(f"spool/{name}", POSTFIX_UID, 0, 0o700)
        self.directory("spool/pid")
        self.directory("spool/maildrop", POSTFIX_UID, POSTDROP_GID, 0o730)
        self.directory("spool/public", POSTFIX_UID, POSTDROP_GID, 0o710)


class Exim(Receiver):
    """Takes everything for `domain`, stores it by appendfile in one maildir."""

    def __init__(self, address, port, domain, certificates):
        super().__init__(prepare_root("exim"), address, port)
        for name in ("spool", "log", "mail"):
            self.directory(name, EXIM_UID, EXIM_UID)
        shutil.copy(certificates.cert, self.home / "server.pem")
        shutil.copy(certificates.key, self.home / "server.key")
        os.chown(self.home / "server.key", EXIM_UID, EXIM_UID)
        (self.home / "exim.conf").write_text(f"""\
primary_hostname = mx.{domain}
local_interfaces = {address}
daemon_smtp_ports = {port}
spool_directory = {self.inside}/spool
log_file_path = {self.inside}/log/%slog
pid_file_path = {self.inside}/pid
tls_advertise_hosts = *
tls_certificate = {self.inside}/server.pem
tls_privatekey = {self.inside}/server.key
log_selector = +tls_sni
deliver_drop_privilege = true
rfc1413_query_timeout = 0s
host_lookup =
keep_environment =
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  accept domains = {domain}
  deny
begin routers
everything:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {self.inside}/mail
  maildir_format
  user = Debian-exim
""")
        self.start("/usr/sbin/exim4", "-C", f"{self.inside}/exim.conf", "-bdf")
