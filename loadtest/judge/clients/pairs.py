"""Pairs of rows that answer one question: a client kept or made anew, threads or asyncio, cost.

The two rows of a pair differ in what is asked about and in nothing else, and met the same rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Literal

import msgspec

from loadtest.judge.rows import Versus
from loadtest.records.clients import TASKS, THREADS, Measure, Plan, Row
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
        "reuse": _reuse(rows),
        "driving": _driving(rows, times),
        "python": _python(rows),
    }
    for question, of in asked.items():
        pairs = [(new.id, base.id) for base, new in of if _common(times[base.id], times[new.id])]
        for (new, base), pair in judged(pairs, times, floor).judged.items():
            comparison = pair.comparison
            contrasts.append(
                Contrast(
                    question=question,
                    measure=measure,
                    base=base,
                    new=new,
                    versus=Versus(
                        ratio=comparison.ratio or 1.0,
                        low=comparison.low,
                        high=comparison.high,
                        finding=pair.finding,
                    ),
                    cpu_ratio=paired(cpu[base], cpu[new]).ratio
                    if base in cpu and new in cpu
                    else None,
                )
            )
    return tuple(contrasts)


def _reuse(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    for base in rows:
        if base.reuse != "kept":
            continue
        for new in rows:
            if new.reuse == "each-call" and _same(base, new, "reuse"):
                yield base, new
                break


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


def _python(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    for at, base in enumerate(rows):
        if any(_same(base, earlier, "python") for earlier in rows[:at]):
            continue
        for new in rows[at + 1 :]:
            if new.python != base.python and _same(base, new, "python"):
                yield base, new


def _same(row: Row, other: Row, but: str) -> bool:
    """Say whether two rows ask for the same in the same way, but for one thing."""
    fields = {"client", "reuse", "mode", "requests", "batch", "chunk", "answer", "python"} - {but}
    asked = msgspec.structs.asdict(row), msgspec.structs.asdict(other)
    return all(asked[0][field] == asked[1][field] for field in fields)


def _best(rows: Sequence[Row], times: Mapping[str, Rates]) -> Row:
    return min(rows, key=lambda row: median(time for time in times[row.id] if time is not None))


def _common(base: Rates, new: Rates) -> bool:
    return any(b is not None and n is not None for b, n in zip(base, new, strict=True))
