"""A master and its agents, each with its end of a `Wire`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders import machine
from wire import Wire

from loadtest.bench.load.agents import signing
from loadtest.bench.load.agents.agent import Agent
from loadtest.bench.load.agents.linked import Address, LostError
from loadtest.bench.load.agents.master import Master

SECRET = signing.secret_of({signing.VARIABLE: "a secret of some length"})


@dataclass
class Net:
    """A master, its wire, and what was said."""

    master: Master
    wire: Wire
    folder: Path
    notes: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    """How each agent's session ended, by its name on the wire."""
    threads: list[threading.Thread] = field(default_factory=list)

    def agent(self, name: str, secret: bytes = SECRET, **changes: Any) -> Agent:
        """Start an agent; its session ends with the wire's end of it."""
        folder = self.folder / name
        (folder / "raw").mkdir(parents=True, exist_ok=True)
        fields: dict[str, Any] = {
            "master": Address("127.0.0.1", 1),
            "secret": secret,
            "machine": machine(versions={"wrk": "4.1.0"}),
            "version": "1",
            "folder": folder,
            "say": self.notes.append,
        }
        started = Agent(**fields | changes)
        link: Any = self.wire.end(name)

        def run() -> None:
            try:
                self.why[name] = started._session(link)
            except LostError as error:
                self.why[name] = str(error)

        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()
        return started

    def end(self, name: str) -> None:
        """End an agent without a word."""
        self.wire.cut.add(name)
        self.wire.ends[name].put(None)


@contextmanager
def net(folder: Path, wanted: int, *, served: bool = False) -> Iterator[Net]:
    """Give a master that wants so many agents, and where it is `served` one that serves."""
    wire = Wire()
    notes: list[str] = []
    link: Any = wire.end("master")
    master = Master(link, SECRET, "1", wanted, notes.append, served)
    listener = threading.Thread(target=master.run, daemon=True)
    listener.start()
    network = Net(master, wire, folder, notes)
    try:
        yield network
    finally:
        master.close()
        for name in list(wire.ends):
            wire.ends[name].put(None)
        for thread in (listener, *network.threads):
            thread.join(30)
            assert not thread.is_alive()
