"""What all senders have in common: the figures of a run, and waiting for its end."""
import time

from .lab import Failed

STALLED_S = 60


def result(counters, start_ns, expected, cpu_s, peak_kib):
    """One run's figures. Its time ends with the last message at the receiver."""
    seconds = (counters["last_message_ns"] - start_ns) / 1e9
    return {"messages": expected, "seconds": seconds, "rate": expected / seconds,
            "first_s": (counters["first_message_ns"] - start_ns) / 1e9,
            "cpu_per_1000": cpu_s * 1000 / expected, "peak_mib": peak_kib / 1024,
            "connections": counters["connections"], "peak_connections": counters["peak"],
            "tls_sessions": counters["tls_sessions"],
            "tls_resumed": counters["tls_resumed"], "repeated": counters["repeated"]}


def wait_for_messages(receiver, expected, process, what):
    """Until the receiver has that many; its counters then."""
    seen, moved = -1, time.monotonic()
    while True:
        counters = receiver.counters()
        if counters["distinct"] >= expected:
            return counters
        if counters["distinct"] != seen:
            seen, moved = counters["distinct"], time.monotonic()
        if time.monotonic() - moved > STALLED_S or process.poll() is not None:
            raise Failed(f"{what} stopped after {seen} of {expected} messages")
        time.sleep(0.01)
