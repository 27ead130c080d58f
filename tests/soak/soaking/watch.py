"""Samples of a running worker and its queue: a row of numbers each, by name."""
import os
import sqlite3

TABLES = ("message", "chunk", "destination", "item", "claim", "recipient", "memory", "record", "holder",
          "note", "mark")
PROCESS = ("rss_kib", "peak_kib", "pss_kib", "private_dirty_kib", "threads", "descriptors")
FILES = ("database", "wal", "shm", "journal")
PAGES = ("pages", "free_pages")
COLUMNS = (*PROCESS, *FILES, *PAGES, *(f"rows_{t}" for t in TABLES))


def _fields(path, names):
    found = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            name, _, value = line.partition(":")
            if name in names:
                found[names[name]] = int(value.split()[0])
    return found


def process(pid):
    row = _fields(f"/proc/{pid}/status", {"VmRSS": "rss_kib", "VmHWM": "peak_kib", "Threads": "threads"})
    row |= _fields(f"/proc/{pid}/smaps_rollup", {"Pss": "pss_kib", "Private_Dirty": "private_dirty_kib"})
    row["descriptors"] = len(os.listdir(f"/proc/{pid}/fd"))
    return row


def _size(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def files(queue):
    row = {name: _size(queue.with_name(queue.name + suffix))
           for name, suffix in (("database", ""), ("wal", "-wal"), ("shm", "-shm"))}
    row["journal"] = sum(_size(p) for p in queue.parent.glob(queue.name + ".doubt.*"))
    return row


def rows(queue):
    """Counted in one short read, which keeps no checkpoint waiting for long."""
    db = sqlite3.connect(f"file:{queue}?mode=ro", uri=True, timeout=30)
    try:
        row = {f"rows_{t}": db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES}
        row["pages"] = db.execute("PRAGMA page_count").fetchone()[0]
        row["free_pages"] = db.execute("PRAGMA freelist_count").fetchone()[0]
    finally:
        db.close()
    return row


def sample(pid, queue):
    return {**process(pid), **files(queue), **rows(queue)}
