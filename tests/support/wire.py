"""A network in memory: links of a master and of agents, as Locust would connect them."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field

from loadtest.bench.load.agents.linked import Came, LostError


@dataclass
class Wire:
    """What passes texts on; `changed` may hold one back, or put others in its place."""

    ends: dict[str, queue.Queue[Came | None]] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """From, to and text of all that was sent."""
    changed: Callable[[str, str, str], list[str]] = lambda source, target, text: [text]
    cut: set[str] = field(default_factory=set)
    """Nothing comes from there, nor gets there."""

    def end(self, name: str) -> End:
        """Return the link of one machine."""
        self.ends[name] = queue.Queue()
        return End(self, name)

    def carry(self, source: str, target: str, text: str) -> None:
        """Pass a text on."""
        self.seen.append((source, target, text))
        if not {source, target} & self.cut and target in self.ends:
            for each in self.changed(source, target, text):
                self.ends[target].put(Came(source, each))


@dataclass
class End:
    """A link as `Link` is one."""

    wire: Wire
    name: str
    port: int | None = 1

    def send(self, who: str, text: str) -> None:
        """Send a text."""
        self.wire.carry(self.name, who, text)

    def receive(self, timeout_s: float) -> Came | None:
        """Return the next text, None where none comes in time; raises LostError at its end."""
        try:
            came = self.wire.ends[self.name].get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        if came is None:
            raise LostError("it was ended")
        return came

    def end(self) -> None:
        """End it."""
        self.wire.ends[self.name].put(None)
