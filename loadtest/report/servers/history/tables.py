"""A history as tables: the steps, what each of them changed, and every server's line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.judge.servers.compare import Answer
from loadtest.judge.servers.history import History, Line, Point, Step
from loadtest.report import units
from loadtest.report.servers.comparison.tables import ORDER
from loadtest.report.table import SUSPECT, Column, Table, Value, name, prose

Shown = Literal["goodput", "cpu"]

Outcome = Answer | Literal["lost"]

WORST: tuple[Outcome, ...] = ("lost", "worse", "better")

TITLES: dict[Shown, str] = {"goodput": "requests/s", "cpu": "CPU per request"}


def steps_table(steps: Sequence[Step]) -> Table[Step]:
    """Return the steps with what changed in the environment and in the figures."""

    def count(answer: Answer) -> Column[Step]:
        def value(step: Step) -> int | None:
            return None if step.refused else step.counts.get(answer, 0)

        return Column(answer.replace(" ", "_"), answer, value, lambda step: _text(value(step)))

    def lost(step: Step) -> int | None:
        failed = sum(lost.failed and lost.run == "new" for lost in step.lost)
        return None if step.refused else failed

    columns: tuple[Column[Step], ...] = (
        name("new", "run", lambda step: step.new),
        prose("base", "against", lambda step: step.base),
        prose("differences", "what differs", _differences),
        *(count(answer) for answer in ORDER),
        Column("lost", "lost", lost, lambda step: _text(lost(step))),
        prose("refused", "not compared, as", lambda step: step.refused),
    )
    return Table(columns, steps).filled(*columns[:3])


@dataclass(frozen=True)
class Changed:
    """One figure that a step made better or worse, or a number that it lost."""

    line: Line
    figure: Shown
    before: Point
    after: Point
    answer: Outcome


def changed(history: History) -> dict[str, list[Changed]]:
    """Return what got worse or better or was lost in each run, the last first, the worst first."""
    by_run: dict[str, list[Changed]] = {}
    for at in range(len(history.steps), 0, -1):
        if not history.steps[at - 1].refused:
            changes = [change for line in history.lines for change in _of_step(line, at)]
            if changes:
                changes.sort(key=lambda change: WORST.index(change.answer))
                by_run[history.runs[at]] = changes
    return by_run


def _of_step(line: Line, at: int) -> Iterator[Changed]:
    before, after = line.points[at - 1], line.points[at]
    if before.goodput is not None and after.state in ("failed", "invalid"):
        yield Changed(line, "goodput", before, after, "lost")
    figures: tuple[tuple[Shown, Answer | None], ...] = (
        ("goodput", after.answer),
        ("cpu", after.cpu_answer),
    )
    for figure, answer in figures:
        if answer in ("worse", "better"):
            yield Changed(line, figure, before, after, answer)


def changed_table(all_: Sequence[Changed]) -> Table[Changed]:
    """Return what got better or worse, with both numbers."""
    columns: tuple[Column[Changed], ...] = (
        prose("answer", "", lambda change: change.answer),
        name("server", "server", lambda change: change.line.server),
        prose("endpoint", "endpoint", lambda change: change.line.endpoint),
        prose("figure", "figure", lambda change: TITLES[change.figure]),
        Column(
            "before",
            "before",
            lambda change: value(change.before, change.figure),
            lambda change: number(change.before, change.figure),
        ),
        Column(
            "after",
            "after",
            lambda change: value(change.after, change.figure),
            lambda change: number(change.after, change.figure),
        ),
        prose("reason", "why", lambda change: change.after.reason),
    )
    return Table(columns, all_).filled(*columns[:-1])


def lines_table(history: History, lines: Sequence[Line], figure: Shown) -> Table[Line]:
    """Return a figure of each server in every run, with what is found of each step."""

    def column(at: int, run: str) -> Column[Line]:
        return Column(
            f"run_{at + 1}",
            run,
            lambda line: value(line.points[at], figure),
            lambda line: with_answer(line.points[at], figure),
        )

    columns: tuple[Column[Line], ...] = (
        name("server", "server", lambda line: line.server),
        *(column(at, run) for at, run in enumerate(history.runs)),
    )
    return Table(columns, lines)


def value(point: Point, figure: Shown) -> Value:
    """Return a figure of one run; None where it has no number that may be shown."""
    return point.goodput if figure == "goodput" else point.server_cpu_us


def answer(point: Point, figure: Shown) -> Answer | None:
    """Return what is found of a figure against the run before."""
    return point.answer if figure == "goodput" else point.cpu_answer


def number(point: Point, figure: Shown) -> str:
    """Return a figure as people read it, or what became of it: `12,300?`, `failed`."""
    if point.goodput is None:
        return units.UNKNOWN if point.state == "absent" else point.state
    if figure == "cpu":
        return units.latency(point.server_cpu_us)
    return units.significant(point.goodput) + (SUSPECT if point.state == "suspect" else "")


def with_answer(point: Point, figure: Shown) -> str:
    """Return the same with what is found of it against the run before: `12,300 better`."""
    change = answer(point, figure)
    return number(point, figure) + (f" {change}" if change else "")


def by_endpoint(history: History) -> dict[str, list[Line]]:
    """Return the lines of each endpoint, the highest of the last run first."""
    by_name: dict[str, list[Line]] = {}
    for line in history.lines:
        by_name.setdefault(line.endpoint, []).append(line)
    for lines in by_name.values():
        lines.sort(key=lambda line: -(line.points[-1].goodput or 0.0))
    return by_name


def _differences(step: Step) -> str:
    changes = [f"{each.key}: {each.base} → {each.new}" for each in step.differences]
    return "; ".join(changes) or "nothing that was recorded"


def _text(value: int | None) -> str:
    return units.UNKNOWN if value is None else str(value)
