"""`loadtest list`: the servers, endpoints and matrices there are to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from loadtest.cli.options import json_option, project_of, project_options
from loadtest.cli.output import print_json, tables
from loadtest.plan.servers import matrix, profile


@click.command("list")
@click.argument("what", type=click.Choice(["servers", "endpoints", "matrices"]), default="servers")
@project_options
@json_option
def list_command(what: str, folder: Path, python: str, as_json: bool) -> None:
    """Show the servers, endpoints or matrices there are.

    Example: loadtest list endpoints
    """
    rows: list[tuple[str, str, str]]
    records: list[Any]
    if what == "matrices":
        names = sorted(path.stem for path in matrix.MATRICES.glob("*.toml"))
        records = [matrix.load_matrix(name) for name in names]
        rows = [(one.name, f"{one.rounds} rounds", one.summary) for one in records]
    elif what == "endpoints":
        records = list(project_of(folder, python).endpoints())
        rows = [(one.name, one.style, one.summary) for one in records]
    else:
        records = list(profile.load_servers(project_of(folder, python).folder / "servers"))
        rows = [(one.name, one.interface, one.summary) for one in records]
    if as_json:
        print_json(records)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    tables().print(table)
