"""A run's folder: facts are appended as they happen and read back, whatever happened since.

run.json        the facts that hold for a whole run of servers; clients.json, of HTTP clients
outcomes.jsonl  a line an outcome, ceiling or segment, flushed as each trial ends
raw/ logs/      files that outcomes name

A folder may come from anybody: no link in it is followed, no other file is waited for, and what
cannot have been measured is refused or left out.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar, Union

import msgspec

from loadtest.records import agreement, clients, files, measured
from loadtest.records.agreement import Contradicts
from loadtest.records.errors import UserError
from loadtest.records.measured import Afterwards, Begun, Histogram, Launch, Loaded, Segment
from loadtest.records.planned import Record
from loadtest.records.privacy import public_log
from loadtest.records.text import message
from loadtest.records.values import MOST_DETAIL, MOST_LOADS, MOST_REASON

FORMAT = 4
"""Of both kinds of run. 1: the first; a ceiling without `connections` is of 64. 2: `again` of a
server or row is `duplicate_of`, `settle` of a plan is `observe_release`; a run of servers has what
was chosen on its command line, a run of HTTP clients has its segments. 3: turns of a round, each
with its outcome; the work that is told later and the memory of a launch have lines of their own.
4: loads at a rate, with searches and steps; of a project of one's own, what its contracts hold,
shapes, variants, the shares of its endpoints and its site; on which network a run was; which agents
made its loads and started its servers; a `mix` that was `told` is `stated`."""
RENAMED = {"again": "duplicate_of", "settle": "observe_release"}
"""Keys of format 1."""
DROPPED = {"busy_share", "upstream_cpu_s", "charged_bytes", "after_note"}
"""Keys of formats 1 and 2 in the outcomes, which nobody read."""

FOLDERS = ("raw", "logs")
OUTCOMES = "outcomes.jsonl"
MOST_OUTCOMES_BYTES, MOST_LINE_BYTES = 128 * 2**20, 2**20
MOST_NUMBERS = 20_000_000
"""In all lines: in memory a number takes ten times as much as in a file."""
MOST_LATENCIES_BYTES, LEAST_BYTES = 100 * 2**20, 10_000
"""Of all histograms, each of which counts as so many at least: it takes as long to open it."""
PLAN_TIMES, RAW_PART = 4, 6
"""A planned byte takes as long as four of the outcomes, and six of latencies as long as one."""
MOST_LINES, MOST_DAMAGED = 4 * MOST_LOADS, 100
"""Of the outcomes; with more it is no such file."""
MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    errno.ENOENT: "make its folder",
    errno.EEXIST: "move what is there",
    errno.ENAMETOOLONG: "shorten its name",
}
"""What to do about a file that cannot be written."""

UNENCODED = r"[\ud800-\udfff]"
"""What Python has in place of bytes that are no text."""

ROOM_BYTES = 100_000
"""More than what a generator prints."""

Run = TypeVar("Run", bound=measured.Run | clients.Run)
Outcome = TypeVar("Outcome", bound=measured.Outcome | clients.Outcome)
Ceiling = TypeVar("Ceiling", bound=measured.Ceiling | clients.Ceiling)


@dataclass(frozen=True)
class Kind(Generic[Run, Outcome, Ceiling]):
    """What the folders of one kind of run hold."""

    file: str
    """Of the facts that hold for a whole run; its name tells the kind."""
    run: type[Run]
    outcome: type[Outcome]
    ceiling: type[Ceiling]
    what: str
    """What such a run is called."""
    begin: str
    """What to type for a first one."""
    command: str
    """What goes on with one: `--resume` and its folder are typed behind."""
    row: str
    """What a line of its tables is called."""
    agrees: Callable[[Run], Contradicts]
    """See `agreement`."""
    also: tuple[type[Record], ...] = ()
    """Other facts that stand among the outcomes."""

    @property
    def fact(self) -> Any:
        """What a line of the outcomes may hold."""
        return Union[(self.outcome, self.ceiling, Begun, Segment, *self.also)]


SERVERS = Kind(
    file="run.json",
    run=measured.Run,
    outcome=measured.Outcome,
    ceiling=measured.Ceiling,
    what="a run of servers",
    begin="`loadtest run quick`",
    command="loadtest run",
    row="cell",
    agrees=agreement.of_servers,
    also=(Afterwards, Launch),
)
CLIENTS = Kind(
    file="clients.json",
    run=clients.Run,
    outcome=clients.Outcome,
    ceiling=clients.Ceiling,
    what="a run of HTTP clients",
    begin="`loadtest clients`",
    command="loadtest clients",
    row="row",
    agrees=agreement.of_clients,
)
KINDS: tuple[Kind[Any, Any, Any], ...] = (SERVERS, CLIENTS)


class Stored(Record, Generic[Run, Outcome, Ceiling], frozen=True, kw_only=True):
    """A run as it was read back."""

    folder: Path
    run: Run
    outcomes: tuple[Outcome, ...]
    segments: tuple[Segment, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    afterwards: tuple[Afterwards, ...] = ()
    launches: tuple[Launch, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read, a line each."""
    loads: dict[str, Loaded] = msgspec.field(default_factory=dict)
    """By the histogram of each."""

    def histogram(self, name: str) -> Histogram:
        """Return a histogram that an outcome names; raises UserError for a damaged one."""
        path = self.folder / name
        try:
            histogram = msgspec.json.decode(files.read(path), type=Histogram)
            if name in self.loads and not self.loads[name].fits(histogram):
                raise ValueError("more latencies than its load had answers")
            return histogram
        except (OSError, ValueError, RecursionError) as error:
            why = f"damaged ({_why(error)})"
            raise UserError(
                f"{path}: {why}; remove it and its cell is shown without latencies"
            ) from None


ServersRun = Stored[measured.Run, measured.Outcome, measured.Ceiling]
ClientsRun = Stored[clients.Run, clients.Outcome, clients.Ceiling]


def kind_of(folder: Path) -> Kind[Any, Any, Any]:
    """Return of which kind the run in a folder is; that of servers where there is none."""
    return next((kind for kind in KINDS if os.path.lexists(folder / kind.file)), SERVERS)


def create(parent: Path, run: measured.Run | clients.Run) -> Path:
    """Make a folder for a run below `parent` and return it."""
    kind, data = _encoded(run)
    name = run.plan.matrix if isinstance(run, measured.Run) else f"clients-{run.plan.preset}"
    with writing(parent):
        folder = make_folder(parent, run.created_at, name)
        _make_folders(folder)
        files.write(folder / kind.file, data)
    return folder


def replan(folder: Path, run: measured.Run) -> None:
    """Write a run that goes on with a wider plan; what was measured stays as it is."""
    kind, data = _encoded(run)
    with alone(folder), writing(folder, measuring=True):
        files.write(folder / kind.file, data)


def _make_folders(folder: Path) -> None:
    # Again for each stretch: a run that somebody sent may lack those that were empty.
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)


def _encoded(run: measured.Run | clients.Run) -> tuple[Kind[Any, Any, Any], bytes]:
    """Return a run as its file has it, which others may read.

    Raises UserError where it could not be read back.
    """
    (kind,) = (kind for kind in KINDS if isinstance(run, kind.run))
    if isinstance(run, measured.Run):
        cells = tuple(
            msgspec.structs.replace(cell, endpoint=cell.endpoint.published())
            for cell in run.plan.cells
        )
        run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, cells=cells))
    try:
        data = msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n"
        kind.agrees(msgspec.convert(FACTS.decode(data), kind.run))
        if len(data) > files.MOST_BYTES:
            most = f"{files.MOST_BYTES / 2**20:g} MB"
            raise ValueError(f"{kind.file} would be larger than the {most} that a report reads")
    except ValueError as error:
        chosen = "with --server or --endpoint" if isinstance(run, measured.Run) else "clients"
        raise UserError(f"this cannot be measured: {_why(error)}; choose fewer {chosen}") from None
    return kind, data


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


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep every other loadtest from measuring into a run's folder during the block.

    Raises UserError where another one is at work there.
    """
    with writing(folder, measuring=True):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another loadtest{_holder(held)} is at work there; wait for its end, or"
                " interrupt it, then type this again"
            ) from None
        except OSError:
            pass  # a file system that has no locks
        yield
    finally:
        os.close(held)


def _holder(held: int) -> str:
    """Return in brackets which process has locked a file; nothing where the system doesn't tell."""
    try:
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return ""
    # As in `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`; the last number is the file's own.
    fields = [line.split() for line in locks]
    inode = str(os.fstat(held).st_ino)
    pids = [lock[4] for lock in fields if lock[1] == "FLOCK" and lock[5].endswith(f":{inode}")]
    return f" (process {pids[0]})" if pids else ""


def check_room(folder: Path) -> None:
    """Raise UserError where a run's folder takes no more: what was not written is no result."""
    with writing(folder, measuring=True):
        _probe(folder, ROOM_BYTES)


def _probe(folder: Path, size: int) -> None:
    """Raise OSError where a folder takes no file of so many bytes; leave none there."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        files.write(probe, bytes(size))
    finally:
        probe.unlink(missing_ok=True)


class Writer:
    """Appends to the facts of a run; each line is whole, or the next start removes it."""

    def __init__(self, folder: Path, *, measuring: bool = True) -> None:
        """Open the outcomes of a folder, dropping a last line that was torn when a run ended."""
        self._path = folder / OUTCOMES
        self._measuring = measuring
        with writing(self._path, measuring=measuring):
            _make_folders(folder)
            _refuse_strangers(folder)
            self._file = io.FileIO(files.append(self._path), "ab")
            data = files.read(self._path, MOST_OUTCOMES_BYTES)
            kept = data.rfind(b"\n") + 1
            os.truncate(self._file.fileno(), kept)
            self._left_bytes = MOST_OUTCOMES_BYTES - kept

    def append(self, record: Record) -> None:
        """Append one record; raises UserError where the disk does not take it, or no reader."""
        if isinstance(record, measured.Outcome | clients.Outcome):
            # What a program said of its failure names files, wherever they lie, and may go on.
            reason, detail = (
                text and public_log(text)[:most]
                for text, most in ((record.reason, MOST_REASON), (record.detail, MOST_DETAIL))
            )
            record = msgspec.structs.replace(record, reason=reason, detail=detail)
        line = msgspec.json.encode(record) + b"\n"
        if len(line) > self._left_bytes:
            raise UserError(
                f"{self._path}: full: a report would not read more of it; type `loadtest report"
                f" {shlex.quote(str(self._path.parent))}`, and start another run for the rest"
            )
        self._left_bytes -= len(line)
        with writing(self._path, measuring=self._measuring):
            # A disk that is nearly full takes a part of it without an error; the rest gives one.
            while line:
                line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _refuse_strangers(folder: Path) -> None:
    """Raise UserError for what a run that goes on would write elsewhere through."""
    run = shlex.quote(str(folder))
    for each in (folder, *(folder / name for name in FOLDERS)):
        for path in files.strangers(each):
            raise UserError(
                f"{path}: a link, or a hard link with a second name elsewhere; copy the run with"
                f" `cp -rL {run} {run}-copy`, and resume the copy"
            )


def read(folder: Path, kind: Kind[Run, Outcome, Ceiling]) -> Stored[Run, Outcome, Ceiling]:
    """Return a run's facts.

    Raises UserError for what is no run of this kind, a damaged one, or one of a newer format.
    """
    run, contradicts = _header(folder, kind)
    path = folder / OUTCOMES
    remedy = f"`{kind.command} --resume` measures its {kind.row} again"
    data = _bytes(path, MOST_OUTCOMES_BYTES) if os.path.lexists(path) else b""
    try:
        facts, notes = lines(data, kind.fact, remedy, contradicts, run.format)
    except ValueError as error:
        raise UserError(f"{folder}/{error}; put a copy of it back, or measure again") from None
    outcomes = list(_last_of_each_file([fact for fact in facts if isinstance(fact, kind.outcome)]))
    return Stored(
        folder=folder,
        run=run,
        outcomes=tuple(_read_in_time(folder, outcomes, notes)),
        segments=tuple(_segments(facts, kind.outcome)),
        ceilings=tuple(fact for fact in facts if isinstance(fact, kind.ceiling)),
        afterwards=tuple(fact for fact in facts if isinstance(fact, Afterwards)),
        launches=tuple(fact for fact in facts if isinstance(fact, Launch)),
        notes=tuple(_first(notes)),
        loads={
            name: loaded
            for outcome in outcomes
            # What failed is measured again into the same file.
            if outcome.status == "measured"
            for name, loaded in _histograms(outcome)
            if loaded
        },
    )


def _first(notes: Sequence[str]) -> Iterator[str]:
    yield from notes[:MOST_DAMAGED]
    if len(notes) > MOST_DAMAGED:
        yield f"and {len(notes) - MOST_DAMAGED:,} more that are missing or damaged"


def _header(folder: Path, kind: Kind[Run, Any, Any]) -> tuple[Run, Contradicts]:
    """Return the facts that hold for a whole run, under the names of today."""
    path = folder / kind.file
    if not os.path.lexists(path):
        raise UserError(f"{folder}: {_no_run(folder, kind)}")
    data = _bytes(path, files.MOST_BYTES)
    try:
        facts = FACTS.decode(data)
        version = facts.get("format")
        if isinstance(version, int) and version > FORMAT:
            raise UserError(
                f"{folder}: written by a newer loadtest (format {message(str(version), 20)}, this"
                f" one reads up to {FORMAT}); update loadtest"
            )
        if isinstance(version, int) and version < 1:
            raise ValueError(f"format {version} is of no loadtest; formats begin with 1")
        planned = facts.get("plan")
        if version == 3 and isinstance(planned, dict) and planned.get("mix") == "told":
            planned["mix"] = "stated"
        run = msgspec.convert(_renamed(facts) if version == 1 else facts, kind.run)
        return run, kind.agrees(run)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged: {_why(error)}; put a copy of it back, or measure again"
        ) from None


def _bytes(path: Path, most_bytes: int) -> bytes:
    try:
        return files.read(path, most_bytes)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {_why(error)}; put a copy of it back, or measure again"
        ) from None


def _measurable(text: str) -> float:
    """Return a number of JSON; raises ValueError for what nobody measured and would overflow."""
    number = float(text)
    if number and not 1e-30 < abs(number) < 1e30:
        raise ValueError(f"{text[:30]} is no number that can have been measured")
    return number


FACTS = msgspec.json.Decoder(dict[str, Any], float_hook=_measurable)
"""Of JSON whose records are not known yet."""


def _why(error: Exception) -> str:
    """Return in a few words what is wrong with a file, or with a value in it and where."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    plain = re.sub(r"`str` matching regex .*?(?= - at |$)", "another text", str(error))
    return message(plain, 200)


def _no_run(folder: Path, kind: Kind[Any, Any, Any]) -> str:
    """Return what a path is that holds no run of a kind, and what to type in its place."""
    if os.path.isfile(folder):
        return "it is a file; name a run's folder"
    if problem := _closed(folder):
        return problem
    if (other := kind_of(folder)) is not kind and os.path.lexists(folder / other.file):
        return f"it is {other.what}; type {other.command} --resume {shlex.quote(str(folder))}"
    beside = runs_below(folder.parent, kind)
    if not os.path.exists(folder):
        hint = f"the newest run is {beside[-1]}" if beside else f"make a run with {kind.begin}"
        return f"no such folder; {hint}"
    if runs := runs_below(folder, kind):
        hint = f"its newest run is {runs[-1]}"
    else:
        hint = f"the newest beside it is {beside[-1]}" if beside else f"make one with {kind.begin}"
    return f"not {kind.what}, it has no {kind.file}; {hint}"


def _closed(folder: Path) -> str | None:
    """Return what to do about a folder that this user may not look into."""
    if not os.path.isdir(folder) or os.access(folder, os.R_OK | os.X_OK):
        return None
    return f"cannot be read: {os.strerror(errno.EACCES)}; make it readable, or ask its owner"


def _renamed(facts: Any) -> Any:
    """Return facts of an older format under the names of today."""
    if isinstance(facts, dict):
        kept = [(key, value) for key, value in facts.items() if key not in DROPPED]
        return {RENAMED.get(key, key): _renamed(value) for key, value in kept}
    return [_renamed(each) for each in facts] if isinstance(facts, list) else facts


def lines(
    data: bytes, kind: Any, remedy: str, contradicts: Contradicts, version: int
) -> tuple[list[Any], list[str]]:
    """Return the records in an outcomes file, and a note for each line that holds none.

    `remedy` says in the note what would measure what the line held once more; `version` is the
    format of the run. Raises ValueError where there is no end of them.
    """
    if (numbers := data.count(b",")) > MOST_NUMBERS:
        raise ValueError(f"{OUTCOMES}: {numbers:,} numbers, and a run has {MOST_NUMBERS:,} at most")
    records: list[Any] = []
    notes: list[str] = []
    for number, line in enumerate(io.BytesIO(data), 1):
        wrong: str | None = None
        if not line.endswith(b"\n"):
            # Even if it can be read it is torn: the next Writer removes it.
            wrong = "torn when the run ended"
        elif len(line) > MOST_LINE_BYTES:
            wrong = "damaged"
        else:
            try:
                facts = FACTS.decode(line)
                record = msgspec.convert(_renamed(facts) if version < 3 else facts, kind)
                wrong = contradicts(record)
            except (ValueError, RecursionError):
                wrong = "damaged"
        if wrong is None:
            records.append(record)
        else:
            notes.append(f"{OUTCOMES}, line {number}: {wrong}, dropped; {remedy}")
        if len(notes) > MOST_DAMAGED or len(records) > MOST_LINES:
            damaged = len(notes) > MOST_DAMAGED
            why = f"{MOST_DAMAGED} damaged lines" if damaged else f"{MOST_LINES:,} lines"
            raise ValueError(f"{OUTCOMES}, line {number}: over {why}")
    return records, notes


def _last_of_each_file(outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Yield outcomes, without the histogram of those whose file a later one has written anew.

    So each file is read for one outcome, however many name it.
    """
    last = {name: at for at, outcome in enumerate(outcomes) for name, _ in _histograms(outcome)}
    for at, outcome in enumerate(outcomes):
        for name, _ in _histograms(outcome):
            if last[name] != at:
                outcome = _without(outcome, name)
        yield outcome


def _histograms(outcome: Any) -> list[tuple[str, Loaded | None]]:
    """Return the histograms that an outcome names, each with what was counted of its load."""
    if not isinstance(outcome, measured.Outcome):
        return []
    each = [(outcome.histogram, outcome.loaded)]
    each += [(part.histogram, part.loaded) for part in outcome.parts]
    return [(name, loaded) for name, loaded in each if name is not None]


def _without(outcome: Outcome, histogram: str) -> Outcome:
    """Return an outcome that does not name a histogram."""
    if isinstance(outcome, measured.Outcome):
        parts = tuple(
            msgspec.structs.replace(part, histogram=None) if part.histogram == histogram else part
            for part in outcome.parts
        )
        own = None if outcome.histogram == histogram else outcome.histogram
        outcome = msgspec.structs.replace(outcome, histogram=own, parts=parts)
    return outcome


def _read_in_time(folder: Path, outcomes: Iterable[Outcome], notes: list[str]) -> Iterator[Outcome]:
    """Yield outcomes, the last of them without their histograms where all would take too long."""
    left, before, beyond = MOST_LATENCIES_BYTES, 0, 0
    for outcome in outcomes:
        outcome = _present(folder, outcome, notes)
        for name, _ in _histograms(outcome):
            left -= max(LEAST_BYTES, (folder / name).lstat().st_size)
            before, beyond = before + (left >= 0), beyond + (left < 0)
            if left < 0:
                outcome = _without(outcome, name)
        yield outcome
    if beyond:
        notes.append(
            f"latencies are those of the first {before:,} loads: to read the other {beyond:,} takes"
            " too long"
        )


def _present(folder: Path, outcome: Outcome, notes: list[str]) -> Outcome:
    """Return an outcome without the histogram that it names and the folder does not have.

    Raises UserError where what it names is no file of the folder's own.
    """
    histograms = dict(_histograms(outcome))
    parts = getattr(outcome, "parts", ())
    raws = [getattr(each, "raw", None) for each in (outcome, *parts)]
    for name in filter(None, (*raws, *histograms)):
        path = folder / name
        try:
            if path.parent.is_symlink():
                raise OSError(errno.ELOOP, "its folder is a link")
            files.check(path)
        except FileNotFoundError:
            if isinstance(outcome, measured.Outcome) and name in histograms:
                notes.append(f"{name}: missing; {outcome.cell} is shown without its latencies")
                outcome = _without(outcome, name)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read: {_why(error)}; remove it and its cell is shown without"
            ) from None
    return outcome


def _segments(records: Sequence[Any], outcome: Any) -> Iterator[Segment]:
    """Yield the stretches of a run; one whose engine was killed ends with its last outcome."""
    begun_at: float | None = None
    last_at = 0.0
    for record in records:
        if isinstance(record, outcome):
            last_at = (record.started_at or 0.0) + getattr(record, "wall_s", 0.0)
        if not isinstance(record, Begun | Segment):
            continue
        if isinstance(record, Begun) and begun_at is not None:
            yield _killed(begun_at, last_at)
        begun_at = record.started_at if isinstance(record, Begun) else None
        if isinstance(record, Segment):
            yield record
    if begun_at is not None:
        yield _killed(begun_at, last_at)


def _killed(begun_at: float, last_at: float) -> Segment:
    return Segment(started_at=begun_at, wall_s=max(0.0, last_at - begun_at), interrupted=True)


def weight(folder: Path) -> int:
    """Return how many bytes a report reads of a run, each as much as it takes time.

    What was planned takes more of that than what was measured, latencies less.
    """
    try:
        planned = _bytes_of(folder / kind.file for kind in KINDS)
        latencies = _bytes_of((folder / "raw").glob("*.json"))
        return PLAN_TIMES * planned + _bytes_of([folder / OUTCOMES]) + latencies // RAW_PART
    except OSError:
        return 0  # which is said where it is read


def _bytes_of(paths: Iterable[Path]) -> int:
    return sum(path.lstat().st_size for path in paths if os.path.lexists(path))


def newest(parent: Path) -> Path:
    """Return the newest run below a folder, of any kind; raises UserError where there is none."""
    runs = runs_below(parent, *KINDS)
    if not runs:
        problem = _closed(parent) or "no run there; make one with `loadtest run quick`"
        raise UserError(f"{parent}: {problem}")
    return runs[-1]


def runs_below(parent: Path, *kinds: Kind[Any, Any, Any], links: bool = False) -> list[Path]:
    """Return the folders of the runs of these kinds below a folder, the newest last.

    One whose name is no text in UTF-8 is left out: no report could name it. So are `links`, which
    lead to runs that lie elsewhere, unless it is these that are asked for.
    """
    try:
        with os.scandir(parent) as entries:
            there = [entry.name for entry in entries if entry.is_symlink() == links]
    except OSError:
        return []
    names = sorted(name for name in there if not re.search(UNENCODED, name))
    files_ = [parent / name / kind.file for name in names for kind in kinds]
    written = [path for path in files_ if os.path.lexists(path)]
    return [path.parent for path in sorted(written, key=lambda path: path.lstat().st_mtime)]


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Turn what goes wrong with any file of a run's folder during the block into such a line."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if not isinstance(name, str | os.PathLike) or not Path(name).is_relative_to(folder):
            raise
        with writing(Path(name), measuring=True):
            raise


def check_writable(parent: Path) -> Iterator[str]:
    """Yield a line if no run can be written below a folder, or none can go on in its own."""
    missing = [path for path in (parent, *parent.parents) if not path.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _probe(parent, 1)
        # To look leaves nothing behind.
        for path in missing:
            path.rmdir()
    except OSError as error:
        begun = os.path.lexists(parent / kind_of(parent).file)
        mend = "make it writable, then try again" if begun else "name another folder with --out"
        yield f"{parent}: cannot be written: {error.strerror}; {mend}"


@contextmanager
def writing(path: Path, *, measuring: bool = False) -> Iterator[None]:
    """Turn what a disk refuses during the block into one line for the user.

    While `measuring`, what came before is on the disk already, and what is missing was there.
    """
    try:
        yield
    except OSError as error:
        mend = MENDS.get(error.errno or 0, "make it writable")
        then = "then try again"
        if measuring:
            then = "then go on with `--resume`: what was measured is kept"
            mend = "put it back" if error.errno == errno.ENOENT else mend
        raise UserError(f"{path}: cannot be written: {error.strerror}; {mend}, {then}") from None
