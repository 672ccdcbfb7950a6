"""`loadtest import`: a wrk report of others becomes a run like our own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from loadtest import importer
from loadtest.options import out_option


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@out_option
@click.pass_context
def import_command(context: click.Context, file: Path, out: Path) -> int:
    """Read a wrk report in Markdown into a run, then write its reports.

    Headings: `## server`, `### endpoint`, `#### Sync` or `#### Async`. Exit status 1 if a part of
    wrk's text could not be read; each is listed with its line.

    Example: loadtest import django_workers.md --out results/
    """
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    imported = importer.read(file, created_at)
    for note in imported.notes:
        click.echo(f"loadtest: {file}, {note}", err=True)
    folder = importer.write(imported, out)
    report = context.find_root().command
    if isinstance(report, click.Group):
        context.invoke(report.commands["report"], run=folder, out=out)
    count = len(imported.outcomes)
    click.echo(f"{count} of {count + imported.left_out} blocks of wrk's text imported: {folder}")
    return 1 if imported.left_out else 0
