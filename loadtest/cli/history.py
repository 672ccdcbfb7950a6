"""`loadtest report --history`: the runs below a folder, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from loadtest.cli.output import print_json, say, show
from loadtest.judge.servers import summary
from loadtest.judge.servers.compare import compare
from loadtest.judge.servers.conditions import differences
from loadtest.judge.servers.history import Between, History, Made, history
from loadtest.records.errors import UserError
from loadtest.records.run_folder import SERVERS, ServersRun, read, runs_below, writing
from loadtest.report.formats import write_each
from loadtest.report.servers.history import files, headline

FOLDER = "history"
"""Its name, beside the runs."""


def report_history(parent: Path, as_json: bool) -> int:
    """Write the history of the runs below a folder and show what is in it; return 0."""
    runs = read_history(parent)
    written = write_history(runs, parent)
    if as_json:
        print_json(runs)
    else:
        show(lambda console: console.print(headline(runs), markup=False), written)
    return 0


def read_history(parent: Path) -> History:
    """Return the history of the runs below a folder; raises UserError with fewer than two."""
    if not parent.is_dir():
        raise UserError(f"{parent}: no such folder; `loadtest run` keeps its runs below `results`")
    stored = sorted(_runs(parent), key=lambda run: run.run.created_at)
    if len(stored) < 2:
        raise UserError(
            f"{parent}: a history needs at least two runs of servers, there"
            f" {'is one' if stored else 'are none'}; make one with `loadtest run quick`"
        )
    runs = [
        Made(name=run.folder.name, run=run.run, summary=summary.summarise_stored(run))
        for run in stored
    ]
    return history(runs, [_between(*pair) for pair in itertools.pairwise(stored)])


def write_history(runs: History, parent: Path) -> list[Path]:
    """Write the history into a folder beside its runs and return the files."""
    folder = parent / FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)
        return write_each({"history": files}, runs, folder)


def _runs(parent: Path) -> Iterator[ServersRun]:
    for folder in runs_below(parent, SERVERS):
        try:
            yield read(folder, SERVERS)
        except UserError as error:
            say(f"left out: {error}")


def _between(base: ServersRun, new: ServersRun) -> Between:
    differ = differences(base.run, new.run)
    try:
        return Between(differences=differ, compared=compare(base, new), refused=None)
    except UserError as error:
        return Between(differences=differ, compared=None, refused=str(error).partition(";")[0])
