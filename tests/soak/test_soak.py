"""The soak's harness at a small size, end to end: see README.md."""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LONGEST_S = 150


def test_every_message_of_a_short_soak_is_accounted_for(binary, tmp_path):
    words = [sys.executable, "-B", HERE / "run", "--seconds", "3", "--messages", "150", "--build", binary.parent,
             "--directory", tmp_path]
    env = {**os.environ, "ASAN_OPTIONS": f"log_path={tmp_path}/sanitizer:detect_leaks=1",
           "UBSAN_OPTIONS": f"log_path={tmp_path}/sanitizer:print_stacktrace=1"}
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=LONGEST_S, env=env)
    reports = "".join(p.read_text(errors="replace") for p in tmp_path.glob("sanitizer.*"))
    assert not reports, reports[:8000]
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "verdict: everything is accounted for" in done.stdout
