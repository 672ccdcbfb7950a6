"""The reports of a clients' run: its folder read, judged, written in every format and shown."""

from __future__ import annotations

from pathlib import Path

from loadtest.cli.output import print_json, say, show
from loadtest.judge.clients.summary import Summary
from loadtest.records import run_folder
from loadtest.records.planned import Record
from loadtest.records.run_folder import writing
from loadtest.report.clients import formats, report, terminal
from loadtest.report.clients.sentences import Point


class Written(Record, frozen=True, kw_only=True):
    """What `--json` prints."""

    folder: str
    files: tuple[str, ...]
    summary: Summary
    advice: tuple[Point, ...]


def write_clients(folder: Path, as_json: bool) -> int:
    """Write the reports of a run and show what is in them; return the exit status."""
    stored = run_folder.read(folder, run_folder.CLIENTS)
    for note in stored.notes:
        say(note)
    filled = report.make(stored)
    with writing(folder):
        files = formats.write_all(filled, folder)
    if as_json:
        print_json(
            Written(
                folder=str(folder),
                files=tuple(map(str, files)),
                summary=filled.summary,
                advice=tuple(filled.advice),
            )
        )
    else:
        show(lambda console: terminal.show(filled, console), files)
    counts = filled.summary.counts
    if not counts.measured and not counts.failed:
        say("nothing was measured: every row was skipped, for the reasons in the report")
        return 1
    lost = any(row.rounds_failed for ranking in filled.summary.rankings for row in ranking.rows)
    return 1 if lost or counts.invalid else 0
