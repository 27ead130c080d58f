"""The results as a picture, drawn by gnuplot: throughput over queue length and over latency."""
import shutil
import subprocess

SCRIPT = """\
set terminal pngcairo size 1200,500 font "sans,11"
set output "{png}"
set multiplot layout 1,2
set grid
set key top right
set ylabel "messages a second"
set yrange [0:*]
set logscale x
set xlabel "messages queued"
set title "Throughput over the length of the queue"
{growth}
unset logscale x
set xlabel "ms before each reply"
set title "Throughput over latency (STARTTLS, 100 destinations)"
{latency}
unset multiplot
"""


def points(report, key, cases):
    """sender -> [(x, rate)]."""
    series = {}
    for case in cases:
        x = report.cases[case].get(key)
        if x is not None:
            for sender, m in report.medians(case).items():
                series.setdefault(sender, []).append((x, m["rate"]))
    return {sender: sorted(found) for sender, found in series.items()}


def _panel(series, name):
    """Inline data and the command that plots it; an empty panel without data."""
    if not series:
        return "plot [1:10][0:1] -1 notitle"
    blocks, words = [], []
    for i, (sender, found) in enumerate(series.items()):
        rows = "\n".join(f"{x} {y:.1f}" for x, y in found)
        blocks.append(f"${name}{i} << END\n{rows}\nEND")
        words.append(f'${name}{i} using 1:2 with linespoints pointtype {i + 5} title "{sender}"')
    return "\n".join([*blocks, "plot " + ", ".join(words)])


def draw(report, png):
    """Returns whether there was something to draw, and the means to draw it."""
    growth = points(report, "queued", [c for c in report.cases if c.startswith("growth")])
    latency = points(report, "latency_ms", [c for c in report.cases if c in "cd" or c.startswith("latency")])
    if not shutil.which("gnuplot") or not (growth or latency):
        return False
    script = SCRIPT.format(png=png, growth=_panel(growth, "growth"), latency=_panel(latency, "latency"))
    return subprocess.run(["gnuplot"], input=script, text=True).returncode == 0
