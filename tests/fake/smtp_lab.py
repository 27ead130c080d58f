"""What the tests of hostile hosts share: hosts for rows of the tables in a world, limits of time, what a process costs."""
import os

from fake.smtp_certs import BadCertificates
from fake.smtp_peer import Lab, Peer
from peers import net
from world import HEADER, MESSAGE

IS_LONG = os.environ.get("HIKYAKU_HOSTILE") == "long"
SHORT_S = {"reply_timeout": 3, "data_timeout": 3.5, "handshake_timeout": 2.5, "session_timeout": 6}
LONG_S = {"reply_timeout": 30, "data_timeout": 35, "handshake_timeout": 25, "session_timeout": 60}
# For those that need none.
AMPLE_S = {"reply_timeout": 30, "data_timeout": 30, "handshake_timeout": 30, "session_timeout": 40}
PAUSE_S, CRAWL_S = (5, 17) if IS_LONG else (0.3, 1.7)
# More than the sockets between two hosts hold: whoever does something in the middle of it does so in time.
LARGE = HEADER + b"\n" + (b"x" * 72 + b"\n") * (6 << 20 >> 6)


def domain_of(number):
    return f"b{number}.test"


def start_peers(world, rows, pause_s=0.3):
    """A host for each row, the only one of its domain."""
    lab = Lab(world.certificates, BadCertificates(world.directory), world.directory, pause_s, CRAWL_S,
              patience_s=2 * LONG_S["session_timeout"])
    peers = []
    for number, row in enumerate(rows):
        peer = Peer(world.block.address(), world.port, f"mx.{domain_of(number)}", row, lab)
        world.closers.append(peer)
        world.zone.address(peer.name, peer.address)
        world.domain(domain_of(number), peer)
        peers.append(peer)
    world.one_host(domain="sender.test")
    return peers


def configure(world, limits_s, **options):
    world.configure(max_sessions=1000, max_message_size=32 << 20, **options,
                    **{name: f"{int(limit * 1000)}ms" for name, limit in limits_s.items()})


def send_all(world, rows, numbers=None):
    """One message to all (or to those), and a large one for those who do something in the middle of it; the ids."""
    numbers = range(len(rows)) if numbers is None else numbers
    ids = []
    for is_large, message in ((False, MESSAGE), (True, LARGE)):
        to = [f"b@{domain_of(n)}" for n in numbers if (rows[n].phase == "body") == is_large]
        if to:
            ids.append(world.send(*to, message=message))
    return ids


class Meter:
    """What a process takes from start() on."""

    def __init__(self, pid):
        self.pid = pid

    def start(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")  # the peak begins anew, at what is resident now
        self.before_kib, self.before_s = net.peak_kib(self.pid), self._processor_s()

    def read(self):
        """KiB at the peak over what there was, seconds of the processor."""
        return net.peak_kib(self.pid) - self.before_kib, self._processor_s() - self.before_s

    def _processor_s(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
