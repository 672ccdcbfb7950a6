"""A page as data, built once: the renderers of HTML and of Markdown only decorate it.

Any text may come from outside. What stands between backticks is set as code, the rest as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from loadtest.report.charts.chart import Chart
from loadtest.report.sentences import Facts
from loadtest.report.table import Table


@dataclass(frozen=True)
class Bullets:
    """Sentences, one below the other."""

    texts: Sequence[str]
    target: str = ""
    """Where the page shows what the first rests on, with `label` as the link's text."""
    label: str = ""


@dataclass(frozen=True)
class Listed:
    """Facts, each with what it is about."""

    facts: Facts


@dataclass(frozen=True)
class Code:
    """A command or a log, as it stands."""

    text: str


@dataclass(frozen=True)
class Links:
    """Files beside the page: lines of what they are about and of each, its text and its name."""

    lines: Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclass(frozen=True)
class Charts:
    """Charts beside one another; a renderer without pictures leaves them out."""

    charts: Sequence[Chart]


@dataclass(frozen=True)
class Shown:
    """A table with what it shows, said to those who cannot see where it stands."""

    table: Table[Any]
    label: str
    attributes: Callable[[Any], Mapping[str, str | None]] | None = None
    """Of a row in HTML: its `id` and its `class`."""
    without: Sequence[Any] = ()
    """Rows that have no figures; Markdown lists them among the failed alone."""


class Seen(NamedTuple):
    """One field of a matrix in one of its views."""

    text: str
    """A number, or why there is none."""
    beside: str = ""
    """The figure as a multiple of the best one's, as in `0.42x`; empty without a number."""
    shade: int | None = None
    """From 0, far from the best, to 5, as good as the best; None without a number."""
    best: bool = False
    """The best valid one, or not separated from it."""


@dataclass(frozen=True)
class Square:
    """One field of a matrix."""

    state: str
    """What it is worth, or why it has no number; a class of the page."""
    row: str
    """Where its row stands on the page; empty without one."""
    views: Sequence[Seen]
    """Where none has a number, the first stands for all."""


Line = tuple[str, str, Sequence[Square]]
"""Of a matrix: its name, the place that it links to, squares in the order of the columns."""


@dataclass(frozen=True)
class Matrix:
    """Squares in lines and columns, each a figure in one of several views."""

    views: Sequence[tuple[str, str, str]]
    """Key, title, and what it shows."""
    columns: Sequence[tuple[str, str]]
    """Servers, each with its interface."""
    groups: Sequence[tuple[str, Sequence[Line]]]
    """Lines under a title."""
    legend: Sequence[tuple[str, str]]
    """A class of the page, and what it stands for."""


@dataclass(frozen=True)
class Filter:
    """Where the rows of the section it stands in are chosen from, on a page with a script."""

    label: str
    verdicts: Sequence[str]
    rows: int


@dataclass(frozen=True)
class Only:
    """Blocks that one format alone shows."""

    format: Literal["html", "markdown"]
    blocks: Sequence[Block]


@dataclass(frozen=True)
class View:
    """What stands in place of other views of the same: HTML switches, Markdown folds all others."""

    key: str
    title: str
    blocks: Sequence[Block]
    first: bool


@dataclass(frozen=True)
class Section:
    """A heading with all that stands below it."""

    heading: str
    blocks: Sequence[Block]
    id: str = ""
    """To link to; of a section that the navigation lists, always."""
    gist: str = ""
    """What is in it, in a few words beside the heading."""
    folded: Sequence[str] = ()
    """The formats in which it has to be opened: `html`, `markdown`."""
    opened: bool = False
    """Folded, but open at first."""
    choices: Sequence[tuple[str, str]] = ()
    """Keys and titles of the views below it, among which a reader chooses."""


Block = (
    str | Bullets | Listed | Code | Links | Charts | Shown | Matrix | Filter | Only | View | Section
)

BOTH = ("html", "markdown")


@dataclass(frozen=True)
class Page:
    """All that a page says, from the answer on."""

    title: str
    lead: Sequence[str]
    """The answer, in a few sentences."""
    answer: Sequence[Block]
    """What follows at once."""
    sections: Sequence[Section]
    subject: str = ""
    """Of what it is, for the bar on top; the title where it says that already."""
    meta: str = ""
    """How large that is and when it was made."""
    footer: str = ""
    places: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The anchors of what can be linked to: of each `server`, `endpoint`, `cell` and `doubt`."""
