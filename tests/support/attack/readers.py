"""Mutated files for each reader: taken and sound, or refused in lines that can be read."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from paths import ROOT

from attack import isolated, mutations, seeds
from attack.commands import asked_once, declared, wrong
from attack.mutations import Mutate
from attack.sanity import endless, nonsense
from attack.tally import Tally, unkind
from loadtest.plan.servers import answers, own, profile
from loadtest.plan.servers.project import FOLDER, App, Project
from loadtest.records import run_folder
from loadtest.records.errors import LoadtestError, UserError
from loadtest.records.planned import Choice, Server, Shape
from loadtest.records.run_folder import Stored

SECRET = "a line of a file outside of the folder"

RENDERED_EACH = 25
"""One of so many inputs is rendered by the command, if it shows what none before it has."""

RENDERED_AT_LAST = 250
"""One of so many is rendered, whatever it shows."""


class Seen:
    """What came before, in this process: the same again need be neither checked nor rendered."""

    def __init__(self) -> None:
        """Begin with nothing, so that the first input is rendered."""
        self._records: set[bytes] = set()
        self._kinds: set[object] = set()
        self._unrendered = RENDERED_AT_LAST

    def is_new(self, *records: Any) -> bool:
        """Say whether these records, together, have not come before."""
        # Not JSON, which has no word for what is not finite.
        try:
            data = msgspec.msgpack.encode([(type(each).__name__, each) for each in records])
        except OverflowError:  # a number of more than 64 bits, as JSON may have
            data = repr(records).encode(errors="surrogatepass")
        digest = hashlib.blake2b(data, digest_size=16).digest()
        new = digest not in self._records
        self._records.add(digest)
        return new

    def renders(self, shown: Any) -> bool:
        """Say whether what a page would show is to be rendered now."""
        self._unrendered += 1
        if self._unrendered < RENDERED_EACH:
            return False
        kinds = set(_kinds(msgspec.to_builtins(shown)))
        if kinds <= self._kinds and self._unrendered < RENDERED_AT_LAST:
            return False
        self._kinds |= kinds
        self._unrendered = 0
        return True


def _kinds(value: Any, way: tuple[str, ...] = ()) -> Iterator[object]:
    """Yield of what kind a value is, and each in it, by the fields that lead there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _kinds(inner, (*way, key))
    elif isinstance(value, list | tuple):
        yield way, min(len(value), 2)
        for inner in value:
            yield from _kinds(inner, way)
    elif isinstance(value, float):
        yield way, value > 0, value and round(math.log10(abs(value)) / 6)
    elif isinstance(value, str):
        yield way, "".join(sorted(set(re.findall(r"[^\w .-]", value))))
    else:
        yield way, value if value is None or isinstance(value, bool) else min(value, 2)


@dataclass(frozen=True)
class Reader:
    """A reader of files: what a file that is well looks like, and what becomes of another."""

    name: str
    begins: Callable[[], Sequence[bytes]]
    mutate: Mutate
    read: Callable[[Path, bytes, Seen], Iterable[Any]]
    """Read bytes, with a folder to lie in; raises LoadtestError where they are refused."""


class FoundError(AssertionError):
    """Something that must not be, as seen from outside."""


def attack(reader: Reader, seed: int, numbers: Sequence[int], jobs: int) -> Tally:
    """Try a reader."""
    import_module("loadtest.cli.kinds")  # once, for all children
    begins = reader.begins()
    declared()
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="attack-", dir=shared()) as name:
        secret = Path(name) / "secret"
        secret.write_text(SECRET)
        sound = Path(name) / "sound"
        sound.mkdir()
        # Were one of these refused, all others would be for nothing. And what a page takes at
        # first, as its templates, is there for all children.
        first = Seen()
        for data in begins:
            for record in reader.read(sound, data, first):
                assert (why := nonsense(record)) is None, (reader.name, why)

        def check(number: int) -> str | None:
            folder = Path(name) / str(os.getpid())
            folder.mkdir(exist_ok=True)
            chance = Random(f"{seed} {reader.name} {number}")
            data = reader.mutate(chance, chance.choice(begins))
            return tried(reader, folder, data, seen)

        faults = isolated.faults(check, numbers, jobs)
    again = f"{reader.name} --seed {seed} --number"
    return Tally(reader.name, len(numbers), [(f"{again} {number}", why) for number, why in faults])


def shared() -> str | None:
    """Return a folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def tried(reader: Reader, folder: Path, data: bytes, seen: Seen) -> str | None:
    """Return what was wrong with how a reader took its bytes; None where nothing was."""
    try:
        for record in reader.read(folder, data, seen):
            if seen.is_new(record) and (wrong_in := nonsense(record)):
                return f"taken: {wrong_in}"
    except UserError as error:
        return unkind(error.lines)
    except LoadtestError as error:
        return unkind([str(error)])
    except FoundError as error:
        return str(error)
    return None


# TOML ---------------------------------------------------------------------------------------------


def _toml(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


@cache
def _profiles() -> Sequence[Server]:
    return profile.load_servers(ROOT / "servers")


def _matrix(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    from loadtest.plan.servers import matrix

    path = folder / "m.toml"
    path.write_bytes(data)
    taken = matrix.load_matrix(str(path))
    yield taken
    yield matrix.expand(taken, _profiles(), declared(), Choice(), {})
    if seen.renders(taken):
        with asked_once():
            _command("plan", str(path))


def _server(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    (folder / "servers").mkdir(exist_ok=True)
    (folder / "servers" / "x.toml").write_bytes(data)
    for server in profile.load_servers(folder / "servers"):
        yield server
        yield profile.command(server, Shape(), Project(folder, sys.executable, App()), 8000, 3)
        if not server.requires or not server.argv:
            raise FoundError("taken: a server without a package or a command")


def _own(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    (folder / own.FILE).write_bytes(data)
    yield own.read(folder)
    yield from _own_project(folder)


def _recorded(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    (folder / own.FILE).write_text(seeds.OWN)
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / FOLDER / own.RECORDED).write_bytes(data)
    yield own.recorded(folder)
    yield from _own_project(folder)


def _own_project(folder: Path) -> Iterable[Any]:
    """Yield what becomes of a project of somebody's own, but for what its interpreter would do."""
    project = own.project_at(folder)
    environment = project.environment({"LOADTEST_DATABASE": "postgresql://nobody@/x"})
    if "\0" in "".join(environment.values()):
        raise FoundError("a variable with a NUL")
    for endpoint in project.endpoints():
        yield endpoint
        for page in (*seeds.PAGES, b"a word and 3", b"\xff"):
            if endpoint.contract.body:
                answers.problem(endpoint.contract.body, page)
    for server in _profiles():
        yield profile.command(server, Shape(), project, 8000, 3)


def _command(*arguments: str) -> None:
    if why := wrong(arguments):
        raise FoundError(f"loadtest {arguments[0]}: {why}")


# Folders ------------------------------------------------------------------------------------------


def _in_folder(kind: str, file: str) -> Callable[[Path, bytes, Seen], Iterable[Any]]:
    """Return the reader of one file of a run's folder, all else in it being well."""

    def read(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
        from loadtest.cli import kinds

        run = _run(folder, kind)
        (run / file).write_bytes(data)
        of = kinds.of_folder(run)
        stored = run_folder.read(run, of.folder)
        if why := unkind(stored.notes):
            raise FoundError(f"a note: {why}")
        facts = _facts(stored)
        yield from facts
        if not seen.is_new(*facts):
            return
        summary = of.report(stored).summary
        if endless(summary):
            raise FoundError("a figure that is not finite")
        if seen.renders(summary):
            _command("report", str(run))
            if kind != "clients":
                _command("report", "--history", str(folder))
            _check_pages(folder)
            shutil.rmtree(run)

    return read


def _facts(stored: Stored[Any, Any, Any]) -> list[Any]:
    """Return all that was taken of a folder, with a few of its histograms."""
    names = [name for each in stored.outcomes if (name := getattr(each, "histogram", None))]
    return [
        stored.run,
        *(*stored.outcomes, *stored.segments, *stored.ceilings),
        *(*stored.afterwards, *stored.launches),
        *map(stored.histogram, names[:3]),
    ]


FOLDERS: Mapping[str, Callable[[Path, str], Path]] = {
    "servers": seeds.servers_folder,
    "site": partial(seeds.servers_folder, site=True),
    "clients": seeds.clients_folder,
}


def _run(folder: Path, kind: str) -> Path:
    """Return a run's folder, as it was written but for the one file that inputs are."""
    fresh, run = folder / f"{kind}-fresh", folder / kind
    if not fresh.exists():
        FOLDERS[kind](folder / "made", kind).rename(fresh)
    if not run.exists():
        shutil.copytree(fresh, run)
    return run


def _check_pages(folder: Path) -> None:
    """Make sure that no report has what stands outside of its folder, and that none was linked."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise FoundError(f"{path.name} is a link")
        if path.is_file() and SECRET.encode() in path.read_bytes():
            raise FoundError(f"{path.name} has a file that lies outside of the folder")


def _compared(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    from loadtest.judge.servers.compare import compare

    run, base = _run(folder, "servers"), folder / "servers-fresh"
    (run / "run.json").write_bytes(data)
    old, new = (run_folder.read(each, run_folder.SERVERS) for each in (base, run))
    facts = _facts(new)
    yield from facts
    if not seen.is_new(*facts):
        return
    compared = compare(old, new, force=True)
    if endless(compared):
        raise FoundError("a figure that is not finite")
    if seen.renders(compared):
        _command("compare", str(base), str(run), "--force", "--html", str(folder / "compared.html"))


def _fresh(kind: str, file: str) -> Callable[[], Sequence[bytes]]:
    def read() -> Sequence[bytes]:
        with tempfile.TemporaryDirectory() as name:
            return [(_run(Path(name), kind) / file).read_bytes()]

    return read


# What others printed ------------------------------------------------------------------------------


def _imported(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    from loadtest.measure.servers.imported import report

    imported = report.convert(data, "x.md", "2026-01-02T03:04:05+00:00")
    if why := unkind(str(note) for note in imported.notes):
        raise FoundError(f"a note: {why}")
    yield imported.run
    yield from imported.outcomes
    if seen.renders(imported.run):
        path, out = folder / "x.md", folder / "out"
        path.write_bytes(data)
        _command("import", str(path), "--out", str(out))
        shutil.rmtree(out, ignore_errors=True)


def _wrk(folder: Path, data: bytes, seen: Seen) -> Iterable[Any]:
    from loadtest.bench.load import wrk

    try:
        loaded, histogram = wrk.parse("", data.decode("utf-8", "replace"))
    except wrk.NoResultError:
        return
    yield loaded
    yield histogram


HISTOGRAM = "raw/alpha.json-sync.r0.json"

READERS = (
    Reader("matrix", lambda: _toml(_matrices()), mutations.in_toml, _matrix),
    Reader("server", lambda: _toml(ROOT / "servers"), mutations.in_toml, _server),
    Reader("loadtest.toml", lambda: [seeds.OWN.encode()], mutations.in_toml, _own),
    Reader("answers.json", lambda: [seeds.recorded()], mutations.in_json, _recorded),
    Reader(
        "run.json",
        _fresh("servers", "run.json"),
        mutations.in_json,
        _in_folder("servers", "run.json"),
    ),
    Reader(
        "outcomes",
        _fresh("servers", "outcomes.jsonl"),
        mutations.in_json_lines,
        _in_folder("servers", "outcomes.jsonl"),
    ),
    Reader(
        "site.json",
        _fresh("site", "run.json"),
        mutations.in_json,
        _in_folder("site", "run.json"),
    ),
    Reader(
        "site-outcomes",
        _fresh("site", "outcomes.jsonl"),
        mutations.in_json_lines,
        _in_folder("site", "outcomes.jsonl"),
    ),
    Reader(
        "histogram",
        _fresh("servers", HISTOGRAM),
        mutations.in_json,
        _in_folder("servers", HISTOGRAM),
    ),
    Reader("compare", _fresh("servers", "run.json"), mutations.in_json, _compared),
    Reader(
        "clients.json",
        _fresh("clients", "clients.json"),
        mutations.in_json,
        _in_folder("clients", "clients.json"),
    ),
    Reader(
        "clients-outcomes",
        _fresh("clients", "outcomes.jsonl"),
        mutations.in_json_lines,
        _in_folder("clients", "outcomes.jsonl"),
    ),
    Reader("import", seeds.reports, mutations.in_text, _imported),
    Reader("wrk.lua", lambda: [seeds.wrk_line()], mutations.in_json, _wrk),
)


def _matrices() -> Path:
    from loadtest.plan.servers.matrix import MATRICES

    return MATRICES
