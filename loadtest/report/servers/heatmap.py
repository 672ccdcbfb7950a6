"""The matrix of endpoints and servers: each figure beside the best valid one of its endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.rows import By, Ranking, state
from loadtest.judge.servers.summary import Summary
from loadtest.report.page import Line, Matrix, Seen, Square
from loadtest.report.servers.columns import cores
from loadtest.report.servers.grouping import by_kind
from loadtest.report.servers.sentences.phrases import title
from loadtest.report.table import SUSPECT
from loadtest.report.units import UNKNOWN, latency, ratio, significant

STEPS = (1.1, 1.5, 2.25, 3.4, 5.0)
"""How many times the best a figure may be for a square to be less than a shade lighter: equal
steps of ratio, but for the first."""


@dataclass(frozen=True)
class Metric:
    """One figure that the matrix can be switched to."""

    key: str
    title: str
    shows: str
    better: Literal["more", "less"]
    value: Callable[[Figures], float | None]
    text: Callable[[float], str]
    by: By | None = None
    """What ranks the rows of an endpoint, if it is this."""


GOODPUT = Metric(
    "goodput",
    "Requests/s",
    "2xx responses a second; more is better",
    "more",
    lambda f: f.goodput,
    significant,
    by="goodput",
)

COST = Metric(
    "cpu",
    "Cost",
    "CPU cores of the server for 1,000 requests/s; less is better",
    "less",
    cores,
    significant,
    by="cost",
)

METRICS = (
    COST,
    GOODPUT,
    Metric(
        "p50", "p50", "Half of the responses; less is better", "less", lambda f: f.p50_us, latency
    ),
    Metric("p99", "p99", "99 % of responses; less is better", "less", lambda f: f.p99_us, latency),
)

LEGEND = (
    ("s5 best", "best valid number, of sync and async views together, or tied with it"),
    *((f"s{5 - nth}", f"within {step:g}x") for nth, step in enumerate(STEPS)),
    ("s0", "further away"),
    ("suspect", f"{SUSPECT} a number with doubts"),
    ("invalid", "invalid or failed: no number"),
    ("skipped", "skipped, not measured, or too few responses"),
)
"""What the squares look like, and what that means."""


def columns(summary: Summary) -> list[tuple[str, str]]:
    """Return the servers with their interface: WSGI, then ASGI; the cheapest first in each."""
    rows = (row for ranking in summary.rankings for row in ranking.rows)
    interfaces = {row.server: row.interface or "" for row in rows}
    cost = summary.decision.cost
    places = [place.server for place in cost.places] if cost else []

    def place(column: tuple[str, str]) -> tuple[int, int, str]:
        server, interface = column
        at = places.index(server) if server in places else len(places)
        return {"wsgi": 0, "asgi": 1}.get(interface, 2), at, server

    return sorted(interfaces.items(), key=place)


def lines(
    rankings: Sequence[Ranking], servers: Sequence[str], metric: Metric
) -> list[dict[str, Seen]]:
    """Return by server what each ranking shows; styles of an endpoint have the same best."""
    bests = _bests(rankings, metric)
    return [dict(_seen(each, servers, metric, bests.get(_compared(each)))) for each in rankings]


def _compared(ranking: Ranking) -> tuple[str, float | None]:
    """Return what a ranking has in common with those of the same best: the endpoint, and a rate."""
    return ranking.endpoint.name, ranking.load.rate


def _bests(rankings: Sequence[Ranking], metric: Metric) -> Mapping[tuple[str, float | None], float]:
    """Return the best valid figure of what is compared; of doubtful ones if all are."""
    known: dict[tuple[str, float | None], dict[bool, list[float]]] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.reportable and (value := metric.value(row.reportable)):
                of = known.setdefault(_compared(ranking), {True: [], False: []})
                of[row.verdict == "valid"].append(value)
    best = max if metric.better == "more" else min
    return {same: best(values[True] or values[False]) for same, values in known.items()}


def _seen(
    ranking: Ranking, servers: Sequence[str], metric: Metric, best: float | None
) -> Iterator[tuple[str, Seen]]:
    rows = {row.server: row for row in ranking.rows}
    values = {
        server: metric.value(row.reportable) if row.reportable else None
        for server, row in rows.items()
    }
    leads = best is not None and best in values.values()
    for server in servers:
        row, value = rows.get(server), values.get(server)
        if row is None or not value or not best:
            unknown = row is None or row.reportable
            yield server, Seen(UNKNOWN if unknown else state(row))
            continue
        share = value / best if metric.better == "more" else best / value
        tied = leads and metric.by == ranking.by and row.rank == 1
        yield (
            server,
            Seen(
                text=metric.text(value) + SUSPECT * (row.verdict == "suspect"),
                beside=ratio(value / best),
                shade=sum(share * step >= 1 for step in STEPS),
                best=value == best or tied,
            ),
        )


def matrix(summary: Summary, at: Mapping[str, Mapping[str, str]]) -> Matrix:
    """Return the matrix with all its views; `at` has the anchors of the endpoints and the rows."""
    servers = columns(summary)
    names = [name for name, _ in servers]

    def group(rankings: Sequence[Ranking]) -> Iterator[Line]:
        for ranking, *views in zip(
            rankings, *(lines(rankings, names, metric) for metric in METRICS), strict=True
        ):
            rows = {row.server: row for row in ranking.rows}
            squares = []
            for name in names:
                row = rows.get(name)
                place = at["cell"][row.cell] if row else ""
                squares.append(Square(state(row), place, [view[name] for view in views]))
            yield ranking.at, at["endpoint"][ranking.at], squares

    kinds = by_kind(summary.rankings)
    return Matrix(
        views=[(each.key, each.title, each.shows) for each in METRICS],
        columns=servers,
        groups=[(title(kind), list(group(rankings))) for kind, rankings in kinds.items()],
        legend=LEGEND,
    )
