"""The lines of a report, whatever it was written with, and what was put around them undone."""

from __future__ import annotations

import re

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""A terminal's colours."""

_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
"""As editors and web pages put them in place of plain ones."""

_BEFORE = re.compile(r"(?:[\s>#*|;`+-]|//|<[^<>]*>)+")
"""What quotes, comments, lists, tables and HTML put before a line."""

_AFTER = " \t\r\f\v|`\\"
"""Likewise behind it, with the end of a comment in C, and tags."""


LONGEST = 1_000
"""Characters of a line that is a heading, a command, or decorated; no tool prints a longer one."""


def lines_of(data: bytes) -> list[str]:
    """Return the lines of a file, with plain spaces and without a terminal's colours."""
    text = _SPACES.sub(" ", _ESCAPES.sub("", _decoded(data)))
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Not `splitlines`: it also splits where no editor counts a line. Of what a progress bar wrote
    # over itself, the last counts.
    return [line.removesuffix("\r").rpartition("\r")[2] for line in text.split("\n")]


def bare(line: str) -> str:
    """Return what a tool may have printed of a line that stands in a quote, a comment, a list."""
    if len(line) > LONGEST:
        return line
    start = _BEFORE.match(line)
    line = line[start.end() :] if start else line
    return line[: min(_end(line), _comment(line))]


def _comment(line: str) -> int:
    """Return where a comment begins behind a line, its blanks included; its end without one."""
    at = line.find(" # ")
    return len(line) if at < 0 else len(line[:at].rstrip())


def _end(line: str) -> int:
    """Return where a line ends, without what was put behind it."""
    while True:
        rest = line.rstrip(_AFTER)
        if rest.endswith("*/"):
            rest = rest[:-2]
        elif rest.endswith(">") and "<" in rest and ">" not in rest[rest.rindex("<") : -1]:
            rest = rest[: rest.rindex("<")]
        if len(rest) == len(line):
            return len(rest)
        line = rest


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    start = data[:200]
    if 3 * start.count(0) > len(start):  # UTF-16 without its mark: every other byte of ASCII is 0
        return data.decode("utf-16-be" if start[0] == 0 else "utf-16-le", "replace")
    return data.decode("utf-8", "replace")
