"""Charts of rankings: a workload at a glance; of each endpoint goodput, latency and memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report.charts.chart import (
    Chart,
    Values,
    chart,
    field,
    fields,
    known,
    layer,
    looks,
    short,
    stem,
)
from loadtest.report.charts.theme import GREY
from loadtest.report.servers.charts.marks import (
    COLOUR,
    DOUBTED,
    HOLLOW,
    LABEL,
    RATE,
    SHAPE,
    by_endpoint,
    doubts,
    identity,
    labelled_lines,
    labels,
    points,
)
from loadtest.report.units import latency as took
from loadtest.stats.latency import Curve
from loadtest.stats.ratios import paired

STYLES = {"sync": "circle", "async": "triangle-right", "control": "diamond"}

COLUMNS = 3
"""Endpoints in a line of the chart."""

SPAN = 1.6
"""How far an interval may reach, in highest rates: two rounds can have one that hides all else."""

ROUNDS = (
    "The line is the 95 % interval of the mean over rounds, by itself; ranks follow from the"
    " differences within rounds."
)

CUT = "A line that would hide all else is cut off on the right."

CEILING = "The upright mark is the ceiling: the requests it works on at once / the delay."

MEASURED, BACKFILLED = "measured", "back-filled"

ADDED = "Dashed: with the samples that wrk adds for requests it could not send."

NINES = "{0: '0 %', 1: '90 %', 2: '99 %', 3: '99.9 %', 4: '99.99 %', 5: '99.999 %'}[datum.value]"

SHARED = "Pages that processes share are counted in each."

BESIDE = (0.25, 0.042)
"""Labels nearer than these shares of width and height would be written over each other."""


def kind(name: str, title: str, rankings: Sequence[Ranking]) -> Chart | None:
    """Return the chart of a workload; None where no server has a number."""
    shown = ("server", "interface", "goodput", "doubts")
    cells = [
        {"endpoint": ranking.endpoint.name, "style": ranking.endpoint.style}
        | {key: value[key] for key in shown}
        for ranking in rankings
        for value in values(ranking)
    ]
    if not cells:
        return None
    first = max(cells, key=lambda cell: cell["goodput"])
    servers, endpoints = (len({cell[key] for cell in cells}) for key in ("server", "endpoint"))
    # Of several endpoints the highest number says which of them is the lightest.
    finding = (
        f"{servers} servers at {endpoints} endpoints."
        if endpoints > 1
        else f"{first['server']} has the highest median, {first['goodput']:,.0f} requests/s with"
        f" {first['style']} views."
    )
    style = looks("style:N", STYLES, "view", values=["sync", "async"])
    x = field("goodput:Q", **RATE | {"axis": {"format": "~s", "tickCount": 5}})
    tooltip = "server:N endpoint:N style:N goodput:Q doubts:N"
    return chart(
        stem("kind", name),
        title,
        [finding, any(cell["doubts"] for cell in cells) and HOLLOW],
        cells,
        by_endpoint(cells, "goodput", COLUMNS, [points(style, DOUBTED, tooltip, {"x": x}, 70)])
        | {"resolve": {"scale": {"x": "independent"}}},
    )


def of_endpoint(ranking: Ranking) -> tuple[Chart, ...]:
    """Return `goodput-X`, `latency-X` and `memory-X` of the endpoint X, as in `json-sync`."""
    charts = (goodput(ranking), latency(ranking), memory(ranking))
    return tuple(chart for chart in charts if chart)


def values(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the servers that have a number that may be shown, the highest goodput first.

    `low` and `high` are the 95 % interval of the mean over rounds, drawn up to `drawn`, at `SPAN`.
    """
    shown = [(row, row.reportable) for row in ranking.rows if row.reportable]
    shown.sort(key=lambda pair: -pair[1].goodput)
    end = max((max(SPAN * each.goodput, each.ceiling or 0.0) for _, each in shown), default=0.0)
    values = []
    for row, figures in shown:
        rates = [each.goodput for each in row.rounds if each.goodput]
        interval = paired([1.0] * len(rates), rates)
        value = {
            **identity(row.server, row.interface),
            "goodput": figures.goodput,
            "low": interval.low,
            "high": interval.high,
            "drawn": min(interval.high, end) if interval.high else None,
            "ceiling": figures.ceiling,
            "p99_ms": figures.p99_us / 1e3 if figures.p99_us else None,
            "cpu_us": figures.server_cpu_us,
            "memory_mb": figures.memory_peak_bytes / 1e6 if figures.memory_peak_bytes else None,
            "doubts": doubts(row),
        }
        values.append(known(value))
    # Those that no other beats in both: more requests/s for as little memory.
    best = 0.0
    by_memory = [value for value in values if "memory_mb" in value]
    for value in sorted(by_memory, key=lambda value: (value["memory_mb"], -value["goodput"])):
        if value["goodput"] > best:
            best = value["goodput"]
            value["front"] = True
    return values


def goodput(ranking: Ranking) -> Chart | None:
    """Return the chart; None where no server has a number."""
    rows = values(ranking)
    if not rows:
        return None
    intervals, ceilings = (any(key in row for row in rows) for key in ("low", "ceiling"))
    tooltip = "server:N goodput:Q low:Q high:Q ceiling:Q doubts:N"
    x = field("goodput:Q", **RATE | {"title": "requests/s (2xx, median of the rounds)"})
    line = {"x": field("low:Q"), "x2": {"field": "drawn"}, "color": COLOUR}
    # A layer without any data has no extent to scale its axis by.
    layers = [
        intervals and layer("rule", line, strokeWidth=2, clip=True, opacity=0.7),
        ceilings and layer("tick", {"x": field("ceiling:Q")}, thickness=2, size=14),
        points(SHAPE, DOUBTED, tooltip, {"x": x}, 80),
    ]
    return chart(
        stem("goodput", ranking.endpoint.id),
        "Goodput",
        [
            f"{rows[0]['server']} has the highest median, {rows[0]['goodput']:,.0f} requests/s.",
            intervals and ROUNDS,
            any(row.get("drawn") != row.get("high") for row in rows) and CUT,
            ceilings and CEILING,
            any(row["doubts"] for row in rows) and HOLLOW,
        ],
        rows,
        {
            "width": 480,
            "height": {"step": 20},
            "encoding": {"y": field("server:N", sort=None, title=None)},
            "layer": [each for each in layers if each],
        },
    )


def latency(ranking: Ranking) -> Chart | None:
    """Return the percentile curves on logarithmic axes; None where no server has one."""
    # Without a median that may be shown there is no curve, but for the lowest and the highest.
    rows = [
        (row, row.curve)
        for row in ranking.rows
        if row.reportable and row.reportable.p50_us is not None and row.curve
    ]
    if not rows:
        return None
    curves = [point for row, curve in rows for point in _points(row, curve)]
    ends = {point["server"]: point for point in curves if point["kind"] == MEASURED}.values()
    medians = sorted(
        (curve.raw_us[curve.percentiles.index(50.0)], row.server) for row, curve in rows
    )
    (least, fastest), (most, slowest) = medians[0], medians[-1]
    x = field(
        "nines:Q",
        title="share of the responses, slowest to the right",
        axis={"values": [0, 1, 2, 3, 4, 5], "labelExpr": NINES, "grid": True},
        scale={"nice": False},
    )
    y = field("ms:Q", title="latency (ms)", scale={"type": "log", "nice": False})
    dashes = looks("kind:N", {MEASURED: [1, 0], BACKFILLED: [3, 3]}, symbolType="stroke")
    tooltip = {"tooltip": fields("server:N kind:N p:Q ms:Q")}
    hidden = layer("point", tooltip, "isValid(datum.kind)", size=40, opacity=0)
    return chart(
        stem("latency", ranking.endpoint.id),
        "Latency",
        [
            f"Half of the responses of {fastest} come within {took(least)}, the least; of"
            f" {slowest} within {took(most)}, the most. Each curve ends where its samples do.",
            any(point["kind"] == BACKFILLED for point in curves) and ADDED,
        ],
        curves
        + labels(
            list(ends),
            "ms",
            [point["ms"] for point in curves],
            nines=max(point["nines"] for point in ends),
        ),
        labelled_lines(440, x, y, hidden, dashes, interpolate="monotone"),
    )


def _points(row: Row, curve: Curve) -> Iterator[dict[str, Any]]:
    for kind, each in ((MEASURED, curve.raw_us), (BACKFILLED, curve.backfilled_us)):
        # The lowest and the highest latency are a single response's.
        for p, us in zip(curve.percentiles, each, strict=False):
            if 0 < p < 100:
                yield {
                    **identity(row.server, row.interface),
                    "kind": kind,
                    "p": p,
                    "nines": round(-math.log10(1 - p / 100), 3),
                    "ms": short(max(us, 1) / 1e3),
                }


def memory(ranking: Ranking) -> Chart | None:
    """Return memory against goodput, with the servers that no other beats in both joined.

    None where no server has both numbers.
    """
    rows = [row for row in values(ranking) if "memory_mb" in row]
    if not rows:
        return None
    front = ", ".join(row["server"] for row in rows if row.get("front"))
    kinds = {row.reportable.memory_kind for row in ranking.rows if row.reportable}
    y = {"y": field("goodput:Q", **RATE)}
    tooltip = "server:N goodput:Q memory_mb:Q cpu_us:Q doubts:N"
    joined = {**y, "color": {"value": GREY}}
    label = {"y": field("label:Q"), "text": field("server:N"), "color": COLOUR}
    return chart(
        stem("memory", ranking.endpoint.id),
        "Memory against goodput",
        [
            f"The line joins {front}: each other server serves fewer requests/s with as much memory"
            " or more.",
            any(row["doubts"] for row in rows) and HOLLOW,
            "rss" in kinds and SHARED,
        ],
        _labelled(rows),
        {
            "width": 480,
            "height": 300,
            "encoding": {
                "x": field("memory_mb:Q", title="memory (MB)", scale={"zero": False, "padding": 30})
            },
            "layer": [
                layer(
                    "line",
                    joined,
                    "datum.front",
                    interpolate="step-after",
                    strokeDash=[4, 3],
                    opacity=0.6,
                ),
                points(SHAPE, DOUBTED, tooltip, y, 80),
                layer("text", label, dx=9, **LABEL),
            ],
        },
    )


def _labelled(rows: Values) -> list[dict[str, Any]]:
    """Return the rows with where to write each name: beside its mark, none over another."""
    wide = max(row["memory_mb"] for row in rows) - min(row["memory_mb"] for row in rows) or 1.0
    gap = BESIDE[1] * max(row["goodput"] for row in rows)
    placed: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: row["goodput"]):
        at = row["goodput"]
        for other in placed:
            # From the lowest up, so that what is moved is moved away from all before it.
            beside = abs(other["memory_mb"] - row["memory_mb"]) < BESIDE[0] * wide
            if beside and at - other["label"] < gap:
                at = other["label"] + gap
        placed.append({**row, "label": short(at)})
    return placed
