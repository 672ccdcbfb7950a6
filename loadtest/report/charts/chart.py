"""A chart: a Vega-Lite spec with its data inside, for the page and, drawn once, for Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import vl_convert

from loadtest.report.charts.theme import Spec, themed
from loadtest.report.generated_marker import signed

Values = Sequence[dict[str, Any]]

TYPES = {"N": "nominal", "O": "ordinal", "Q": "quantitative"}


@dataclass(frozen=True)
class Chart:
    """One chart; the same spec is interactive in a page and an SVG in a file."""

    name: str
    """Stem of its file, unique in a report."""
    title: str
    description: str
    """What it shows, in a sentence or two with the finding, for those who cannot see it."""
    spec: Spec
    """Vega-Lite with its data inside and no colour of text or background: see `themed`."""


def chart(
    name: str,
    title: str,
    description: Iterable[str | Literal[False]],
    values: Values,
    spec: Spec,
) -> Chart:
    """Return a chart of values; a sentence of its description that does not hold is False.

    Its data have a name, so that a page holds a spec once for all the charts that share it.
    """
    return Chart(
        name=name,
        title=title,
        description=" ".join(sentence for sentence in description if sentence),
        spec={**spec, "data": {"name": name}, "datasets": {name: list(values)}},
    )


def stem(*parts: str) -> str:
    """Return the parts as a file's name without its suffix; they may come from outside."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-.")


def short(value: float) -> float:
    """Return a number with four digits: a chart shows no more, and a page holds thousands."""
    return float(f"{value:.4g}")


def known(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not None, their numbers short."""
    return {
        key: short(item) if isinstance(item, float) else item
        for key, item in value.items()
        if item is not None
    }


def field(name: str, **more: Any) -> Spec:
    """Return a field as an encoding: `goodput:Q` is a quantity, `N` a name, `O` an order."""
    name, _, kind = name.partition(":")
    return {"field": name, "type": TYPES[kind], **more}


def fields(names: str) -> list[Spec]:
    """Return fields with blanks between them as a tooltip."""
    return [field(name) for name in names.split()]


def looks(name: str, of: Mapping[str, Any], title: str | None = None, **legend: Any) -> Spec:
    """Return the encoding of a field by how each of its values looks, with a legend on top."""
    scale = {"domain": list(of), "range": list(of.values())}
    return field(name, title=title, scale=scale, legend={"orient": "top", **legend})


def where(test: str, value: Any, otherwise: Any) -> Spec:
    """Return the encoding of a test of each mark."""
    return {"condition": {"test": test, "value": value}, "value": otherwise}


def layer(mark: str, encoding: Spec, only: str = "", **look: Any) -> Spec:
    """Return marks of one look, of those data alone for which `only` holds."""
    marks = {"mark": {"type": mark, **look}, "encoding": encoding}
    return {**marks, "transform": [{"filter": only}]} if only else marks


def svg(chart: Chart) -> str:
    """Return a chart, on a light ground, as one SVG that asks for nothing from anywhere."""
    spec = themed(chart.spec)
    # What each mark says to a screen reader is lost in an image: the page beside it says it. A
    # font that a reader's machine lacks may be wider than it was measured: there is room for it.
    spec["config"] = {**spec["config"], "aria": False, "font": "sans-serif"}
    padding = {"left": 24, "right": 24, "top": 8, "bottom": 8}
    return signed(vl_convert.vegalite_to_svg(spec | {"padding": padding}))
