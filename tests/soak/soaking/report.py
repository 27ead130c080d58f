"""What a soak found, for people (text) and for a document (the same text)."""
import csv

from . import soak

POINTS_S = (600, 3600, 7200)
SHOWN = (("acknowledged", 1), ("arrived", 1), ("returned", 1), ("rows_item", 1), ("rss_kib", 1024),
         ("private_dirty_kib", 1024), ("descriptors", 1), ("threads", 1), ("database", 1 << 20), ("wal", 1 << 20),
         ("rows_record", 1), ("rows_memory", 1))


def judge_again(path, out):
    """The verdicts on the samples of a run that has ended; whether nothing grows."""
    with open(path, encoding="ascii", newline="") as f:
        found = soak.verdicts([{name: float(value) for name, value in row.items()} for row in csv.DictReader(f)])
    for verdict in found:
        print(verdict, file=out)
    return bool(found) and not any(v.grows for v in found)


def nearest(samples, seconds):
    return min(samples, key=lambda row: abs(row["seconds"] - seconds))


def write(run, out):
    def say(text=""):
        print(text, file=out)

    o, last = run.o, run.samples[-1]
    say(f"{o.messages} messages in {run.fed_s:.0f} s, seed {o.seed}; "
        f"{len(run.samples)} samples; at most {max(r['behind_s'] for r in run.samples):.0f} s behind the rate")
    shown = {row["seconds"]: row for row in (nearest(run.samples, min(p, run.fed_s)) for p in POINTS_S)}
    points = list(shown.values())
    say(f"{'after':<20}" + "".join(f"{row['seconds'] / 60:>11.1f} m" for row in points))
    for name, unit in SHOWN:
        title, digits = (name, 0) if unit == 1 else (f"{name.removesuffix('_kib')} (MiB)", 1)
        say(f"{title:<20}" + "".join(f"{row[name] / unit:>13.{digits}f}" for row in points))
    say()
    say(f"{'kind':<12}{'messages':>10}{'arrived':>10}{'returned':>10}{'twice':>8}   (recipients)")
    for kind, row in sorted(run.ledger.by_kind().items()):
        say(f"{kind:<12}" + "".join(f"{n:>{w}}" for n, w in zip(row, (10, 10, 10, 8))))
    say("by door: " + ", ".join(f"{d.name_of_door} {d.taken}" for d, _ in run.doors))
    say(f"refused at a door and given again: {last['refused']}; in TLS {run.ledger.in_tls}, "
        f"of them resumed {run.ledger.resumed}; in doubt {len(run.ledger.in_doubt)}; still queued {len(run.queued)}")
    say("attempts: " + ", ".join(f"{name} {n}" for name, n in sorted(run.outcomes.items())))
    say("meanwhile: " + ", ".join(f"{name} {n}" for name, n in sorted(run.operations.items())))
    say()
    for verdict in run.growth or ["too short to tell whether anything grows"]:
        say(verdict)
    say()
    for problem in run.problems[:40]:
        say(f"PROBLEM {problem}")
    if len(run.problems) > 40:
        say(f"and {len(run.problems) - 40} more")
    say("verdict: " + ("FAILED" if run.problems else "everything is accounted for"
                       + (", and nothing grows" if run.growth else "")))
