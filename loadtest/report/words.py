"""The answer in words: the same sentences in every format, which only decorates the names."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.answer import Answer, Kind


class Name(str):
    """A server, an endpoint or a concern inside a sentence; a format may set it as code."""

    __slots__ = ()


Words = tuple[str | Name, ...]
"""A sentence in parts; a part that is a plain string is ours, a `Name` may be of others."""


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


def headline(answer: Answer) -> list[Said]:
    """Return what to deploy and why, and what the run does not show, for ten seconds' reading."""
    return []


def kind(kind: Kind) -> list[Said]:
    """Return what a run says of one kind of work: who leads, by how much, at what cost."""
    return []


def control(answer: Answer) -> list[Said]:
    """Return what is Django's and what the server's, and WSGI against ASGI in Django itself."""
    return []
