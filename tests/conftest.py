"""Fixtures of the system tests, whichever folder they are in. HIKYAKU names the program; default: ./build/hikyaku of the tree."""
import os
import pathlib
import shutil
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
sys.dont_write_bytecode = True

from peers import certs, dovecot as dovecots, mta, net, portable, submission as submissions  # noqa: E402
from world import World  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return certs.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("HIKYAKU") or TESTS.parent / "build" / "hikyaku"
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


def _started(start):
    """What start(block) returns, until the fixture ends; the test is skipped where it cannot run."""
    try:
        receiver = start(net.Block())
    except mta.Unavailable as e:
        pytest.skip(str(e))
    yield receiver
    receiver.close()


def _receiver(kind, domain, certificates):
    return _started(lambda block: kind(block.address(), block.port, domain, certificates))


@pytest.fixture(scope="session")
def postfix(certificates):
    yield from _receiver(mta.Postfix, "postfix.test", certificates)


@pytest.fixture(scope="session")
def exim(certificates):
    yield from _receiver(mta.Exim, "exim.test", certificates)


@pytest.fixture(scope="session")
def opensmtpd(certificates):
    yield from _receiver(mta.OpenSMTPD, "opensmtpd.test", certificates)


@pytest.fixture(scope="session")
def dovecot():
    yield from _started(lambda block: dovecots.Dovecot(block.address(), block.port, ["b@lmtp.test", dovecots.USER]))


@pytest.fixture(scope="session")
def submission(certificates, dovecot):
    mine = certs.ClientCertificates(certificates)
    yield from _started(lambda block: submissions.Submission(block, certificates, mine.cert, dovecot))


@pytest.fixture(scope="session")
def program(binary, tmp_path_factory):
    """hikyaku, for a mail server that runs it in its own root: the one that HIKYAKU_PLAIN names, if it does. It is run
    once a message there, and a sanitizer or valgrind would cost much and could not report."""
    binary = os.environ.get("HIKYAKU_PLAIN") or binary
    return portable.Portable(binary, tmp_path_factory.mktemp("program") / "program")
