"""A world whose directory other users can reach: pytest's own is closed to them."""
import os
import pathlib
import shutil
import tempfile

import pytest

from people import OWNER, ids
from world import World


@pytest.fixture
def open_world(binary, certificates):
    """A world of OWNER's. What the program says of leaks needs ptrace, which a process that
    was root is not granted."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hikyaku-privilege-"))
    directory.chmod(0o711)
    w = World(directory, binary, certificates)
    w.env["ASAN_OPTIONS"] += ":detect_leaks=0"
    os.chown(directory, *ids(OWNER))
    w.configure(user=OWNER, trust_file=None)  # the file of a world is where pytest keeps it
    try:
        yield w
    finally:
        w.close()
        reports = w.sanitizer_reports()
        shutil.rmtree(directory)
    assert not reports, f"sanitizer report:\n{reports[:8000]}"
