"""Copies of an SQLite database in every state that its owner may have left it in."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from loadtest.bench.servers import sqlite_copy
from loadtest.records.errors import UserError

ROWS = 100

KILLED = f"""
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "wal":
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.execute("INSERT INTO t SELECT a + {ROWS} FROM t")
else:
    database.execute("PRAGMA cache_size = 1")  # so that it writes before it has finished
    database.execute("BEGIN")
    for number in range(2_000):
        database.execute("INSERT INTO t VALUES (?)", (str(number) * 50,))
os._exit(1)
"""
"""A process that ends half-way, its log or journal lying there."""


def make(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("CREATE TABLE t (a)")
        database.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(ROWS)])
        database.commit()


def killed(path: Path, how: str) -> None:
    done = subprocess.run([sys.executable, "-S", "-c", KILLED, str(path), how], check=False)
    assert done.returncode == 1


def clean(path: Path) -> int:
    make(path, "delete")
    return ROWS


def clean_with_a_log(path: Path) -> int:
    make(path, "wal")
    assert not path.with_name("db-wal").exists()
    return ROWS


def log_and_index(path: Path) -> int:
    make(path, "wal")
    killed(path, "wal")
    assert path.with_name("db-shm").exists()
    return 2 * ROWS


def log_alone(path: Path) -> int:
    log_and_index(path)
    path.with_name("db-shm").unlink()
    return 2 * ROWS


def empty_log(path: Path) -> int:
    log_alone(path)
    os.truncate(path.with_name("db-wal"), 0)
    return ROWS


def journal(path: Path) -> int:
    make(path, "delete")
    killed(path, "delete")
    assert path.with_name("db-journal").stat().st_size > 0
    return ROWS


def linked(path: Path) -> int:
    (there := path.parent / "there").mkdir()
    log_and_index(there / "db")
    path.symlink_to(there / "db")
    return 2 * ROWS


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = contents(folder)
    yield
    assert contents(folder) == before


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count: int = database.execute("SELECT count(*) FROM t").fetchone()[0]
    return count


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    (tmp_path / "theirs #1?").mkdir()
    return tmp_path / "theirs #1?" / "db"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "ours").mkdir()
    return tmp_path / "ours" / "seeded.sqlite3"


@pytest.mark.parametrize(
    "left", [clean, clean_with_a_log, log_and_index, log_alone, empty_log, journal, linked]
)
def test_all_of_it_is_copied_and_nothing_beside_it_is_written(
    left: Callable[[Path], int], theirs: Path, to: Path
) -> None:
    expected = left(theirs)
    with untouched(theirs.parent):
        sqlite_copy.copy(theirs, to)
    assert [path.name for path in to.parent.iterdir()] == [to.name]
    assert rows(to) == expected


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_one_that_somebody_is_at_work_with(mode: str, theirs: Path, to: Path) -> None:
    """What is not committed is not in the copy, and their transaction goes on."""
    make(theirs, mode)
    write = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "database.execute('INSERT INTO t VALUES (1)'); database.execute('BEGIN IMMEDIATE');"
        "database.execute('INSERT INTO t VALUES (2)'); print('at work', flush=True);"
        "sys.stdin.read(); database.execute('COMMIT')"
    )
    argv = [sys.executable, "-S", "-c", write, str(theirs)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        with untouched(theirs.parent):
            sqlite_copy.copy(theirs, to)
        writer.stdin.close()
        assert writer.wait(60) == 0
    assert (rows(to), rows(theirs)) == (ROWS + 1, ROWS + 2)


def test_what_was_there_before_is_gone(theirs: Path, to: Path) -> None:
    expected = clean(theirs)
    log_and_index(to.with_name("db"))
    for path in list(to.parent.iterdir()):
        path.rename(path.with_name(path.name.replace("db", to.name)))
    sqlite_copy.copy(theirs, to)
    assert rows(to) == expected


def test_one_that_is_written_without_a_lock_is_refused(
    theirs: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_with_a_log(theirs)
    backup = sqlite_copy._backup

    def written_meanwhile(*arguments: object) -> None:
        backup(*arguments)  # type: ignore[arg-type]
        killed(theirs, "wal")

    monkeypatch.setattr(sqlite_copy, "_backup", written_meanwhile)
    with pytest.raises(UserError, match="somebody has written to it"):
        sqlite_copy.copy(theirs, to)


def test_one_that_stays_locked_is_not_waited_for_without_end(
    theirs: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(theirs)
    monkeypatch.setattr(sqlite_copy, "UNLOCKED_WITHIN_S", 0.0)
    monkeypatch.setattr(sqlite_copy, "BUSY_S", 0.0)
    lock = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "database.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-S", "-c", lock, str(theirs)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(UserError, match="somebody writes to it all the time"):
            sqlite_copy.copy(theirs, to)
        holder.kill()


@pytest.mark.parametrize("there", [None, b"no database at all, but a text" * 50])
def test_what_is_no_database(there: bytes | None, theirs: Path, to: Path) -> None:
    if there is not None:
        theirs.write_bytes(there)
    with (
        untouched(theirs.parent),
        pytest.raises(UserError, match=r"correct `copy` in loadtest\.toml"),
    ):
        sqlite_copy.copy(theirs, to)
