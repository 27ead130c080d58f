"""Fixtures of the fault tests; those of all system tests are in tests/conftest.py."""
import faults
import pytest


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """library("preload"): the path of what is to be preloaded."""
    directory = tmp_path_factory.mktemp("preload")
    return lambda name: faults.build(directory, name)


@pytest.fixture
def make_disk(world):
    """make_disk(kind): a small file system, which goes after the world's programs."""
    disks = []

    def make(kind="tmpfs", **how):
        try:
            disks.append(faults.Disk(world.directory, kind, **how))
        except faults.Unavailable as e:
            pytest.skip(str(e))
        return disks[-1]
    yield make
    world.close()
    for disk in disks:
        disk.unmount()
