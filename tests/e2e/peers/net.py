"""Loopback addresses and ports that nobody else uses, and waiting without sleeping.

Every world (one test) takes a /24 of 127.0.0.0/8 at random, so that tests that
run side by side, and other programs, do not meet. All hosts of a world share
one port and differ by address, as MX hosts do.
"""
import os
import random
import socket
import time

# How many times slower than usual the program is: valgrind's run says so.
SLOWNESS = int(os.environ.get("HIKYAKU_TEST_SLOWNESS", "1"))
DEADLINE_S = 30.0 * SLOWNESS


class Block:
    """A /24 of loopback addresses, with one TCP port that is free on it."""

    def __init__(self):
        rng = random.SystemRandom()
        while True:
            self.prefix = f"127.{rng.randrange(16, 250)}.{rng.randrange(1, 255)}"
            # Below the ephemeral range, so that no outgoing connection has it.
            self.port = rng.randrange(10000, 30000)
            if is_free(f"{self.prefix}.1", self.port):
                break
        self._next = 1

    def address(self):
        self._next += 1
        assert self._next < 255, "a world has 253 hosts at most"
        return f"{self.prefix}.{self._next}"


# Before the words of a program that must not outlive the test run, however that ends.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"]


def is_free(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port))
        except OSError:
            return False
    return True


def has_ipv6():
    return is_free("::1", 0)


def wait_for(condition, what, deadline_s=DEADLINE_S, interval_s=0.01):
    """Polls until condition() is true and returns its value. The deadline is
    generous on purpose: only a broken program comes near it."""
    end = time.monotonic() + max(deadline_s, DEADLINE_S if SLOWNESS > 1 else 0)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline_s:g} s still waiting for {what}")
        time.sleep(interval_s)


def wait_for_port(address, port, what, process=None):
    def connects():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what} ended with status {process.returncode}")
        try:
            with socket.create_connection((address, port), timeout=1):
                return True
        except OSError:
            return False
    wait_for(connects, f"{what} on {address}:{port}")


def peak_kib(pid):
    """The most memory that a process was ever resident with."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
