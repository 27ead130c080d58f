"""The cases. Each is a function that adds its results to the report."""
import json
import subprocess

from .hikyaku import Hikyaku, SESSIONS
from .lab import Failed, TARPITS
from .messages import Spread
from .peers import OpenSMTPD, Postfix

DRAINS = {
    # name: (STARTTLS, destinations, ms before each reply, what it is)
    "a": (False, 1, 0, "plaintext, 1 destination"),
    "b": (True, 1, 0, "STARTTLS, 1 destination"),
    "c": (True, 100, 0, "STARTTLS, 100 destinations"),
    "d": (True, 100, 50, "as c, 50 ms before each reply"),
}
LATENCIES_MS = (10, 20, 100)  # beside those of c and d
SHELLS = 20
CLIENTS = (1, 20, 200)  # of the listener
SILENT_MS = 3600 * 1000
GROWTH_MEASURED = 10000  # the first of the queue, however long it is
TO_A_TARPIT = 5
MOST_SESSIONS = 500
MEMORY_LATENCY_MS = 100


def measure_drain(lab, report, options, case, starttls, domains, latency_ms, title):
    """A full queue, and the time until the receiver has all of it."""
    report.title(case, title, latency_ms=latency_ms)
    for _ in range(options.runs):
        for sender in options.senders:
            with lab.receiver(starttls, latency_ms, numbers=options.messages) as receiver:
                mta = sender(lab)
                try:
                    fill_s = mta.fill(Spread(options.messages, domains))
                    figures = mta.drain(options.messages, receiver)
                finally:
                    mta.close()
            figures["fill_rate"] = options.messages / fill_s
            report.add(case, sender.name, figures)


def drain(lab, report, options, name):
    measure_drain(lab, report, options, name, *DRAINS[name])


def latency(lab, report, options, _name):
    for ms in LATENCIES_MS:
        measure_drain(lab, report, options, f"latency {ms}", True, 100, ms, f"as c, {ms} ms before each reply")


def receiver(lab, report, options, _name):
    """The bare client: what the receiver can take."""
    count = 4 * options.messages
    for starttls, case in ((False, "receiver"), (True, "receiver TLS")):
        report.title(case, "the bare client: no queue, no disk")
        words = [lab.programs / "loadgen", "-n", count, *(["-s"] if starttls else []), f"{lab.prefix}.1.1:{lab.port}"]
        for _ in range(options.runs):
            with lab.receiver(starttls) as r:
                done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
                if done.returncode != 0 or r.counters()["messages"] != count:
                    raise Failed(f"the bare client and the receiver disagree: {done.stderr.strip()}")
                got = json.loads(done.stdout)
            report.add(case, "bare client", _plain_figures(count, got["seconds"],
                                                           cpu_per_1000=got["cpu_seconds"] * 1000 / count))


def accepting(lab, report, options, name):
    """Durably into the queue: `send --batch` here, 20 SMTP sessions there."""
    report.title(name, "messages into the queue, each durable when acknowledged")
    for _ in range(options.runs):
        for sender in options.senders:
            mta = sender(lab)
            try:
                report.add(name, sender.name, _plain_figures(options.messages, mta.fill(Spread(options.messages, 1))))
            finally:
                mta.close()
        count = max(options.messages // 10, SHELLS) // SHELLS * SHELLS
        mta = Hikyaku(lab)
        report.title("accepting send", f"`send` from {SHELLS} shells at a time, a process a message")
        report.add("accepting send", "hikyaku", _plain_figures(count, mta.send_from_shells(count, SHELLS)))
        mta.close()


def listening(lab, report, options, _name):
    """The listener: SMTP sessions that have a message at a time, each acknowledged when durable."""
    for clients in CLIENTS:
        case = f"listening {clients}"
        report.title(case, f"messages into the queue over {clients} SMTP sessions")
        count = options.messages if clients > 1 else max(options.messages // 10, 1)
        for _ in range(options.runs):
            with lab.receiver(latency_ms=SILENT_MS) as _receiver:
                mta = Hikyaku(lab)
                try:
                    seconds, figures = mta.accept(count, clients)
                finally:
                    mta.close()
            report.add(case, "hikyaku", _plain_figures(count, seconds, **figures))


def growth(lab, report, options, _name):
    """The first messages of queues of several lengths."""
    for length in options.lengths:
        case = f"growth {length}"
        report.title(case, f"{length} queued", queued=length)
        for _ in range(options.runs):
            mta = Hikyaku(lab)
            try:
                fill_s = mta.fill(Spread(length, 100))
                memory(lab, report, mta, length)
                with lab.receiver(numbers=length) as r:
                    counters, figures = mta.deliver_some(min(GROWTH_MEASURED, length // 2), r)
            finally:
                mta.close()
            figures["rate"] = rate_without_start(counters)
            figures["fill_rate"] = length / fill_s
            report.add(case, "hikyaku", figures)


def memory(lab, report, mta, length):
    """What so many sessions with TLS take while so much is queued."""
    case = f"memory {length}"
    report.title(case, f"{length} queued, {MOST_SESSIONS} sessions, {MEMORY_LATENCY_MS} ms before each reply")
    mta.configure(MOST_SESSIONS)
    with lab.receiver(True, MEMORY_LATENCY_MS, numbers=length) as r:
        _, figures = mta.deliver_some(min(GROWTH_MEASURED, length) // 4, r)
    mta.configure(SESSIONS)
    report.add(case, "hikyaku", figures)


def tarpits(lab, report, options, name):
    """A healthy destination, alone and beside tarpits whose mail is older."""
    healthy = [b"u@d0.test"] * options.messages
    stuck = [b"u@t%d.test" % i for i in range(TARPITS)] * TO_A_TARPIT
    for case, recipients in ((f"{name}: none", healthy), (f"{name}: {TARPITS}", stuck + healthy)):
        report.title(case, "one healthy destination in plaintext, and tarpits beside it")
        for _ in range(options.runs):
            with lab.receiver(tarpits=True, numbers=len(recipients)) as r:
                mta = Hikyaku(lab, sessions=MOST_SESSIONS)
                try:
                    mta.fill(recipients)
                    counters, figures = mta.deliver_some(len(healthy), r)
                finally:
                    mta.close()
            figures["rate"] = rate_without_start(counters)
            report.add(case, "hikyaku", figures)


def rate_without_start(counters):
    """Messages a second from the first one on; how long that took is told apart."""
    return (counters["messages"] - 1) * 1e9 / (counters["last_message_ns"] - counters["first_message_ns"])


def _plain_figures(count, seconds, **more):
    return {"messages": count, "seconds": seconds, "rate": count / seconds, **more}


CASES = {"receiver": receiver, **{name: drain for name in DRAINS}, "latency": latency,
         "accepting": accepting, "listening": listening, "growth": growth, "tarpits": tarpits}
SENDERS = {"hikyaku": Hikyaku, "postfix": Postfix, "opensmtpd": OpenSMTPD}
