"""Text that came from a file, a server or a log, made safe to show; counts and times in words."""

from __future__ import annotations

import re

UNSAFE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff\ufeff\ufffe\uffff"
)
"""Inside the brackets of a regular expression: control characters but for tab and newline, what
turns the direction of text or ends a line unseen, and what neither UTF-8 nor XML can hold."""

MOST = 800
"""Characters of a message; what is beyond is cut out of its middle."""

CUT = " ... "

UNKNOWN = "-"


def printable(text: str) -> str:
    r"""Return text in which what could fool a terminal or a reader is spelled out.

    As JSON spells it, `\u001b`: of JSON it changes the look, and not the meaning.
    """
    if text.isprintable():  # as nearly all is, of which a report has a million
        return text
    return re.sub(f"[{UNSAFE}]", lambda match: f"\\u{ord(match[0]):04x}", text)


def message(text: str, most: int = MOST) -> str:
    """Return text as one printable line of at most `most` characters; its ends are kept.

    What is wrong stands at the beginning of a message, and what to type at the end.
    """
    line = printable(re.sub(r"[\t\n]", " ", text))
    half = (most - len(CUT)) // 2
    return line if len(line) <= most else line[:half] + CUT + line[-half:]


def plural(count: int, noun: str) -> str:
    """Return `1 cell`, `2 cells`, `2,000 connections`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def significant(value: float) -> str:
    """Return `value` with three significant digits and thousands separators: `12,300`, `6.23`."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa + 'e' + exponent):,.{max(0, 2 - int(exponent))}f}"


def latency(us: float | None) -> str:
    """Return microseconds as `850 us`, `1.23 ms` or `1.02 s`."""
    if us is None:
        return UNKNOWN
    if us < 999.5:
        return f"{significant(us)} us"
    if us < 999_500:
        return f"{significant(us / 1e3)} ms"
    return f"{significant(us / 1e6)} s"
