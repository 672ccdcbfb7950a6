"""`loadtest compare BASE NEW`: for a pull request, and for the status of a pipeline."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.cli.options import json_option, location, share
from loadtest.cli.output import CANNOT_TELL, print_json, say
from loadtest.records import run_folder
from loadtest.records.errors import UserError
from loadtest.records.run_folder import CLIENTS, SERVERS, ServersRun


@click.command("compare")
@click.argument("base", type=location())
@click.argument("new", type=location())
@click.option(
    "--threshold",
    type=share(zero=True),
    default="5%",
    help="Smallest change that counts, as a share; anything smaller counts as the same."
    " Default: 5%.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Compare even if the runs were made under different conditions: on another machine,"
    " under another load, with other versions.",
)
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=location("file"),
    help="Also write the comparison to this file, as a page for a browser.",
)
@json_option
def compare_command(
    base: Path, new: Path, threshold: float, force: bool, page: Path | None, as_json: bool
) -> int:
    """Compare two runs of servers: what each costs, then cell by cell.

    BASE and NEW are the folders of two runs. It prints Markdown. Runs at a rate are compared at the
    rates that both have, searches by the highest rates within the same goal. Exit status: 0 if
    nothing got worse and most servers were shown to cost no more; 1 if something got worse, failed
    or no longer keeps its rate; 3 if these runs cannot tell.

    Example: loadtest compare results/main results/branch --html changes.html
    """
    from loadtest.judge.servers.compare import compare
    from loadtest.report import formats
    from loadtest.report.html.page import document
    from loadtest.report.markdown import page as markdown
    from loadtest.report.servers import comparison

    if base.resolve() == new.resolve():
        raise UserError(
            f"BASE and NEW are the same folder, {base.resolve()}; name another run as NEW, or make"
            " one with `loadtest run quick`"
        )
    stored = [_read(run) for run in (base, new)]
    for run in stored:
        for note in run.notes:
            say(f"{run.folder}: {note}")
    compared = compare(stored[0], stored[1], threshold, force)
    shown = comparison.page(compared)
    if page:
        with run_folder.writing(page):
            formats.write(page, document(shown))
    if as_json:
        print_json(compared)
    else:
        click.echo(markdown.document(shown, level=3), nl=False)
    if compared.regressed:
        return 1
    return 0 if compared.conclusive else CANNOT_TELL


def _read(run: Path) -> ServersRun:
    if run_folder.kind_of(run) is CLIENTS:
        raise UserError(
            f"{run}: it is {CLIENTS.what}, which compare does not take; name two runs of servers,"
            " as `loadtest run` makes them"
        )
    return run_folder.read(run, SERVERS)
