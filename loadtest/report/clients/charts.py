"""Charts of a clients' run: time with its interval, where a process's time goes, CPU time.

None of them holds an invalid number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.clients import TASKS, THREADS, Mode
from loadtest.report import units
from loadtest.report.charts.chart import Chart, Key, Mark, Rows, Strip, chart, stem, tick
from loadtest.report.charts.scale import from_zero, logarithmic
from loadtest.report.clients.sentences import time_us
from loadtest.stats.ratios import paired

WAYS = {"asyncio": "wsgi", "threads": "asgi", "one by one": "other"}
"""How calls are driven, each with the class of its marks."""

PARTS = {"start-up": "other", "import": "asgi", "set-up": "yellow", "work": "wsgi", "end": "violet"}
"""Of a process's time, one after the other."""


def of_ranking(ranking: Ranking) -> Iterator[Chart]:
    """Yield the charts of one table; those for which there are no numbers are left out."""
    rows = [row for row in ranking.reportable if time_us(row)]
    if len(rows) < 2:
        return
    warm = ranking.measure == "warm"
    panels = [_panel("Time" * warm, [(row, _time(row)) for row in rows])]
    # A clock may be too coarse for it, and 0 stands on no logarithmic axis.
    if cpu := [(row, _cpu(row)) for row in rows if row.warm and row.warm.cpu_us]:
        panels.append(_panel("CPU time", cpu))
    ways = {way(row.row.mode) for row in rows}
    legend = [Key(name, look) for name, look in WAYS.items() if name in ways and len(ways) > 1]
    if any(row.concerns for row in rows):
        legend.append(Key("suspect", hollow=True))
    yield chart(
        stem("time", ranking.group.name, ranking.measure),
        "Time and CPU time per call" if warm else "Time of a whole process",
        [
            f"{rows[0].row.label} has the lowest time, {units.latency(time_us(rows[0]))}"
            f"{' (tied)' * rows[0].tied}.",
            "Medians of the rounds, on logarithmic axes.",
            any(mark.low for mark in panels[0].marks)
            and "Lines are 95 % intervals of the mean over rounds.",
        ],
        panels,
        legend,
    )
    if parts := [row for row in rows if row.cold and row.cold.work_s is not None]:
        yield _parts(ranking, parts)


def way(mode: Mode) -> str:
    """Return how calls are driven, in a word for the legend."""
    return "asyncio" if mode in TASKS else "threads" if mode in THREADS else "one by one"


def _panel(title: str, all_: Sequence[tuple[Standing, Mark]]) -> Rows:
    """Return a panel with a row for each, in the order of the table."""
    marks = [mark for _, mark in all_]
    ends = [end for mark in marks for end in (mark.low, mark.high)]
    scale = logarithmic([mark.value for mark in marks], ends, lambda us: tick(units.latency(us)))
    rows = [
        Strip(row.row.label, [mark], name=row.row.label, tip=_tip(row, mark)) for row, mark in all_
    ]
    return Rows(title, "", scale, rows)


def _time(row: Standing) -> Mark:
    times = [each.time_s * 1e6 for each in row.rounds if each.time_s]
    interval = paired([1.0] * len(times), times)
    return Mark(
        time_us(row) or 0.0,
        WAYS[way(row.row.mode)],
        hollow=bool(row.concerns),
        low=interval.low,
        high=interval.high,
    )


def _cpu(row: Standing) -> Mark:
    cpu_us = row.warm.cpu_us if row.warm else 0.0
    return Mark(cpu_us, WAYS[way(row.row.mode)], hollow=bool(row.concerns))


def _tip(row: Standing, mark: Mark) -> str:
    text = f"{row.row.label}\n{units.latency(mark.value)}"
    if mark.low and mark.high:
        text += f" ({units.latency(mark.low)} to {units.latency(mark.high)})"
    return "\n".join([text, *(raised.concern for raised in row.concerns)])


def _parts(ranking: Ranking, rows: Sequence[Standing]) -> Chart:
    shown = [(row, list(_bars(row))) for row in rows]
    longest = max(bars[-1].value for _, bars in shown)
    return chart(
        stem("parts", ranking.group.name, ranking.measure),
        "Where the time of a process goes",
        ["Start-up and imports are paid once a process, the work grows with the calls."],
        [
            Rows(
                "",
                "mean of the rounds",
                from_zero(longest, lambda us: tick(units.latency(us)) if us else "0"),
                [
                    Strip(row.row.label, bars, name=row.row.label, tip=_text(row.row.label, bars))
                    for row, bars in shown
                ],
            )
        ],
        [Key(part, look, "bar") for part, look in PARTS.items()],
    )


def _bars(row: Standing) -> Iterator[Mark]:
    cold = row.cold
    at = 0.0
    if cold:
        times = (cold.start_s, cold.import_s, cold.setup_s, cold.work_s, cold.end_s)
        for look, seconds in zip(PARTS.values(), times, strict=True):
            yield Mark(at + (seconds or 0.0) * 1e6, look, "bar", low=at)
            at += (seconds or 0.0) * 1e6


def _text(label: str, bars: Sequence[Mark]) -> str:
    parts = [
        f"{part}: {units.latency(bar.value - (bar.low or 0.0))}"
        for part, bar in zip(PARTS, bars, strict=True)
    ]
    return "\n".join([label, *parts])
