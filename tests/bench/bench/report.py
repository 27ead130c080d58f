"""Results: a line as each comes, a table and JSON at the end."""
import json
import os
import platform
import statistics
import sys
import time


FIGURES = (("rate", "messages/s", ",.0f"), ("cpu_per_1000", "CPU s/1000", ".3f"), ("peak_mib", "PSS, MiB", ".0f"),
           ("peak_connections", "open", ".0f"), ("connections", "connections", ".0f"), ("first_s", "first, s", ".2f"))


class Report:
    def __init__(self, options):
        self.options = options
        self.cases = {}

    def title(self, case, text, **about):
        self.cases.setdefault(case, {"title": text, **about, "senders": {}})

    def add(self, case, sender, figures):
        self.cases[case]["senders"].setdefault(sender, []).append(figures)
        print(f"{case:>15}  {sender:<12} {figures['rate']:>10,.0f}/s  in {figures['seconds']:.2f} s",
              file=sys.stderr, flush=True)

    def medians(self, case):
        """sender -> figure -> median of its runs."""
        return {sender: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                for sender, runs in self.cases[case]["senders"].items()}

    def ratio(self, case):
        """hikyaku's rate over that of the best peer, and its CPU time below; or None."""
        medians = self.medians(case)
        own, peers = medians.get("hikyaku"), [m for s, m in medians.items() if s != "hikyaku"]
        if not own or not peers:
            return None
        ratio = {"rate": own["rate"] / max(p["rate"] for p in peers)}
        if own.get("cpu_per_1000"):
            ratio["cpu_per_1000"] = own["cpu_per_1000"] / min(p["cpu_per_1000"] for p in peers)
        return ratio

    def table(self):
        print(f"{'case':<20} {'sender':<12} {'messages/s':>10} {'CPU s/1000':>10} {'PSS MiB':>8} "
              f"{'open':>5} {'conns':>6} {'first s':>8}")
        for case, known in self.cases.items():
            for sender, m in self.medians(case).items():
                print(f"{case:<20} {sender:<12} {m['rate']:>10,.0f} {_or_dash(m, 'cpu_per_1000', '.3f'):>10} "
                      f"{_or_dash(m, 'peak_mib', '.1f'):>8} {_or_dash(m, 'peak_connections', '.0f'):>5} "
                      f"{_or_dash(m, 'connections', '.0f'):>6} "
                      f"{_or_dash(m, 'first_s', '.3f'):>8}")
            ratio = self.ratio(case)
            if ratio:
                print(f"{'':<20} {'to the best':<12} {ratio['rate']:>9.2f}x "
                      + (f"{ratio['cpu_per_1000']:>9.2f}x" if "cpu_per_1000" in ratio else ""))

    def markdown(self):
        """The table for doc/performance.md: a row a case, a column a sender in each group."""
        senders = list(dict.fromkeys(s for known in self.cases.values() for s in known["senders"]))
        lines = ["| case | figure | " + " | ".join(senders) + " | to the best |", "|---" * (len(senders) + 3) + "|"]
        for case in self.cases:
            medians, ratio = self.medians(case), self.ratio(case) or {}
            for key, name, style in FIGURES:
                if any(key in m for m in medians.values()):
                    values = [_or_dash(medians.get(s, {}), key, style) for s in senders]
                    against = f"{ratio[key]:.2f}" if key in ratio else ""
                    lines.append(f"| {case if key == 'rate' else ''} | {name} | {' | '.join(values)} | {against} |")
        return "\n".join(lines) + "\n"

    def json(self):
        return {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(),
                "messages": self.options.messages, "runs": self.options.runs,
                "cases": {case: {**known, "medians": self.medians(case), "ratio": self.ratio(case)}
                          for case, known in self.cases.items()}}

    def write(self, path):
        with open(path, "w") as f:
            json.dump(self.json(), f, indent=1)
            f.write("\n")


def _or_dash(figures, key, style):
    return format(figures[key], style) if key in figures else "-"


def machine():
    with open("/proc/cpuinfo") as f:
        models = [line.partition(":")[2].strip() for line in f if line.startswith("model name")]
    return {"kernel": platform.release(), "processors": os.cpu_count(), "model": models[0] if models else "",
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20}
