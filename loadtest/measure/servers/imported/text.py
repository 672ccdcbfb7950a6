"""What a load generator's text comes to, whichever it is; and numbers as such tools print them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from loadtest.records.measured import Histogram, Loaded
from loadtest.records.planned import Record
from loadtest.records.values import MOST_CONNECTIONS

TIME_US = {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}
BYTES = {"B": 1, **{f"{unit}B": 1024 ** (n + 1) for n, unit in enumerate("KMGTP")}}
METRIC = {"": 1, **{unit: 1000 ** (n + 1) for n, unit in enumerate("kMGTP")}}

LEAST_US, MOST_US = 100_000, 10**13
"""Of a load: a shorter or a longer one was not made, its duration is of something else."""


class TextError(ValueError):
    """A block is not a tool's whole text: at which of its lines, from 0, and why."""

    def __init__(self, at: int, why: str) -> None:
        """Take the line's place in the block and the reason as one line."""
        super().__init__(why)
        self.at = at
        self.why = why


class Typed(Record, frozen=True, kw_only=True):
    """What the person who imports says of all that a report does not; None: nothing."""

    server: str | None = None
    style: str | None = None
    endpoint: str | None = None
    delay_s: float | None = None
    connections: int | None = None
    rate: float | None = None
    rounds: bool = False
    """Whatever words stand above blocks of the same load, they are its rounds."""


class Text(Record, frozen=True, kw_only=True):
    """One run of a load generator as its text and its command tell it."""

    url: str
    """Empty where neither has it."""
    declared_s: float | None = None
    """How long it was to take; None where a number of requests was asked for."""
    requests: int | None = None
    """That number."""
    connections: int
    threads: int | None = None
    tool: str | None = None
    """With the options that make another load of it; None: wrk, plain."""
    script: str | None = None
    """Of wrk's `-s`."""
    rate: float | None = None
    """Requests a second, where they were sent as scheduled."""
    options: tuple[str, ...] = ()
    """Of the command: what else was sent."""
    software: str = ""
    """The server, as its responses say it."""
    loaded: Loaded | None
    """None where it could not connect."""
    histogram: Histogram | None = None
    failure: str | None = None
    """In the tool's words."""
    notes: tuple[str, ...] = ()
    """What had to be assumed."""


class Amount(NamedTuple):
    """A number as printed: it was rounded from something in this range."""

    low: float
    value: float
    high: float


def missing(line: str, option: str) -> TextError:
    """Return the error for what neither a text nor its command says, and can be typed."""
    return TextError(0, f"no {line}, and no command above says it: type {option}")


def amount(at: int, text: str, units: dict[str, int]) -> Amount:
    """Return the range that a number with its unit was rounded from; raises TextError."""
    match = re.fullmatch(r"(\d{1,12}(?:\.(\d{1,6}))?)\s*([A-Za-z/]*)", text, re.ASCII)
    if match is None or match[3] not in units:
        raise TextError(at, f"{text[:60]!r} is no number with a unit that wrk prints")
    value, unit = float(match[1]), units[match[3]]
    if value * unit > 2**53:
        raise TextError(at, f"{text!r} is more than wrk can count")
    half = 0.5 * 10 ** -len(match[2] or "")
    return Amount(max(0.0, value - half) * unit, value * unit, (value + half) * unit)


def check_duration(at: int, duration_us: float) -> None:
    """Raise TextError for a load that was too short to be one, or too long."""
    if not LEAST_US <= duration_us <= MOST_US:
        long = "short" if duration_us < LEAST_US else "long"
        raise TextError(at, f"a load of {duration_us / 1e6:.3g} s: too {long} to be one")


def check_connections(at: int, connections: int) -> int:
    """Return a number of connections; raises TextError for one that no load has."""
    if not connections:
        raise TextError(at, "no connections")
    if connections > MOST_CONNECTIONS:
        raise TextError(at, "more connections than there are ports")
    return connections


def last_of(lines: Sequence[str], start: int, stop: int, own: re.Pattern[str]) -> int:
    """Return the end of the lines that a tool printed from one on, blank ones between them."""
    end = start + 1
    for at in range(start + 1, stop):
        if own.fullmatch(lines[at].strip()):
            end = at + 1
        elif lines[at].strip():
            break
    return end


class Fields:
    """The lines of a text that begin with a name and a colon, by that name."""

    def __init__(self, lines: Sequence[str], *names: str) -> None:
        """Take the first line of each of these names."""
        self._lines = {
            name: (at, line.strip()[len(name) + 1 :].strip())
            for name in names
            for at, line in reversed([*enumerate(lines)])
            if line.strip().startswith(f"{name}:")
        }

    def __contains__(self, name: str) -> bool:
        """Say whether there is one."""
        return name in self._lines

    def text(self, name: str) -> str:
        """Return what it says; raises TextError where it is missing."""
        return self._line(name)[1]

    def number(self, name: str, units: dict[str, int] | None = None) -> float:
        """Return its number, of several the first; raises TextError where it is none."""
        at, text = self._line(name)
        words = text.split()
        wanted = " ".join(words[:2] if units and len(words) > 1 else words[:1])
        return amount(at, wanted, units or {"": 1}).value

    def at(self, name: str) -> int:
        """Return its line; raises TextError where it is missing."""
        return self._line(name)[0]

    def _line(self, name: str) -> tuple[int, str]:
        if name not in self._lines:
            raise TextError(0, f"the line with `{name}:` is missing")
        return self._lines[name]
