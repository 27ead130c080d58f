"""Means to make things fail around one hikyaku, and what it owes its users all the while.

`Patient` is a world with one host, a worker with a door, and a record of what was acknowledged. `Control`
lets the Nth call of a kind fail in a running program, and sets its clock (preload.c). `Disk` is a small file
system of its own. `Watch` measures what a while costs.
"""
import ctypes
import errno
import mmap
import os
import pathlib
import re
import smtplib
import struct
import subprocess
import time

import pytest

from peers import net, submit
from world import HEADER, SENDER, TIMEOUT_S

HERE = pathlib.Path(__file__).resolve().parent
EX_TEMPFAIL = 75
KINDS = ("write", "sync", "size", "open")
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x00020000, 0x4000, 1 << 18
ALWAYS = 1 << 62
DAY_S = 86400
IS_LONG = os.environ.get("HIKYAKU_FAULT") == "long"
LONG = pytest.mark.skipif(not IS_LONG, reason="make check-fault has it")


class Unavailable(Exception):
    """This machine does not let us make such a fault."""


def build(directory, name):
    """A library for LD_PRELOAD, from the source beside this file."""
    library = pathlib.Path(directory) / f"{name}.so"
    if not library.exists():
        subprocess.run([os.environ.get("CC", "cc").split()[-1], "-O2", "-shared", "-fPIC", "-o", library,
                        HERE / f"{name}.c", "-ldl"], check=True)
    return library


class Control:
    """What preload.c does to the programs that are started with `env`, from now on and while they run."""

    WORDS = 1 + 4 * len(KINDS)

    def __init__(self, world, library, prefix):
        path = world.directory / "fault.control"
        path.write_bytes(bytes(8 * self.WORDS))
        with open(path, "r+b") as f:
            self.words = mmap.mmap(f.fileno(), 8 * self.WORDS)
        self.env = {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(path), "FAULT_PATH": str(prefix),
                    "ASAN_OPTIONS": world.env["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}

    def _put(self, index, value):
        self.words[8 * index:8 * index + 8] = struct.pack("<q", value)

    def _get(self, index):
        return struct.unpack("<q", self.words[8 * index:8 * index + 8])[0]

    def set_clock(self, offset_s):
        self._put(0, int(offset_s * 1000))

    def calls(self, kind):
        return self._get(1 + 4 * KINDS.index(kind))

    def fail(self, kind, code, first=None, count=ALWAYS):
        """Calls from the first on (counted from now; default: the next one), so many of them."""
        at = 1 + 4 * KINDS.index(kind)
        first = self._get(at) + (first or 1)
        self._put(at + 3, code)
        self._put(at + 1, first)
        self._put(at + 2, min(first + count - 1, ALWAYS))

    def heal(self):
        for index in range(len(KINDS)):
            self._put(1 + 4 * index + 1, 0)
            self._put(1 + 4 * index + 2, 0)

    def reset(self):
        self.words[:] = bytes(len(self.words))


_has_own_mounts = False


def own_mounts():
    """From now on what this process mounts is seen by it and its children alone, and goes with them."""
    global _has_own_mounts
    if _has_own_mounts:
        return
    if os.geteuid() != 0:
        raise Unavailable("mounting a file system needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise Unavailable(f"no mount namespace of our own: {os.strerror(ctypes.get_errno())}")
    _has_own_mounts = True


class Disk:
    """A small file system: kind "tmpfs", or "ext4", which can break as a disk does."""

    def __init__(self, directory, kind="tmpfs", size_kib=2048):
        own_mounts()
        self.path, self.image = directory / "disk", directory / "disk.image"
        self.path.mkdir()
        self.is_mounted = False
        if kind == "ext4":
            with open(self.image, "wb") as f:
                f.truncate(size_kib * 1024)
            self._run("mkfs.ext4", "-q", "-O", "^has_journal", self.image)
            self.options = ["-o", "loop,errors=remount-ro", self.image]
        else:
            self.options = ["-t", "tmpfs", "-o", f"size={size_kib}k,mode=0755", "none"]
        self.mount()

    def _run(self, *words):
        try:
            done = subprocess.run(words, capture_output=True)
        except FileNotFoundError as e:
            raise Unavailable(f"{words[0]} is not installed") from e
        if done.returncode:
            raise Unavailable(f"{words[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def mount(self):
        self._run("mount", *self.options, self.path)
        self.is_mounted = True

    def fill(self):
        """Until not an octet is left."""
        with open(self.path / "filler", "ab", buffering=0) as f:
            for size in (65536, 4096, 1):
                try:
                    while f.write(bytes(size)):
                        pass
                except OSError as e:
                    assert e.errno == errno.ENOSPC

    def make_room(self):
        (self.path / "filler").unlink()

    def break_down(self):
        """An error that the file system stops at: nothing can be written any more."""
        device = self._run("findmnt", "-n", "-o", "SOURCE", self.path).strip()
        trigger = pathlib.Path("/sys/fs/ext4") / pathlib.Path(device).name / "trigger_fs_error"
        try:
            trigger.write_text("broken by a test")
        except OSError as e:
            raise Unavailable(f"{trigger}: {e.strerror}") from e

    def repair(self):
        self.unmount()
        subprocess.run(["e2fsck", "-p", "-f", self.image], capture_output=True, check=False)
        self.mount()

    def unmount(self):
        if self.is_mounted:
            subprocess.run(["umount", self.path], check=True)
        self.is_mounted = False


class Watch:
    """What a while costs a process: CPU time and lines of the log."""

    def __init__(self, process, log, while_s=1.5):
        before, lines = self._cpu_s(process), self._lines(log)
        end = time.monotonic() + while_s
        net.wait_for(lambda: time.monotonic() > end, "the end of the measurement")
        self.cpu_s = self._cpu_s(process) - before
        self.lines = self._lines(log)[len(lines):]
        self.share = self.cpu_s / while_s

    @staticmethod
    def _cpu_s(process):
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _lines(log):
        return log.read_text().splitlines() if log.exists() else []


class Patient:
    """One host, one worker with a door (SMTP and LMTP), and what was acknowledged."""

    def __init__(self, world, queue=None, behaviour=None, **options):
        self.world = world
        self.log = world.directory / "log"
        self.host = world.one_host(behaviour)
        self.port = net.Block().port
        self.door = ("127.0.0.1", self.port)
        self.queue_path = pathlib.Path(queue or world.directory / "queue.db")
        world.configure(listen=[f"smtp:{self.door[0]}:{self.port}"], queue=str(self.queue_path), **options)
        self.acknowledged = {}  # tag -> id
        self.process = None

    def start(self, env=None):
        self.process = self.world.daemon(env)
        net.wait_for(self._is_open, "the door to be open")
        return self.process

    def _is_open(self):
        assert self.process.poll() is None, self.world.daemon_output()
        try:
            submit.Client(self.door).close()
        except OSError:
            return False
        return True

    def message(self, tag, size=0):
        line = b"x" * 76 + b"\n"
        return HEADER + b"\ntag %s.\n" % tag.encode() + line * (size // len(line))

    def hand_over(self, tag, to="b@example.test", size=0, options=()):
        """Through the door; the reply to the message, or to what was refused before it."""
        client = smtplib.SMTP(*self.door, timeout=TIMEOUT_S)
        try:
            client.ehlo("me.test")
            for reply in (client.mail(SENDER, options), client.rcpt(to)):
                if reply[0] >= 400:
                    return reply[0], reply[1].decode()
            try:
                code, text = client.data(self.message(tag, size).replace(b"\n", b"\r\n"))
            except smtplib.SMTPDataError as e:
                code, text = e.smtp_code, e.smtp_error
            if code == 250:
                self.acknowledged[tag] = re.search(rb"[0-9A-F]{16}", text).group().decode()
            return code, text.decode()
        finally:
            client.close()

    def send(self, tag, to="b@example.test", env=None, size=0):
        """By the command; the finished process."""
        done = self.world.run("send", "-f", SENDER, to, stdin=self.message(tag, size), check=False, env=env)
        if done.returncode == 0:
            self.acknowledged[tag] = done.stdout.decode().strip()
        return done

    def sendmail(self, tag, to="b@example.test", env=None, size=0):
        """By hikyaku-sendmail; the finished process."""
        return subprocess.run([self.world.binary.parent / "hikyaku-sendmail", "-C", self.world.conf, "-f", SENDER, to],
                              input=self.message(tag, size), capture_output=True, timeout=TIMEOUT_S,
                              env={**self.world.env, **(env or {})}, cwd=self.world.directory)

    def lines(self, word=""):
        return [line for line in Watch._lines(self.log) if word in line]

    def is_alive(self):
        return self.process.poll() is None

    def arrivals(self, tag):
        return sum(b"tag %s." % tag.encode() in m.data for m in self.host.messages)

    def check_arrived(self):
        """At least once what was acknowledged, and more often only what is told as in doubt."""
        for tag, message_id in self.acknowledged.items():
            count = self.arrivals(tag)
            doubts = self.world.outcomes(message_id).count("in_doubt")
            assert 1 <= count <= 1 + doubts, (tag, count, self.world.log(message_id))

    def wait_all_gone(self):
        self.world.wait_gone(*self.acknowledged.values())
        self.check_arrived()

    def limit(self, what, soft):
        """A limit of the running worker; the one before."""
        shown = subprocess.run(["prlimit", "--pid", str(self.process.pid), f"--{what}", "-o", "SOFT", "--noheadings"],
                               capture_output=True, check=True).stdout.decode().strip()
        subprocess.run(["prlimit", "--pid", str(self.process.pid), f"--{what}={soft}:"], check=True)
        return shown

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def is_quiet(patient, while_s=0.8, max_lines=1):
    """Neither spins nor fills the log, and is there."""
    watch = Watch(patient.process, patient.log, while_s)
    assert patient.is_alive() and watch.share < 0.2 and len(watch.lines) <= max_lines, (watch.share, watch.lines)


def is_told_once(patient, *words):
    for text in words:
        assert len(patient.lines(text)) == 1, (text, patient.lines())


def refuses_all(patient, code, env=None):
    """Every door says that it cannot, and that it may pass."""
    said = patient.hand_over("refused-by-the-door")
    assert said[0] == code, said
    for done in (patient.send("refused-by-send", env=env), patient.sendmail("refused-by-sendmail", env=env)):
        assert done.returncode == EX_TEMPFAIL and str(patient.queue_path).encode() in done.stderr, done
        assert not done.stdout


def has_sanitizer(binary):
    return b"libasan" in subprocess.run(["ldd", binary], capture_output=True, check=False).stdout
