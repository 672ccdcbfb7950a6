"""A run in words, for who has to choose a client: what follows, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.clientbench.costs import cpu, start
from loadtest.clientbench.model import Kind
from loadtest.clientbench.pairs import driving, python, reuse
from loadtest.clientbench.phrases import (
    Point,
    deciding,
    leading,
    limited,
    listed,
    named,
    time_us,
    times,
    unit,
)
from loadtest.clientbench.standing import Ranking, Standing
from loadtest.clientbench.summary import Summary
from loadtest.report.format import latency, plural

__all__ = ["Point", "advice"]


def advice(summary: Summary) -> tuple[Point, ...]:
    """Return the questions that the run is about, each with its answer."""
    found = (_client, reuse, driving, python, cpu, start)
    return tuple(point for ask in found if (point := ask(summary)) is not None)


def _client(summary: Summary) -> Point | None:
    tables = deciding(summary)
    said = [_leads(ranking) for ranking in tables]
    if not said:
        return None
    sentences = [sentence for sentence, _ in said]
    winners = [_clients(ranking) for ranking, (_, known) in zip(tables, said, strict=True) if known]
    if len(winners) > 1:
        counts = {name: sum(name in each for each in winners) for each in winners for name in each}
        first = max(counts, key=lambda name: counts[name])
        sentences.insert(
            0,
            f"`{first}` is among the fastest in {counts[first]} of the {len(winners)} tables in"
            " which clients were told apart.",
        )
    if choice := _by_view(tables):
        sentences.insert(0, choice)
    return Point(
        question="Which client?",
        says=tuple(sentences),
        rows=tuple(row.row.id for ranking in tables for row in ranking.shown),
        told=bool(winners),
    )


VIEWS: dict[Kind, str] = {"sync": "in a sync view", "async": "in an async one"}


def _by_view(tables: Sequence[Ranking]) -> str | None:
    """Return what is fastest of what each kind of view can call, where one table has both kinds."""
    both = [table for table in tables if {row.row.kind for row in table.shown} >= VIEWS.keys()]
    widest = max(both, key=lambda table: len({row.row.client for row in table.shown}), default=None)
    if widest is None or min(row.rounds_measured for row in widest.shown) < 2:
        return None
    parts = []
    for kind, view in VIEWS.items():
        of = [row for row in widest.shown if row.row.kind == kind]
        best = dict.fromkeys(f"`{row.row.client}`" for row in of if row.rank == of[0].rank)
        parts.append(
            f"{view} {listed(list(best))} {'are' if len(best) > 1 else 'is'} fastest"
            f" ({latency(time_us(of[0]))} {unit(widest)})"
        )
    return f"{widest.group.title}: {', '.join(parts)}."


def _leads(ranking: Ranking) -> tuple[str, bool]:
    """Return who is ahead in one table, and whether that is known."""
    title, shown = ranking.group.title, ranking.shown
    if not shown:
        return f"{title}: no row has a number that may be compared.", False
    if len(shown) == 1:
        return f"{title}: only `{shown[0].row.label}` has a number to show.", False
    leaders = [row for row in shown if leading(row)]
    rest = [row for row in shown if not leading(row)]
    if not rest:
        return _tie(ranking), False
    text = (
        f"{title}: {named(leaders)} {'are' if len(leaders) > 1 else 'is'} fastest with"
        f" {latency(time_us(leaders[0]))} {unit(ranking)}"
    )
    if len(leaders) > 1:
        alike = all(map(_alike, leaders))
        text += ", no difference that matters" if alike else ", not told apart"
    text += f"; then `{rest[0].row.label}`, {_longer(rest[0])}"
    if len(rest) > 1:
        text += f"; last `{rest[-1].row.label}`, {_longer(rest[-1])}"
    if any(map(limited, leaders)):
        text += ". The server set the pace of the fastest, which may be faster still"
    return f"{text}.", True


def _tie(ranking: Ranking) -> str:
    """Return what is to be said of rows that all share the first rank."""
    title, shown = ranking.group.title, ranking.shown
    text = f"{title}: {plural(len(shown), 'row')}, the fastest with {latency(time_us(shown[0]))}"
    text += f" {unit(ranking)}"
    if min(row.rounds_measured for row in shown) < 2:
        return f"{text}; with one round nothing can be told from noise."
    if all(map(_alike, shown)):
        text += "; it makes no difference which"
    else:
        text += "; this run cannot tell them apart"
    if all(map(limited, shown)):
        text += ", as the server sets the pace of all"
    return f"{text}."


def _alike(row: Standing) -> bool:
    return row.versus is None or row.versus.finding == "equivalent"


def _longer(row: Standing) -> str:
    return times(row.versus) + " as long" if row.versus else "by how much is unknown"


def _clients(ranking: Ranking) -> set[str]:
    return {row.row.client for row in ranking.shown if leading(row)}
