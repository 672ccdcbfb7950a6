"""A run's folder: facts are appended as they happen and read back, whatever happened since.

run.json        written once, and once more where endpoints were added
outcomes.jsonl  a line an outcome or segment, flushed as each cell ends
raw/ logs/      files that outcomes name
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loadtest.records.errors import UserError
from loadtest.records.measured import Begun, Ceiling, Histogram, Outcome, Run, Segment
from loadtest.records.planned import Record

FORMAT = 2
"""History: 1, the first; a ceiling without `connections` is of 64. 2: in `run.json`, `again` of a
server is `duplicate_of`, `settle` of the plan is `observe_release`."""
RENAMED = {"again": "duplicate_of", "settle": "observe_release"}
"""Keys of format 1."""

RUN = "run.json"

FOLDERS = ("raw", "logs")

OUTCOMES = "outcomes.jsonl"

AGAIN = "`loadtest run --resume` measures its cell again"

MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    errno.ENOENT: "make its folder",
    errno.EEXIST: "move what is there",
}
"""What to do about a file that cannot be written."""

Fact = Outcome | Ceiling | Begun | Segment
"""One line of the outcomes."""

R = TypeVar("R", bound=Record)


class Stored(Record, frozen=True, kw_only=True):
    """A run as it was read back."""

    folder: Path
    run: Run
    outcomes: tuple[Outcome, ...]
    segments: tuple[Segment, ...]
    ceilings: tuple[Ceiling, ...] = ()
    notes: tuple[str, ...]
    """What could not be read, a line each."""

    def histogram(self, name: str) -> Histogram:
        """Return a histogram that an outcome names; raises UserError for a damaged one."""
        path = self.folder / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=Histogram)
        except (OSError, msgspec.MsgspecError) as error:
            raise UserError(
                f"{path}: damaged ({error}); remove it and its cell is shown without latencies"
            ) from None

    def raw(self, name: str) -> str:
        """Return the generator's output that an outcome names."""
        return (self.folder / name).read_text(encoding="utf-8", errors="replace")


def create(parent: Path, run: Run) -> Path:
    """Make a folder for a run below `parent` and return it."""
    with writing(parent):
        folder = make_folder(parent, run.created_at, run.plan.matrix)
        _make_folders(folder)
        _write(folder, run)
    return folder


def replan(folder: Path, run: Run) -> None:
    """Write a run that goes on with a wider plan; what was measured stays as it is."""
    with writing(folder, measuring=True):
        _write(folder, run)


def _make_folders(folder: Path) -> None:
    # Again for each stretch: a run that somebody sent may lack those that were empty.
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)


def _write(folder: Path, run: Run) -> None:
    # Beside it first: who is killed in between has the one or the other.
    new = folder / f"{RUN}.new"
    new.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    new.replace(folder / RUN)


def make_folder(parent: Path, created_at: str, name: str) -> Path:
    """Make the folder of a run, named by its time and `name`, with a number where it is taken."""
    stem = f"{datetime.fromisoformat(created_at):%Y-%m-%dT%H-%M-%S}-{name}"
    folder = parent / stem
    for number in range(2, 1000):
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            folder = parent / f"{stem}-{number}"
    return folder


class Writer:
    """Appends to the facts of a run; each line is whole, or the next start removes it."""

    def __init__(self, folder: Path, *, measuring: bool = True) -> None:
        """Open the outcomes of a folder, dropping a last line that was torn when a run ended."""
        self._path = folder / OUTCOMES
        self._measuring = measuring
        with writing(self._path, measuring=measuring):
            _make_folders(folder)
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  closed by close()
            if self._path.is_file():
                data = self._path.read_bytes()
                os.truncate(self._path, data.rfind(b"\n") + 1)

    def append(self, record: Record) -> None:
        """Append one record; raises UserError where the disk does not take it."""
        line = msgspec.json.encode(record) + b"\n"
        with writing(self._path, measuring=self._measuring):
            # A disk that is nearly full takes a part of it without an error; the rest gives one.
            while line:
                line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(folder: Path) -> Stored:
    """Return a run's facts; raises UserError for what is no run, or one of a newer version."""
    hint = f"`ls {folder.parent}`"
    if not (folder / RUN).exists() and (within := _by_age(folder)):
        hint = f"its newest run is {within[-1]}"
    run = header(folder / RUN, Run, FORMAT, f"not a run, it has no {RUN}; {hint}")
    path = folder / OUTCOMES
    found, notes = lines(path.read_bytes() if path.exists() else b"", Fact, AGAIN)
    records: list[Fact] = [_present(folder, record, notes) for record in found]
    return Stored(
        folder=folder,
        run=run,
        outcomes=tuple(record for record in records if isinstance(record, Outcome)),
        segments=tuple(_segments(records)),
        ceilings=tuple(record for record in records if isinstance(record, Ceiling)),
        notes=tuple(notes),
    )


def header(path: Path, kind: type[R], newest: int, otherwise: str) -> R:
    """Return the facts that hold for a whole run, of a format up to `newest`.

    Raises UserError for a file of another format, a damaged one, and where there is none; what that
    means is said by `otherwise`.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(f"{path.parent}: {otherwise}") from None
    try:
        facts = msgspec.json.decode(data, type=dict)
        version = facts.get("format")
        if isinstance(version, int) and version > newest:
            raise UserError(
                f"{path.parent}: written by a newer loadtest (format {version}, this one reads up"
                f" to {newest}); update loadtest"
            )
        if isinstance(version, int) and version < 1:
            raise UserError(f"{path}: format {version} is of no loadtest; formats begin with 1")
        return msgspec.convert(_renamed(facts) if version == 1 else facts, kind)
    except msgspec.MsgspecError as error:
        raise UserError(
            f"{path}: damaged: {error}; put a copy of it back, or measure again"
        ) from None


def _renamed(facts: Any) -> Any:
    """Return facts of format 1 under the names of today."""
    if isinstance(facts, dict):
        return {RENAMED.get(key, key): _renamed(value) for key, value in facts.items()}
    return [_renamed(each) for each in facts] if isinstance(facts, list) else facts


def lines(data: bytes, kind: Any, remedy: str) -> tuple[list[Any], list[str]]:
    """Return the records in an outcomes file, and a note for each line that holds none.

    `remedy` says in the note what would measure what the line held once more.
    """
    records: list[Any] = []
    notes: list[str] = []
    # Without its newline even a last line that can be read is torn: the next Writer removes it.
    *whole, torn = data.split(b"\n")
    for number, line in enumerate(whole, 1):
        try:
            records.append(msgspec.json.decode(line, type=kind))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            notes.append(f"{OUTCOMES}, line {number}: damaged, dropped; {remedy}")
    if torn:
        line_number = len(whole) + 1
        notes.append(f"{OUTCOMES}, line {line_number}: torn when the run ended, dropped; {remedy}")
    return records, notes


def _present(folder: Path, record: Fact, notes: list[str]) -> Fact:
    """Return a record without the histogram that it names and the folder does not have."""
    if not isinstance(record, Outcome) or record.histogram is None:
        return record
    if (folder / record.histogram).exists():
        return record
    notes.append(f"{record.histogram}: missing; {record.cell} is shown without its latencies")
    return msgspec.structs.replace(record, histogram=None)


def _segments(records: Sequence[Fact]) -> Iterator[Segment]:
    """Yield the stretches of a run; one whose engine was killed ends with its last outcome."""
    begun_at: float | None = None
    last_at = 0.0
    for record in records:
        if isinstance(record, Outcome):
            last_at = (record.started_at or 0.0) + record.wall_s
        if not isinstance(record, Begun | Segment):
            continue
        if isinstance(record, Begun) and begun_at is not None:
            yield Segment(started_at=begun_at, wall_s=max(0.0, last_at - begun_at))
        begun_at = record.started_at if isinstance(record, Begun) else None
        if isinstance(record, Segment):
            yield record
    if begun_at is not None:
        yield Segment(started_at=begun_at, wall_s=max(0.0, last_at - begun_at))


def newest(parent: Path, names: Sequence[str] = (RUN,)) -> Path:
    """Return the newest run below a folder; raises UserError where there is none.

    A run is told by a file of one of these names.
    """
    runs = _by_age(parent, names)
    if not runs:
        raise UserError(f"{parent}: no run there; make one with `loadtest run quick`")
    return runs[-1]


def _by_age(parent: Path, names: Sequence[str] = (RUN,)) -> list[Path]:
    found = [path for name in names for path in parent.glob(f"*/{name}")]
    return [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime)]


def check_writable(parent: Path) -> Iterator[str]:
    """Yield a line if no run can be written below a folder."""
    missing = [path for path in (parent, *parent.parents) if not path.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        probe = parent / f".probe-{os.getpid()}"
        try:
            probe.write_bytes(b"x")
        finally:
            probe.unlink(missing_ok=True)
        # To look leaves nothing behind.
        for path in missing:
            path.rmdir()
    except OSError as error:
        yield f"{parent}: cannot be written: {error.strerror}; name another folder with --out"


@contextmanager
def writing(path: Path, *, measuring: bool = False) -> Iterator[None]:
    """Turn what a disk refuses during the block into one line for the user.

    While `measuring`, what came before is on the disk already.
    """
    try:
        yield
    except OSError as error:
        mend = MENDS.get(error.errno or 0, "make it writable")
        then = (
            "then go on with `--resume`: what was measured is kept"
            if measuring
            else "then try again"
        )
        raise UserError(f"{path}: cannot be written: {error.strerror}; {mend}, {then}") from None
