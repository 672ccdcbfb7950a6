"""`report.md`: the answers first, then each table, what to distrust, and how it was made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from loadtest.judge.clients.rows import Ranking
from loadtest.records.clients import Group, Run
from loadtest.report import units
from loadtest.report.charts.svg import svg
from loadtest.report.clients.charts import of_ranking
from loadtest.report.clients.columns import MEASURES, phases, ranked
from loadtest.report.clients.distrust import counted, doubts, losses, noise, outliers, where
from loadtest.report.clients.report import Report
from loadtest.report.markdown.markup import code, escape, fence, table
from loadtest.report.table import SUSPECT

FILE = "report.md"

READING = (
    f"`cold` is a whole process, timed from outside as hyperfine times a command. `warm` is the"
    " calls alone, in a process that had made others before: the time of all of them / the calls,"
    " so with N in flight a single one takes about N times that (`p50` to `p99` show it). The two"
    " are never mixed. `relative`: how many times as long as the fastest of its table, paired round"
    " by round, with its 95 % interval. `CPU a call`: processor time of the client's process."
    " `connections`: as the server counted them in a round. A suspect number has a"
    f" `{SUSPECT}` or its doubts beside it; an invalid row shows none. `-`: unknown, or too few"
    " calls for that percentile."
)


def files(report: Report) -> dict[str, str]:
    """Return the page and its charts, each an SVG beside it, by their names."""
    drawn = [chart for ranking in report.summary.rankings for chart in of_ranking(ranking)]
    return {FILE: render(report)} | {f"{chart.name}.svg": svg(chart) for chart in drawn}


def render(report: Report) -> str:
    """Return the page."""
    return "\n\n".join(_parts(report)) + "\n"


def spans(text: str) -> str:
    """Return text in which only what stands in backticks is code, and nothing else is Markdown."""
    pieces = re.split(r"`([^`]*)`", text)
    return "".join(code(piece) if at % 2 else escape_part(piece) for at, piece in enumerate(pieces))


def escape_part(text: str) -> str:
    """Return a part of a line escaped, the spaces at its ends kept."""
    lead = " " if text[:1].isspace() else ""
    tail = " " if text[-1:].isspace() and text.strip() else ""
    return f"{lead}{escape(text)}{tail}"


def _parts(report: Report) -> Iterator[str]:
    summary = report.summary
    yield f"# HTTP clients: {escape(summary.title)}"
    yield f"{counted(summary.counts)}. {spans(noise(summary))}"
    if report.advice:
        yield "## What follows"
    for point in report.advice:
        unsure = "" if point.separated else " This run cannot tell."
        yield f"**{escape(point.question)}**{unsure}"
        yield "\n".join(f"- {spans(sentence)}" for sentence in point.says)
    yield "## Tables"
    yield READING
    group: Group | None = None
    for ranking in summary.rankings:
        if group is None or ranking.group.name != group.name:
            group = ranking.group
            yield f"### {escape(group.title)}"
            yield escape(group.about)
        yield from _ranking(ranking)
    yield from _distrust(report)
    yield from _made(report.run, report)


def _ranking(ranking: Ranking) -> Iterator[str]:
    yield f"#### {MEASURES[ranking.measure]}"
    measured = ranked(ranking)
    yield table(measured) if measured.items else "No row has a number here."
    if ranking.measure == "cold" and (split := phases(ranking)):
        yield "Where the time of a process goes, the mean of its rounds:"
        yield table(split)
    if said := outliers(ranking):
        yield spans(said)
    for chart in of_ranking(ranking):
        yield f"![{escape(f'{chart.title}. {chart.description}')}]({quote(chart.name)}.svg)"


def _distrust(report: Report) -> Iterator[str]:
    yield "## What to distrust"
    found = doubts(report.summary)
    if not found:
        yield "No concern was raised in any row."
    for doubt in found:
        yield f"### {code(doubt.explained.concern)}: {doubt.counted}"
        # Ours, with code spans as Markdown has them.
        yield f"{doubt.explained.means} **What to do:** {doubt.explained.advice}"
        yield table(where(doubt.cases))
    lost = losses(report.summary)
    if lost.items:
        yield "## Failed and skipped"
        yield table(lost)


def _made(run: Run, report: Report) -> Iterator[str]:
    plan, machine = run.plan, run.machine
    lines = [
        f"{machine.cpu}, {machine.system}, made {run.created_at} in"
        f" {units.plural(report.summary.rounds, 'round')}, the rows of each in an order shuffled by"
        f" seed {plan.seed}.",
        f"A warm measurement follows {units.plural(plan.warmup_requests, 'call')} of warm-up, or as"
        f" many as are in flight if that is more; a call may take {units.seconds(plan.timeout_s)}.",
        f"Server: {run.upstream or plan.url or 'unknown'}.",
    ]
    lines += [
        f"{one.implementation} {one.version}:"
        f" {', '.join(f'{name} {version}' for name, version in sorted(one.versions.items()))}."
        for one in run.interpreters.values()
    ]
    lines += [
        f"The server gives {units.plural(one.connections, 'connection')} up to"
        f" {units.significant(one.requests_s)} answers/s ({one.tool}) of"
        f" {units.plural(one.answer.body_bytes or 0, 'byte')}"
        f"{f' after {units.seconds(one.answer.delay_s)}' if one.answer.delay_s else ''}"
        f"{' over TLS' if one.answer.tls else ''}"
        f"{'' if one.answer.keep_alive else ' without keep-alive'}."
        for one in report.summary.ceilings
    ]
    yield "## How it was made"
    yield "\n".join(f"- {escape(line)}" for line in lines)
    yield "To run it again:"
    yield fence(run.command, "bash")
