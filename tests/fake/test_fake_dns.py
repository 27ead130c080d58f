"""Name servers that misbehave, as dns.table says: all of them in one world, at the same time.

One message goes to a recipient at each of their domains; one run of the worker makes all attempts.
"""
import dataclasses
import os
import pathlib
import socket
import subprocess

import pytest

import dns_deeds
import dns_server
from peers import net
from peers.smtpd import Behaviour, SmtpServer
from world import World

HERE = pathlib.Path(__file__).resolve().parent
ASKED = {"MX": ("MX",), "A": ("A",), "AAAA": ("AAAA",), "A, AAAA": ("A", "AAAA"), "no A, AAAA": ("AAAA",)}
FATES = ("kept", "kept 4.4.3", "kept connect", "delivered", "delivered to A", "bounced 5.1.2", "bounced 5.1.10", "bounced 5.4.4",
         "bounced 5.4.6")
IS_LONG = os.environ.get("HIKYAKU_HOSTILE") == "long"
TIMEOUT_S = 5 if IS_LONG else 2
# As by default, but for a loopback network that the world's hosts are not in.
PROHIBITED = ["0.0.0.0/8", "127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/4", "::/128", "::1/128", "fe80::/10", "ff00::/8"]
# How long it takes, from the first attempt that has ended; generous, for 150 of them are under way.
LIMITS = {"itself": (0, 1.8 * TIMEOUT_S), "one time-out": (0.8 * TIMEOUT_S, 2 * TIMEOUT_S + 5),
          "time-out": (1.8 * TIMEOUT_S, 2 * TIMEOUT_S + 5)}
MEMORY_KIB = 32 * 1024  # more than a worker needs for as many healthy destinations


@dataclasses.dataclass(frozen=True)
class Row:
    number: int
    asked: str
    deed: str
    fate: str
    hosts: int
    ends_by: str
    says: str

    @property
    def domain(self):
        return f"b{self.number}.test"

    @property
    def questions(self):
        name = self.domain if self.asked == "MX" else "mx." + self.domain
        return [(name, kind) for kind in ASKED[self.asked]]


def read_table():
    rows, asked = [], None
    for number, line in enumerate((HERE / "dns.table").read_text(encoding="ascii").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("=="):
            asked = line.strip("= ")
            continue
        cells = [cell.strip() for cell in line.split(" | ")]
        assert len(cells) == 5, f"dns.table:{number}: {len(cells)} columns"
        deed, fate, hosts, ends_by, says = cells
        assert asked in ASKED and fate in FATES and ends_by in LIMITS and deed in dns_deeds.DEEDS, f"dns.table:{number}"
        rows.append(Row(len(rows), asked, deed, fate, int(hosts), ends_by, says))
    assert len({(r.asked, r.deed) for r in rows}) == len(rows), "a behaviour is there twice"
    return rows


ROWS = read_table()


class Play:
    """What came of all of them."""

    def __init__(self, world):
        self.world = world
        address, dead = world.block.address, world.block.address()
        self.hosts = {name: SmtpServer(address(), world.port, name, Behaviour(), world.certificates)
                      for name in ("good", "trap", "sender")}
        # Nobody must come here, whatever an answer says.
        self.forbidden = [SmtpServer(a, world.port, a, Behaviour(), world.certificates)
                          for a in ("127.0.0.1", "::1") if ":" not in a or net.has_ipv6()]
        world.servers.update({s.address: s for s in (*self.hosts.values(), *self.forbidden)})
        self.addresses = {name: socket.inet_aton(s.address) for name, s in self.hosts.items()} | {"dead": socket.inet_aton(dead)}
        self.server = dns_server.HostileDns(f"{world.block.prefix}.1", world.port, self.zone)
        self.server.dead = net.Block().prefix
        world.name_server = self.server
        for row in ROWS:
            for question in row.questions:
                self.server.deeds[question] = dns_deeds.DEEDS[row.deed]
            if row.asked == "no A, AAAA":
                self.server.deeds["mx." + row.domain, "A"] = dns_deeds.DEEDS["no data"]
        world.configure(prohibited_addresses=PROHIBITED, dns_timeout=f"{TIMEOUT_S}s", max_sessions=1000)

    def zone(self, name, kind):
        first = name.split(".")[0].rstrip("0123456789")
        if kind == "MX":
            return [dns_server.mx("mx." + name)]
        if first == "gone" or name == "127.0.0.1":
            return None
        if kind == "AAAA" or first == "bare":
            return []
        kind_of_host = {"b": "trap", "dead": "dead", "dx": "dead"}.get(first, "good")
        return [self.addresses["sender" if name.endswith("sender.test") else kind_of_host]]

    def once(self):
        """A run of the worker; the most memory that it was resident with."""
        self.world.prepare()
        # What the address sanitizer keeps of freed memory is not the program's.
        env = self.world.env | {"ASAN_OPTIONS": self.world.env["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}
        process = subprocess.Popen([self.world.binary, "-c", self.world.conf, "run", "--once"], env=env,
                                   cwd=self.world.directory, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss

    def run(self):
        healthy = [f"b@healthy{i}.test" for i in range(len(ROWS))]
        self.world.send(*healthy)
        self.usual_kib = self.once()
        message_id = self.world.send(*(f"b@{row.domain}" for row in ROWS))
        self.most_kib = self.once()
        self.records = {}
        for entry in self.world.log(message_id):
            self.records.setdefault(entry["domain"], []).append(entry)
        self.begun_ms = min(entry["delays"]["total_ms"] for entry in self.world.log(message_id))
        self.lines = (self.world.directory / "log").read_text().splitlines()
        self.once()  # the notices
        return self

    def seconds(self, entry):
        return (entry["delays"]["total_ms"] - self.begun_ms) / 1000

    def taken_by(self, row):
        return [name for name, server in self.hosts.items() for s in server.sessions for m in s.messages
                if f"b@{row.domain}" in m.recipients]


@pytest.fixture(scope="module")
def play(tmp_path_factory, binary, certificates):
    directory = tmp_path_factory.mktemp("dns")
    world = World(directory, binary, certificates)
    try:
        yield Play(world).run()
    finally:
        world.close()
    assert not world.sanitizer_reports(), world.sanitizer_reports()[:8000]


pytestmark = pytest.mark.xdist_group("dns")  # one world for all, so one worker


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.asked}: {row.deed}")
def test_a_hostile_answer(play, row):
    asked = [(name, kind) for name, kind, _ in play.server.asked]
    assert all(question in asked for question in row.questions), "the program did not ask"
    records = play.records[row.domain]
    last, (recipient,) = records[-1], records[-1]["recipients"]
    fate, _, more = row.fate.partition(" ")

    # class, fate, status, channel
    assert last["outcome"] == {"kept": "deferred"}.get(fate, fate), last["detail"]
    assert recipient["outcome"] == last["outcome"]
    if fate != "delivered":
        assert last["failure"] == ("connect" if more == "connect" else "dns")
        assert last["reply"] is None and play.taken_by(row) == []
    if fate == "kept":
        assert last["next_channel"] == "tls" and last["next_attempt"]
    elif fate == "delivered":
        assert play.taken_by(row) == ["trap" if more else "good"], "it is the right host"
    if more[:1].isdigit():
        assert recipient["enhanced"] == more

    # what it cost
    assert len(records) == row.hosts, [r["mx"] for r in records]
    least, most = LIMITS[row.ends_by]
    assert least <= play.seconds(last) < most

    # what is said
    if row.says != "-":
        assert row.says in last["detail"]
        assert any(row.domain in line and row.says in line for line in play.lines)
    text = "".join(line for line in play.lines if row.domain in line)
    assert text.isprintable(), "no control characters in the log"


def test_the_worst_answers_at_once_take_little_memory(play):
    assert play.most_kib - play.usual_kib < MEMORY_KIB


def test_no_answer_leads_to_a_prohibited_address(play):
    assert all(server.sessions == [] for server in play.forbidden)


def test_each_bounce_is_told_once_and_nothing_else_is(play):
    bounced = sorted(f"b@{row.domain}" for row in ROWS if row.fate.startswith("bounced"))
    notices = [m.data.decode() for s in play.hosts["sender"].sessions for m in s.messages]
    told = sorted(line.split(";")[1].strip() for n in notices for line in n.splitlines()
                  if line.startswith("Final-Recipient:"))
    assert told == bounced
