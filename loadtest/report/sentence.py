"""Sentences as parts, so that each format sets names and links in its own way."""

from __future__ import annotations

from dataclasses import dataclass


class Name(str):
    """A server or an endpoint inside a sentence; a format may set it as code."""

    __slots__ = ()


Words = tuple[str, ...]
"""A sentence in parts. A plain string is ours; a `Name` may be of others and must be escaped."""


@dataclass(frozen=True)
class Said:
    """A sentence or two, and the rows they rest on."""

    words: Words
    cells: tuple[str, ...] = ()
    """`Row.cell`s, to link to."""

    @property
    def plain(self) -> str:
        """The words as one string, names undecorated."""
        return "".join(self.words)
