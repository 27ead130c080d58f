"""What hosts cost that never end: memory, the processor, octets that are read. In the long form: every behaviour, alone."""
import os

import pytest

from fake import smtp_table
from fake.smtp_lab import AMPLE_S, IS_LONG, SHORT_S, Meter, configure, send_all, start_peers
from peers import net

ROWS = smtp_table.behaviours()
FLOODS = ("endless", "say and flood", "handshake message", "record over", "certificate: 1")
ENDLESS = [row for row in ROWS if row.does.startswith(FLOODS) and row.phase != "body"]
HEALTHY = smtp_table.Row("banner", "before TLS", "say 220 hello", "-", "-", "-", "delivered", "itself", "sent")
LARGE = smtp_table.Row("body", "TLS 1.3", "octet by octet", "-", "-", "-", "delivered", "itself", "sent")
# The sanitizers' allocator takes more, and gives back later.
IS_PLAIN = "asan" not in os.environ.get("HIKYAKU", "")
EACH_KIB = 256 if IS_PLAIN else 1024
ALONE_KIB = 1024 if IS_PLAIN else 4096
EACH_S = 0.05 if IS_PLAIN else 0.5
TAKEN_MAX = 2 << 20  # octets


def start_worker(world, rows, limits_s=AMPLE_S):
    peers = start_peers(world, rows)
    configure(world, limits_s)
    worker = world.daemon(env={"ASAN_OPTIONS": world.env["ASAN_OPTIONS"] + ":quarantine_size_mb=1"})
    return peers, Meter(worker.pid)


def round_of(world, meter, peers, numbers):
    """One attempt at each, to the end of its session; what it cost."""
    before = {n: len(peers[n].sessions) for n in numbers}
    meter.start()
    send_all(world, [peer.row for peer in peers], numbers)
    net.wait_for(lambda: all(len(peers[n].sessions) > before[n] and peers[n].sessions[-1].ended for n in numbers),
                 f"the end of the sessions: {[peers[n].row.name for n in numbers][:3]}")
    return meter.read()


def test_fifty_that_never_end_cost_a_fixed_amount_each(world, capsys):
    """Beside as many that are healthy, at the same time."""
    count = len(ENDLESS)
    rows = [HEALTHY] * count + ENDLESS
    peers, meter = start_worker(world, rows)
    round_of(world, meter, peers, range(count))  # what is made once is made
    healthy_kib, _ = round_of(world, meter, peers, range(count))
    hostile_kib, hostile_s = round_of(world, meter, peers, [0, *range(count, 2 * count)])
    if IS_LONG:
        with capsys.disabled():
            print(f"\n{count} floods at once: {hostile_kib} KiB ({healthy_kib} for as many healthy hosts), "
                  f"{hostile_s:.2f} s of the processor")
    assert sum(session.messages for session in peers[0].sessions) == 3, "the healthy one is served meanwhile"
    assert all(peer.met for peer in peers)
    assert hostile_kib < healthy_kib + count * EACH_KIB
    assert hostile_s < count * EACH_S
    assert max(session.sent for peer in peers for session in peer.sessions) < TAKEN_MAX


def those_that_wait_cost_a_fixed_amount_each(world, capsys):
    rows = [row for row in ROWS if row.ends_by != "itself" and row.phase != "body"]
    peers, meter = start_worker(world, [HEALTHY] * len(rows) + rows, SHORT_S)
    for _ in range(2):
        round_of(world, meter, peers, range(len(rows)))
    kib, processor_s = round_of(world, meter, peers, range(len(rows), 2 * len(rows)))
    with capsys.disabled():
        print(f"\n{len(rows)} that wait, at once: {kib} KiB and {processor_s:.2f} s of the processor")
    assert kib < len(rows) * EACH_KIB and processor_s < len(rows) * EACH_S


@pytest.mark.parametrize("place", smtp_table.PLACES)
def each_behaviour_alone_costs_little(world, capsys, place):
    """Some minutes."""
    rows = [HEALTHY, LARGE] + [row for row in ROWS if row.ends_by == "itself" and row.place == place]
    peers, meter = start_worker(world, rows)
    for _ in range(5):
        round_of(world, meter, peers, [1])  # what is made once is made
        healthy = round_of(world, meter, peers, [0])
    costs = {row.name: (*round_of(world, meter, peers, [number]), max(s.sent for s in peers[number].sessions))
             for number, row in list(enumerate(rows))[2:]}
    with capsys.disabled():
        print(f"\n{place}: a healthy delivery costs {healthy[0]} KiB and {healthy[1]:.2f} s of the processor; most cost")
        for index, what in enumerate(("KiB", "s of the processor", "octets that are taken")):
            name = max(costs, key=lambda n, index=index: costs[n][index])
            print(f"  {costs[name][index]:.6g} {what}: {name}")
    assert not {name: cost for name, cost in costs.items() if cost[0] > healthy[0] + ALONE_KIB}
    assert not {name: cost for name, cost in costs.items() if cost[1] > healthy[1] + 2 * EACH_S}
    assert all(cost[2] < TAKEN_MAX for cost in costs.values())


if IS_LONG:
    test_those_that_wait_cost_a_fixed_amount_each = those_that_wait_cost_a_fixed_amount_each
    test_each_behaviour_alone_costs_little = each_behaviour_alone_costs_little
