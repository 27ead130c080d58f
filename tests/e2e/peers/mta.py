"""Postfix, Exim and OpenSMTPD from Debian's packages, each in a root of its own; and mailx,
which wants a mail server beside it.

The packages conflict, so neither is ever installed: they are fetched with `apt-get
download`, unpacked with the libraries they need into a directory, and run
chroot()ed in it. Every receiver is an instance under ROOT/inst with its own
configuration, spool and mailbox. The roots are kept between runs.

An instance sends as well, for clients on loopback addresses, when it is given `lines`: a
function of the instance, called before it starts, whose result is added to its
configuration, by the name of the file or section. See test_behind.py.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import net

LIBRARIES = """libc6 libgcc-s1 libstdc++6 libcrypt1 libdb5.3 libnsl2 libtirpc3 libssl3 libgssapi-krb5-2
    libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 dash""".split()
PACKAGES = {
    "postfix": ["postfix", "libsasl2-2", "libicu72", *LIBRARIES],
    "exim": ["exim4-daemon-light", "exim4-base", "libgnutls30", "libgnutls-dane0", "libidn12",
             "libidn2-0", "libpcre2-8-0", "libunbound8", "libgmp10", "libhogweed6", "libnettle8",
             "libp11-kit0", "libtasn1-6", "libunistring2", "libevent-2.1-7", "libffi8", *LIBRARIES],
    "opensmtpd": ["opensmtpd", "libpam0g", "libaudit1", "libcap-ng0", "zlib1g", "libevent-2.1-7",
                  "libevent-core-2.1-7", *LIBRARIES],
    "mailx": ["bsd-mailx", "liblockfile1", "libbsd0", "libmd0"],
    # Postfix with Cyrus SASL's mechanisms, and Dovecot: see submission.py.
    "relay": ["postfix", "libsasl2-2", "libsasl2-modules", "libsasl2-modules-db", "sasl2-bin", "dovecot-core",
              "dovecot-lmtpd", "libapparmor1", "libaudit1", "libbz2-1.0", "libcap-ng0", "libcap2",
              "libexttextcat-2.0-0", "libgcrypt20", "libgpg-error0", "libicu72", "liblua5.4-0", "liblz4-1",
              "liblzma5", "libpam0g", "libsodium23", "libstemmer0d", "libsystemd0", "libunwind8", "libwrap0",
              "libzstd1", "zlib1g", *LIBRARIES],
}
DIRECTORIES = "etc", "dev", "proc", "tmp", "inst", "var/lib/exim4", "var/spool/smtpd", "var/run"
# Numbers that no user of the machine has.
PASSWD = """root:x:0:0::/:/bin/sh
postfix:x:64321:64321::/:/bin/false
Debian-exim:x:64322:64322::/:/bin/false
dovecot:x:64324:64324::/:/bin/false
dovenull:x:64325:64325::/:/bin/false
opensmtpd:x:64326:64326::/var/lib/opensmtpd/empty:/bin/false
opensmtpq:x:64327:64327::/var/lib/opensmtpd/empty:/bin/false
hikyaku:x:64328:64328::/:/bin/false
nobody:x:65534:65534::/:/bin/false
"""
GROUP = """root:x:0:
mail:x:8:
postfix:x:64321:
Debian-exim:x:64322:
postdrop:x:64323:
dovecot:x:64324:
dovenull:x:64325:
opensmtpd:x:64326:
opensmtpq:x:64327:
hikyaku:x:64328:
nogroup:x:65534:
"""
POSTFIX_UID, EXIM_UID, POSTDROP_GID, DOVECOT_UID = 64321, 64322, 64323, 64324
OPENSMTPQ_GID, HIKYAKU_UID = 64327, 64328
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
scache unix - - n - 1 scache
showq unix n - n - - showq
lmtp unix - - n - - lmtp
"""
# A mount namespace of its own, in which directories ("SOURCE TARGET ..." up to "--") are
# bound into the root before it is entered.
BIND = """root=$1; shift
while [ "$1" != -- ]; do mount --rbind "$1" "$2" || exit 125; shift 2; done; shift
exec chroot "$root" "$@" """


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
    # What is in it is in its name: one that was made for other tests is not taken for it.
    content = " ".join([*PACKAGES[name], *DIRECTORIES, PASSWD, GROUP])
    root = cache / f"{name}.{hashlib.sha256(content.encode()).hexdigest()[:8]}"
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
    for directory in DIRECTORIES:
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
        self.binds = {}    # directories of the machine -> of the root
        self.process = None

    def directory(self, name, uid=0, gid=0, mode=0o755):
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        return path

    def bind(self, source, target):
        self.binds[str(source)] = str(self.root / target.lstrip("/"))

    def start(self, *words):
        into = ["chroot", str(self.root)]
        if self.binds:
            if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
                raise Unavailable("no mount namespaces")
            into = ["unshare", "--mount", "sh", "-c", BIND, "sh", str(self.root),
                    *(word for bind in self.binds.items() for word in bind), "--"]
        with open(self.home / "out", "wb") as out:
            self.process = subprocess.Popen([*net.DIE_WITH_PARENT, *into, *words], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        net.wait_for_port(self.address, self.port, f"{type(self).__name__} ({self.home})", self.process)

    def tool(self, *words):
        """What a program of the package prints, run where the server runs."""
        done = subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", "-r", "-w", *words], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def install(self, portable):
        """Puts a program with its libraries (portable.py) where the server can run it;
        the words that run it there. It needs /proc."""
        self.directory("program")
        self.bind(portable.directory, f"{self.inside}/program")
        self.bind("/proc", "/proc")
        return portable.words(f"{self.inside}/program")

    def queued(self):
        """How many messages its own queue has, as its own program tells."""
        raise NotImplementedError

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

    def __init__(self, address, port, domain, certificates, lines=None):
        super().__init__(prepare_root("postfix"), address, port)
        etc = self.directory("etc")
        self.directory("data", POSTFIX_UID, POSTFIX_UID, 0o700)
        self.directory("mail", POSTFIX_UID, POSTFIX_UID)
        self._make_spool()
        shutil.copy(certificates.cert, etc / "server.pem")
        shutil.copy(certificates.key, etc / "server.key")
        more = lines(self) if lines else {}
        (etc / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.inside}/spool
data_directory = {self.inside}/data
maillog_file = {self.inside}/log
maillog_file_prefixes = /inst
myhostname = mx.{domain}
mydestination =
mynetworks = {"127.0.0.0/8" if lines else ""}
inet_protocols = ipv4
alias_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {self.inside}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{POSTFIX_UID}
virtual_gid_maps = static:{POSTFIX_UID}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.inside}/etc/server.pem
smtpd_tls_key_file = {self.inside}/etc/server.key
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_peername_lookup = no
""" + more.get("main.cf", ""))
        services = POSTFIX_SERVICES + more.get("master.cf", "")
        (etc / "master.cf").write_text(f"{address}:{port} inet n - n - - smtpd\n{services}")
        self.start("/usr/lib/postfix/sbin/master", "-d", "-c", f"{self.inside}/etc")

    def queued(self):
        return len(self.tool("/usr/sbin/postqueue", "-c", f"{self.inside}/etc", "-j").splitlines())

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

    def __init__(self, address, port, domain, certificates, lines=None):
        super().__init__(prepare_root("exim"), address, port)
        for name in ("spool", "log", "mail"):
            self.directory(name, EXIM_UID, EXIM_UID)
        shutil.copy(certificates.cert, self.home / "server.pem")
        shutil.copy(certificates.key, self.home / "server.key")
        os.chown(self.home / "server.key", EXIM_UID, EXIM_UID)
        more = lines(self) if lines else {}
        if lines:    # with -C it is not root any more, which its transports need
            self.bind(self.directory("etc"), "/var/lib/exim4")
        conf = "etc/config.autogenerated" if lines else "exim.conf"
        self.words = ["/usr/sbin/exim4", *([] if lines else ["-C", f"{self.inside}/{conf}"])]
        (self.home / conf).write_text(f"""\
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
deliver_drop_privilege = {"false" if lines else "true"}
rfc1413_query_timeout = 0s
host_lookup =
keep_environment =
acl_smtp_rcpt = check_rcpt
domainlist local_domains = {domain}
begin acl
check_rcpt:
  accept domains = +local_domains
  accept hosts = {"127.0.0.0/8" if lines else ":"}
  deny
begin routers
{more.get("routers", "")}
everything:
  driver = accept
  transport = box
begin transports
{more.get("transports", "")}
box:
  driver = appendfile
  directory = {self.inside}/mail
  maildir_format
  user = Debian-exim
""")
        self.start(*self.words, "-bdf")

    def queued(self):
        return int(self.tool(*self.words, "-bpc"))


class OpenSMTPD(Receiver):
    """Takes everything for `domain`, stores it by mail.maildir(8) in one maildir. The
    places of its spool and its socket are built in."""

    def __init__(self, address, port, domain, certificates, lines=None):
        super().__init__(prepare_root("opensmtpd"), address, port)
        smtpctl = self.root / "usr/sbin/smtpctl"    # as the package's postinst has it
        os.chown(smtpctl, 0, OPENSMTPQ_GID)
        os.chmod(smtpctl, 0o2555)
        self.bind(self.directory("spool", mode=0o711), "/var/spool/smtpd")
        self.bind(self.directory("run"), "/var/run")
        self.directory("mail", HIKYAKU_UID, HIKYAKU_UID)
        shutil.copy(certificates.cert, self.home / "server.pem")
        shutil.copy(certificates.key, self.home / "server.key")
        os.chmod(self.home / "server.key", 0o600)
        more = lines(self) if lines else {}
        (self.home / "smtpd.conf").write_text(f"""\
pki "mx.{domain}" cert "{self.inside}/server.pem"
pki "mx.{domain}" key "{self.inside}/server.key"
table box {{ "@" = "hikyaku" }}
listen on {address} port {port} hostname mx.{domain} tls pki "mx.{domain}"
action "box" maildir "{self.inside}/mail" virtual <box> user hikyaku
match from any for domain "{domain}" action "box"
""" + more.get("smtpd.conf", ""))
        self.start("/usr/sbin/smtpd", "-d", "-f", f"{self.inside}/smtpd.conf")

    def queued(self):
        return len(self.tool("/usr/sbin/smtpctl", "show", "queue").splitlines())
