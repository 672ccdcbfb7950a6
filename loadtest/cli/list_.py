"""`loadtest list`: the servers, endpoints and matrices there are to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from loadtest.cli.options import json_option, project_of, project_options
from loadtest.cli.output import print_json, print_rows
from loadtest.plan.servers import matrix, profile


@click.command("list")
@click.argument("what", type=click.Choice(["servers", "endpoints", "matrices"]), default="servers")
@project_options
@json_option
def list_command(what: str, folder: Path, python: str, as_json: bool) -> None:
    """List the servers, endpoints or matrices to choose from.

    Without a word it lists the servers.

    Example: loadtest list endpoints
    """
    records: Sequence[Any]
    if what == "matrices":
        names = sorted(path.stem for path in matrix.MATRICES.glob("*.toml"))
        records = [matrix.load_matrix(name) for name in names]
        second = "{0.rounds} rounds"
    elif what == "endpoints":
        records = project_of(folder, python).endpoints()
        second = "{0.style}"
    else:
        records = profile.load_servers(folder.resolve() / "servers")
        second = "{0.interface}"
    if as_json:
        print_json(records)
    else:
        print_rows([(record.name, second.format(record), record.summary) for record in records])
