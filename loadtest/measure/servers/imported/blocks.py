"""Finds wrk's text in a Markdown report: each block with the headings and the command above it.

Every line that is not empty is accounted for: it belongs to a block, says where a block belongs,
or is noted with its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from loadtest.measure.servers.imported.text import (
    START,
    TextError,
    WrkText,
    is_last,
    is_wrk,
    parse,
)
from loadtest.records.planned import Record
from loadtest.records.text import message

TIMEOUT_S = 2.0
"""wrk's own `--timeout`: it drops the latency of a slower answer, and counts the answer."""

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*)")

_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")

_COMMAND = re.compile(r"\s*(?:[$>#]\s*)?(?:\S*/)?wrk\s+-.*")

_TIMEOUT = re.compile(r"\s(?:--timeout[=\s]\s*|-T\s*)(\S+)")

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Note(Record, frozen=True, kw_only=True):
    """Something to know about a line of the report, counted from 1."""

    line: int
    text: str

    def __str__(self) -> str:
        """Return it as it is shown: a line of a length to be read, whatever the report holds."""
        return message(f"line {self.line}: {self.text}")


class Headings(Record, frozen=True, kw_only=True):
    """What the headings above a line say."""

    server: str = ""
    """Empty where there is none."""
    server_line: int = 0
    title: str | None = None
    style: str | None = None
    """`sync` or `async`."""
    timeout_s: float | None = TIMEOUT_S
    """Of the command shown since then; None where that cannot be read."""


class Block(Record, frozen=True, kw_only=True):
    """One run of wrk, and where the report puts it."""

    line: int
    """Of its first line."""
    text: str
    wrk: WrkText
    under: Headings


class Found(Record, frozen=True, kw_only=True):
    """What there is in a report."""

    blocks: tuple[Block, ...]
    unread: int
    """Blocks that cannot be read; each has its note."""
    notes: tuple[Note, ...]


def find(text: str) -> Found:
    """Return the blocks of a report in their order, and what cannot be read."""
    # Not `splitlines`: it also splits where no editor counts a line.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    listings = _listings(lines)
    blocks: list[Block] = []
    notes: list[Note] = []
    stray: list[int] = []
    unread = 0
    under = Headings()
    at = 0
    while at < len(lines):
        line, start = lines[at], at
        at += 1
        if is_wrk(line):
            at = _end(lines, start)
            try:
                wrk = parse(lines[start:at])
            except TextError as error:
                unread += 1
                where = f" (the block of line {start + 1})" if error.at else ""
                why = f"{error.why}{where}; this block is not imported"
                notes.append(Note(line=start + 1 + error.at, text=why))
            else:
                body = "\n".join(lines[start:at]).rstrip() + "\n"
                blocks.append(Block(line=start + 1, text=body, wrk=wrk, under=under))
        elif start not in listings and (heading := _HEADING.fullmatch(line)):
            under = _below(under, len(heading[1]), _title(heading[2]), start + 1)
        elif _COMMAND.fullmatch(line):
            under = msgspec.structs.replace(under, timeout_s=_timeout_s(line))
        elif line.strip() and not _FENCE.fullmatch(line):
            stray.append(start)
    notes += _strays(lines, stray)
    return Found(blocks=tuple(blocks), unread=unread, notes=tuple(notes))


def _end(lines: Sequence[str], start: int) -> int:
    """Return the end of the block that starts there: after wrk's last line, or before another."""
    for at in range(start, len(lines)):
        if is_last(lines[at]):
            return at + 1
        if at > start and any(p.fullmatch(lines[at]) for p in (_FENCE, _HEADING, START)):
            return at
    return len(lines)


def _below(under: Headings, level: int, text: str, line: int) -> Headings:
    """Return what holds below a heading; one of level 1 is the report's own title."""
    if level == 1:
        return under
    if level == 2:
        return Headings(server=text, server_line=line)
    style = text.casefold()
    if style in ("sync", "async"):
        return msgspec.structs.replace(under, style=style, timeout_s=TIMEOUT_S)
    return msgspec.structs.replace(under, title=text, style=None, timeout_s=TIMEOUT_S)


def _title(text: str) -> str:
    """Return a heading without the hashes that may close it."""
    words = text.split()
    return " ".join(words[:-1] if words and not words[-1].strip("#") else words)


def _timeout_s(command: str) -> float | None:
    """Return the timeout that a wrk command asks for, wrk's own where it asks for none."""
    timeout = _TIMEOUT.search(command)
    if timeout is None:
        return TIMEOUT_S
    value = re.fullmatch(r"(\d{1,6})([smh]?)", timeout[1], re.ASCII)
    return int(value[1]) * _UNITS_S[value[2]] if value else None


def _listings(lines: Sequence[str]) -> set[int]:
    """Return the lines inside code that is not wrk's: a `##` there is a comment, no heading.

    A fence that was lost turns code and prose around. It shows: wrk's text stands outside, or a
    fence stays open, or one opens inside another; then every heading counts.
    """
    inside: set[int] = set()
    opened: tuple[int, str] | None = None
    for at, line in enumerate(lines):
        fence = _FENCE.fullmatch(line)
        if opened is None:
            if fence:
                opened = (at, fence[1])
            elif START.fullmatch(line):
                return set()
        elif fence and fence[1].startswith(opened[1]):
            if fence[2].strip():
                return set()
            span = range(opened[0] + 1, at)
            if not any(is_wrk(lines[number]) for number in span):
                inside.update(span)
            opened = None
    return inside if opened is None else set()


def _strays(lines: Sequence[str], stray: Sequence[int]) -> Iterator[Note]:
    """Yield a note for each stretch of lines that were not read."""
    for _, stretch in groupby(enumerate(stray), lambda numbered: numbered[1] - numbered[0]):
        at, *others = (at for _, at in stretch)
        many = f"{len(others) + 1} lines that are" if others else "a line that is"
        yield Note(line=at + 1, text=f"{many} not wrk's, not read: {lines[at].strip()[:60]!r}")
