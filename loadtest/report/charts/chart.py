"""A chart: small SVGs beside one another in a page, and one SVG in a file for Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from loadtest.records.planned import Interface
from loadtest.report.charts.scale import Scale
from loadtest.report.generated_marker import signed
from loadtest.report.units import signs

Shape = Literal["dot", "diamond", "up", "down", "tick", "bar"]

FOLDER = Path(__file__).parent

ROW, HEIGHT = 20, 300
"""Heights in pixels of a row, and of what lines are drawn in."""

CHARACTER = 6.8
"""Width of one in a label, in pixels, with some to spare."""

GUTTERS = (24, 64, 104, 144, 184, 224)
"""Widths in pixels of what is beside an axis; `chart.css` has a class for each."""

APART = 14
"""Pixels between labels of lines."""

WIDE, COLUMNS = 840, 2
"""Pixels of a file, and how many panels stand beside one another there."""

CUT = "An interval that would hide all else is cut off."


@dataclass(frozen=True)
class Mark:
    """A figure with its interval."""

    value: float
    look: str = ""
    """A class of `chart.css`."""
    shape: Shape = "dot"
    """A bar goes from `low` to the value."""
    hollow: bool = False
    low: float | None = None
    high: float | None = None
    x: float = 0.0
    """Of a mark on a line."""
    name: str = ""
    """All that have the same name light up together."""
    tip: str = ""
    """What is shown of it beside the pointer; lines of text."""
    down: int = 0
    """Pixels below the middle of its row."""


@dataclass(frozen=True)
class Strip:
    """What stands at one height of a panel."""

    label: str
    marks: Sequence[Mark]
    name: str = ""
    tip: str = ""
    band: tuple[float, float] | None = None
    """What counts as noise."""
    note: str = ""
    """Its figures in words, on the other side of the axis."""


@dataclass(frozen=True)
class Panel:
    """What stands on one horizontal axis."""

    title: str
    axis: str
    scale: Scale

    @property
    def height(self) -> int:
        """Return the height between title and axis."""
        return HEIGHT

    @property
    def top(self) -> int:
        """Return the height of its title."""
        return 24 if self.title else 8

    @property
    def below(self) -> int:
        """Return the height of its axis, with a line for each in the longest label."""
        labels = max((text.count(" | ") + 1 for _, text in self.scale.ticks), default=0)
        return 8 + 14 * labels + 18 * bool(self.axis)


@dataclass(frozen=True)
class Rows(Panel):
    """Marks, with a row for each server or client."""

    rows: Sequence[Strip]
    reference: float | None = None
    """Where an upright line stands."""

    @property
    def marks(self) -> Iterator[Mark]:
        """Yield all marks."""
        return chain.from_iterable(row.marks for row in self.rows)

    @cached_property
    def gutters(self) -> tuple[int, int]:
        """Return the widths beside the axis, left and right."""
        return _gutter(row.label for row in self.rows), _gutter(row.note for row in self.rows)

    @property
    def height(self) -> int:
        """Return the height between title and axis."""
        return ROW * len(self.rows)


@dataclass(frozen=True)
class Line:
    """A server's line through its points, each an x and a y."""

    name: str
    look: str
    points: Sequence[tuple[float, float]]
    marks: Sequence[Mark] = ()
    tip: str = ""


@dataclass(frozen=True)
class Lines(Panel):
    """Lines, their names at the ends; the first is the one to be seen at once."""

    upright: Scale
    lines: Sequence[Line]
    reference: float | None = None
    """Where a line lies from side to side, as of a goal; `label` says what it is."""
    label: str = ""

    @property
    def marks(self) -> Iterator[Mark]:
        """Yield all marks."""
        return chain.from_iterable(line.marks for line in self.lines)

    @cached_property
    def gutters(self) -> tuple[int, int]:
        """Return the widths beside the axis, left and right."""
        return (
            _gutter(text for _, text in self.upright.ticks),
            _gutter(line.name for line in self.lines),
        )

    def down(self, value: float) -> float:
        """Return how many pixels below the top a value stands."""
        return round(self.height * (1 - self.upright.at(value)), 1)

    def path(self, line: Line) -> str:
        """Return a line in a box of 1000 by the height, in whole steps from point to point."""
        places = [(round(1000 * self.scale.at(x)), round(self.down(y))) for x, y in line.points]
        steps = [f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(places)]
        return f"M{places[0][0]} {places[0][1]}l{' '.join(steps) or '0 0'}".replace(" -", "-")

    def ends(self) -> list[tuple[Line, int]]:
        """Return each line with the height of its label, in the order in which the lines end."""
        ordered = sorted(self.lines, key=lambda line: -line.points[-1][1])
        # Labels that would be written over each other are moved apart, around where they belong.
        piles: list[list[float]] = []
        for at, line in enumerate(ordered):
            piles.append([self.down(line.points[-1][1]) - APART * at])
            while len(piles) > 1 and fmean(piles[-2]) > fmean(piles[-1]):
                piles[-2:] = [piles[-2] + piles[-1]]
        lowest = max(HEIGHT - APART * (len(ordered) - 1), 0)
        heights = [min(max(fmean(pile), 0), lowest) for pile in piles for _ in pile]
        return [
            (line, round(height) + APART * at)
            for at, (line, height) in enumerate(zip(ordered, heights, strict=True))
        ]


@dataclass(frozen=True)
class Key:
    """One entry of a legend."""

    text: str
    look: str = ""
    shape: Shape = "dot"
    hollow: bool = False

    @property
    def width(self) -> int:
        """Return its width in pixels."""
        return round(32 + CHARACTER * len(self.text))


@dataclass(frozen=True)
class Chart:
    """One chart; in a page its panels stand beside one another as there is room."""

    name: str
    """Stem of its file, unique in a report."""
    title: str
    description: str
    """What it shows, in a sentence or two with the finding, for those who cannot see it."""
    panels: Sequence[Panel]
    legend: Sequence[Key] = ()

    @property
    def inline(self) -> Markup:
        """Return it for a page that holds `style` and `shapes`."""
        return Markup(_template().inline(self))


def chart(
    name: str,
    title: str,
    description: Iterable[str | Literal[False]],
    panels: Sequence[Panel],
    legend: Sequence[Key] = (),
) -> Chart:
    """Return a chart; a sentence of its description that does not hold is False."""
    cut = any(
        panel.scale.cuts(mark.low) or panel.scale.cuts(mark.high)
        for panel in panels
        if isinstance(panel, Rows)
        for mark in panel.marks
    )
    sentences = [*description, cut and CUT]
    text = " ".join(sentence for sentence in sentences if sentence)
    return Chart(name, title, text, panels, legend)


def stem(*parts: str) -> str:
    """Return the parts as a file's name without its suffix; they may come from outside."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-.")


def look_of(interface: Interface | None) -> str:
    """Return the class of a server's marks."""
    return interface or "other"


def interfaces(looks: Iterable[str]) -> list[Key]:
    """Return the legend of those interfaces that are among the looks."""
    present = set(looks)
    return [Key(look.upper(), look) for look in ("wsgi", "asgi") if look in present]


def svg(chart: Chart) -> str:
    """Return a chart, on a light ground, as one SVG that asks for nothing from anywhere."""
    columns = min(COLUMNS, len(chart.panels))
    width = WIDE // columns
    places, below = [], 32 if chart.legend else 8
    for at in range(0, len(chart.panels), columns):
        beside = chart.panels[at : at + columns]
        places += [(panel, width * column, below) for column, panel in enumerate(beside)]
        below += max(panel.top + panel.height + panel.below for panel in beside) + 8
    return signed(str(_template().file(chart, places, width, below)))


def style(*, literal: bool = False) -> Markup:
    """Return the style of all charts; `literal` has the colours of light and no variables."""
    text = (FOLDER / "chart.css").read_text(encoding="utf-8")
    if literal:
        text = re.sub(r"light-dark\((.+?), .+?\)", r"\1", text)
        colours = dict(re.findall(r"(--[\w-]+): (.+?);", text))
        rules = text.partition("/* Page */")[0].partition("/* Marks */")[2]
        text = re.sub(r"var\((--[\w-]+)\)", lambda match: colours[match[1]], rules)
    return Markup(text)


def script() -> str:
    """Return what lights up marks in a page and shows their tips."""
    return (FOLDER / "chart.js").read_text(encoding="utf-8")


def shapes() -> Markup:
    """Return the shapes that all charts of a page use."""
    return Markup(_template().shapes())


def tick(text: str) -> str:
    """Return a number without the zeros at its end: a tick is where it stands, exactly."""
    return re.sub(r"(\.\d*?)0+(?!\d)", r"\1", text).replace(". ", " ").removesuffix(".")


def thousands(value: float) -> str:
    """Return a tick as `500`, `2k` or `1.5M`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _gutter(labels: Iterable[str]) -> int:
    need = max((len(label) for label in labels), default=0) * CHARACTER + 12
    return next((width for width in GUTTERS if width >= need), GUTTERS[-1])


def _fitting(label: str, gutter: int) -> str:
    room = int((gutter - 12) / CHARACTER)
    return label if len(label) <= room else f"{label[: room - 1]}…"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def templates(folder: Path) -> jinja2.Environment:
    """Return what fills the templates of a folder: whatever is no Markup is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else signs(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template() -> Any:
    environment = templates(FOLDER)
    environment.filters |= {"percent": _percent, "fitting": _fitting}
    environment.globals |= {
        "ROW": ROW,
        "WIDE": WIDE,
        "COLUMNS": COLUMNS,
        "style": style,
        "is_rows": lambda panel: isinstance(panel, Rows),
    }
    return environment.get_template("chart.jinja").module
