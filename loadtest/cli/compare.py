"""`loadtest compare BASE NEW`: for a pull request, and for the status of a pipeline."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.cli.options import Share, json_option
from loadtest.cli.output import print_json, say
from loadtest.judge.servers.compare import THRESHOLD, compare
from loadtest.records import run_folder
from loadtest.records.run_folder import SERVERS, ServersRun, read
from loadtest.report import formats
from loadtest.report.servers.comparison import html, markdown


@click.command("compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    type=Share(zero=True),
    default=THRESHOLD,
    show_default=f"{THRESHOLD:.0%}",
    help="A smaller change is none.",
)
@click.option("--anyway", is_flag=True, help="Compare what was not made under the same conditions.")
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as a page, too.",
)
@json_option
def compare_command(
    base: Path, new: Path, threshold: float, anyway: bool, page: Path | None, as_json: bool
) -> int:
    """Compare two runs cell by cell, as Markdown; exit status 1 on a regression.

    Example: loadtest compare results/main results/branch --html changes.html
    """
    made = compare(_read(base), _read(new), threshold, anyway)
    if page:
        with run_folder.writing(page):
            formats.write(page, html.render(made))
    if as_json:
        print_json(made)
    else:
        click.echo(markdown.render(made), nl=False)
    return 1 if made.regressed else 0


def _read(folder: Path) -> ServersRun:
    stored = read(folder, SERVERS)
    for note in stored.notes:
        say(f"{folder}: {note}")
    return stored
