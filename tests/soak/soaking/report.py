"""What a soak found, for people (text) and for a document (the same text)."""
POINTS_S = (600, 3600, 7200)
SHOWN = (("acknowledged", 1), ("arrived", 1), ("returned", 1), ("rows_item", 1), ("rss_kib", 1024),
         ("private_dirty_kib", 1024), ("descriptors", 1), ("threads", 1), ("database", 1 << 20), ("wal", 1 << 20),
         ("rows_record", 1), ("rows_memory", 1))


def nearest(samples, seconds):
    return min(samples, key=lambda row: abs(row["seconds"] - seconds))


def write(soak, out):
    def say(text=""):
        print(text, file=out)

    o, last = soak.o, soak.samples[-1]
    say(f"{o.messages} messages in {soak.fed_s:.0f} s, seed {o.seed}; warm-up {soak.warm_up_s:.0f} s; "
        f"{len(soak.samples)} samples; at most {max(r['behind_s'] for r in soak.samples):.0f} s behind the rate")
    shown = {row["seconds"]: row for row in (nearest(soak.samples, min(p, soak.fed_s)) for p in POINTS_S)}
    points = list(shown.values())
    say(f"{'after':<20}" + "".join(f"{row['seconds'] / 60:>11.1f} m" for row in points))
    for name, unit in SHOWN:
        title, digits = (name, 0) if unit == 1 else (f"{name.removesuffix('_kib')} (MiB)", 1)
        say(f"{title:<20}" + "".join(f"{row[name] / unit:>13.{digits}f}" for row in points))
    say()
    say(f"{'kind':<12}{'messages':>10}{'arrived':>10}{'returned':>10}{'twice':>8}   (recipients)")
    for kind, row in sorted(soak.ledger.by_kind().items()):
        say(f"{kind:<12}" + "".join(f"{n:>{w}}" for n, w in zip(row, (10, 10, 10, 8))))
    say("by door: " + ", ".join(f"{d.name_of_door} {d.taken}" for d, _ in soak.doors))
    say(f"refused at a door and given again: {last['refused']}; in TLS {soak.ledger.in_tls}, "
        f"of them resumed {soak.ledger.resumed}; in doubt {len(soak.ledger.in_doubt)}; still queued {len(soak.queued)}")
    say("attempts: " + ", ".join(f"{name} {n}" for name, n in sorted(soak.outcomes.items())))
    say("meanwhile: " + ", ".join(f"{name} {n}" for name, n in sorted(soak.operations.items())))
    say()
    for verdict in soak.growth or ["too short to tell whether anything grows"]:
        say(verdict)
    say()
    for problem in soak.problems[:40]:
        say(f"PROBLEM {problem}")
    if len(soak.problems) > 40:
        say(f"and {len(soak.problems) - 40} more")
    say("verdict: " + ("FAILED" if soak.problems else "everything is accounted for"
                       + (", and nothing grows" if soak.growth else "")))
