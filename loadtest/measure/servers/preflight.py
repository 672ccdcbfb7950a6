"""What a run of servers needs of this machine, beside what every run does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psutil

from loadtest.bench.servers import external_services, services
from loadtest.measure import preflight
from loadtest.measure.preflight import Check
from loadtest.plan.servers.project import App, Service
from loadtest.records.measured import Launcher
from loadtest.records.planned import Plan
from loadtest.system import process


def named_services(app: App, allowed: Mapping[Service, str] | None) -> list[Check]:
    """Look whether the services that the environment names can be used; `allowed` as of `named`."""
    return [
        preflight.needed(
            service.variable,
            service.problem,
            f"{service.service} {service.version or 'answers, without its version'}",
            "cannot be used",
        )
        for service in external_services.named(os.environ, app, allowed)
    ]


def private_services(app: App, plan: Plan | None) -> list[Check]:
    """Look whether the services that the environment does not name can be started."""
    if all(variable in os.environ for variable in app.addresses.values()):
        return []
    lines = services.obstacles(len(plan.servers) if plan else 1, app.addresses)
    return [
        Check(name="private services", state="cannot be started", advice=line, fatal=True)
        for line in lines
    ] or [Check(name="private services", state="can be started")]


WORKER_BYTES = 20_000_000
"""Of a worker that has imported the app: no more than any takes."""


def memory(plan: Plan) -> list[Check]:
    """Look whether the servers that are up at the same time can be in memory at all."""
    needed = plan.at_once * plan.most_workers * WORKER_BYTES
    total = psutil.virtual_memory().total
    if needed <= total:
        return []
    advice = (
        f"{plan.at_once} servers at the same time, of {plan.most_workers:,} workers each, take"
        f" {needed / 1e9:,.0f} GB or more, and this machine has {total / 1e9:,.0f} GB; ask for"
        " fewer --workers"
    )
    return [Check(name="memory", state="too little", advice=advice, fatal=True)]


SESSION_BYTES = 2_000_000
"""Of a session of PostgreSQL that has answered a query: likewise."""


def sessions(plan: Plan, app: App) -> list[Check]:
    """Look whether a private PostgreSQL can take all connections that the servers may keep."""
    variable = app.addresses.get("postgres")
    if variable is None or variable in os.environ:
        return []
    largest = plan.largest(app.pooled)
    needed = services.sessions(app, largest, plan.at_once)
    room = psutil.virtual_memory().total // SESSION_BYTES
    most = min(services.MOST_CONNECTIONS, room)
    if needed <= most:
        return []
    advice = (
        f"{plan.at_once} servers at the same time, of {largest.workers:,} workers with"
        f" {largest.threads:,} threads each, may keep {needed:,} connections to PostgreSQL, and it"
        f" has room for {most:,} here; ask for fewer --threads or --workers, or for a smaller"
        " --shape"
    )
    return [Check(name="database connections", state="too many", advice=advice, fatal=True)]


def postgres_version() -> str:
    """Return the version of the private PostgreSQL."""
    postgres = str(services.postgres_binaries() / "postgres")
    return process.output([postgres, "--version"], env={}, cwd=Path("/")).split()[-1]


def _connections(plan: Plan) -> tuple[int, str]:
    """Return how many connections the largest load of a plan has, and what asks for fewer."""
    largest = max((cell.load for cell in plan.cells), key=lambda load: load.most_connections)
    if largest.explores:
        return largest.most_connections, "a rate of your own, --rate"
    return largest.connections, "a lower --rate" if largest.rate else "--connections"


def checks(
    plan: Plan | None,
    out: Path,
    app: App,
    launcher: Launcher = "local",
    allowed: Mapping[Service, str] = MappingProxyType({}),
    *,
    loads: bool = True,
) -> list[Check]:
    """Look at all that a run needs of this machine; `allowed` are the services it may write.

    Not at what a load needs, where `loads` is false: it is made elsewhere.
    """
    written = allowed if launcher == "local" else None
    needs = _connections(plan) if plan else (64, "--connections")
    return [
        *([preflight.tool()] if loads else []),
        preflight.files(*needs),
        *([preflight.ports(*needs)] if loads else []),
        preflight.rates(),
        preflight.folder(out),
        *([preflight.port()] if launcher == "local" else []),
        *([preflight.backlog(plan.shape.backlog if plan else 2048)] if launcher != "agent" else []),
        *([preflight.local_ports()] if launcher == "compose" else []),
        # Others have their own; and where all of it is up already, nothing is written.
        *([] if launcher in ("compose", "agent") else named_services(app, written)),
        *(private_services(app, plan) if launcher == "local" else []),
        *((*memory(plan), *sessions(plan, app)) if plan and launcher == "local" else []),
    ]
