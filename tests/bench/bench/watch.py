"""What a sender costs: processor time and memory of a process and its descendants."""
import os
import threading

TICKS = os.sysconf("SC_CLK_TCK")
INTERVAL_S = 0.25


def _stat(pid):
    with open(f"/proc/{pid}/stat", "rb") as f:
        return f.read().rpartition(b")")[2].split()


def tree(root):
    """root and its descendants, alive now."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(int(_stat(name)[1]), []).append(int(name))
            except (OSError, IndexError):
                continue
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of the tree, with those descendants that were waited for."""
    total = 0
    for pid in tree(root):
        try:
            total += sum(map(int, _stat(pid)[11:15]))
        except OSError:
            continue
    return total / TICKS


def _pss_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class Watch:
    """Samples the memory of a tree until stop(); peak_kib is the highest PSS seen."""

    def __init__(self, root):
        self.root, self.peak_kib = root, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            pids = tree(self.root)
            self.peak_kib = max(self.peak_kib, sum(map(_pss_kib, pids)))
            # Looking at many processes must not become a load of its own.
            if self._over.wait(INTERVAL_S * (1 + len(pids) // 10)):
                return

    def stop(self):
        self._over.set()
        self._thread.join()
        return self.peak_kib
