"""`loadtest report --history FOLDER`: all runs below a folder, oldest first, each against the one
before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from loadtest import history_html, history_markdown, judged, report, results
from loadtest.clients_report import is_clients
from loadtest.compare import compare
from loadtest.console import say
from loadtest.environment import differences
from loadtest.errors import UserError
from loadtest.history import Between, History, Made, history
from loadtest.report import Formats
from loadtest.results import RUN, Stored

FOLDER = "history"
"""Of its files, beside the runs."""
FORMATS: Formats[History] = {"markdown": history_markdown.files, "html": history_html.files}


def read(parent: Path) -> History:
    """Return the history of the runs below a folder; raises UserError with fewer than two."""
    if not parent.is_dir():
        raise UserError(f"{parent}: no such folder; `loadtest run` keeps its runs below `results`")
    stored = sorted(_runs(parent), key=lambda one: one.run.created_at)
    if len(stored) < 2:
        raise UserError(
            f"{parent}: a history takes two runs, there {'is' if stored else 'are'}"
            f" {len(stored)}; make one with `loadtest run quick`"
        )
    runs = [Made(name=one.folder.name, run=one.run, summary=judged.summary(one)) for one in stored]
    return history(runs, [_between(*pair) for pair in itertools.pairwise(stored)])


def write(made: History, parent: Path) -> list[Path]:
    """Write the history into a folder beside its runs and return the files."""
    folder = parent / FOLDER
    with results.writing(folder):
        folder.mkdir(exist_ok=True)
        return report.write_each(FORMATS, made, folder)


def _runs(parent: Path) -> Iterator[Stored]:
    for path in sorted(parent.glob(f"*/{RUN}")):
        if is_clients(path.parent):
            continue
        try:
            yield results.read(path.parent)
        except UserError as error:
            say(f"left out: {error}")


def _between(base: Stored, new: Stored) -> Between:
    found = differences(base.run, new.run)
    try:
        return Between(differences=found, compared=compare(base, new), refused=None)
    except UserError as error:
        return Between(differences=found, compared=None, refused=str(error).partition(";")[0])
