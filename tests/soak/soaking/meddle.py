"""What operators do meanwhile: policy files edited, reloads, logs renamed, questions asked."""
import collections
import json
import signal
import subprocess
import threading

# What none of them changes: who gets a message in the end.
POLICIES = (
    {"nomtatsl.txt": "# nobody\n", "mtaproto.txt": "[d1.tls13.test] TLS1.3\n",
     "routes.txt": "# none\n"},
    {"nomtatsl.txt": "[d1.tls12.test]\n.chunking.test\n", "mtaproto.txt": ".tls12.test TLS1.2\n",
     "routes.txt": "[d5.plain.test] smtp://[mx-d6-plain.example.test]\n"
                   "[d7.plain.test] smtp://[mx-d6-plain.example.test]\n"},
    {"nomtatsl.txt": "[d2.tls13.test]\n", "mtaproto.txt": "", "routes.txt": "[d8.plain.test] mx:d9.plain.test\n"},
)


def write_policy(directory, turn):
    """As an editor does it: beside, then renamed."""
    for name, text in POLICIES[turn % len(POLICIES)].items():
        scratch = directory / f".{name}.new"
        scratch.write_text(text)
        scratch.chmod(0o644)
        scratch.rename(directory / name)


class Operator(threading.Thread):
    """Does one thing after the other, `every_s`, until stop()."""

    def __init__(self, lab, every_s):
        super().__init__(daemon=True)
        self.lab, self.every_s = lab, every_s
        self.done = collections.Counter()
        self.trouble = []
        self._over = threading.Event()

    def run(self):
        steps = (self.policy, self.look_at_queue, self.explain, self.reload, self.look_at_log, self.rotate)
        turn = 0
        while not self._over.wait(self.every_s):
            step = steps[turn % len(steps)]
            turn += 1
            try:
                step(turn)
                self.done[step.__name__] += 1
            except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as e:
                self.trouble.append(f"{step.__name__}: {type(e).__name__}: {e}"[:300])

    def stop(self):
        self._over.set()
        self.join(150)

    def policy(self, turn):
        write_policy(self.lab.home / "policy", turn)

    def reload(self, _turn):
        self.lab.worker.send_signal(signal.SIGHUP)

    def look_at_queue(self, _turn):
        entries = [json.loads(line) for line in self.lab.command("queue", "list", "--json").splitlines()]
        self.lab.command("queue", "list")
        if entries:
            # It may have left meanwhile.
            subprocess.run(self.lab.words("queue", "show", entries[-1]["id"]), capture_output=True,
                           env=self.lab.env, timeout=120)

    def look_at_log(self, _turn):
        self.lab.command("log", "--since", "1m", "--json")
        self.lab.command("log", "--domain", "d1.badtls.test")

    def explain(self, turn):
        for kind in self.lab.table:
            self.lab.command("policy", "explain", f"d{turn % 20}.{kind}.test")

    def rotate(self, turn):
        """Renames the logs, has them opened again, and keeps one old one of each."""
        for name in ("log", "tls.log"):
            path = self.lab.home / name
            if path.exists():
                path.rename(path.with_name(name + ".1"))
        self.reload(turn)
