"""Makes a run of a wrk report in Markdown: the same facts as of our own, unknown ones None.

Nothing is judged here. What the report's headings and URLs name becomes servers and endpoints.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from pathlib import Path

from loadtest.measure.servers.imported.blocks import Block, Note, find
from loadtest.measure.servers.imported.names import (
    Target,
    endpoints_of,
    key,
    servers_of,
    slug,
    target_of,
)
from loadtest.records import run_folder
from loadtest.records.errors import UserError
from loadtest.records.measured import Loaded, Machine, Outcome, Run, Source
from loadtest.records.planned import Cell, Plan, Record, Shape
from loadtest.records.run_folder import Writer, create, writing


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
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    imported = convert(data, str(path), created_at)
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
    writer = Writer(folder, measuring=False)
    try:
        for name, text in imported.raw.items():
            with writing(folder / name):
                (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for outcome in imported.outcomes:
            writer.append(outcome)
    finally:
        writer.close()
    return folder


def convert(data: bytes, file: str, created_at: str) -> Imported:
    """Return the run in a report; without a block that can be read it has no cells."""
    text = find(data.decode("utf-8-sig", "replace"))
    notes = list(text.notes)
    targets: list[tuple[Block, str, Target]] = []
    for block in text.blocks:
        target = target_of(block, notes)
        if target and block.under.server:
            targets.append((block, block.under.server, target))
    servers = servers_of({server: block for block, server, _ in reversed(targets)}, notes)
    endpoints = endpoints_of([(block, target) for block, _, target in targets])
    cells: dict[str, Cell] = {}
    rounds: Counter[str] = Counter()
    outcomes: list[Outcome] = []
    raw: dict[str, str] = {}
    for block, heading, target in targets:
        cell = Cell(server=servers[key(heading)].name, endpoint=endpoints[target], load=target.load)
        cells.setdefault(cell.id, cell)
        rounds[cell.id] += 1
        number = rounds[cell.id] - 1
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
    wrk = block.wrk
    timeout_s = block.under.timeout_s
    # A latency above wrk's own limit shows that another was set.
    if timeout_s and wrk.latency and (wrk.latency.max_us or 0) > timeout_s * 1.01e6:
        timeout_s = None
    return Outcome(
        cell=cell.id,
        round=number,
        status="measured",
        load_s=wrk.duration_us / 1e6,
        wall_s=wrk.duration_us / 1e6,
        loaded=Loaded(
            generator="wrk",
            duration_us=wrk.duration_us,
            answers=wrk.requests,
            received_bytes=wrk.received_bytes,
            connect_errors=wrk.connect_errors,
            read_errors=wrk.read_errors,
            write_errors=wrk.write_errors,
            status_errors=wrk.status_errors,
            timeouts=wrk.timeouts,
            timeout_s=timeout_s,
            text_latency=wrk.latency,
        ),
        raw=raw,
    )
