"""Pairs of rows that answer one question: a client kept or made anew, threads or asyncio, cost.

The two rows of a pair differ in what is asked about and in nothing else, and met the same rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Literal

from loadtest.judge.rows import Versus
from loadtest.records.clients import REUSES, TASKS, THREADS, Measure, Plan, Row
from loadtest.records.planned import Record
from loadtest.stats.pairs import judged
from loadtest.stats.ratios import Rates

Question = Literal["reuse", "driving", "python"]
"""`reuse`: base keeps its client, new makes one for each call. `driving`: base is the best way with
threads, new the best way with asyncio. `python`: base is the first interpreter, new another."""


class Contrast(Record, frozen=True, kw_only=True):
    """How a row's time compares with that of a row it differs from in one thing."""

    question: Question
    measure: Measure
    base: str
    """The id of a row."""
    new: str
    versus: Versus
    cpu: Versus | None
    """Of processor time, likewise; None where it is not known of both."""


def contrasts(
    plan: Plan,
    measure: Measure,
    times: Mapping[str, Rates],
    cpu: Mapping[str, Rates],
    floor: float | None,
) -> tuple[Contrast, ...]:
    """Return the pairs of one measure; `times` and `cpu` are of rows whose number may be shown.

    The answers to one question are taken as one table, so that its false alarms are counted once.
    """
    rows = [row for row in plan.rows if row.id in times and row.duplicate_of is None]
    contrasts: list[Contrast] = []
    asked: dict[Question, Iterator[tuple[Row, Row]]] = {
        "reuse": _differing(sorted(rows, key=lambda row: REUSES.index(row.reuse)), "reuse"),
        "driving": _driving(rows, times),
        "python": _differing(rows, "python"),
    }
    for question, candidates in asked.items():
        pairs = [(new.id, base.id) for base, new in candidates]
        by_time, by_cpu = (_judged(pairs, rates, floor) for rates in (times, cpu))
        contrasts += [
            Contrast(
                question=question,
                measure=measure,
                base=base,
                new=new,
                versus=versus,
                cpu=by_cpu.get((new, base)),
            )
            for (new, base), versus in by_time.items()
        ]
    return tuple(contrasts)


def _judged(
    pairs: Sequence[tuple[str, str]], rates: Mapping[str, Rates], floor: float | None
) -> dict[tuple[str, str], Versus]:
    """Compare those pairs that have a round in common."""
    known = [
        (new, base)
        for new, base in pairs
        if any(n and b for n, b in zip(rates.get(new, ()), rates.get(base, ()), strict=False))
    ]
    return {
        pair: Versus(
            ratio=of.comparison.ratio or 1.0,
            low=of.comparison.low,
            high=of.comparison.high,
            finding=of.finding,
        )
        for pair, of in judged(known, rates, floor).judged.items()
    }


OF_ROW = ("client", "reuse", "mode", "requests", "batch", "chunk", "answer", "python")
"""What a row asks for, and in which way."""


def _differing(rows: Sequence[Row], field: str) -> Iterator[tuple[Row, Row]]:
    """Yield the rows that ask for the same in the same way but for one thing, with the first."""
    alike: dict[tuple[object, ...], dict[str, Row]] = {}
    for row in rows:
        rest = tuple(getattr(row, each) for each in OF_ROW if each != field)
        alike.setdefault(rest, {}).setdefault(getattr(row, field), row)
    for first, *others in map(list, map(dict.values, alike.values())):
        yield from ((first, other) for other in others)


def _driving(rows: Sequence[Row], times: Mapping[str, Rates]) -> Iterator[tuple[Row, Row]]:
    """Yield the best of each way at every load that both were given, whatever the client."""
    loads: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        load = (row.requests, row.batch, row.answer, row.python, row.reuse)
        loads.setdefault(load, []).append(row)
    for group in loads.values():
        threads = [row for row in group if row.mode in THREADS]
        tasks = [row for row in group if row.mode in TASKS]
        if threads and tasks:
            yield _best(threads, times), _best(tasks, times)


def _best(rows: Sequence[Row], times: Mapping[str, Rates]) -> Row:
    return min(rows, key=lambda row: median(time for time in times[row.id] if time is not None))
