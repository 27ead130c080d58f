"""The cases. Each is a function that adds its results to the report."""
import json
import subprocess

from .hikyaku import Hikyaku
from .lab import Failed
from .messages import Spread
from .peers import OpenSMTPD, Postfix

DRAINS = {
    # name: starttls, destinations, latency in ms, what it is
    "a": (False, 1, 0, "plaintext, 1 destination"),
    "b": (True, 1, 0, "STARTTLS, 1 destination"),
    "c": (True, 100, 0, "STARTTLS, 100 destinations"),
    "d": (True, 100, 50, "as c, 50 ms before each reply"),
}


def drain(lab, report, options, name):
    """A full queue, and the time until the receiver has all of it."""
    starttls, domains, latency_ms, title = DRAINS[name]
    report.title(name, title)
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
            report.add(name, sender.name, figures)


def receiver(lab, report, options, name):
    """The bare client: what the receiver can take."""
    for starttls, case in ((False, "receiver"), (True, "receiver, STARTTLS")):
        report.title(case, "the bare client: no queue, no disk")
        for _ in range(options.runs):
            with lab.receiver(starttls) as r:
                count = 4 * options.messages
                words = [lab.programs / "loadgen", "-n", count, *(["-s"] if starttls else []),
                         f"{lab.prefix}.1.1:{lab.port}"]
                got = json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout)
                if r.counters()["messages"] != count:
                    raise Failed("the receiver has lost messages")
            report.add(case, "loadgen", {"messages": count, "seconds": got["seconds"],
                                         "rate": count / got["seconds"],
                                         "cpu_per_1000": got["cpu_seconds"] * 1000 / count})


CASES = {"receiver": receiver, **{name: drain for name in DRAINS}}
SENDERS = {"hikyaku": Hikyaku, "postfix": Postfix, "opensmtpd": OpenSMTPD}
