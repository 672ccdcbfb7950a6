"""`loadtest report`: a run's folder read, judged, written in every format and shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import click

from loadtest.cli.clients_report import is_clients, write_clients
from loadtest.cli.options import json_option, out_option
from loadtest.cli.output import print_json, say, show
from loadtest.judge.servers import summary
from loadtest.judge.servers.compare import compare
from loadtest.judge.servers.conditions import differences
from loadtest.judge.servers.history import Between, History, Made, history
from loadtest.judge.servers.summary import Summary
from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.records.run_folder import SERVERS, ServersRun, newest, read, writing
from loadtest.report.formats import write_each
from loadtest.report.servers import formats, report, terminal
from loadtest.report.servers.history import formats as history_formats
from loadtest.report.servers.history import sentences


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
    folder = run if run is not None else newest(out)
    return write_clients(folder, as_json) if is_clients(folder) else write_reports(folder, as_json)


def _write_history(parent: Path, as_json: bool) -> int:
    made = read_history(parent)
    files = write_history(made, parent)
    if as_json:
        print_json(made)
    else:
        headline = sentences.headline(made)
        show(lambda console: console.print(headline, markup=False), files)
    return 0


def write_reports(folder: Path, as_json: bool) -> int:
    """Write the reports of a run and show what is in them; return the exit status."""
    stored = read(folder, SERVERS)
    for note in stored.notes:
        say(note)
    made = report.make(stored)
    with writing(folder):
        files = formats.write_all(made, folder)
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


HISTORY_FOLDER = "history"
"""Of its files, beside the runs."""


def read_history(parent: Path) -> History:
    """Return the history of the runs below a folder; raises UserError with fewer than two."""
    if not parent.is_dir():
        raise UserError(f"{parent}: no such folder; `loadtest run` keeps its runs below `results`")
    stored = sorted(_runs(parent), key=lambda run: run.run.created_at)
    if len(stored) < 2:
        raise UserError(
            f"{parent}: a history takes two runs, there {'is' if stored else 'are'}"
            f" {len(stored)}; make one with `loadtest run quick`"
        )
    runs = [
        Made(name=run.folder.name, run=run.run, summary=summary.summarise_stored(run))
        for run in stored
    ]
    return history(runs, [_between(*pair) for pair in itertools.pairwise(stored)])


def write_history(made: History, parent: Path) -> list[Path]:
    """Write the history into a folder beside its runs and return the files."""
    folder = parent / HISTORY_FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)
        return write_each(history_formats.formats(), made, folder)


def _runs(parent: Path) -> Iterator[ServersRun]:
    for path in sorted(parent.glob(f"*/{SERVERS.file}")):
        if is_clients(path.parent):
            continue
        try:
            yield read(path.parent, SERVERS)
        except UserError as error:
            say(f"left out: {error}")


def _between(base: ServersRun, new: ServersRun) -> Between:
    differ = differences(base.run, new.run)
    try:
        return Between(differences=differ, compared=compare(base, new), refused=None)
    except UserError as error:
        return Between(differences=differ, compared=None, refused=str(error).partition(";")[0])
