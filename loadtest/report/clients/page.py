"""The page of a clients' run: the answers first, then the caveats, each table, and the method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.report import caveats, method
from loadtest.report.clients.charts import of_ranking
from loadtest.report.clients.columns import MEASURES, phases, ranked, state
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import doubt, facts, notes, says, states
from loadtest.report.html.anchors import anchors
from loadtest.report.page import Block, Bullets, Charts, Page, Section, Shown
from loadtest.report.units import plural

Attributes = Callable[[Standing], dict[str, str | None]]


def page(report: Report) -> Page:
    """Return the page."""
    summary, run, trust = report.summary, report.run, report.caveats
    rows = anchors("row", [row.row.id for _, row in report.rows])
    linked: set[str] = set()

    def attributes(row: Standing) -> dict[str, str | None]:
        """Return those of a row; the first of its measures is what links lead to."""
        first = row.row.id not in linked
        linked.add(row.row.id)
        return {"id": rows[row.row.id] if first else None, "class": state(row)}

    tables: list[Block] = [*says("measured"), *_groups(report.groups, attributes)]
    size = plural(sum(not row.duplicate_of for row in run.plan.rows), "row")
    return Page(
        title=f"HTTP clients: {summary.title}",
        subject=f"{summary.title} on {run.machine.cpu or 'an unknown processor'}",
        meta=f"{size} × {plural(summary.rounds, 'round')}, {run.created_at[:10]}",  # noqa: RUF001
        lead=doubt(summary) or [f"{trust.counted}; {trust.judged}. {trust.noise}"],
        answer=[
            Section(
                point.question,
                [Bullets(point.says, rows[point.rows[0]], plural(len(point.rows), "row"))]
                if point.rows
                else [Bullets(point.says)],
                gist="" if point.separated else "This run cannot tell.",
            )
            for point in report.advice
        ],
        sections=[
            caveats.chapter(trust),
            Section("Tables", tables, id="tables"),
            method.chapter(facts(run, summary), states("reading"), run.command),
        ],
        footer="; what it shows can be checked in `outcomes.jsonl` of its folder, and"
        " `hyperfine.json` there has the cold times for hyperfine’s scripts",  # noqa: RUF001
    )


def _groups(groups: Sequence[Sequence[Ranking]], attributes: Attributes) -> Iterator[Section]:
    for rankings in groups:
        group = rankings[0].group
        sections = [
            Section(MEASURES[ranking.measure], list(_blocks(ranking, attributes)))
            for ranking in rankings
        ]
        yield Section(group.title, [group.about, *sections])


def _blocks(ranking: Ranking, attributes: Attributes) -> Iterator[Block]:
    label = f"{ranking.group.title}, {ranking.measure}"
    without = [row for row in ranking.rows if not row.measured]
    yield Shown(ranked(ranking), label, attributes=attributes, without=without)
    yield from notes(ranking)
    if ranking.measure == "cold" and (split := phases(ranking)):
        yield Section(
            "Where the time of a process goes",
            [Shown(split, f"{label}: where the time goes")],
            gist="the mean of its rounds",
            folded=("html",),
        )
    if charts := list(of_ranking(ranking)):
        yield Charts(charts)
