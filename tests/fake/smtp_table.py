"""Reads the tables of behaviours (*.table). As a program: prints how many there are, by phase.

Lines are `does | failure | alternate | alternate-any | fate | ends by | log says`; a line
`== PHASE, WHERE ==` begins a phase; blank lines and those that begin with # are for people.
"""
import dataclasses
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
PHASES = ("banner", "EHLO", "STARTTLS", "handshake", "EHLO in TLS", "MAIL", "RCPT", "DATA", "body", "verdict", "QUIT")
# PIPELINING: in TLS 1.3, and the host offers it.
PLACES = ("before TLS", "TLS 1.3", "TLS 1.2", "PIPELINING", "plaintext")
CHANNELS = ("tls", "plaintext", "-")
ENDS = ("itself", "reply_timeout", "data_timeout", "handshake_timeout", "session_timeout")


@dataclasses.dataclass(frozen=True)
class Row:
    phase: str
    place: str         # where the phase is met
    does: str
    failure: str       # the class of failure, "-" if there is none
    alternate: str     # the channel of the next attempt in that mode of fallback; "-": there is none
    alternate_any: str
    fate: str          # "kept", "delivered", or "bounced" and the enhanced code
    ends_by: str       # "itself", or the limit of time that ends it
    says: str          # in the line of the log

    @property
    def name(self):
        return f"{self.phase}, {self.place}: {self.does}"

    def next_channel(self, mode):
        return {"alternate": self.alternate, "alternate-any": self.alternate_any}[mode]


def read(path):
    rows, phase, place = [], None, None
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("=="):
            phase, place = line.strip("= ").rsplit(", ", 1)
            assert phase in PHASES and place in PLACES, f"{path.name}:{number}: no such phase: {line}"
            continue
        cells = [cell.strip() for cell in line.split(" | ")]
        assert len(cells) == 7, f"{path.name}:{number}: {len(cells)} columns"
        row = Row(phase, place, *cells)
        assert row.alternate in CHANNELS and row.alternate_any in CHANNELS, f"{path.name}:{number}: {row}"
        assert row.ends_by in ENDS, f"{path.name}:{number}: nothing is ended by {row.ends_by}"
        rows.append(row)
    return rows


def behaviours():
    rows = [row for path in sorted(HERE.glob("smtp_*.table")) for row in read(path)]
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), f"twice: {sorted(n for n in names if names.count(n) > 1)}"
    return rows


def counts():
    """A line a phase, and one for all."""
    rows = behaviours()
    for phase in PHASES:
        places = [sum(row.phase == phase and row.place == place for row in rows) for place in PLACES]
        named = ", ".join(f"{place}: {count}" for count, place in zip(places, PLACES) if count)
        yield f"{phase:12} {sum(places):4}  ({named})"
    yield f"{'all':12} {len(rows):4}"


if __name__ == "__main__":
    print("\n".join(counts()))
