"""What a run cannot show, however well it went: its machine, its load, its app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.rows import Ranking
from loadtest.records.measured import Run
from loadtest.report.units import plural, seconds


def bounds(run: Run, rankings: Sequence[Ranking]) -> Iterator[str]:
    """Yield a sentence for each bound, the nearest to the numbers first; code in backticks."""
    plan = run.plan
    if run.source:
        yield (
            "No response was checked: a server that sent errors, or another page, can look fast,"
            " unless wrk's own text shows it."
        )
        yield "The machine is unknown, and so is whether anything else ran on it."
    elif run.launcher == "running":
        yield (
            "The server was already running: where it runs, what it shares with wrk and how it was"
            " started is not known here."
        )
    elif run.engine is not None and run.engine.remote:
        yield (
            f"Server and databases ran on {run.engine.name}"
            f" ({plural(run.engine.processors, 'processor')}), wrk on another machine: the network"
            " between them is in every number."
        )
    elif run.placement is None:
        shared = plural(run.machine.processors, "processor") if run.machine.processors else "all"
        yield (
            f"Server, databases and wrk shared {shared}: a server that uses little CPU"
            " leaves more for wrk. Rates are those of this machine;"
            " ratios carry over better, though not to every machine and app."
        )
    else:
        yield (
            "Server, databases and wrk ran on one machine, the server on its own processors, over"
            " loopback. Rates are those of this machine;"
            " ratios carry over better, though not to every machine and app."
        )
    if plan.shape.known:
        alone = [
            f"`{server.name}`"
            for server in plan.servers
            if server.expected_processes(plan.shape) == 1 < plan.shape.workers
            and not server.duplicate_of
        ]
        but = f" ({', '.join(alone)}: one process)" if alone else ""
        yield (
            f"Each server had {plural(plan.shape.workers, 'worker')}{but}: how a server scales"
            " across many cores was not measured."
        )
    durations = sorted({ranking.load.duration_s for ranking in rankings})
    if durations:
        longest = seconds(durations[-1])
        yield (
            "A closed loop: each connection sends its next request as soon as the last one is"
            " answered. A p99 here is that of a server at its limit, not under everyday load."
        )
        yield (
            f"No load lasted longer than {longest}: leaks that take hours, or workers that are"
            " replaced, cannot be seen, nor can the effect of more connections."
        )
    yield "No TLS, no proxy in front, no slow or distant clients; HTTP/1.1 only."
    if not run.source:
        yield (
            "The endpoints are small on purpose, so that the servers' own cost shows. The longer"
            " your own views take, the less the server matters."
        )
