"""The page of a run of servers, after its answer: caveats, matrix, endpoints, servers, method."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from loadtest.judge.servers.rows import LATE, SHORT, Ranking, Row, State, state
from loadtest.judge.servers.summary import Summary
from loadtest.records.planned import Server
from loadtest.report import units
from loadtest.report.html.anchors import anchors
from loadtest.report.page import (
    BOTH,
    Block,
    Bullets,
    Charts,
    Code,
    Filter,
    Links,
    Listed,
    Only,
    Page,
    Section,
    Shown,
)
from loadtest.report.sentences import between, capital
from loadtest.report.servers import charts
from loadtest.report.servers.chapters import caveats, method
from loadtest.report.servers.grouping import by_kind, rows_of
from loadtest.report.servers.heatmap import COST, GOODPUT, columns, matrix
from loadtest.report.servers.ranking_tables import ranked, stepped
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.method import pooled, without_rank
from loadtest.report.servers.sentences.phrases import title, under
from loadtest.report.servers.sentences.resource_usage import unsteady, used

Places = dict[str, dict[str, str]]

STATES: tuple[State, ...] = ("valid", "suspect", "invalid", "failed", "skipped")

DRAWN = 100
"""Endpoints with charts: nobody looks through those of more, and each takes milliseconds."""

NAMED = 3
"""Servers that an endpoint's heading names; of more, the rest is counted."""


@lru_cache(maxsize=1)  # each format that has it asks for it
def page(report: Report) -> Page:
    """Return the page without its answer."""
    run, summary = report.run, report.summary
    names = [name for name, _ in columns(summary)]
    of = (
        f"in {run.source.file}" if run.source else f"on {run.machine.cpu or 'an unknown processor'}"
    )
    counts = [
        units.plural(len(names), "server"),
        units.plural(len(summary.rankings), "endpoint"),
        *([] if run.source else [_measured(summary)]),
    ]
    at = places(summary, names)
    # A page draws them itself, so that a reader can choose.
    costs = charts.cost(summary.decision.cost) if summary.decision.cost else None
    return Page(
        title=f"{run.plan.matrix}: {counts[0]} {of}",
        subject=f"{run.plan.matrix} {of}",
        meta=f"{' × '.join(counts)}, {run.created_at[:10]}",  # noqa: RUF001
        lead=[],
        answer=[Charts([costs])] if costs else [],
        sections=[
            caveats(report),
            Section("Matrix", [matrix(summary, at)], id="matrix"),
            Section("Endpoints", list(_endpoints(report, at)), id="endpoints"),
            Section("Servers", list(_servers(report, at)), id="servers"),
            method(report),
            Section("Raw wrk output", list(_raw(report)), id="raw"),
        ],
        footer="; what it shows can be checked in `outcomes.jsonl` and `raw/` of its folder",
        places=at,
    )


def _measured(summary: Summary) -> str:
    """Return how often was measured: in rounds, or by tries."""
    if not summary.decision.searched:
        return units.plural(summary.rounds, "round")
    tries = summary.decision.sure.tries
    return "1 try" if tries == 1 else f"{tries:,} tries"


def places(summary: Summary, servers: list[str]) -> Places:
    """Return the anchors of all that can be linked to."""
    rows = [row.cell for ranking in summary.rankings for row in ranking.rows]
    return {
        "server": dict(anchors("server", servers)),
        "endpoint": dict(anchors("endpoint", (each.at for each in summary.rankings))),
        "cell": dict(anchors("cell", rows)),
        "doubt": dict(anchors("doubt", (each.concern for each in summary.concerns))),
    }


def _endpoints(report: Report, at: Places) -> Iterator[Block]:
    states = Counter(state(row) for _, row in report.rows)
    shown = [each for each in STATES if states[each]]
    yield Filter("Filter the rows of all endpoints", shown, len(report.rows))
    if (of := len(report.summary.rankings)) > DRAWN:
        yield few_drawn(of)
    left = DRAWN
    for kind, rankings in by_kind(report.summary.rankings).items():
        glance = charts.kind(kind, rankings[:left])
        blocks: list[Block] = []
        if glance:
            blocks.append(Charts([glance]))
        blocks += [_endpoint(each, report, at, left > n) for n, each in enumerate(rankings)]
        yield Section(title(kind), blocks)
        left = max(0, left - len(rankings))


def few_drawn(endpoints: int) -> str:
    """Return of which of so many endpoints there are charts."""
    return f"Charts are of the first {DRAWN} of {endpoints:,} endpoints; each has its table."


def _endpoint(ranking: Ranking, report: Report, at: Places, drawn: bool) -> Section:
    endpoint, load, reference = ranking.endpoint, ranking.load, report.summary.reference
    about = f"{capital(endpoint.title)}: `{endpoint.path}`. {endpoint.summary} {under(load)}."
    without = [row for row in ranking.rows if not row.figures]
    shown = Shown(
        ranked(ranking, reference),
        f"Servers at {ranking.at}",
        attributes=lambda row: {"id": at["cell"][row.cell], "class": state(row)},
        without=without,
    )
    blocks: list[Block] = [about, *([f"Note: {endpoint.note}"] if endpoint.note else []), shown]
    pools = dict.fromkeys(pooled(endpoint, shape) for shape in report.run.plan.shapes)
    sentences = [*pools, unanswered(ranking), not_held(ranking), without_rank(ranking)]
    blocks += filter(None, sentences)
    if steps := drawn and charts.against_rate(ranking):
        blocks.append(Charts([steps]))
    if any(row.steps for row in ranking.rows):
        tried = Shown(stepped(ranking), f"Servers at {ranking.at}, by rate")
        blocks.append(Section("Each rate", [tried], folded=BOTH if ranking.load.within else ()))
    if curves := drawn and charts.latency(ranking):
        blocks.append(Only("html", [Charts([curves])]))
    return Section(
        ranking.at, blocks, id=at["endpoint"][ranking.at], gist=first(ranking), folded=("html",)
    )


def not_held(ranking: Ranking) -> Bullets | None:
    """Return which servers have no latencies at a rate, and why; None where all have some."""
    texts = [
        f"No latencies for `{row.server}`: {facts}."
        for row in ranking.rows
        if row.reportable
        and (facts := "; ".join(of.facts for of in row.concerns if of.concern in (*SHORT, LATE)))
    ]
    return Bullets(texts) if texts else None


def unanswered(ranking: Ranking) -> str:
    """Return where percentiles would be those of the few that were answered; empty if nowhere."""
    names = [
        f"`{row.server}`"
        for row in ranking.rows
        if ranking.load.rate is None
        and row.reportable
        and row.reportable.p50_us is None
        and row.reportable.goodput * ranking.load.duration_s < ranking.load.connections
    ]
    if not names:
        return ""
    return (
        f"No percentiles for {', '.join(names)}: most of the"
        f" {units.plural(ranking.load.connections, 'connection')} got no response in"
        f" {units.seconds(ranking.load.duration_s)}, and those would be of the few that did."
    )


def first(ranking: Ranking) -> str:
    """Return who is ahead at an endpoint, in a few words."""
    rows = [row for row in ranking.rows if row.rank == 1 and row.reportable]
    if not rows:
        why = ranking.unranked
        return f"no server is ranked: {why}" if why else "no server has a number"
    names = [row.server for row in rows]
    few = len(names) <= NAMED
    who = ", ".join(names) if few else f"{len(names)} of {len(ranking.rows)} servers"
    tied = " are tied for the lead" if len(names) > 1 else ""
    if ranking.load.within:
        searches = [row.search for row in rows if row.search]
        rates = [search.low for search in searches]
        rates += [search.high for search in searches if search.high == search.most]
        more = " or more" if len(rates) < 2 * len(searches) else ""
        return f"{who}{tied}: {between(rates, units.significant)}{more} requests/s"
    metric, unit = GOODPUT, "requests/s"
    if ranking.by == "cost":
        metric, unit = COST, "cores for 1,000 requests/s"
    values = (metric.value(row.reportable) for row in rows if row.reportable)
    return f"{who}{tied}: {between(values, units.significant)} {unit}"


def _servers(report: Report, at: Places) -> Iterator[Section]:
    profiles = {server.name: server for server in report.run.plan.servers}
    for name, interface in columns(report.summary):
        profile = profiles.get(name)
        of = [interface.upper(), profile.summary if profile else ""]
        states = Counter(state(row) for _, row in rows_of(report.summary.rankings, name))
        counts = ", ".join(f"{states[each]} {each}" for each in STATES if states[each])
        yield Section(
            name,
            list(_server(report, name, profile)),
            id=at["server"][name],
            gist=". ".join(filter(None, [*(text.rstrip(".") for text in of), counts])),
            folded=("html",),
        )


def _server(report: Report, name: str, profile: Server | None) -> Iterator[Block]:
    if argv := report.run.argv.get(name, profile.argv if profile else ()):
        yield Code(shlex.join(argv))
    steady = unsteady(report.summary, name)
    limits = profile.limits if profile else ()
    if sentences := [*limits, *filter(None, [steady])]:
        yield Bullets(sentences)
    if facts := list(used(report.run.plan, report.summary, name)):
        yield Listed(facts)


def _raw(report: Report) -> Iterator[Block]:
    yield (
        "What the load generator printed lies in files beside this one: a line for each endpoint,"
        " a link for each round. Of a round in several turns it is the first; the others lie there"
        " too."
    )
    for name, _ in columns(report.summary):
        rows = rows_of(report.summary.rankings, name)
        lines = [(ranking.at, files) for ranking, row in rows if (files := _files(row))]
        if lines:
            gist = units.plural(len(lines), "endpoint")
            yield Section(name, [Links(lines)], gist=gist, folded=BOTH)


def _files(row: Row) -> list[tuple[str, str]]:
    return [(f"round {each.number}", each.raw) for each in row.rounds if each.raw]
