"""Makes a run of a wrk report in Markdown: the same facts as of our own, unknown ones None.

Nothing is judged here. What the report's headings and URLs name becomes servers and endpoints.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec

from loadtest.measure.servers.imported.blocks import Block, Note, find
from loadtest.measure.servers.imported.names import endpoints_of, key, servers_of, slug, target_of
from loadtest.records import files, run_folder
from loadtest.records.errors import UserError
from loadtest.records.measured import Machine, Outcome, Run, Source
from loadtest.records.planned import Cell, Plan, Record, Shape
from loadtest.records.privacy import public_path
from loadtest.records.run_folder import Writer, create, writing


MOST_BLOCKS = 5_000
"""Each is compared with all others, and no person reads a report of so many."""


class Imported(Record, frozen=True, kw_only=True):
    """A report of others as a run, not yet written."""

    run: Run
    outcomes: tuple[Outcome, ...]
    raw: dict[str, str]
    """wrk's text by its path inside the run's folder."""
    notes: tuple[Note, ...]
    """What could not be read, and what had to be assumed."""
    left_out: int
    """Blocks of wrk's text that are not in the run; each has its note."""


def read(path: Path, created_at: str) -> Imported:
    """Return the run in a report; raises UserError where there is none."""
    try:
        data = files.read(path, links=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; name a wrk report in Markdown") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    imported = convert(data, public_path(str(path)), created_at)
    if not imported.outcomes:
        if not imported.left_out:
            raise UserError(
                f"{path}: no report of wrk's: it has no line like `Running 10s test @ URL`"
            )
        raise UserError(
            f"{path}: nothing in it can be imported:", *(str(note) for note in imported.notes)
        )
    return imported


def write(imported: Imported, parent: Path) -> Path:
    """Write a run below `parent` and return its folder."""
    folder = create(parent, imported.run)
    with closing(Writer(folder, measuring=False)) as writer:
        for name, text in imported.raw.items():
            with writing(folder / name):
                (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for outcome in imported.outcomes:
            writer.append(outcome)
    return folder


def convert(data: bytes, file: str, created_at: str) -> Imported:
    """Return the run in a report; without a block that can be read it has no cells."""
    text = find(data.decode("utf-8-sig", "replace"))
    if len(text.blocks) > MOST_BLOCKS:
        raise UserError(
            f"{file}: {len(text.blocks):,} blocks of wrk's text, and {MOST_BLOCKS:,} are read at"
            " most; import a part of it"
        )
    notes = list(text.notes)
    targets = [
        (block, target) for block in text.blocks if (target := target_of(block, notes)) is not None
    ]
    servers = servers_of([block for block, _ in targets], notes)
    endpoints = endpoints_of(targets)
    cells: dict[str, Cell] = {}
    rounds: Counter[str] = Counter()
    outcomes: list[Outcome] = []
    raw: dict[str, str] = {}
    for block, target in targets:
        server = servers[key(block.under.server)]
        cell = Cell(server=server.name, endpoint=endpoints[target], load=target.load)
        cells.setdefault(cell.id, cell)
        number = rounds[cell.id]
        rounds[cell.id] += 1
        if number:
            notes.append(Note(line=block.line, text=f"{cell.id} once more: taken as another round"))
        name = f"raw/{cell.id}.r{number}.txt"
        raw[name] = block.text
        outcomes.append(_outcome(block, cell, number, name))
    notes.sort(key=lambda note: note.line)
    return Imported(
        run=Run(
            format=run_folder.FORMAT,
            created_at=created_at,
            command=f"loadtest import {shlex.quote(file)}",
            plan=Plan(
                matrix=slug(Path(file).stem) or "imported",
                seed=None,
                rounds=max(rounds.values(), default=1),
                shape=Shape(known=False),
                servers=tuple(servers.values()),
                cells=tuple(cells.values()),
            ),
            machine=_MACHINE,
            argv={},
            source=Source(
                file=Path(file).name,
                sha256=hashlib.sha256(data).hexdigest(),
                notes=tuple(map(str, notes)),
            ),
        ),
        outcomes=tuple(outcomes),
        raw=raw,
        notes=tuple(notes),
        left_out=text.unread + len(text.blocks) - len(targets),
    )


_MACHINE = Machine(
    system=None,
    cpu=None,
    processors=None,
    memory_bytes=None,
    python=None,
    versions={},
    open_files=None,
)


def _outcome(block: Block, cell: Cell, number: int, raw: str) -> Outcome:
    loaded, timeout_s = block.wrk.loaded, block.under.timeout_s
    latency = loaded.text_latency
    # A latency above wrk's own limit shows that another was set.
    if timeout_s and latency and (latency.max_us or 0) > timeout_s * 1.01e6:
        timeout_s = None
    return Outcome(
        cell=cell.id,
        round=number,
        status="measured",
        load_s=loaded.duration_us / 1e6,
        wall_s=loaded.duration_us / 1e6,
        loaded=msgspec.structs.replace(loaded, timeout_s=timeout_s),
        raw=raw,
    )
