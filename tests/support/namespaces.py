"""Several hosts on one machine: network namespaces (Linux, root), joined by a bridge.

The first is where the bridge is. Each has an address in 10.77.0.0/24 and a loopback of its own.
They share processors and clock, which real hosts do not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NET = "10.77.0"


def obstacle() -> str | None:
    """Return why there can be no namespaces here; None: there can."""
    if not all(map(shutil.which, ("ip", "tc"))):
        return "needs `ip` and `tc` (iproute2)"
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    name = f"lt-{secrets.token_hex(3)}"
    added = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False
    )
    if added.returncode:
        return f"no network namespace can be made: {added.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return None


def no_delay() -> str | None:
    """Return why no way can be made longer here; None: it can."""
    with hosts(2) as group:
        try:
            group.delay(1)
        except subprocess.CalledProcessError as error:
            return f"needs the kernel's netem: {error.stderr.decode().strip()}"
    return None


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Hosts:
    """The hosts of one network."""

    mark: str
    count: int

    def namespace(self, at: int) -> str:
        """Return the namespace of a host; 0 is the first."""
        return f"lt-{self.mark}-{at}"

    def address(self, at: int) -> str:
        """Return the address of a host."""
        return f"{NET}.{at + 1}"

    def within(self, at: int) -> Sequence[str]:
        """Return the words before a command that is to run on a host."""
        return ("ip", "netns", "exec", self.namespace(at))

    def delay(self, ms: float, loss: float = 0.0) -> None:
        """Make every way between the first host and another so long, there and back together."""
        for at in range(1, self.count):
            lost = [f"loss {loss}%"] if loss else []
            words = f"qdisc replace dev eth0 root netem delay {ms}ms {' '.join(lost)}".split()
            subprocess.run([*self.within(at), "tc", *words], check=True, capture_output=True)

    def link(self, at: int, state: str) -> None:
        """Take the link of a host `up` or `down`."""
        ip("-n", self.namespace(at), "link", "set", "eth0", state)


@contextlib.contextmanager
def hosts(count: int) -> Iterator[Hosts]:
    """Give so many hosts for the block."""
    group = Hosts(secrets.token_hex(3), count)
    try:
        for at in range(count):
            ip("netns", "add", group.namespace(at))
            ip("-n", group.namespace(at), "link", "set", "lo", "up")
        first = group.namespace(0)
        ip("-n", first, "link", "add", "br0", "type", "bridge")
        ip("-n", first, "address", "add", f"{group.address(0)}/24", "dev", "br0")
        ip("-n", first, "link", "set", "br0", "up")
        for at in range(1, count):
            ends = ("link", "add", f"to{at}", "type", "veth", "peer", "name", "eth0")
            ip("-n", first, *ends, "netns", group.namespace(at))
            ip("-n", first, "link", "set", f"to{at}", "master", "br0", "up")
            ip(
                "-n",
                group.namespace(at),
                "address",
                "add",
                f"{group.address(at)}/24",
                "dev",
                "eth0",
            )
            ip("-n", group.namespace(at), "link", "set", "eth0", "up")
        yield group
    finally:
        for at in range(count):
            subprocess.run(
                ["ip", "netns", "delete", group.namespace(at)], check=False, capture_output=True
            )
