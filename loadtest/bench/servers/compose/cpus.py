"""Prints the processors for each part of `docker-compose.yml` on this machine.

    python -m loadtest.bench.servers.compose.cpus

From four processors on each has its own, as in a run; below that, nothing is printed.
"""

from __future__ import annotations

import click

from loadtest.records.measured import Placement
from loadtest.system import cpu_pinning


def cpus(placed: Placement | None) -> dict[str, str]:
    """Return the variables of `.env` for a placement."""
    if placed is None:
        return {}
    parts = {
        "GENERATOR_CPUS": placed.generator,
        "DATABASES_CPUS": placed.services,
        "SERVER_CPUS": placed.server,
    }
    return {name: ",".join(map(str, processors)) for name, processors in parts.items()}


if __name__ == "__main__":
    for name, value in cpus(cpu_pinning.choose(None)).items():
        click.echo(f"{name}={value}")
