"""What a run of servers needs of this machine, beside what every run does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from loadtest.bench.servers import external_services, services
from loadtest.measure import preflight
from loadtest.measure.preflight import Check
from loadtest.plan.servers.project import DEMO, App, Service
from loadtest.records.measured import Launcher
from loadtest.records.planned import Plan
from loadtest.records.values import MOST_TRIED
from loadtest.system import process


def named_services(app: App, allowed: Mapping[Service, str] | None) -> list[Check]:
    """Look whether the services that the environment names can be used; `allowed` as of `named`."""
    return [
        Check(
            name=service.variable,
            state=f"{service.service} {service.version or 'answers, without its version'}"
            if service.problem is None
            else "cannot be used",
            advice=service.problem,
            fatal=service.problem is not None,
        )
        for service in external_services.named(os.environ, app, allowed)
    ]


def private_services(app: App, plan: Plan | None) -> list[Check]:
    """Look whether the services that the environment does not name can be started."""
    if all(variable in os.environ for variable in app.addresses.values()):
        return []
    lines = services.obstacles(len(plan.servers) if plan else 1)
    return [
        Check(name="private services", state="cannot be started", advice=line, fatal=True)
        for line in lines
    ] or [Check(name="private services", state="can be started")]


def postgres_version() -> str:
    """Return the version of the private PostgreSQL."""
    postgres = str(services.postgres_binaries() / "postgres")
    return process.output([postgres, "--version"], env={}, cwd=Path("/")).split()[-1]


def checks(
    plan: Plan | None,
    out: Path,
    launcher: Launcher = "local",
    allowed: Mapping[Service, str] = MappingProxyType({}),
    app: App = DEMO,
) -> list[Check]:
    """Look at all that a run needs of this machine; `allowed` are the services it may write."""
    written = allowed if launcher == "local" else None
    loads = [cell.load for cell in plan.cells] if plan else []
    connections = max(
        (MOST_TRIED if load.explores else load.connections for load in loads), default=64
    )
    return [
        preflight.tool(),
        preflight.files(connections),
        preflight.folder(out),
        *([preflight.port()] if launcher == "local" else []),
        preflight.backlog(plan.shape.backlog if plan else 2048),
        *([preflight.local_ports()] if launcher == "compose" else []),
        # A container has its own; and where all of it is up already, nothing is written.
        *([] if launcher == "compose" else named_services(app, written)),
        *(private_services(app, plan) if launcher == "local" else []),
    ]
