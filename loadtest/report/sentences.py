"""Paragraphs from templates, which formats decorate in their own ways, and phrases for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from loadtest.records.measured import Machine
from loadtest.report.units import (
    asked,
    latency,
    plural,
    ratio,
    ratio_interval,
    seconds,
    share,
    significant,
    size,
)

LISTED = 3
"""Names in a sentence; of more, the rest is counted."""


Facts = list[tuple[str, str]]
"""What a fact is about, and the fact; code in backticks."""


def first_few(texts: Sequence[str], most: int = LISTED) -> str:
    """Return `a, b, c`, or `a, b, c and 2 more`."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Paragraph:
    """What a reader of a minute is told of one question: the answer, and what supports it."""

    lead: str
    """Set in bold; in both, code stands in backticks."""
    text: str
    cells: tuple[str, ...] = ()
    """The `Row.cell`s that it rests on, to link to: of all that it compares."""


def macros(file: Path) -> Any:
    """Return the macros of a template, each an attribute; numbers become text by its filters."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(file.parent), undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "capital": capital,
        "code": code,
        "names": lambda names, most=LISTED, last="and": listed(map(code, names), most, last),
        "listed": listed,
        "share": share,
        "us": latency,
        "seconds": seconds,
        "versus": lambda it: ratio_interval(it.ratio, it.low, it.high),
        "number": significant,
        "asked": asked,
        "plural": plural,
        "counts": lambda values: between(values, "{:,}".format),
        "numbers": lambda values: between(values, significant),
        "shares": lambda values: between(values, share),
        "size": size,
        "latencies": lambda values: between(values, latency),
        "ratios": lambda values: between(values, ratio),
        "apart": lambda floor: (
            f"by {share(floor)}" if floor < 1 else f"by a factor of {1 + floor:.2g}"
        ),
    }
    return environment.get_template(file.name).module


def wording(file: Path) -> Callable[..., Paragraph]:
    """Return what fills the macros of a template: takes a macro's name, its facts and the cells.

    A macro begins with its lead between `**` and `**`. Where it breaks its lines means nothing.
    """
    of = macros(file)

    def fill(macro: str, facts: Mapping[str, Any], cells: tuple[str, ...] = ()) -> Paragraph:
        text = " ".join(str(getattr(of, macro)(**facts)).split())
        lead, _, rest = text[2:].partition("**") if text.startswith("**") else ("", "", text)
        return Paragraph(lead.strip(), rest.strip(), cells)

    return fill


def says(macros: Any, macro: str, *facts: Any) -> tuple[str, ...]:
    """Return the sentences of a macro: each begins with `- ` at the beginning of a line."""
    text = getattr(macros, macro)(*facts)
    return tuple(" ".join(each.split()) for each in re.split(r"(?m)^- ", text)[1:])


def states(macros: Any, macro: str, *facts: Any) -> Facts:
    """Return the facts of a macro, each with what it is about before its first colon."""
    parts = (line.partition(": ") for line in says(macros, macro, *facts))
    return [(what, text) for what, _, text in parts]


def code(name: str) -> str:
    """Return a name, which may be of others, as code inside a sentence."""
    return f"`{name.replace('`', chr(39))}`"


def listed(texts: Iterable[str], most: int = LISTED, last: str = "and") -> str:
    """Return `a, b and c`; of more than `most`, `a, b and 5 more`."""
    all_ = list(texts)
    if len(all_) > most:
        all_ = [*all_[: most - 1], f"{len(all_) - most + 1} more"]
    return f" {last} ".join(filter(None, (", ".join(all_[:-1]), *all_[-1:])))


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
