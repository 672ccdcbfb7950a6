"""`loadtest report`: a run's folder read, judged, written in every format and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.options import json_option, out_option
from loadtest.cli.output import print_json, say, show
from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.records.run_folder import CLIENTS, SERVERS, newest, read, writing

if TYPE_CHECKING:
    from loadtest.judge.servers.summary import Summary


class Written(Record, frozen=True, kw_only=True):
    """What `--json` prints."""

    folder: str
    files: tuple[str, ...]
    summary: Summary


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option(
    "--history",
    "parent",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write one page about all runs of servers below this folder, the oldest first, in place of"
    " one run's reports.",
)
@out_option
@json_option
def report_command(run: Path | None, parent: Path | None, out: Path, as_json: bool) -> int:
    """Write the reports of a run again; needs no server.

    RUN is the folder of a run of servers or of HTTP clients; without it, it is the newest run below
    --out. Exit status 1 if something failed, is invalid or was not measured at all.

    Example: loadtest report results/2026-11-20T10-00-00-quick
    """
    if parent is not None:
        from loadtest.cli.history import report_history

        if run is not None:
            raise UserError(f"--history takes a folder of runs, and no {run} beside it")
        return report_history(parent, as_json)
    from loadtest.cli.clients_report import write_clients

    folder = run if run is not None else newest(out)
    return write_clients(folder, as_json) if is_clients(folder) else write_reports(folder, as_json)


def is_clients(folder: Path) -> bool:
    """Say whether a folder holds a run of clients, and not of servers."""
    return (folder / CLIENTS.file).exists()


def write_reports(folder: Path, as_json: bool) -> int:
    """Write the reports of a run and show what is in them; return the exit status."""
    from loadtest.report.servers import formats, report, terminal

    stored = read(folder, SERVERS)
    for note in stored.notes:
        say(note)
    filled = report.make(stored)
    with writing(folder):
        files = formats.write_all(filled, folder)
    if as_json:
        names = tuple(map(str, files))
        print_json(Written(folder=str(folder), files=names, summary=filled.summary))
    else:
        show(lambda console: terminal.show(filled, console), files)
    counts = filled.summary.counts
    if not counts.measured and not counts.failed:
        say("nothing was measured: every cell was skipped, for the reasons in the report")
        return 1
    return 1 if counts.failed or counts.measured_with_failed_rounds or counts.invalid else 0
