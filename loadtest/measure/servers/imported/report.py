"""Makes a run of what load generators printed: the same facts as of our own, unknown ones None.

Nothing is judged here. What the reports' words and URLs name becomes servers and endpoints.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from loadtest.measure.servers.imported.apart import told_apart
from loadtest.measure.servers.imported.blocks import Block, Note, find
from loadtest.measure.servers.imported.hidden import Hidden
from loadtest.measure.servers.imported.lines import lines_of
from loadtest.measure.servers.imported.names import (
    Placed,
    endpoints_of,
    free,
    placed,
    server_key,
    servers_of,
    slug,
)
from loadtest.measure.servers.imported.text import Typed
from loadtest.records import agreement, files, run_folder
from loadtest.records.errors import UserError
from loadtest.records.measured import Histogram, Machine, Outcome, Run, Source
from loadtest.records.planned import Cell, Plan, Record, Server, Shape
from loadtest.records.privacy import public_path
from loadtest.records.run_folder import Writer, create, writing
from loadtest.records.values import MOST_ROUNDS

MOST_NOTES = 200
"""Of a run; of more there is a count."""

MOST_BYTES = 8 * 2**20
"""Of all reports: one of so many blocks has half of it."""

MOST_LINES = 200_000
"""Of all reports, each of which is looked at in a dozen ways, and is an object in memory."""

RecordT = TypeVar("RecordT", bound=Record)

STDIN = Path("-")

MOST_BLOCKS = 5_000
"""Each is compared with all others, and no person reads a report of so many."""


class Imported(Record, frozen=True, kw_only=True):
    """Reports of others as a run, not yet written."""

    run: Run
    outcomes: tuple[Outcome, ...]
    raw: dict[str, str]
    """A load generator's text by its path inside the run's folder."""
    histograms: dict[str, Histogram]
    """Likewise."""
    notes: tuple[Note, ...]
    """What could not be read, and what had to be assumed."""
    left_out: int
    """Blocks of text that are not in the run; each has its note."""

    @property
    def failed(self) -> int:
        """How many outcomes have no load, as the tool could not connect."""
        return sum(outcome.status == "failed" for outcome in self.outcomes)


def read(paths: Sequence[Path], created_at: str, typed: Typed | None = None) -> Imported:
    """Return the run in some reports, `-` being standard input; raises UserError for none."""
    if len({*paths}) < len(paths):
        raise UserError("a file is named twice; name each once")
    data: dict[str, bytes] = {}
    for path in paths:
        data[free(public_path(str(path)), {*data})] = _bytes(path)
        if sum(map(len, data.values())) > MOST_BYTES:
            most = MOST_BYTES // 2**20
            raise UserError(
                f"{path}: with this file there are more than {most} MB; import fewer files at once"
            )
    imported = convert_all(data, created_at, typed)
    if not imported.outcomes:
        names = ", ".join(map(str, paths))
        if not imported.left_out:
            raise UserError(
                f"{names}: no text of a load generator: it has no line like `Running 10s test @"
                " URL`, nor one that ab, hey, oha or bombardier begin with; name a file with the"
                " output of one of them"
            )
        raise UserError(
            f"{names}: nothing in it can be imported:",
            *(str(note) for note in imported.notes if note.weight),
        )
    return imported


def _bytes(path: Path) -> bytes:
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                most = MOST_BYTES // 2**20
                raise UserError(f"-: longer than {most} MB; give the part with results")
            return data
        return files.read(path, MOST_BYTES, links=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; name a report, or - for standard input") from None
    except OSError as error:
        why = error.strerror or "not a file"
        raise UserError(f"{path}: cannot be read: {why}; name a report") from None


def write(imported: Imported, parent: Path) -> Path:
    """Write a run below `parent` and return its folder."""
    folder = create(parent, imported.run)
    with closing(Writer(folder, measuring=False)) as writer:
        for name, text in imported.raw.items():
            with writing(folder / name):
                (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for name, histogram in imported.histograms.items():
            with writing(folder / name):
                files.write(folder / name, msgspec.json.encode(histogram))
        for outcome in imported.outcomes:
            writer.append(outcome)
    return folder


def convert(data: bytes, file: str, created_at: str, typed: Typed | None = None) -> Imported:
    """Return the run in a report; without a block that can be read it has no cells."""
    return convert_all({file: data}, created_at, typed)


def convert_all(data: Mapping[str, bytes], created_at: str, typed: Typed | None = None) -> Imported:
    """Return the run in several reports, whose contents are given by their names."""
    typed = typed or Typed()
    notes: list[Note] = []
    blocks: list[Block] = []
    unread, many, hidden = 0, 0, Hidden()
    for file, content in data.items():
        lines = lines_of(content)
        many += len(lines)
        if many > MOST_LINES:
            raise UserError(
                f"{file}: with this file there are {many:,} lines, and {MOST_LINES:,} are read at"
                " most; import fewer files, or only the parts with results"
            )
        text = find([*hidden.lines(lines)], file, typed)
        blocks += text.blocks
        unread += text.unread
        notes += (msgspec.structs.replace(note, file=file) for note in text.notes)
        if len(blocks) > MOST_BLOCKS:
            raise UserError(
                f"{file}: {len(blocks):,} blocks of a load generator's text, and {MOST_BLOCKS:,}"
                " are read at most; import a part of it"
            )
    places = placed(blocks, typed, notes)
    told = places if typed.rounds else told_apart(places, notes)
    rows = _rows(told, typed, notes)
    if len(data) == 1:
        notes = [msgspec.structs.replace(note, file="") for note in notes]
    kept = _kept(notes, [*data])
    names = [Path(file).name for file in data]
    return Imported(
        run=_fitting(
            format=run_folder.FORMAT,
            created_at=created_at,
            command=shlex.join(["loadtest", "import", *data, *_options(typed)]),
            plan=Plan(
                matrix=(slug(Path(names[0]).stem) if len(names) == 1 else "") or "imported",
                seed=None,
                rounds=1 + max((outcome.round for outcome in rows.outcomes), default=0),
                shape=Shape(known=False),
                servers=rows.servers,
                cells=rows.cells,
            ),
            machine=_MACHINE,
            argv={},
            source=Source(
                file=", ".join(names),
                sha256=hashlib.sha256(b"".join(data.values())).hexdigest(),
                notes=tuple(map(str, kept)),
            ),
        ),
        outcomes=rows.outcomes,
        raw=rows.raw,
        histograms=rows.histograms,
        notes=kept,
        left_out=unread + len(blocks) - len(rows.outcomes),
    )


def _fitting(**facts: Any) -> Run:
    """Return a run; raises UserError for one that could not be read back, of too many servers."""
    try:
        run = _held(Run(**facts))
        agreement.of_servers(run)
    except ValueError as error:
        file = facts["source"].file
        raise UserError(f"{file}: cannot be one run ({error}); import a part") from None
    return run


def _held(record: RecordT) -> RecordT:
    """Return a record as it will be read back; raises ValueError for one that will not be."""
    return msgspec.convert(msgspec.to_builtins(record), type(record))


class _Rows(NamedTuple):
    """The outcomes, the files that they name, and the cells they are of."""

    outcomes: tuple[Outcome, ...]
    raw: dict[str, str]
    histograms: dict[str, Histogram]
    cells: tuple[Cell, ...]
    servers: tuple[Server, ...]


def _rows(places: Sequence[Placed], typed: Typed, notes: list[Note]) -> _Rows:
    servers = servers_of(places, notes)
    endpoints = endpoints_of(places, typed)
    cells: dict[str, Cell] = {}
    rounds: Counter[str] = Counter()
    outcomes: list[Outcome] = []
    raw: dict[str, str] = {}
    histograms: dict[str, Histogram] = {}
    for each in places:
        block, server = each.block, servers[server_key(each)]
        cell = Cell(server=server.name, endpoint=endpoints[each.target], load=each.target.load)
        cells.setdefault(cell.id, cell)
        number = rounds[cell.id]
        if number >= MOST_ROUNDS:
            text = f"{cell.id} has {MOST_ROUNDS:,} rounds already; this block is not imported"
            notes.append(Note(line=block.line, text=text, file=block.file, weight=2))
            continue
        stem = f"raw/{cell.id}.r{number}"
        try:
            outcomes.append(_held(_outcome(block, cell, number, stem)))
        except ValueError as error:
            text = f"numbers that nobody can have measured ({error}); this block is not imported"
            notes.append(Note(line=block.line, text=text, file=block.file, weight=2))
            continue
        rounds[cell.id] += 1
        if number:
            text = f"{cell.id} once more: taken as another round"
            notes.append(Note(line=block.line, text=text, file=block.file))
        raw[f"{stem}.txt"] = block.text
        if block.reading.histogram:
            histograms[f"{stem}.json"] = block.reading.histogram
    return _Rows(tuple(outcomes), raw, histograms, tuple(cells.values()), tuple(servers.values()))


def _outcome(block: Block, cell: Cell, number: int, stem: str) -> Outcome:
    reading = block.reading
    if reading.loaded is None:
        return Outcome(
            cell=cell.id,
            round=number,
            status="failed",
            stage="load",
            reason=reading.failure,
            raw=f"{stem}.txt",
        )
    return Outcome(
        cell=cell.id,
        round=number,
        status="measured",
        load_s=reading.loaded.duration_us / 1e6,
        wall_s=reading.loaded.duration_us / 1e6,
        loaded=reading.loaded,
        raw=f"{stem}.txt",
        histogram=f"{stem}.json" if reading.histogram else None,
    )


def _kept(notes: Sequence[Note], order: Sequence[str]) -> tuple[Note, ...]:
    """Return the notes in their order; of more than `MOST_NOTES` those that matter most."""
    place = {file: number for number, file in enumerate(order)}

    def where(note: Note) -> tuple[int, int]:
        return place.get(note.file, 0), note.line

    kept = sorted(notes, key=lambda note: (-note.weight, *where(note)))
    kept, others = sorted(kept[:MOST_NOTES], key=where), kept[MOST_NOTES:]
    if others:
        first = min(others, key=where)
        text = f"{len(others):,} more notes, from here on, are not listed"
        kept.append(msgspec.structs.replace(first, text=text))
    return tuple(kept)


def _options(typed: Typed) -> list[str]:
    """Return what was typed, as it is typed."""
    values = {
        "--server": typed.server,
        "--style": typed.style,
        "--endpoint": typed.endpoint,
        "--delay": None if typed.delay_s is None else f"{typed.delay_s:g}s",
        "--connections": typed.connections,
        "--rate": None if typed.rate is None else f"{typed.rate:g}",
    }
    given = [str(word) for option, value in values.items() if value is not None
             for word in (option, value)]  # fmt: skip
    return [*given, *(["--rounds"] if typed.rounds else [])]


_MACHINE = Machine(
    system=None,
    cpu=None,
    processors=None,
    memory_bytes=None,
    python=None,
    versions={},
    open_files=None,
)
