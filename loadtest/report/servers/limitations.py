"""What a run cannot show, however well it went: its machine, its load, its app."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.report.servers.report import Report
from loadtest.report.units import plural, seconds


def bounds(report: Report) -> Iterator[str]:
    """Yield a sentence for each bound, the nearest to the numbers first; code in backticks."""
    run, plan = report.run, report.run.plan
    if run.source:
        yield (
            "Nobody looked at an answer: a server that answered errors, or another page, can look"
            " fast, unless wrk's own text tells."
        )
        yield "The machine is unknown, and so is whether anything else was at work on it."
    elif run.launcher == "running":
        yield (
            "The server was up before: where it runs, what it shares with wrk and how it was"
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
            f"Server, databases and wrk shared {shared}: a server that is cheap leaves more"
            " to wrk. Rates are those of this machine;"
            " ratios carry over better, not to any machine and any app."
        )
    else:
        yield (
            "Server, databases and wrk ran on one machine, the server on its own processors, over"
            " loopback. Rates are those of this machine;"
            " ratios carry over better, not to any machine and any app."
        )
    if plan.shape.known:
        alone = [
            f"`{one.name}`"
            for one in plan.servers
            if one.expected_processes(plan.shape) == 1 < plan.shape.workers and not one.duplicate_of
        ]
        but = f" ({', '.join(alone)}: one process)" if alone else ""
        yield (
            f"Each server had {plural(plan.shape.workers, 'worker')}{but}: how one scales over many"
            " processors was not measured."
        )
    durations = sorted({ranking.load.duration_s for ranking in report.summary.rankings})
    if durations:
        longest = seconds(durations[-1])
        yield (
            "A closed loop: each connection asks again as soon as it is answered. A p99 here is of"
            " a server at its limit, not of one at the load of a normal day."
        )
        yield (
            f"No load lasted longer than {longest}: what takes hours to leak, or workers that are"
            " replaced, cannot be seen. Neither can what happens beyond these connections."
        )
    yield "No TLS, no proxy in front, no slow or distant clients; HTTP/1.1 alone."
    if not run.source:
        yield (
            "The endpoints are small on purpose, so that servers show. The longer a view of yours"
            " takes, the less its server matters."
        )
