"""Numbers as people read them; here and in `records/text.py` units are changed, nowhere else."""

from __future__ import annotations

import re
from textwrap import fill
from typing import Any

from loadtest.records.text import UNKNOWN as UNKNOWN
from loadtest.records.text import latency as latency
from loadtest.records.text import message, printable
from loadtest.records.text import plural as plural
from loadtest.records.text import significant as significant

MOST_OF_PARAGRAPH = 10_000
"""Characters."""


def asked(rate: float) -> str:
    """Return a rate as it was asked for, whatever its digits: `1,500`, `0.5`."""
    return f"{rate:,.10g}"


def seconds(s: float) -> str:
    """Return seconds as `3 s` or `0.5 s`."""
    return f"{s:,g} s"


def duration(s: float) -> str:
    """Return a time as it was asked for: `20 s`, `1.5 min`, `90 min`."""
    return seconds(s) if s < 60 else f"{s / 60:,.4g} min"


def roughly(s: float) -> str:
    """Return about how long something takes: `45 s`, `8 min`."""
    return f"{s / 60:.0f} min" if s >= 90 else f"{s:.0f} s"


def size(count: float | None) -> str:
    """Return bytes as `61 MB` or `1.94 GB`, in powers of ten."""
    if count is None:
        return UNKNOWN
    if count < 999.5e3:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 999.5e6 else f"{significant(count / 1e9)} GB"


def share(fraction: float) -> str:
    """Return a fraction as `0.38 %`; neither some nor nearly all is rounded to none or all."""
    percent = fraction * 100
    if 0 < percent < 0.01:
        return "<0.01 %"
    if 99.5 <= percent < 100:
        return ">99 %"
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.2g} %"


def ratio(value: float) -> str:
    """Return `0.09x`, `1.86x` or `12.3x`: no more digits than a ratio of rates deserves."""
    return f"{_digits(value)}x"


def ratio_interval(value: float, low: float | None, high: float | None) -> str:
    """Return a ratio with its 95 % interval in brackets: `1.86x (1.04 to 4.08)`.

    One that is narrower than a ratio's digits gets more of them: `1.10x (1.098 to 1.103)`; rounds
    that are all alike have none.
    """
    if low is None or high is None:
        return ratio(value)
    for text in (_digits, "{:.4g}".format):
        if text(low) != text(high):
            return f"{ratio(value)} ({text(low)} to {text(high)})"
    return ratio(value)


def _digits(value: float) -> str:
    if value >= 9.995:
        return significant(value)
    return f"{value:.2f}" if value >= 0.095 else f"{value:.2g}"


def paragraph(text: str, width: int, indent: int = 0) -> str:
    """Return text in lines of at most `width`, broken between words, all of them indented.

    What nobody would read to its end is cut out of its middle.
    """
    margin = " " * indent
    return fill(
        message(text, MOST_OF_PARAGRAPH),
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        # Names are full of hyphens; they and what is longer than a line are to be copied whole.
        break_on_hyphens=False,
        break_long_words=False,
    )


class Unlike:
    """Gives out names, each once: the second of the same is numbered, as in `kind-2`."""

    def __init__(self) -> None:
        """Begin with none."""
        self._given: set[str] = set()
        self._numbers: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        """Return a name that was not given before."""
        number = self._numbers.get(name, 0) + 1
        while (given := name if number == 1 else f"{name}-{number}") in self._given:
            number += 1
        self._numbers[name] = number
        self._given.add(given)
        return given


def signs(value: Any) -> Any:
    """Return printable text with a page's signs for microseconds and times: others are ASCII."""
    if not isinstance(value, str):
        return value
    value = printable(value)
    if "x" not in value and " us" not in value:
        return value
    value = re.sub(r"(?<=\d) us\b", " µs", value)
    return re.sub(r"(?<![\w.,])(\d[\d.,]*)x(?!\w)|(?<= )x(?= \d)", "\\1\u00d7", value)
