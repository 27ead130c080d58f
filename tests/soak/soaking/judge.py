"""Whether a quantity grows, from its samples. Pure: numbers in, words out.

What came before the end of the warm-up does not count. Of what remains:

* drift: the slope of the samples times the length of the run. The slope is Theil and Sen's,
  the median of the slopes of all pairs, which a few high samples do not turn. At most half
  of the allowance.
* high: by how much the upper tenth of the samples of the last quarter begins above that of the
  first. What grows in rare jumps has no slope, but ends higher. At most the allowance. Not the
  highest sample: whether one falls into the second in which a large message goes to many
  destinations at a time is luck.
* low: likewise where the lower tenth ends. What is kept for good never comes down to where it
  was, however much it goes up and down. At most the allowance.

An allowance is a part of the median, and so much at least. It is set for each quantity by how
much that varies with the mail that is under way, and stands in soak.py.
"""
import dataclasses
import statistics

MOST_POINTS = 400        # for the slope; of more samples each so manieth
FEWEST_POINTS = 40       # or nothing is said


@dataclasses.dataclass(frozen=True)
class Allowance:
    part: float          # of the median after the warm-up
    least: float         # and so much at least, in the unit of the quantity


@dataclasses.dataclass(frozen=True)
class Verdict:
    name: str
    median: float
    drift: float         # slope times length
    high: tuple          # of the first quarter, of the last
    low: tuple
    allowed: float

    @property
    def grows(self):
        return (self.drift > self.allowed / 2 or self.high[1] - self.high[0] > self.allowed
                or self.low[1] - self.low[0] > self.allowed)

    def __str__(self):
        return (f"{self.name:<20} median {self.median:>12.0f}  drift {self.drift:>+11.0f}  "
                f"high {self.high[0]:.0f} -> {self.high[1]:.0f}  "
                f"low {self.low[0]:.0f} -> {self.low[1]:.0f}  allowed {self.allowed:.0f}"
                f"{'  GROWS' if self.grows else ''}")


def slope(times, values):
    """Theil and Sen's, per unit of time."""
    step = max(1, -(-len(times) // MOST_POINTS))
    points = list(zip(times[::step], values[::step]))
    return statistics.median((b - a) / (t - s) for i, (s, a) in enumerate(points)
                             for t, b in points[i + 1:] if t > s)


def tenths(values):
    """Where the lower tenth ends and the upper one begins."""
    values = sorted(values)
    tenth = len(values) // 10
    return values[tenth], values[-1 - tenth]


def judge(name, times, values, warm_up, allowance):
    """A Verdict, or None where there are too few samples."""
    kept = [(t, v) for t, v in zip(times, values) if t >= warm_up]
    if len(kept) < FEWEST_POINTS:
        return None
    times, values = zip(*kept)
    quarter = (times[-1] - times[0]) / 4
    first = tenths(v for t, v in kept if t <= times[0] + quarter)
    last = tenths(v for t, v in kept if t >= times[-1] - quarter)
    median = statistics.median(values)
    return Verdict(name, median, slope(times, values) * (times[-1] - times[0]), (first[1], last[1]),
                   (first[0], last[0]), max(allowance.part * median, allowance.least))
