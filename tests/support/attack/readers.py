"""Mutated files for each reader: taken and sound, or refused in lines that can be read."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
from loadtest.records.errors import LoadtestError, UserError

RENDERED_EACH = 25
"""One of so many folders is judged and rendered by the command."""

SECRET = "a line of a file outside of the folder"


@dataclass(frozen=True)
class Reader:
    """A reader of files: what a file that is well looks like, and what becomes of another."""

    name: str
    begins: Callable[[], Sequence[bytes]]
    mutate: Mutate
    read: Callable[[Path, bytes, bool], Iterable[Any]]
    """Read bytes, with a folder to lie in; raises LoadtestError where they are refused. Whether to
    render as well what can be."""


class FoundError(AssertionError):
    """Something that must not be, as seen from outside."""


def attack(reader: Reader, seed: int, numbers: Sequence[int], jobs: int) -> Tally:
    """Try a reader."""
    import_module("loadtest.cli.kinds")  # once, for all children
    begins = reader.begins()
    declared()
    with tempfile.TemporaryDirectory(prefix="attack-", dir=shared()) as name:
        secret = Path(name) / "secret"
        secret.write_text(SECRET)

        def check(number: int) -> str | None:
            folder = Path(name) / str(os.getpid())
            folder.mkdir(exist_ok=True)
            chance = Random(f"{seed} {reader.name} {number}")
            data = reader.mutate(chance, chance.choice(begins))
            return tried(reader, folder, data, number % RENDERED_EACH == 0)

        faults = isolated.faults(check, numbers, jobs)
    again = f"{reader.name} --seed {seed} --number"
    return Tally(reader.name, len(numbers), [(f"{again} {number}", why) for number, why in faults])


def shared() -> str | None:
    """Return a folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def tried(reader: Reader, folder: Path, data: bytes, render: bool) -> str | None:
    """Return what was wrong with how a reader took its bytes; None where nothing was."""
    try:
        for record in reader.read(folder, data, render):
            if wrong_in := nonsense(record):
                return f"taken: {wrong_in}"
    except UserError as error:
        return unkind(error.lines)
    except LoadtestError as error:
        return unkind([str(error)])
    except FoundError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None


# TOML ---------------------------------------------------------------------------------------------


def _toml(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


def _matrix(folder: Path, data: bytes, render: bool) -> Iterable[Any]:
    from loadtest.plan.servers import matrix, profile
    from loadtest.records.planned import Choice

    path = folder / "m.toml"
    path.write_bytes(data)
    taken = matrix.load_matrix(str(path))
    yield taken
    servers = profile.load_servers(ROOT / "servers")
    yield matrix.expand(taken, servers, declared(), Choice(), {})
    if render:
        with asked_once():
            _command("plan", str(path))


def _server(folder: Path, data: bytes, render: bool) -> Iterable[Any]:
    from loadtest.plan.servers import profile
    from loadtest.plan.servers.project import Project
    from loadtest.records.planned import Shape

    (folder / "servers").mkdir(exist_ok=True)
    (folder / "servers" / "x.toml").write_bytes(data)
    for server in profile.load_servers(folder / "servers"):
        yield server
        yield profile.command(server, Shape(), Project(folder, sys.executable), 8000, 3)
        if not server.requires or not server.argv:
            raise FoundError("taken: a server without a package or a command")


def _command(*arguments: str) -> None:
    if why := wrong(arguments):
        raise FoundError(f"loadtest {arguments[0]}: {why}")


# Folders ------------------------------------------------------------------------------------------


def _in_folder(kind: str, file: str) -> Callable[[Path, bytes, bool], Iterable[Any]]:
    """Return the reader of one file of a run's folder, all else in it being well."""

    def read(folder: Path, data: bytes, render: bool) -> Iterable[Any]:
        from loadtest.cli import kinds
        from loadtest.records import run_folder

        run = _run(folder, kind)
        (run / file).write_bytes(data)
        of = kinds.of_folder(run)
        stored = run_folder.read(run, of.folder)
        yield stored.run
        yield from (*stored.outcomes, *stored.segments, *stored.ceilings)
        if why := unkind(stored.notes):
            raise FoundError(f"a note: {why}")
        names = [name for each in stored.outcomes if (name := getattr(each, "histogram", None))]
        for name in names[:3]:
            yield stored.histogram(name)
        if endless(of.report(stored).summary):
            raise FoundError("a figure that is not finite")
        if render:
            _command("report", str(run))
            _check_pages(run)

    return read


def _run(folder: Path, kind: str) -> Path:
    """Return a run's folder, as it was written: an input may have changed what lies in it."""
    fresh, run = folder / f"{kind}-fresh", folder / kind
    if not fresh.exists():
        make = seeds.servers_folder if kind == "servers" else seeds.clients_folder
        make(folder / "made", kind).rename(fresh)
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(fresh, run)
    return run


def _check_pages(run: Path) -> None:
    """Make sure that no report has what stands outside of its folder, and that none was linked."""
    for path in run.rglob("*"):
        if path.is_symlink():
            raise FoundError(f"{path.name} is a link")
        if path.is_file() and SECRET.encode() in path.read_bytes():
            raise FoundError(f"{path.name} has a file that lies outside of the folder")


def _compared(folder: Path, data: bytes, render: bool) -> Iterable[Any]:
    run = _run(folder, "servers")
    (run / "run.json").write_bytes(data)
    _command("compare", str(folder / "servers-fresh"), str(run), "--force")
    return ()


def _fresh(kind: str, file: str) -> Callable[[], Sequence[bytes]]:
    def read() -> Sequence[bytes]:
        with tempfile.TemporaryDirectory() as name:
            return [(_run(Path(name), kind) / file).read_bytes()]

    return read


# What others printed ------------------------------------------------------------------------------


def _imported(folder: Path, data: bytes, render: bool) -> Iterable[Any]:
    from loadtest.measure.servers.imported import report

    imported = report.convert(data, "x.md", "2026-01-02T03:04:05+00:00")
    if why := unkind(str(note) for note in imported.notes):
        raise FoundError(f"a note: {why}")
    yield imported.run
    yield from imported.outcomes
    if render:
        path, out = folder / "x.md", folder / "out"
        path.write_bytes(data)
        _command("import", str(path), "--out", str(out))
        shutil.rmtree(out, ignore_errors=True)


def _wrk(folder: Path, data: bytes, render: bool) -> Iterable[Any]:
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
    Reader("import", lambda: [seeds.wrk_report()], mutations.in_text, _imported),
    Reader("wrk.lua", lambda: [seeds.wrk_line()], mutations.in_json, _wrk),
)


def _matrices() -> Path:
    from loadtest.plan.servers.matrix import MATRICES

    return MATRICES


def check_begins() -> None:
    """Make sure that what mutations begin with is taken: all else would be refused for nothing."""
    with tempfile.TemporaryDirectory(dir=shared()) as name:
        for reader in READERS:
            for data in reader.begins():
                assert (why := tried(reader, Path(name), data, True)) is None, (reader.name, why)
        msgspec.json.decode(seeds.wrk_line())
