"""Fixtures of the system tests. HIKYAKU names the program; default: ./build/hikyaku of the tree."""
import os
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from peers import certs, mta, net  # noqa: E402
from world import World  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return certs.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("HIKYAKU") or HERE.parent.parent / "build" / "hikyaku"
    if not os.access(path, os.X_OK):
        pytest.fail(f"no program at {path}: build it, or name it in HIKYAKU", pytrace=False)
    return pathlib.Path(path).resolve()


@pytest.fixture
def world(tmp_path, binary, certificates):
    """A fresh world. Its end checks that the sanitizers had nothing to say."""
    w = World(tmp_path, binary, certificates)
    try:
        yield w
    finally:
        w.close()
    reports = w.sanitizer_reports()
    assert not reports, f"sanitizer report:\n{reports[:8000]}"
    shutil.rmtree(tmp_path, ignore_errors=True)


def _receiver(kind, domain, certificates):
    block = net.Block()
    try:
        return kind(block.address(), block.port, domain, certificates)
    except mta.Unavailable as e:
        pytest.skip(f"{kind.__name__}: {e}")


@pytest.fixture(scope="session")
def postfix(certificates):
    receiver = _receiver(mta.Postfix, "postfix.test", certificates)
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def exim(certificates):
    receiver = _receiver(mta.Exim, "exim.test", certificates)
    yield receiver
    receiver.close()
