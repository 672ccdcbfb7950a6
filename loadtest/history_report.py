"""A history as Markdown and as a page: the steps first, then every server's line."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.compare import Answer
from loadtest.compare_markdown import ORDER
from loadtest.history import History, Line, Point, Step
from loadtest.report import format as units
from loadtest.report.html_page import CHANGED, page
from loadtest.report.markup import code, escape, table
from loadtest.report.table import Column, Table, name, prose


def markdown(made: History) -> str:
    """Return the history for reading on GitHub."""
    parts = [f"# {title(made)}", headline(made), table(steps_table(made.steps))]
    parts += [f"- {code(run)}: {escape(at)}" for run, at in zip(made.runs, made.made, strict=True)]
    for endpoint, lines in by_endpoint(made).items():
        parts += [f"## {escape(endpoint)}", table(lines_table(made, lines))]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


def html(made: History) -> str:
    """Return the history as one self-contained page."""
    return page(
        "history.jinja",
        None,
        made=made,
        title=title(made),
        headline=headline(made),
        steps=steps_table(made.steps),
        endpoints=by_endpoint(made),
        classes=CHANGED,
    )


def title(made: History) -> str:
    """Return what the history is of."""
    return f"{units.plural(len(made.runs), 'run')}, {made.made[0][:10]} to {made.made[-1][:10]}"


def headline(made: History) -> str:
    """Return what the last step showed, in a sentence or two."""
    if not made.steps:
        return "One run has no history yet: make another."
    last = made.steps[-1]
    if last.refused:
        return f"The last run cannot be compared with the one before: {last.refused}."
    said = ", ".join(f"{last.counts.get(answer, 0)} {answer}" for answer in ORDER)
    return f"Of the figures of the last run, against the one before: {said}."


def steps_table(steps: Sequence[Step]) -> Table[Step]:
    """Return the steps with what changed in the environment and in the figures."""

    def count(answer: Answer) -> Column[Step]:
        def value(step: Step) -> int | None:
            return None if step.refused else step.counts.get(answer, 0)

        return Column(answer.replace(" ", "_"), answer, value, lambda step: _text(value(step)))

    columns: tuple[Column[Step], ...] = (
        name("new", "run", lambda step: step.new),
        prose("base", "against", lambda step: step.base),
        prose("differences", "what differs", _differences),
        *(count(answer) for answer in ORDER),
        prose("refused", "not compared, as", lambda step: step.refused),
    )
    return Table(columns, steps).filled(*columns[:3])


def lines_table(made: History, lines: Sequence[Line]) -> Table[Line]:
    """Return the goodput of each server in every run, with what is found of each step."""

    def column(at: int, run: str) -> Column[Line]:
        return Column(
            f"run_{at + 1}",
            run,
            lambda line: line.points[at].goodput,
            lambda line: point(line.points[at]),
        )

    columns: tuple[Column[Line], ...] = (
        name("server", "server", lambda line: line.server),
        *(column(at, run) for at, run in enumerate(made.runs)),
    )
    return Table(columns, lines)


def point(one: Point) -> str:
    """Return a goodput with what is found of it against the run before: `12,300 better`."""
    if one.goodput is None:
        return units.UNKNOWN
    return units.significant(one.goodput) + (f" {one.answer}" if one.answer else "")


def by_endpoint(made: History) -> dict[str, list[Line]]:
    """Return the lines of each endpoint, the highest of the last run first."""
    found: dict[str, list[Line]] = {}
    for line in made.lines:
        found.setdefault(line.endpoint, []).append(line)
    for lines in found.values():
        lines.sort(key=lambda line: -(line.points[-1].goodput or 0.0))
    return found


def _differences(step: Step) -> str:
    said = [f"{one.key}: {one.base} → {one.new}" for one in step.differences]
    return "; ".join(said) or "nothing that was recorded"


def _text(value: int | None) -> str:
    return units.UNKNOWN if value is None else str(value)
