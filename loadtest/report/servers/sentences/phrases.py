"""Parts of sentences: names, lists of them, ranges and ratios, for all formats to decorate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from loadtest.judge.servers.answer.records import Difference
from loadtest.report.sentence import Name, Words
from loadtest.report.units import significant, size

KINDS = {
    "cpu": "CPU-bound JSON",
    "waiting": "waiting on something slow",
    "outbound": "outbound HTTP",
    "control": "without Django",
}
"""Kinds of work that do not say what they are by their own name."""

LISTED = 3
"""Names in a sentence; of more, the rest is counted."""


def title(kind: str) -> str:
    """Return a kind of work as a heading: `Database`, `CPU-bound JSON`."""
    text = KINDS.get(kind, kind)
    return text[:1].upper() + text[1:]


def kind_of_work(kind: str) -> str:
    """Return a kind of work inside a sentence: `database`, `CPU-bound JSON`."""
    return KINDS.get(kind, kind)


def names(all_: Sequence[str], most: int = LISTED) -> Words:
    """Return `a, b and c`, or `a, b and 5 more`."""
    return listed([(Name(one),) for one in all_], most)


def listed(parts: Sequence[Words], most: int = LISTED) -> Words:
    """Return the parts with commas, and those beyond `most` counted."""
    if len(parts) <= most:
        return joined(parts)
    shown = parts[: most - 1]
    return (*joined(shown, last=", "), f" and {len(parts) - len(shown)} more")


def joined(parts: Sequence[Words], last: str = " and ") -> Words:
    """Return the parts with commas, and with `last` before the last of them."""
    made: list[str] = []
    for at, part in enumerate(parts):
        if at:
            made.append(last if at == len(parts) - 1 else ", ")
        made += part
    return tuple(made)


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


def ratio(value: float) -> str:
    """Return `0.09`, `2.06` or `12.3`: no more digits than a ratio of rates deserves."""
    return significant(value) if value >= 10 else f"{value:.2f}"


def times(difference: Difference) -> str:
    """Return `2.06 times (1.04 to 4.08)`, its 95 % interval in brackets."""
    text = f"{ratio(difference.ratio)} times"
    if difference.low is None or difference.high is None:
        return text
    return f"{text} ({ratio(difference.low)} to {ratio(difference.high)})"


def sentence(*parts: str) -> Words:
    """Return the parts as a sentence, without those that are empty."""
    return tuple(part for part in parts if part)


def memory_size(value: float) -> str:
    """Return bytes as `61 MB`."""
    return size(round(value))
