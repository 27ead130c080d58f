"""The fail points: what failpoints.txt says, what the sources have, and which kills follow."""
import dataclasses
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
LIST = HERE.parent / "failpoints.txt"
SOURCES = HERE.parent.parent.parent
ACTORS = {"worker", "send", "sendmail", "policy", "operator", "elsewhere"}
WORDS = {"once", "ends", "policy"}
IN_SOURCE = re.compile(r'(?:failpoint|pass)\(\s*"([a-z0-9_.]+)"|"(queue\.[a-z_]+\.(?:before|after))"')


@dataclasses.dataclass(frozen=True)
class Point:
    name: str
    actors: tuple
    besides: str      # for HIKYAKU_FAILPOINTS
    words: frozenset  # "once", "ends", "policy": see failpoints.txt
    leaves: str

    def times(self, rng):
        """The first, the second, and some later one."""
        return (1,) if "once" in self.words else (1, 2, rng.randrange(3, 30))

    def kill(self, nth):
        """For HIKYAKU_FAILPOINTS: die when it is passed the nth time."""
        return ",".join(filter(None, (self.besides, f"{self.name}=kill@{nth}")))


def read():
    points = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, who, besides, leaves = (column.strip() for column in line.split("|"))
        besides = set(besides.split())
        points.append(Point(name, tuple(who.split(":")[0].split()), ",".join(besides - WORDS),
                            frozenset(besides & WORDS), leaves))
    return points


def of(actor):
    return [p for p in read() if actor in p.actors]


def in_sources():
    """The names of all fail points, however they are spelt there."""
    found = set()
    for folder in ("policy", "src"):
        for path in (SOURCES / folder).rglob("*.c"):
            for names in IN_SOURCE.findall(path.read_text(encoding="utf-8")):
                found.update(filter(None, names))
    return found


def are_compiled_in(binary):
    return b"HIKYAKU_FAILPOINTS" in pathlib.Path(binary).read_bytes()
