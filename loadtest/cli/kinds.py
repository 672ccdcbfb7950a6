"""What differs between the two kinds of run, servers and HTTP clients, for whoever handles both."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import msgspec
from rich.console import Console

from loadtest.cli.interruption import INTERRUPTED
from loadtest.cli.output import print_json, say, show
from loadtest.cli.progress import Watcher
from loadtest.cli.spelling import as_typed
from loadtest.judge.clients import summary as clients_summary
from loadtest.judge.servers import summary as servers_summary
from loadtest.judge.servers.turns import merged
from loadtest.measure import loop
from loadtest.measure.experiments.rounds import rounds
from loadtest.records import run_folder
from loadtest.records.errors import UserError
from loadtest.records.privacy import publish
from loadtest.records.run_folder import Ceiling, Outcome, Run, Stored
from loadtest.report.clients import formats as clients_formats
from loadtest.report.clients import report as clients_report
from loadtest.report.clients import terminal as clients_terminal
from loadtest.report.formats import formats_in, write_each
from loadtest.report.sentences import first_few
from loadtest.report.servers import formats as servers_formats
from loadtest.report.servers import report as servers_report
from loadtest.report.servers import terminal as servers_terminal

Report = TypeVar("Report")


@dataclass(frozen=True)
class Kind(Generic[Run, Outcome, Ceiling, Report]):
    """How runs of one kind are kept, judged and written."""

    folder: run_folder.Kind[Run, Outcome, Ceiling]
    still_open: Callable[[Stored[Run, Outcome, Ceiling]], Collection[Any]]
    """What the asked precision needs another round of."""
    report: Callable[[Stored[Run, Outcome, Ceiling]], Report]
    """The run judged: all that a format may use, `summary` among it."""
    formats: ModuleType
    """A package, see `formats_in`."""
    show: Callable[[Report, Console, Callable[[str], str]], None]
    """Prints it on a terminal, with commands as they can be typed there."""
    printed: Callable[[Report], dict[str, Any]]
    """What `--json` prints of it."""


SERVERS = Kind(
    folder=run_folder.SERVERS,
    still_open=lambda stored: servers_summary.still_open(
        stored.run, merged(stored.outcomes, stored.afterwards), stored.histogram
    ),
    report=servers_report.make,
    formats=servers_formats,
    show=servers_terminal.show,
    printed=lambda report: {"summary": report.summary},
)
CLIENTS = Kind(
    folder=run_folder.CLIENTS,
    still_open=lambda stored: clients_summary.still_open(stored.run, stored.outcomes),
    report=clients_report.make,
    formats=clients_formats,
    show=clients_terminal.show,
    printed=lambda report: {"summary": report.summary, "advice": report.advice},
)
KINDS: tuple[Kind[Any, Any, Any, Any], ...] = (SERVERS, CLIENTS)


def of_folder(folder: Path) -> Kind[Any, Any, Any, Any]:
    """Return the kind of the run in a folder."""
    of = run_folder.kind_of(folder)
    return next(kind for kind in KINDS if kind.folder is of)


def read(kind: Kind[Run, Outcome, Ceiling, Any], folder: Path) -> Stored[Run, Outcome, Ceiling]:
    """Return a run, saying what of it could not be read."""
    stored = run_folder.read(folder, kind.folder)
    for note in stored.notes:
        say(note)
    return stored


def measure(
    kind: Kind[Run, Outcome, Ceiling, Any],
    folder: Path,
    trials: Callable[[Callable[[Sequence[Outcome]], Collection[Any]]], loop.Trials[Any, Outcome]],
    bench: AbstractContextManager[loop.Bench],
    as_json: bool,
    experiment: loop.Experiment[Any, Outcome] = rounds,
) -> int:
    """Measure what a run lacks, showing it as it goes on; write its reports; return the status.

    `trials` is given what says which of them the asked precision needs another round of.
    """
    try:
        with run_folder.alone(folder):
            stored = read(kind, folder)

            def still_open(outcomes: Sequence[Outcome]) -> Collection[Any]:
                return kind.still_open(msgspec.structs.replace(stored, outcomes=tuple(outcomes)))

            todo = trials(still_open)
            # How many tries a search takes is not known before its end.
            rounds_planned = todo.plan.rounds if experiment is rounds else 0
            budget_s = todo.plan.budget_s
            if budget_s is not None:
                budget_s -= sum(segment.wall_s for segment in stored.segments)
            watcher = Watcher(rounds_planned, Console(stderr=True), budget_s=budget_s)
            try:
                loop.fill(stored, todo, experiment, bench, watcher, say)
            finally:
                with run_folder.writing(folder, measuring=True):
                    publish(folder / "logs")
    except KeyboardInterrupt:
        kept = (
            "; what was measured is kept; to go on"
            if _is_measured(kind, folder)
            else " before anything was measured; to begin again"
        )
        say(f"interrupted{kept}: {kind.folder.command} --resume {shlex.quote(str(folder))}")
        return INTERRUPTED
    return write_reports(kind, folder, as_json)


def _is_measured(kind: Kind[Any, Any, Any, Any], folder: Path) -> bool:
    """Say whether anything in a run's folder has a number."""
    try:
        outcomes = run_folder.read(folder, kind.folder).outcomes
    except UserError:  # as of a folder that is gone
        return False
    return any(outcome.status == "measured" for outcome in outcomes)


def write_reports(kind: Kind[Any, Any, Any, Any], folder: Path, as_json: bool) -> int:
    """Write the reports of a run and show what is in them; return the exit status."""
    report = kind.report(read(kind, folder))
    counts = report.summary.counts
    nothing = not counts.measured and not counts.failed
    if nothing:
        rows = [row for ranking in report.summary.rankings for row in ranking.rows]
        reasons = first_few(list(dict.fromkeys(row.reason for row in rows if row.reason)))
        say(f"nothing was measured: every {kind.folder.row} was skipped: {reasons}")
    with run_folder.writing(folder):
        files = write_each(formats_in(kind.formats), report, folder)
    if as_json:
        names = [str(file) for file in files]
        print_json({"folder": str(folder), "files": names} | kind.printed(report))
    else:
        show(lambda console: kind.show(report, console, as_typed), files)
    lost = any(row.rounds_failed for ranking in report.summary.rankings for row in ranking.rows)
    return 1 if nothing or lost or counts.failed or counts.invalid else 0
