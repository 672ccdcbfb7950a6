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


def reading(reference: str | None, shown: Collection[str]) -> Facts:
    """Return what the columns mean; `shown` are the keys of those that any table has."""
    known = (
        (
            "cores",
            "cost",
            "CPU cores of the server to serve 1,000 requests/s: the milliseconds of CPU time that"
            " one takes. `with databases`: with PostgreSQL's and Valkey's.",
        ),
        (
            "ratio",
            "cost / ...",
            "The cost, or where a view waits the requests/s, as a multiple of that of"
            f" `{reference or 'the reference'}`, round by round, with its 95 % interval.",
        ),
        (
            "goodput",
            "requests/s",
            "2xx responses a second. `of 500`: the most it could be, which is the requests that the"
            " server works on at once, divided by the endpoint's delay. Near it, a number shows how"
            " many requests were let in, not how fast the server is.",
        ),
        (
            "p99_us",
            "p50, p99",
            "Latencies as they were measured, all rounds together. wrk's own text shows higher"
            " ones: it adds samples for the requests it would have sent during a stall.",
        ),
        (
            "errors",
            "errors",
            "Of any kind, and their share of all requests. They are no part of requests/s.",
        ),
        (
            "spread",
            "rounds differ",
            "The requests/s of the best round less those of the worst, as a share of the median.",
        ),
        (
            "verdict",
            "verdict",
            "`valid`, or the concerns about the number, all explained under Caveats.",
        ),
    )
    return [
        *((what, text) for key, what, text in known if key in shown),
        ("-", "Unknown, or too few responses for that percentile."),
    ]
