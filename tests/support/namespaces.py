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
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import slow_link

NET = "10.77.0"


def obstacle() -> str | None:
    """Return why there can be no namespaces here; None: there can."""
    if not shutil.which("ip"):
        return "needs `ip` (iproute2)"
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


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Hosts:
    """The hosts of one network."""

    mark: str
    count: int
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """What ends with them."""
    etc: dict[int, Path] = field(default_factory=dict)
    """Of hosts that have one of their own."""

    def namespace(self, at: int) -> str:
        """Return the namespace of a host; 0 is the first."""
        return f"lt-{self.mark}-{at}"

    def address(self, at: int) -> str:
        """Return the address of a host."""
        return f"{NET}.{at + 1}"

    def within(self, at: int) -> Sequence[str]:
        """Return the words before a command that is to run on a host."""
        words = ["ip", "netns", "exec", self.namespace(at)]
        if etc := self.etc.get(at):  # it has mounts of its own
            words += ["sh", "-c", f'mount --bind {etc} /etc && exec "$@"', "sh"]
        return words

    def delay(self, ms: float, loss: float = 0.0) -> None:
        """Make every way between the first host and another so long, there and back together.

        `loss` is the share of frames that are lost of each way. Without the kernel's netem, which
        not every kernel has.
        """
        ends: list[int] = []
        for at in range(1, self.count):
            ip("-n", self.namespace(0), "link", "delete", f"to{at}")
            for where, name in ((0, f"to{at}"), (at, "eth0")):
                tap = f"{self.mark}-{len(ends)}"
                ends.append(slow_link.tap(tap))
                ip("link", "set", tap, "netns", self.namespace(where), "name", name)
            self.connect(at)
        words = [ms / 2_000, loss, *ends]
        relay = subprocess.Popen(
            [sys.executable, slow_link.__file__, *map(str, words)],
            stdin=subprocess.PIPE,
            pass_fds=ends,
        )
        self.held.enter_context(relay)  # which closes what it reads, and waits for its end
        for end in ends:
            os.close(end)

    def connect(self, at: int) -> None:
        """Set up both ends of the link of a host."""
        first, own = self.namespace(0), self.namespace(at)
        ip("-n", first, "link", "set", f"to{at}", "master", "br0", "up")
        ip("-n", own, "address", "add", f"{self.address(at)}/24", "dev", "eth0")
        ip("-n", own, "link", "set", "eth0", "up")

    def clock(self, at: int, folder: Path) -> Callable[[int], None]:
        """Give a host a clock of its own, and what sets it ahead by so many seconds; needs `cc`.

        Of what is started there from then on. `folder` is an empty one.
        """
        ahead, library, etc = folder / "ahead", folder / "set_clock.so", folder / "etc"
        ahead.write_bytes(bytes(8))
        argv = ["cc", "-shared", "-fPIC", "-O1", f'-DAHEAD="{ahead}"', "-o", str(library)]
        subprocess.run([*argv, str(Path(__file__).with_name("set_clock.c"))], check=True)
        shutil.copytree("/etc", etc, symlinks=True)
        (etc / "ld.so.preload").write_text(f"{library}\n")
        self.etc[at] = etc

        def set_ahead(seconds: int) -> None:
            with open(ahead, "r+b") as file:  # which is mapped, so none may take its place
                file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

        return set_ahead

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
            group.connect(at)
        yield group
    finally:
        group.held.close()
        for at in range(count):
            subprocess.run(
                ["ip", "netns", "delete", group.namespace(at)], check=False, capture_output=True
            )
