"""Sentences as parts, so that each format sets names and links in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.records.measured import Machine
from loadtest.report.units import plural, size
from loadtest.stats.noise_floor import MOST


class Name(str):
    """A server or an endpoint inside a sentence; a format may set it as code."""

    __slots__ = ()


Words = tuple[str, ...]
"""A sentence in parts. A plain string is ours; a `Name` may be of others and must be escaped."""

ONE_ROUND = "one round cannot separate a real difference from noise"

LISTED = 3
"""Names in a sentence; of more, the rest is counted."""


@dataclass(frozen=True)
class Sentence:
    """A sentence or two, and the rows they rest on."""

    words: Words
    cells: tuple[str, ...] = ()
    """`Row.cell`s, to link to."""

    @property
    def plain(self) -> str:
        """The words as one string, names undecorated."""
        return "".join(self.words)


def names(all_: Sequence[str], most: int = LISTED) -> Words:
    """Return `a, b and c`, or `a, b and 5 more`."""
    return listed([(Name(name),) for name in all_], most)


def listed(parts: Sequence[Words], most: int = LISTED) -> Words:
    """Return the parts with commas, and those beyond `most` counted."""
    if len(parts) <= most:
        return joined(parts)
    shown = parts[: most - 1]
    return (*joined(shown, last=", "), f" and {len(parts) - len(shown)} more")


def joined(parts: Sequence[Words], last: str = " and ") -> Words:
    """Return the parts with commas, and with `last` before the last of them."""
    words: list[str] = []
    for at, part in enumerate(parts):
        if at:
            words.append(last if at == len(parts) - 1 else ", ")
        words += part
    return tuple(words)


def first_few(texts: Sequence[str], most: int = LISTED) -> str:
    """Return `a, b, c`, or `a, b, c and 2 more`."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def between(values: Iterable[float | None], text: Callable[[float], str]) -> str | None:
    """Return `850 us to 1.23 ms`, `850 to 990 us`, or `850 us` where all are the same."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = text(min(known)), text(max(known))
    if low == high:
        return low
    number, _, unit = low.partition(" ")
    return f"{number if unit == high.partition(' ')[2] else low} to {high}"


def capital(text: str) -> str:
    """Return text that begins a sentence."""
    return text[:1].upper() + text[1:]


def unsure_of_noise(floors: Sequence[float]) -> bool:
    """Say whether there is no noise floor, or one that says nothing but that it is not known."""
    return not floors or max(floors) >= MOST


def noise(copies: str, differ: str, rows: str) -> str:
    """Return what a difference has to exceed to count; `differ` is how far, as `9 to 14 %`."""
    return (
        f"Noise alone can make two copies of {copies} differ by {differ}; smaller gaps count as"
        f" noise. {_tied(rows)}"
    )


def noise_of_too_few(rows: str) -> str:
    """Return that noise was measured, and too rarely to say by how much."""
    return f"Too few rounds to say how large noise is. {_tied(rows)}"


def _tied(rows: str) -> str:
    return f"{rows} that share a rank (`1=`) are tied: this run cannot separate them."


def unknown_noise(what: str) -> str:
    """Return that nobody knows it."""
    return f"Small gaps can be noise: no {what} was measured twice here."


Facts = list[tuple[str, str]]
"""What a fact is about, and the fact; code in backticks."""


def machine(machine: Machine) -> Facts:
    """Return where a run was made."""
    hardware = [machine.cpu or "unknown processor"]
    if machine.processors:
        hardware.append(plural(machine.processors, "processor"))
    if machine.memory_bytes:
        hardware.append(f"{size(machine.memory_bytes)} of memory")
    system = [machine.system or "unknown"]
    if machine.open_files:
        system.append(f"{machine.open_files:,} open files allowed")
    if machine.governor:
        system.append(f"frequency governor {machine.governor}")
    return [("Machine", ", ".join(hardware)), ("System", ", ".join(system))]


def versions(versions: Mapping[str, str]) -> str:
    """Return versions by name."""
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
