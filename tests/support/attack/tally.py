"""What was tried and what failed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST = 1_100
"""Characters of a message that one still reads."""

NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of characters that no message has any use for; a terminal may act on them."""

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass
class Tally:
    """One attack: how often it was tried, and which tries failed, with why."""

    name: str
    tried: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    """What to type for it again, and what was wrong."""
    next: int = 0
    """The number of the try after these."""
    interrupted: bool = False

    def take(self, other: Tally) -> None:
        """Add what another part of the same attack came to."""
        self.tried += other.tried
        self.failed += other.failed

    def __str__(self) -> str:
        return f"{self.name:<28} {self.tried:>7} tried {len(self.failed):>6} failed"


def unclean(text: str) -> str | None:
    """Return what a terminal should not get of a text of several lines; None if it is clean."""
    for character in text:
        wrong = unicodedata.category(character) in NO_TEXT and character not in "\n\t"
        if wrong or character in BIDI or ord(character) & 0xFFFE == 0xFFFE:
            return f"the character U+{ord(character):04X} in {text[:200]!r}"
    return None


def unkind(lines: Iterable[str]) -> str | None:
    """Return what is wrong with the lines of an error; None where each can be read."""
    for line in lines:
        if dirty := unclean(line):
            return dirty
        if "\n" in line.strip("\n"):
            return f"several lines for one: {line[:200]!r}"
        if len(line) > LONGEST:
            return f"a line of {len(line)} characters: {line[:200]!r}"
    return None


SO_FAR = re.compile(r"starting services and servers: .* so far$|.*\bround \d+")
"""What a run says of itself while it goes on."""


def broken(status: int, err: str) -> str | None:
    """Return what is wrong with how a command ended; None where it is as documented."""
    if "Traceback" in err or "panicked" in err:
        return f"a traceback: {err[-600:]}"
    if status not in (0, 1, 2, 3, 130):
        return f"status {status}: {err[-300:]}"
    lines = err.splitlines()
    last = [line for line in lines if not SO_FAR.match(line)]
    if status == 2 and (odd := [line for line in last if not line.startswith("loadtest: ")]):
        return f"status 2 with another line: {odd[0][:200]!r}"
    return unkind(lines)
