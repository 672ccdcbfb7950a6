"""`loadtest report`: a run's folder read, judged, written in every format and shown."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest import histories, history_words, judged, report, results
from loadtest.clientbench import store
from loadtest.clients_report import is_clients, write_clients
from loadtest.console import print_json, say, show
from loadtest.errors import UserError
from loadtest.model import Record
from loadtest.options import json_option, out_option
from loadtest.report import terminal
from loadtest.summary import Summary

RUNS = (results.RUN, store.RUN)


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
    help="Write how the runs below this folder follow one another, in place of one run's reports.",
)
@out_option
@json_option
def report_command(run: Path | None, parent: Path | None, out: Path, as_json: bool) -> int:
    """Write a run's reports again, the newest's where none is named; needs no server.

    Example: loadtest report results/2026-11-20T10-00-00-quick
    """
    if parent is not None:
        if run is not None:
            raise UserError(f"--history takes a folder of runs, and no {run} beside it")
        return _write_history(parent, as_json)
    folder = run if run is not None else results.newest(out, RUNS)
    return write_clients(folder, as_json) if is_clients(folder) else write_reports(folder, as_json)


def _write_history(parent: Path, as_json: bool) -> int:
    made = histories.read(parent)
    files = histories.write(made, parent)
    if as_json:
        print_json(made)
    else:
        headline = history_words.headline(made)
        show(lambda console: console.print(headline, markup=False), files)
    return 0


def write_reports(folder: Path, as_json: bool) -> int:
    """Write the reports of a run and show what is in them; return the exit status."""
    stored = results.read(folder)
    for note in stored.notes:
        say(note)
    made = judged.report(stored)
    with results.writing(folder):
        files = report.write_all(made, folder)
    if as_json:
        names = tuple(map(str, files))
        print_json(Written(folder=str(folder), files=names, summary=made.summary))
    else:
        show(lambda console: terminal.show(made, console), files)
    counts = made.summary.counts
    if not counts.measured and not counts.failed:
        say("nothing was measured: every cell was skipped, for the reasons in the report")
        return 1
    return 1 if counts.failed or counts.measured_with_failed_rounds or counts.invalid else 0
