"""A comparison as Markdown for a pull request: what changed on top, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.compare import Change, Comparisons, Lost
from loadtest.judge.servers.conditions import Difference
from loadtest.report import units
from loadtest.report.markdown.markup import code, escape, folded, table
from loadtest.report.servers.comparison.tables import (
    ORDER,
    answered,
    changes_table,
    differences_table,
    method,
    together,
    verdict,
)


def render(made: Comparisons) -> str:
    """Return the page: one heading, one line of verdict, tables."""
    return "\n\n".join(_parts(made)) + "\n"


def _parts(made: Comparisons) -> Iterator[str]:
    counts = {answer: answered(made.changes, answer) for answer in ORDER}
    heading = [f"{len(of)} {answer}" for answer, of in counts.items()]
    if failed := sum(one.failed and one.run == "new" for one in made.lost):
        heading.insert(0, f"{units.plural(failed, 'cell')} lost")
    yield f"### loadtest: {', '.join(heading)}"
    said, untold = verdict(made)
    said = f"**{said}**" if made.regressed else said
    yield f"{code(made.base)} → {code(made.new)}: {said}{untold}"
    if forbidding := [one.key for one in made.differences if one.forbids]:
        yield (
            "**Not made under the same conditions**, which may be all there is to see here:"
            f" {escape(', '.join(forbidding))}."
        )
    if changed := [*counts["worse"], *counts["better"]]:
        yield _changes(changed)
    yield from _lost(made.lost)
    if moved := together(made.changes):
        yield moved
    if rest := [*counts["same"], *counts["cannot tell"]]:
        summary = f"{len(counts['same'])} same, {len(counts['cannot tell'])} cannot tell"
        yield folded(summary, _changes(rest))
    if made.differences:
        found = units.plural(len(made.differences), "difference")
        yield folded(f"{found} between the two environments", _differences(made.differences))
    yield folded("How this was compared", method(made))


def _changes(changes: Sequence[Change]) -> str:
    return table(changes_table(changes))


def _lost(found: Sequence[Lost]) -> Iterator[str]:
    for run, said in (("new", "No number any more"), ("base", "A number now, and none before")):
        if cells := [one for one in found if one.run == run and one.failed]:
            yield "\n".join([f"**{said}:**", "", *map(_line, cells)])
    if others := [one for one in found if not one.failed]:
        lines = [f"{_line(one)} (in {code(one.run)})" for one in others]
        yield folded(f"{units.plural(len(others), 'cell')} of one run only", "\n".join(lines))


def _line(lost: Lost) -> str:
    return f"- {code(lost.cell)}: {escape(lost.reason)}"


def _differences(found: Sequence[Difference]) -> str:
    return table(differences_table(found))
