"""A comparison as Markdown for a pull request: what changed on top, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.compare import Comparisons, Lost
from loadtest.report import units
from loadtest.report.markdown.markup import code, escape, folded, table
from loadtest.report.servers.comparison.sentences import method, together, verdict
from loadtest.report.servers.comparison.tables import (
    ORDER,
    answered,
    changes_table,
    differences_table,
)


def render(compared: Comparisons) -> str:
    """Return the page: one heading, one line of verdict, tables."""
    return "\n\n".join(_parts(compared)) + "\n"


def _parts(compared: Comparisons) -> Iterator[str]:
    counts = {answer: answered(compared.changes, answer) for answer in ORDER}
    heading = [f"{len(of)} {answer}" for answer, of in counts.items()]
    if failed := sum(lost.failed and lost.run == "new" for lost in compared.lost):
        heading.insert(0, f"{units.plural(failed, 'cell')} lost")
    yield f"### loadtest: {', '.join(heading)}"
    outcome, unknown = verdict(compared)
    outcome = f"**{outcome}**" if compared.regressed else outcome
    yield f"{code(compared.base)} → {code(compared.new)}: {outcome}{unknown}"
    if forbidding := [each.key for each in compared.differences if each.forbids]:
        yield (
            "**Not made under the same conditions**, which may be all there is to see here:"
            f" {escape(', '.join(forbidding))}."
        )
    if changed := [*counts["worse"], *counts["better"]]:
        yield table(changes_table(changed))
    yield from _lost(compared.lost)
    if moved := together(compared.changes):
        yield moved
    if rest := [*counts["same"], *counts["cannot tell"]]:
        summary = f"{len(counts['same'])} same, {len(counts['cannot tell'])} cannot tell"
        yield folded(summary, table(changes_table(rest)))
    if compared.differences:
        count = units.plural(len(compared.differences), "difference")
        yield folded(
            f"{count} between the two environments", table(differences_table(compared.differences))
        )
    yield folded("How this was compared", method(compared))


def _lost(all_: Sequence[Lost]) -> Iterator[str]:
    for run, title in (("new", "No number any more"), ("base", "A number now, and none before")):
        if cells := [lost for lost in all_ if lost.run == run and lost.failed]:
            yield "\n".join([f"**{title}:**", "", *map(_line, cells)])
    if others := [lost for lost in all_ if not lost.failed]:
        lines = [f"{_line(lost)} (in {code(lost.run)})" for lost in others]
        yield folded(f"{units.plural(len(others), 'cell')} of one run only", "\n".join(lines))


def _line(lost: Lost) -> str:
    return f"- {code(lost.cell)}: {escape(lost.reason)}"
