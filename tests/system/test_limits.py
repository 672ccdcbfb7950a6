"""What a system may refuse half-way: raised where it can be, else a line that says what to do."""

from __future__ import annotations

import resource
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest
from census import Census
from command_line import Type

from loadtest.records.errors import UserError
from loadtest.system import limits

BELOW = "loadtest-0123456789ab/socket"
UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limit", "soft", "hard", "root", "raised", "line"),
    [
        ("NPROC", UNLIMITED, UNLIMITED, False, None, None),
        ("NPROC", 30_000, 60_000, False, None, None),
        ("NPROC", 12, 60_000, False, 60_000, None),
        ("NPROC", 12, 30, True, UNLIMITED, None),
        ("NPROC", 12, 30, False, None, "210 processes and threads are needed and the limit is 30;"),
        ("FSIZE", 1_000, UNLIMITED, False, UNLIMITED, None),
        ("FSIZE", 1_000, 2_000, True, UNLIMITED, None),
        ("FSIZE", 1_000, 2_000, False, None, "and the limit is 2,000 bytes; raise it (`ulimit -f"),
        ("STACK", 65_536, 65_536, False, None, "a stack of 2 MB must be possible and the limit is"),
    ],
)
def test_a_low_limit_is_raised_or_told(
    limit: str,
    soft: int,
    hard: int,
    root: bool,
    raised: int | None,
    line: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = getattr(resource, f"RLIMIT_{limit}")
    looked_at = (resource.RLIMIT_NPROC, *(size[0] for size in limits.SIZES))
    known = dict.fromkeys(looked_at, (UNLIMITED, UNLIMITED)) | {number: (soft, hard)}
    changed = {}

    def change(which: int, to: tuple[int, int]) -> None:
        if to[1] != hard and not root:
            raise ValueError("not allowed to raise maximum limit")
        changed[which] = to

    monkeypatch.setattr(resource, "getrlimit", known.get)
    monkeypatch.setattr(resource, "setrlimit", change)
    monkeypatch.setattr(limits, "_tasks", lambda users: 10)
    lines = list(limits.raise_limits())
    assert changed == ({number: (raised, raised)} if raised else {})
    assert [line in told for told in lines] == ([True] if line else [])  # type: ignore[operator]


def test_what_runs_is_counted() -> None:
    assert limits._tasks({0, 1000}) > 0
    assert limits._tasks(set()) == 0


def test_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(9e9, 8.98e9, 20_000_000))
    assert limits.short_of_space(tmp_path, 20_000_000) is None
    line = limits.short_of_space(tmp_path, 130_000_000)
    assert line is not None
    assert line.startswith(f"{tmp_path}: 20 MB are free and the services need 130 MB; ")
    assert line.endswith("`export TMPDIR=/var/tmp`")


@pytest.fixture
def other(census: Census, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place that serves where the named one does not."""
    folder = census.folder / "other"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setattr(limits, "PLACES", (str(folder),))
    return folder


@pytest.mark.parametrize(
    ("name", "mode", "user", "serves"),
    [
        ("plain", 0o755, "nobody", True),
        ("a space & # % ; ' { } ü", 0o755, "nobody", True),
        ("a,comma", 0o755, None, False),
        ('a"quote', 0o755, None, False),
        ("a$dollar", 0o755, None, False),
        ("a\nline", 0o755, None, False),
        ("not-utf8-\udcff", 0o755, None, False),
        ("long" * 20, 0o755, None, False),
        ("ü" * 40, 0o755, None, False),  # bytes count
        ("private", 0o700, "nobody", False),
        ("private", 0o700, None, True),
    ],
)
def test_where_sockets_can_be(
    name: str,
    mode: int,
    user: str | None,
    serves: bool,
    census: Census,
    other: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = census.folder / name
    folder.mkdir()
    folder.chmod(mode)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert limits.socket_place(BELOW, user) == (folder if serves else other)

    other.rmdir()
    if not serves:
        with pytest.raises(UserError, match=r"no place for the database's .*TMPDIR") as told:
            limits.socket_place(BELOW, user)
        assert str(told.value).isprintable()
        assert len(str(told.value)) < 250


def test_no_place_for_temporary_files_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(UserError, match=r"No usable temporary directory.*TMPDIR=/var/tmp"):
        limits.socket_place(BELOW)


@pytest.mark.usefixtures("no_addresses")
def test_a_run_is_refused_before_anything_starts(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "short_of_space", lambda folder, needed: "20 MB are free")
    monkeypatch.setattr(limits, "raise_limits", lambda user=None: iter(["30 processes"]))
    done = type_("run", "quick", "--endpoint", "json", "--out", tmp_path)
    assert (done.status, done.lines) == (2, ["loadtest: 30 processes", "loadtest: 20 MB are free"])
    assert not list(tmp_path.iterdir())
    done = type_("services")
    assert (done.status, done.lines) == (2, ["loadtest: 30 processes", "loadtest: 20 MB are free"])
