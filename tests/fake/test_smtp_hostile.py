"""Every behaviour of the tables, met by a whole hikyaku: many at once, each by a destination of its own.

Those that end at once are played together, table by table; those that a limit of time has to end are a round
of their own, with short limits. A round is played once, by whichever worker of pytest comes first; then each
behaviour is looked at in a test of its own. The round is played once more with the limit of the session alone,
which has to do as well. In the long form (make check-hostile) the limits are ten times as
long, a drip gives an octet every five seconds, and all of it is played in the mode alternate-any, too.
"""
import dataclasses
import fcntl
import json
import os
import pathlib
import time

import pytest

from fake import smtp_table
from fake.smtp_lab import AMPLE_S, CRAWL_S, IS_LONG, LONG_S, PAUSE_S, SHORT_S, configure, domain_of, send_all, start_peers
from peers import net
from world import World

MODES = ("alternate", "alternate-any")
AT_ONCE_S = 10       # on a machine that has better things to do: it is some milliseconds
SLACK_S = 3
TAKEN_MAX = 2 << 20  # octets: what sockets hold, and a little


# All limits but that of the session are ample.
SESSION_ALONE_S = {**dict.fromkeys(AMPLE_S, 300), "session_timeout": LONG_S["session_timeout"] if IS_LONG else 3}


def without_other_limits(row):
    """The class of failure is that of where it happened, whichever limit ends it."""
    if row.phase == "QUIT":
        return row
    return dataclasses.replace(row, ends_by="session_timeout", says="session_timeout")


def rounds():
    """Name -> rows: one a table, and those that wait for a limit of time."""
    found = {"slow": []}
    for path in sorted(smtp_table.HERE.glob("smtp_*.table")):
        rows = smtp_table.read(path)
        found[path.stem] = [row for row in rows if row.ends_by == "itself"]
        found["slow"] += [row for row in rows if row.ends_by != "itself"]
    found["slow_session"] = [without_other_limits(row) for row in found["slow"] if row.does != "crawl"]
    return found


ROUNDS = rounds()
# alternate-any differs only inside TLS.
PLAYED = [(name, mode) for name in ROUNDS for mode in MODES
          if IS_LONG or mode == "alternate" or name in ("smtp_in_tls", "smtp_pipelining")]
# Neighbours are of different rounds, so that the workers of pytest do not all wait for one.
CASES = sorted(((name, number, mode) for name, mode in PLAYED for number in range(len(ROUNDS[name]))),
               key=lambda case: case[1])


def name_of(case):
    name, number, mode = case
    return f"{mode}: {ROUNDS[name][number].name}" + (", by session_timeout" if name == "slow_session" else "")


def play(world, rows, mode, limits_s):
    """One round with all of them; what is known afterwards, a dictionary a row."""
    peers = start_peers(world, rows, 0.3 if limits_s is AMPLE_S else PAUSE_S)
    if mode == "required":
        world.configure('destination "*" { tls = required }\n')
    configure(world, limits_s, fallback="alternate" if mode == "required" else mode)
    ids = send_all(world, rows)
    started = time.monotonic()
    world.once(timeout=3 * LONG_S["session_timeout"])
    lasted_s = time.monotonic() - started
    entries = {}
    for entry in (e for message_id in ids for e in world.log(message_id)):
        entries.setdefault(entry["domain"], []).append(entry)
    kept = {address for e in world.queue() if e["id"] in ids for address in e["recipients"]}
    lines = (world.directory / "log").read_text().splitlines()
    known = []
    for number, (row, peer) in enumerate(zip(rows, peers)):
        domain = domain_of(number)
        net.wait_for(lambda peer=peer: all(s.ended for s in peer.sessions), f"the end of the peer: {row.name}")
        known.append({
            "met": peer.met, "connections": len(peer.sessions), "entries": entries.get(domain, []),
            "held_s": max((s.lasted_s for s in peer.sessions), default=0),
            "taken": max((s.sent for s in peer.sessions), default=0),
            "messages": sum(s.messages for s in peer.sessions),
            "mail_in_clear": any(("plaintext", "MAIL") == (c, line[:4].upper()) for s in peer.sessions for c, line in s.lines),
            "kept": f"b@{domain}" in kept, "round_s": lasted_s,
            "lines": [line for line in lines if f"to=<b@{domain}>" in line]})
    return known


@pytest.fixture(scope="session")
def known(tmp_path_factory, binary, certificates):
    """Played once in a run of pytest, by whichever of its workers comes first; the others wait."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    loaded = {}

    def get(name, mode):
        if (name, mode) in loaded:
            return loaded[name, mode]
        path = pathlib.Path(root) / f"{name}.{mode}.json"
        with open(path.with_suffix(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                world = World(tmp_path_factory.mktemp(name), binary, certificates)
                try:
                    result = play(world, ROUNDS[name], mode, limits_of(name))
                finally:
                    world.close()
                path.write_text(json.dumps([result, world.sanitizer_reports()]))
        loaded[name, mode] = json.loads(path.read_text())
        return loaded[name, mode]
    return get


def limits_of(name):
    return {"slow": LONG_S if IS_LONG else SHORT_S, "slow_session": SESSION_ALONE_S}.get(name, AMPLE_S)


def look_at_the_end(row, entry, met, limits_s):
    """It ended when it had to, and the host was not read for longer than need be."""
    # A host notices that it was left when it has slept.
    sleep_s = CRAWL_S if row.does == "crawl" else PAUSE_S
    assert met["held_s"] < limits_s["session_timeout"] + sleep_s + SLACK_S
    assert met["taken"] < TAKEN_MAX
    lasted_s = entry["duration_ms"] / 1000
    if row.ends_by == "itself":
        assert lasted_s < AT_ONCE_S
    elif row.phase != "QUIT":  # which is no part of the attempt
        assert limits_s[row.ends_by] * 0.95 <= lasted_s < limits_s[row.ends_by] + SLACK_S


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_hostile_host_gets_what_its_row_says(known, case):
    name, number, mode = case
    row, met = ROUNDS[name][number], known(name, mode)[0][number]
    assert met["met"], "the phase was reached"
    assert len(met["entries"]) == 1, met["entries"]
    (entry,) = met["entries"]
    assert entry["failure"] == (None if row.failure == "-" else row.failure), entry["detail"]
    assert entry["next_channel"] == (None if row.alternate == "-" else row.next_channel(mode))
    fate, *enhanced = row.fate.split()
    assert entry["outcome"] == {"kept": "in_doubt" if row.failure == "in_doubt" else "deferred"}.get(fate, fate)
    assert met["kept"] == (fate == "kept")
    assert met["messages"] == 1 or fate != "delivered"
    (line,) = met["lines"]
    assert not enhanced or f"dsn={enhanced[0]}," in line
    assert row.says in line and not set(line) & {chr(c) for c in range(32)}, line
    look_at_the_end(row, entry, met, limits_of(name))


@pytest.mark.parametrize("name, mode", PLAYED)
def test_all_of_them_at_once_take_no_longer_than_one_session(known, name, mode):
    behaviours, reports = known(name, mode)
    assert behaviours[0]["round_s"] < limits_of(name)["session_timeout"] + 2 * SLACK_S
    assert not reports, f"sanitizer report:\n{reports[:8000]}"


# ---- the other modes, by what has to hold for every behaviour ----

AT_ONCE = [name for name in ROUNDS if not name.startswith("slow")]


@pytest.mark.parametrize("name", AT_ONCE if IS_LONG else ["smtp_before_tls", "smtp_handshake", "smtp_in_tls"])
def test_none_of_them_leads_to_plaintext_where_tls_is_required(known, name):
    for row, met in zip(ROUNDS[name], known(name, "required")[0]):
        assert not met["mail_in_clear"], row.name
        for entry in met["entries"]:
            assert entry["next_channel"] in (("tls",) if met["kept"] else ("tls", None)), row.name
        if row.place in ("before TLS", "plaintext") or row.failure in ("tls_handshake", "starttls_refused"):
            assert met["kept"] or (met["messages"] and row.failure == "-"), f"{row.name}: it waits, or went inside TLS"


@pytest.mark.parametrize("name", ["smtp_before_tls", "smtp_handshake"] + ["smtp_in_tls"] * IS_LONG)
def test_in_mode_plaintext_what_fails_in_the_handshake_is_delivered_in_the_same_attempt(known, name):
    for row, met in zip(ROUNDS[name], known(name, "plaintext")[0]):
        if row.failure in ("tls_handshake", "starttls_refused"):
            assert met["entries"][-1]["outcome"] == "delivered" and met["mail_in_clear"], row.name
            assert {entry["attempt"] for entry in met["entries"]} == {1}, row.name
        elif row.failure == "tls_session":
            assert not met["mail_in_clear"], row.name


@pytest.mark.parametrize("name", AT_ONCE if IS_LONG else ["smtp_handshake"])
def test_in_mode_none_the_next_attempt_is_over_tls(known, name):
    for row, met in zip(ROUNDS[name], known(name, "none")[0]):
        assert met["entries"][-1]["next_channel"] == ("tls" if met["kept"] else None), row.name
        assert met["kept"] == (row.fate == "kept"), row.name


def test_the_page_counts_as_the_tables_do():
    page = (smtp_table.HERE.parent.parent / "doc" / "reliability.md").read_text(encoding="utf-8")
    assert [line for line in smtp_table.counts() if f"    {line}\n" not in page] == []
