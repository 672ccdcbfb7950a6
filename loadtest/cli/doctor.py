"""`loadtest doctor`: what would spoil a run on this machine, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.cli.options import json_option, out_option, project_of, project_options
from loadtest.cli.output import print_json, print_rows
from loadtest.plan.servers import inventory


@click.command("doctor")
@project_options
@out_option
@json_option
def doctor_command(folder: Path, python: str | None, out: Path, as_json: bool) -> int:
    """Check this machine for everything that would spoil a run.

    Lines that begin with NO say what to do. Exit status 1 if there are any.

    Example: loadtest doctor
    """
    from loadtest.measure.preflight import Check, others
    from loadtest.measure.servers import preflight

    offered = inventory.take_inventory(project_of(folder, python))
    checks = [
        *preflight.checks(None, out, offered.project.app),
        others(),
        *(Check(name="project", state="broken", advice=problem) for problem in offered.problems),
    ]
    missing = offered.missing
    for server in offered.servers if offered.versions else ():
        version = offered.versions.get(server.requires[0])
        checks.append(
            Check(
                name=server.name,
                state=f"{server.requires[0]} {version}" if version else "not installed",
                advice=missing.get(server.name),
            )
        )
    if as_json:
        print_json(checks)
    else:
        print_rows(
            ("ok" if check.advice is None else "NO", check.name, check.advice or check.state)
            for check in checks
        )
    return 1 if any(check.advice for check in checks) else 0
