"""`loadtest import`: a wrk report of others becomes a run like our own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from loadtest.cli.options import Location, json_option, out_option
from loadtest.cli.output import say


@click.command("import")
@click.argument("file", type=Location())
@out_option
@json_option
def import_command(file: Path, out: Path, as_json: bool) -> int:
    """Read somebody else's wrk report and judge it as a run.

    \b
    FILE is Markdown that holds what wrk printed, under the headings
    `## server`, `### endpoint` and `#### Sync` or `#### Async`.

    Exit status 1 if a part of wrk's text could not be read; each is listed with its line.

    Example: loadtest import django_workers.md --out results/
    """
    from loadtest.cli import kinds
    from loadtest.measure.servers.imported import report

    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    imported = report.read(file, created_at)
    for note in imported.notes:
        say(f"{file}, {note}")
    folder = report.write(imported, out)
    kinds.write_reports(kinds.SERVERS, folder, as_json)
    count = len(imported.outcomes)
    # Where a script reads the rest, this is beside it.
    tell = say if as_json else click.echo
    tell(f"{count} of {count + imported.left_out} blocks of wrk's text imported: {folder}")
    return 1 if imported.left_out else 0
