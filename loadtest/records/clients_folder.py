"""A clients' run as a folder: facts are appended as they happen and read back.

clients.json    written once, before the first measurement
outcomes.jsonl  a line an outcome or ceiling, flushed as each measurement ends
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from loadtest.records import folder as run_folder
from loadtest.records.clients import Ceiling, Outcome, Run
from loadtest.records.folder import OUTCOMES, header, make_folder, writing
from loadtest.records.planned import Record

FORMAT = 2
"""History: 1, the first. 2: `again` of a row is `duplicate_of`."""

RUN = "clients.json"

AGAIN = "`loadtest clients --resume` measures its row again"

Fact = Outcome | Ceiling
"""One line of the outcomes."""


class Stored(Record, frozen=True, kw_only=True):
    """A clients' run as it was read back."""

    folder: Path
    run: Run
    outcomes: tuple[Outcome, ...]
    ceilings: tuple[Ceiling, ...]
    notes: tuple[str, ...]
    """What could not be read, a line each."""


def create(parent: Path, run: Run) -> Path:
    """Make a folder for a run below `parent` and return it."""
    with writing(parent):
        folder = make_folder(parent, run.created_at, f"clients-{run.plan.preset}")
        data = msgspec.json.format(msgspec.json.encode(run), indent=1)
        (folder / RUN).write_bytes(data + b"\n")
    return folder


def read(folder: Path) -> Stored:
    """Return a run's facts; raises UserError for what is no run, or one of a newer version."""
    none = f"not a clients' run, it has no {RUN}; make one with `loadtest clients`"
    run = header(folder / RUN, Run, FORMAT, none)
    lines = folder / OUTCOMES
    records, notes = run_folder.lines(lines.read_bytes() if lines.exists() else b"", Fact, AGAIN)
    return Stored(
        folder=folder,
        run=run,
        outcomes=tuple(record for record in records if isinstance(record, Outcome)),
        ceilings=tuple(record for record in records if isinstance(record, Ceiling)),
        notes=tuple(notes),
    )
