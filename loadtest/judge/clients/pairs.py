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
from loadtest.stats.ratios import Rates, paired

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
    cpu_ratio: float | None
    """Of processor time, the median over rounds."""


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
        pairs = [
            (new.id, base.id) for base, new in candidates if _common(times[base.id], times[new.id])
        ]
        for (new, base), pair in judged(pairs, times, floor).judged.items():
            of, cpus = pair.comparison, (cpu.get(base), cpu.get(new))
            versus = Versus(ratio=of.ratio or 1.0, low=of.low, high=of.high, finding=pair.finding)
            contrasts.append(
                Contrast(
                    question=question,
                    measure=measure,
                    base=base,
                    new=new,
                    versus=versus,
                    cpu_ratio=paired(cpus[0], cpus[1]).ratio if cpus[0] and cpus[1] else None,
                )
            )
    return tuple(contrasts)


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


def _common(base: Rates, new: Rates) -> bool:
    return any(b is not None and n is not None for b, n in zip(base, new, strict=True))
