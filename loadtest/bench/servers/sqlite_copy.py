"""Copies an SQLite database that somebody may be at work with, and writes nothing beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from loadtest.records.errors import UserError

UNLOCKED_WITHIN_S = 20.0

BUSY_S = 1.0
"""For a lock, until the time is looked at."""

LOGS = ("-wal", "-journal")
"""The ends of the names of files with changes that are not in the database yet, or to be undone."""

LOCKED = "mode=ro&readonly_shm=1"
"""As a reader among others; the index of a log (`-shm`) is read, and never made or written."""

ALONE = "immutable=1"
"""Without a lock, for which files would be made beside a database that has a log at times."""

UNFINISHED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
"""It would have to be written first: somebody ended half-way, and nobody is at work with it."""


def copy(source: Path, to: Path) -> None:
    """Make `to` a copy of a database, of what is in its log too; the source is only read.

    Raises UserError where it cannot be read.
    """
    source = Path(os.path.realpath(source))  # beside a link to it lies no log
    for before in to.parent.glob(f"{to.name}*"):
        before.unlink()
    try:
        if _keeps_a_log(source) and not _beside(source, "-wal").exists():
            with _still(source):
                _backup(source, ALONE, to)
            return
        try:
            _backup(source, LOCKED, to)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in UNFINISHED:
                raise
            with _still(source):
                _finish(source, to)
    except (sqlite3.Error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"{source}: {why}; correct `copy` in loadtest.toml, or leave it out for an empty"
            " database"
        ) from None


def _beside(database: Path, end: str) -> Path:
    return database.with_name(database.name + end)


def _keeps_a_log(database: Path) -> bool:
    """Say whether its changes go to a log (WAL) first, as its header has it."""
    with open(database, "rb") as file:
        return file.read(19)[18:] == b"\x02"


def _backup(source: Path, how: str, to: Path) -> None:
    deadline = time.monotonic() + UNLOCKED_WITHIN_S

    def wait(status: int, remaining: int, pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise sqlite3.DatabaseError("somebody writes to it all the time")

    address = f"file:{quote(str(source))}?{how}"
    with (
        closing(sqlite3.connect(address, BUSY_S, uri=True)) as read,
        closing(sqlite3.connect(to)) as written,
    ):
        read.backup(written, progress=wait)


def _finish(source: Path, to: Path) -> None:
    """Copy the files as they are, and have SQLite finish there what was begun."""
    raw = _beside(to, ".raw")
    try:
        for end in ("", *LOGS):
            if _beside(source, end).exists():
                shutil.copyfile(_beside(source, end), _beside(raw, end))
        _backup(raw, "mode=rw", to)
    finally:
        for file in raw.parent.glob(f"{raw.name}*"):
            file.unlink()


@contextmanager
def _still(source: Path) -> Iterator[None]:
    """Raise sqlite3.Error where a database that is read without a lock was written meanwhile."""
    before = _written(source)
    yield
    if _written(source) != before:
        raise sqlite3.DatabaseError("somebody has written to it as it was copied; end that")


def _written(source: Path) -> list[tuple[int, int] | None]:
    """Return when a database and its logs were written, and their sizes in bytes."""
    files = [_beside(source, end) for end in ("", *LOGS)]
    return [
        (status.st_mtime_ns, status.st_size) if file.exists() and (status := file.stat()) else None
        for file in files
    ]
