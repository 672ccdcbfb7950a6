"""The chart to decide by: what each server costs, the cheapest first."""

from __future__ import annotations

from loadtest.judge.servers.decision import Cost, Place
from loadtest.report import units
from loadtest.report.charts.chart import Chart, Mark, Rows, Strip, chart, interfaces, look_of
from loadtest.report.charts.scale import logarithmic
from loadtest.report.servers.cost import base, in_brackets


def cost(over: Cost) -> Chart | None:
    """Return the chart; None where no server has a cost."""
    rows = [
        Strip(place.server, [_mark(place)], name=place.server, note=_note(place, over))
        for place in over.places
        if place.cores
    ]
    if not rows:
        return None
    marks = [row.marks[0] for row in rows]
    ends = [end for mark in marks for end in (mark.value, mark.low, mark.high) if end]
    panel = Rows(
        f"CPU cores for 1,000 requests/s, and times {base(over, 'the ')}{in_brackets(over)}",
        "fewer is better",
        logarithmic(ends, (), lambda cores: f"{cores:g}"),
        rows,
    )
    return chart(
        "cost",
        "What each server costs",
        [
            f"The dot is the mean over {units.plural(len(over.endpoints), 'endpoint')}, the line"
            " goes from the cheapest of them to the dearest."
            if len(over.endpoints) > 1
            else f"At {over.endpoints[0]}, the one endpoint that counts."
        ],
        [panel],
        interfaces(mark.look for mark in marks),
    )


def _mark(place: Place) -> Mark:
    return Mark(
        place.cores or 0.0,
        look_of(place.interface),
        low=place.cheapest.cores if place.cheapest else None,
        high=place.dearest.cores if place.dearest else None,
    )


def _note(place: Place, over: Cost) -> str:
    by = over.over_base(place)
    times = units.ratio_interval(by.ratio, by.low, by.high) if by else "1x"
    return f"{units.significant(place.cores or 0.0)} · {times}"
