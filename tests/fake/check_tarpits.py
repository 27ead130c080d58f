#!/usr/bin/python3
"""What 200 tarpits cost a healthy destination: `make check-tarpits` (TARPITS="--rounds 5").

In each round, one after another: the healthy destination alone, beside 200 tarpits with room for all of them,
and with fewer sessions than tarpits. Its messages are queued and held; the tarpits get 25 messages each, and as
many sessions as there are for them; then the messages are released, and the time ends when the last one has
arrived. The programs are those of tests/bench.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(TESTS / "bench"), str(TESTS / "e2e")]

from bench.hikyaku import Hikyaku  # noqa: E402
from bench.lab import TARPITS, Failed, Lab, end  # noqa: E402
from bench.sender import wait_for_messages  # noqa: E402
from peers import net  # noqa: E402

TO_A_TARPIT = 25
SETTINGS = (  # what it is called, tarpits, max_sessions
    ("alone", 0, 500),
    ("200 tarpits, 500 sessions", TARPITS, 500),
    ("200 tarpits, 100 sessions", TARPITS, 100),
)


def call(mta, *words):
    subprocess.run(mta.words(*words), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(lab, messages, tarpits, sessions):
    """Messages a second."""
    mta = Hikyaku(lab, sessions)
    total = messages + 1
    with lab.receiver(tarpits=True, numbers=total + tarpits * TO_A_TARPIT) as receiver:
        mta.fill([b"u@d0.test"] * messages)
        call(mta, "queue", "hold", "--all")
        process, watch, _ = mta.start()
        # A first message: the destination is known to take mail, as one that is in use is. Its number is the next.
        mta.fill([b"u@d0.test"])
        net.wait_for(lambda: receiver.counters()["messages"] == 1, "the first message")
        if tarpits:
            mta.fill([b"u@t%d.test" % i for i in range(tarpits)] * TO_A_TARPIT)
            part = min(tarpits, sessions * 3 // 4)
            net.wait_for(lambda: receiver.counters()["tarpitted"] >= part, "the tarpits to have their sessions")
        start_ns = time.monotonic_ns()
        call(mta, "queue", "release", "--domain", "d0.test")
        counters = wait_for_messages(receiver, messages, process, f"hikyaku ({mta.home})")
        net.wait_for(lambda: receiver.counters()["messages"] >= total, "all messages")
        counters = receiver.counters()
        watch.stop()
        process.kill()
        end(process)
        lab.processes.remove(process)
    mta.close()
    return messages * 1e9 / (counters["last_message_ns"] - start_ns), counters["tarpitted"]


def table(rates, held):
    usual = statistics.median(rates["alone"])
    print(f"{'':28} {'messages/s':>10} {'of alone':>9} {'tarpits':>8}   each round")
    for name, _, _ in SETTINGS:
        median = statistics.median(rates[name])
        print(f"{name:28} {median:10.0f} {median / usual:9.2f} {held[name]:8}   "
              + " ".join(f"{rate:.0f}" for rate in rates[name]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--messages", type=int, default=20000, help="to the healthy destination, each time")
    p.add_argument("--build", default=os.environ.get("HIKYAKU_BUILD", TESTS.parent / "build"))
    p.add_argument("--directory", default="/var/tmp", help="where queues are kept; a real disk")
    options = p.parse_args()
    lab = Lab(options.build, options.directory, standard_ports=False)
    rates, held = {name: [] for name, _, _ in SETTINGS}, {name: 0 for name, _, _ in SETTINGS}
    try:
        for _ in range(options.rounds):
            for name, tarpits, sessions in SETTINGS:
                rate, open_tarpits = measure(lab, options.messages, tarpits, sessions)
                rates[name].append(rate)
                held[name] = max(held[name], open_tarpits)
        table(rates, held)
    finally:
        lab.close()


if __name__ == "__main__":
    try:
        main()
    except (Failed, AssertionError) as e:
        sys.exit(f"check-tarpits: {e}")
