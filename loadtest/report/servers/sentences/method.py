"""How a run of servers was made, and how its figures are to be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from loadtest.judge.servers.summary import Summary
from loadtest.records.measured import Run
from loadtest.report import sentences
from loadtest.report.sentences import Facts
from loadtest.report.servers.grouping import by_load
from loadtest.report.servers.sentences.setup import launched
from loadtest.report.units import plural, seconds, share


def facts(run: Run, summary: Summary) -> Facts:
    """Return what a run was made of, in the order of interest."""
    return [*(_imported(run) if run.source else _measured(run, summary)), *_loads(run, summary)]


def _imported(run: Run) -> Facts:
    assert run.source
    return [
        (
            "Read from",
            f"{run.source.file} (SHA-256 `{run.source.sha256}`) on {run.created_at}. Nothing was"
            " measured here and no response was checked; the machine, the versions and how the"
            " servers were started are unknown",
        )
    ]


def _measured(run: Run, summary: Summary) -> Iterator[tuple[str, str]]:
    plan, shape = run.plan, run.plan.shape
    yield from sentences.machine(run.machine)
    if where := launched(run):
        yield "Who ran where", " ".join(where).rstrip(".")
    first = " (endpoints that wait, in the first ones only)"
    loaded = summary.load_share
    yield (
        "Made",
        f"{run.created_at}, {plural(summary.rounds, 'round')} with each cell measured once in each"
        f"{first if any(cell.rounds for cell in plan.cells) else ''}, in an order shuffled by seed"
        f" {plan.seed}"
        f"{'' if loaded is None else f'; load during {share(loaded)} of the time'}",
    )
    yield (
        "Each server got",
        f"{plural(shape.workers, 'worker')}, {plural(shape.threads, 'thread')} in each where it has"
        f" them, a backlog of {shape.backlog:,}, keep-alive of {seconds(shape.keep_alive_s)}, and"
        f" {plural(shape.database_pool, 'database connection')} at most in each worker",
    )
    yield "Python", run.machine.python or "unknown"
    yield "Versions", sentences.versions(run.machine.versions)


def _loads(run: Run, summary: Summary) -> Iterator[tuple[str, str]]:
    for load, endpoints in by_load(summary.rankings).items():
        warm = "" if run.source else f" after {seconds(load.warmup_s)} of warm-up"
        yield (
            "Load",
            f"{plural(load.connections, 'connection')}, each sending its next request as soon as"
            f" the last one is answered, for {seconds(load.duration_s)}{warm}:"
            f" {', '.join(endpoints)}",
        )


def reading(reference: str | None, titles: Collection[str]) -> Facts:
    """Return what the columns mean; `titles` are those that any table has."""
    known = (
        (
            "p50",
            "`p50`, `p90`, `p99`: latencies as they were measured, all rounds together. wrk's own"
            " text shows higher ones: it adds samples for the requests it would have sent during a"
            " stall.",
        ),
        (
            "ratio (95 %)",
            f"Goodput as a multiple of that of `{reference or 'the reference'}`, round by round,"
            " with its 95 % interval.",
        ),
        (
            "errors",
            "Of any kind, and their share of all requests. They are no part of the goodput.",
        ),
        (
            "memory",
            "The most that the server's processes held together. A page they share counts once, or"
            " in each of them where it says RSS. `memory per worker`: the same divided by the"
            " workers it was given.",
        ),
        (
            "processes",
            "`processes`, `threads`, `sockets`, `database connections`: of the server, the most"
            " seen at once; sockets are to clients and services, and those that listen.",
        ),
        (
            "ceiling",
            "Requests that the server works on at once, divided by the endpoint's delay. Near it, a"
            " number shows how many requests were let in, not how fast the server is. A load has"
            " room for whole waves of responses only, so that even the fastest stays below it, by"
            " one wave at most.",
        ),
        (
            "verdict",
            "`valid`, or the concerns about the number, all explained under Caveats, and how many"
            " checks could not run.",
        ),
        ("rounds", "Rounds with a result, of those that were tried."),
    )
    return [
        *((title, text) for title, text in known if title in titles),
        ("-", "Unknown, or too few responses for that percentile."),
    ]
