"""`loadtest doctor`: what would spoil a run on this machine, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from loadtest.cli.options import json_option, out_option, project_of, project_options
from loadtest.cli.output import print_json, tables
from loadtest.measure.servers import preflight
from loadtest.measure.servers.preflight import Check
from loadtest.plan.servers import inventory


@click.command("doctor")
@project_options
@out_option
@json_option
def doctor_command(folder: Path, python: str, out: Path, as_json: bool) -> int:
    """Look for all that would spoil a run; exit status 1 if there is something.

    Example: loadtest doctor
    """
    found = inventory.take_inventory(project_of(folder, python))
    checks = [
        *preflight.checks(None, out),
        preflight.others(),
        *(Check(name="project", found="broken", advice=problem) for problem in found.problems),
    ]
    missing = inventory.packages(found.servers, found.versions)
    for one in found.servers if found.versions else ():
        version = found.versions.get(one.requires[0])
        checks.append(
            Check(
                name=one.name,
                found=f"{one.requires[0]} {version}" if version else "not installed",
                advice=missing.get(one.name),
            )
        )
    if as_json:
        print_json(checks)
    else:
        _print(checks)
    return 1 if any(check.advice for check in checks) else 0


def _print(checks: list[Check]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        mark = "ok" if check.advice is None else "NO"
        table.add_row(mark, Text(check.name), Text(check.advice or check.found))
    tables().print(table)
