"""How a run was made, what it cannot show and how to read it; `method.jinja` has the words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from loadtest.judge.servers.rows import By, Ranking
from loadtest.judge.servers.summary import Summary
from loadtest.records.measured import Engine, Run
from loadtest.records.planned import Endpoint, Shape
from loadtest.report import sentences
from loadtest.report.sentences import Facts, machine, versions
from loadtest.report.servers.grouping import by_load
from loadtest.report.servers.sentences.phrases import goal, workload
from loadtest.stats.noise_floor import MOST

PARTS = {"SERVER": "server", "DATABASES": "databases and upstream, each"}
"""What the settings of `.env` are about."""

MACROS = sentences.macros(Path(__file__).with_suffix(".jinja"))

says, states = partial(sentences.says, MACROS), partial(sentences.states, MACROS)
"""What a macro says, as sentences or as facts."""

TOO_NOISY = 0.5
"""A noise floor, as a share, with which hardly any servers can be separated."""


def facts(run: Run, summary: Summary) -> Facts:
    """Return what a run was made of, in the order of interest."""
    loads = states("loads", by_load(summary.rankings), run.source is not None, goal)
    if run.source:
        return [*states("imported", run), *loads]
    some = any(cell.rounds for cell in run.plan.cells)
    setup = states(
        "measured",
        run,
        summary.rounds,
        summary.decision.sure.tries,
        some,
        summary.load_share,
        launched(run),
        versions(run.machine.versions),
    )
    return [*machine(run.machine), *setup, *loads]


def launched(run: Run) -> tuple[str, ...]:
    """Return who started the servers, on which machine; nothing for a report of others."""
    if run.source:
        return ()
    limits = _limits(run, run.engine) if run.engine else []
    return says("launched", run, limits)


def _limits(run: Run, engine: Engine) -> list[str]:
    limits = []
    for prefix, part in PARTS.items():
        cpus = engine.settings.get(f"{prefix}_CPUS", "")
        if run.placement:
            placed = run.placement.server if part == "server" else run.placement.services
            cpus = ",".join(map(str, placed))
        memory = engine.settings.get(f"{prefix}_MEMORY", "")
        words = [f"processors {cpus}" if cpus else "", f"{memory} of memory" if memory else ""]
        if stated := " and ".join(word for word in words if word):
            limits.append(f"{part} {stated}")
    return limits


def bounds(run: Run, rankings: Sequence[Ranking]) -> tuple[str, ...]:
    """Return what the run cannot show, however well it went: its machine, its load, its app."""
    shape = run.plan.shape
    alone = [
        server.name
        for server in run.plan.servers
        if server.expected_processes(shape) == 1 < server.sized(shape).workers
        and not server.duplicate_of
    ]
    lasted_s = [ranking.load.duration_s for ranking in rankings]
    lasted_s += [
        step.duration_s for ranking in rankings for row in ranking.rows for step in row.steps
    ]
    longest = max(lasted_s, default=None)
    return says("bounds", run, alone, longest)


def reading(reference: str | None, shown: Collection[str]) -> Facts:
    """Return what the columns mean; `shown` are the keys of those that any table has."""
    return states("reading", shown, reference)


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to count."""
    if searched := summary.decision.searched:
        apart = max((each.apart or 0.0 for each in searched), default=0.0)
        return says("reach", apart)[0]
    by: dict[By, list[float]] = {}
    for each in summary.rankings:
        if each.floor is not None:
            by.setdefault(each.by, []).append(each.floor)
    floors = [floor for of in by.values() for floor in of]
    kinds = dict.fromkeys(each.endpoint.kind for each in summary.rankings if each.noise_borrowed)
    unsure = bool(summary.twins) and (not floors or max(floors) >= MOST)
    (text,) = says(
        "noise",
        summary.rounds == 1 and summary.counts.measured > 0,
        unsure,
        summary.reference,
        by,
        list(map(workload, kinds)),
        min(floors, default=0.0) > TOO_NOISY,
        summary.left_open,
    )
    return text


def pooled(endpoint: Endpoint, shape: Shape) -> str:
    """Return how many requests the pools let wait in the database; empty where none does."""
    contract = endpoint.contract
    if not contract.pooled or not contract.delay_s or not shape.known:
        return ""
    return says("pooled", shape, contract.delay_s)[0]


def without_rank(ranking: Ranking) -> str:
    """Return why some servers with a number have no rank; empty where all have one, or none."""
    if ranking.unranked or all(row.rank for row in ranking.rows if row.reportable):
        return ""
    return says("without_rank")[0]
