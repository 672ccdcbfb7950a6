"""Our end of a link: starts the process that speaks Locust's protocol, exchanges texts with it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from loadtest.bench.load.agents.messages import MOST_BYTES
from loadtest.bench.load.agents.signing import Role
from loadtest.records.errors import UserError
from loadtest.system import process
from loadtest.system.process import Process

SCRIPT = Path(__file__).with_name("link.py")

PACKAGE = Path(__file__).parents[3]
"""All of loadtest."""

INSTALL = "`pip install 'loadtest[distributed]'`"

UP_WITHIN_S = 20.0
"""Of a link that listens."""

TAKEN_WITHIN_S = 10.0
"""Of a text, by a link that works."""

ENDS_WITHIN_S = 1.0
"""By itself, once it is told no more."""


class Address(NamedTuple):
    """Where the machine that steers listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.host}:{self.port}"


class LostError(Exception):
    """The process of a link has ended; the text says how."""


class Came(NamedTuple):
    """A text and who sent it, as Locust names it."""

    who: str
    text: str


def check_installed() -> None:
    """Raise UserError where Locust is missing."""
    if importlib.util.find_spec("locust") is None:
        raise UserError(f"Locust is missing, which agents are reached by; type {INSTALL}")


def version() -> str:
    """Return what tells this installation's code from another one's, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".lua"):
            digest.update(f"{path.relative_to(PACKAGE)} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@dataclass
class Link:
    """A link that runs."""

    process: Process
    ours: socket.socket
    port: int | None = None
    """At which it listens, or has reached the other; None: it is not up yet."""
    _read: bytearray = field(default_factory=bytearray)
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, who: str, text: str) -> None:
        """Send a text, from any thread; raises LostError."""
        line = json.dumps([who, text]).encode() + b"\n"
        try:
            with self._sending:
                self.ours.sendall(line)
        except OSError:
            raise self._lost() from None

    def receive(self, timeout_s: float) -> Came | None:
        """Return the next text; None where none comes in time, or the link is up now.

        Raises LostError.
        """
        looked = 0
        while (end := self._read.find(b"\n", looked)) < 0:
            looked = len(self._read)
            if looked > 2 * MOST_BYTES:
                raise LostError("it passed on more than a message can be")
            readable, _, _ = select.select([self.ours], [], [], max(0.0, timeout_s))
            if not readable:
                return None
            try:
                data = self.ours.recv(2**20)
            except OSError:
                data = b""
            if not data:
                raise self._lost()
            self._read += data
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        try:
            words = json.loads(line)
        except (ValueError, RecursionError):
            return None
        match words:
            case ["up", int(port)]:
                self.port = port
            case ["message", str(who), str(text)]:
                return Came(who, text)
        return None

    def _lost(self) -> LostError:
        why = self.process.ended() or f"{self.process.name} closed its end"
        last_line = self.process.tail(1)
        return LostError(f"{why}: {last_line}" if last_line else why)


@contextlib.contextmanager
def linked(role: Role, at: Address, log: Path) -> Iterator[Link]:
    """Give a link for the block: at `at` a master listens, an agent reaches for it.

    Raises LostError for a master's that does not come up.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(TAKEN_WITHIN_S)
    with ours:
        with theirs:
            descriptor = theirs.fileno()
            running = process.start(
                "the link to other machines",
                [sys.executable, "-I", str(SCRIPT), role, at.host, str(at.port), str(descriptor)],
                log=log,
                # No secret, whatever else is inherited.
                fds=(descriptor,),
                grace_s=0.5,
            )
        with process.running(running):
            link = Link(running, ours)
            if role == "master":
                link.receive(UP_WITHIN_S)
                if link.port is None:
                    raise LostError(f"it did not listen at {at}: {running.tail(1)}")
            try:
                yield link
            finally:
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    ours.shutdown(socket.SHUT_WR)
                    running.wait(ENDS_WITHIN_S)
