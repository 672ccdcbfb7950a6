"""`loadtest report --history`: the runs below a folder, one after the other."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from loadtest.cli.options import MOST_RUNS
from loadtest.cli.output import print_json, say, show
from loadtest.judge.servers import summary
from loadtest.judge.servers.compare import compare
from loadtest.judge.servers.conditions import differences
from loadtest.judge.servers.history import Between, History, Made, history
from loadtest.records.errors import UserError
from loadtest.records.run_folder import SERVERS, ServersRun, read, runs_below, weight, writing
from loadtest.records.text import printable
from loadtest.report.formats import write_each
from loadtest.report.servers.history import files, headline
from loadtest.report.units import plural

FOLDER = "history"
"""Its name, beside the runs."""

MOST_BYTES = 15_000_000
"""Of all runs, see `weight`, unless somebody says how many: to read and to compare them takes
seconds. Two there are at least."""


def report_history(parent: Path, last: int | None, as_json: bool) -> int:
    """Write the history of the `last` runs below a folder and show what is in it; return 0."""
    runs = read_history(parent, last)
    written = write_history(runs, parent)
    if as_json:
        print_json(runs)
    else:
        show(lambda console: console.print(printable(headline(runs)), markup=False), written)
    return 0


def read_history(parent: Path, last: int | None = None) -> History:
    """Return the history of the `last` runs below a folder; raises UserError with fewer than two.

    By default it is of the newest within `MOST_BYTES`.
    """
    if not parent.is_dir():
        raise UserError(f"{parent}: no such folder; `loadtest run` keeps its runs below `results`")
    judged = sorted(
        _judged(parent, last), key=lambda of: datetime.fromisoformat(of[0].run.created_at)
    )
    if len(judged) < 2:
        raise UserError(
            f"{parent}: a history needs at least two runs of servers, there"
            f" {'is one' if judged else 'are none'}; make one with `loadtest run quick`"
        )
    runs = [Made(name=run.folder.name, run=run.run, summary=of) for run, of in judged]
    pairs = itertools.pairwise(run for run, _ in judged)
    return history(runs, [_between(*pair) for pair in pairs])


def write_history(runs: History, parent: Path) -> list[Path]:
    """Write the history into a folder beside its runs and return the files."""
    folder = parent / FOLDER
    with writing(folder):
        if folder.is_symlink():
            raise OSError(errno.EEXIST, "it is a link")
        folder.mkdir(exist_ok=True)
        return write_each({"history": files}, runs, folder)


def _judged(parent: Path, last: int | None) -> Iterator[tuple[ServersRun, summary.Summary]]:
    folders = runs_below(parent, SERVERS)
    for link in runs_below(parent, SERVERS, links=True):
        say(f"left out: {link}: it is a link; move the run that it leads to here")
    taken = last or _few(folders)
    if (older := len(folders) - taken) > 0:
        most = min(len(folders), MOST_RUNS)
        more = f"; type --last {most} for more of them, which takes longer" if taken < most else ""
        say(f"left out: {plural(older, 'older run')}; the history has the newest {taken}{more}")
    for folder in folders[-taken:]:
        try:
            stored = read(folder, SERVERS)
            yield stored, summary.summarise_stored(stored)
        except UserError as error:
            say(f"left out: {error}")


def _few(folders: Sequence[Path]) -> int:
    """Return how many of the runs, the newest first, are read in seconds."""
    total = 0
    for number, folder in enumerate(reversed(folders[-MOST_RUNS:])):
        total += weight(folder)
        if total > MOST_BYTES and number >= 2:
            return number
    return min(len(folders), MOST_RUNS)


def _between(base: ServersRun, new: ServersRun) -> Between:
    differ = differences(base.run, new.run)
    try:
        return Between(differences=differ, compared=compare(base, new), refused=None)
    except UserError as error:
        return Between(differences=differ, compared=None, refused=str(error).partition(";")[0])
