"""`loadtest report`: a run's folder read, judged, written in every format and shown."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.cli.options import (
    MOST_RUNS,
    json_option,
    location,
    out_option,
    refuse_beside,
    whole,
)
from loadtest.cli.output import say
from loadtest.records.errors import UserError, lone
from loadtest.records.run_folder import KINDS, newest, runs_below


@click.command("report")
@click.argument("run", type=location(), required=False)
@click.option(
    "--history",
    "parent",
    metavar="FOLDER",
    type=location(),
    help="Write one page about all server runs below this folder, the oldest first, instead of one"
    " run's reports.",
)
@click.option(
    "--last",
    metavar="NUMBER",
    type=whole("--last 20", 2, MOST_RUNS),
    help="Have the newest NUMBER of runs in it, however large they are. Default: as many as are"
    " read in seconds.",
)
@out_option
@json_option
def report_command(
    run: Path | None, parent: Path | None, last: int | None, out: Path, as_json: bool
) -> int:
    """Write a run's reports again; no server is needed.

    RUN is the folder of a run of servers or of HTTP clients. Default: the newest run in the folder
    --out. Exit status 1 if something failed, is invalid or was not measured at all.

    Example: loadtest report results/2026-11-20T10-00-00-quick
    """
    if parent is not None:
        from loadtest.cli.history import report_history

        refuse_beside("--history takes a folder of runs", "--history", "--last", "--json")
        return report_history(parent, last, as_json)
    if last is not None:
        raise UserError(lone("--last", "--history FOLDER"))
    from loadtest.cli import kinds

    if run is None:
        for link in runs_below(out, *KINDS, links=True):
            say(f"left out: {link}: it is a link; name it to read the run that it leads to")
        run = newest(out)
    else:
        refuse_beside("reports are written into the folder of their run", str(run), "--json")
    return kinds.write_reports(kinds.of_folder(run), run, as_json)
