"""`loadtest list`: the servers, endpoints and matrices there are to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from loadtest.cli.options import json_option, project_of, project_options
from loadtest.cli.output import print_json, print_rows
from loadtest.plan.servers import matrix, profile
from loadtest.plan.servers.matrix import Matrix
from loadtest.records.errors import UserError, unknown
from loadtest.report.units import plural

OFFERED = ("servers", "endpoints", "matrices")


@click.command("list")
@click.argument("what", metavar="[servers|endpoints|matrices]", default="servers")
@project_options
@json_option
def list_command(what: str, folder: Path, python: str | None, as_json: bool) -> None:
    """List the servers, endpoints or matrices to choose from.

    Without an argument, it lists the servers.

    Example: loadtest list endpoints
    """
    if what not in OFFERED:
        raise UserError(unknown("argument", what, OFFERED))
    records: Sequence[Any]
    rows: list[tuple[str, str, str]]
    if what == "matrices":
        matrices = project_of(folder, python).app.matrices
        names = sorted(path.stem for path in matrices.glob("*.toml"))
        records = [matrix.load_matrix(name, matrices) for name in names]
        rows = [(each.name, _rounds(each), each.summary) for each in records]
    elif what == "endpoints":
        records = project_of(folder, python).endpoints()
        rows = [(each.name, each.style, each.summary) for each in records]
    else:
        records = profile.load_servers(project_of(folder, python).app.servers)
        rows = [(each.name, each.interface or "-", each.summary) for each in records]
    if as_json:
        print_json(records)
    else:
        print_rows(rows)


def _rounds(of: Matrix) -> str:
    if of.most_rounds is None:
        return plural(of.rounds, "round")
    return f"{of.rounds} to {plural(of.most_rounds, 'round')}"
