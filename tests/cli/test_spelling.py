"""How the command is spelled: as the person who reads it can type it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import outcome, plan, run
from command_line import Type
from paths import ENGINE

from loadtest.cli.spelling import as_typed, program
from loadtest.records.run_folder import Writer, create

Started = Callable[..., None]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """Give what pretends that this process was started from a new folder with a `.venv`."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("loadtest", "python"):
        (programs / name).touch(0o755)
    monkeypatch.chdir(tmp_path)

    def start(argv0: str | Path, *, activated: bool = False, below: str = ".") -> None:
        monkeypatch.setattr(sys, "argv", [str(argv0)])
        monkeypatch.setattr(sys, "executable", str(programs / "python"))
        monkeypatch.setenv("PATH", str(programs if activated else tmp_path / "empty"))
        (tmp_path / below).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / below)

    return start


def test_by_its_path(started: Started, tmp_path: Path) -> None:
    started(".venv/bin/loadtest")
    assert program() == ".venv/bin/loadtest"
    started(tmp_path / ".venv/bin/loadtest")
    assert program() == ".venv/bin/loadtest"
    # `..` all the way would be harder to read than where it is.
    started(tmp_path / ".venv/bin/loadtest", below="elsewhere")
    assert program() == f"{tmp_path}/.venv/bin/loadtest"
    started("./loadtest", below=".venv/bin")
    assert program() == "./loadtest"


def test_by_its_name_where_that_leads_to_it(started: Started, tmp_path: Path) -> None:
    started(tmp_path / ".venv/bin/loadtest", activated=True)
    assert program() == "loadtest"
    # Another one would answer to the name.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "loadtest").touch(0o755)
    started("other/loadtest", activated=True)
    assert program() == "other/loadtest"
    started("loadtest")
    assert program() == "loadtest"


def test_as_a_module(started: Started) -> None:
    started(ENGINE / "__main__.py")
    assert program() == ".venv/bin/python -m loadtest"
    started(ENGINE / "__main__.py", activated=True)
    assert program() == "python -m loadtest"


def test_a_path_with_a_blank_is_quoted(started: Started, tmp_path: Path) -> None:
    (tmp_path / "my tools").mkdir()
    started("my tools/loadtest")
    assert program() == "'my tools/loadtest'"


def test_whatever_else_runs_it_has_the_plain_name(started: Started) -> None:
    started("/somewhere/pytest/__main__.py")
    assert program() == "loadtest"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("make one: `loadtest run quick`", "make one: `.venv/bin/loadtest run quick`"),
        ("another: loadtest run x --seed 1", "another: .venv/bin/loadtest run x --seed 1"),
        (
            "`loadtest list servers`, `loadtest doctor`",
            "`.venv/bin/loadtest list servers`, `.venv/bin/loadtest doctor`",
        ),
        *(
            (plain, plain)
            for plain in (
                "another loadtest is at work there",
                "update loadtest",
                "loadtest runs it",
                ".venv/bin/loadtest run quick",
                ".venv/bin/python -m loadtest run quick",
                "my-loadtest run",
            )
        ),
    ],
)
def test_calls_in_a_text(started: Started, text: str, expected: str) -> None:
    started(".venv/bin/loadtest")
    assert as_typed(text) == expected


@pytest.fixture
def by_path(type_: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line think that it was started as a path."""
    monkeypatch.setattr("loadtest.cli.spelling._from_here", lambda path: ".venv/bin/loadtest")


@pytest.mark.usefixtures("by_path")
def test_whatever_is_printed_can_be_typed(type_: Type, tmp_path: Path) -> None:
    texts = [
        type_("report", "--out", tmp_path / "nowhere").err,
        type_("rnu").err,
        type_("list", "--help").out,
        type_("--help").out,
    ]
    for text in texts:
        assert ".venv/bin/loadtest " in text
        assert " loadtest " not in text.replace("loadtest: ", "")


@pytest.mark.usefixtures("by_path")
def test_files_keep_the_plain_name(type_: Type, tmp_path: Path) -> None:
    folder = create(tmp_path / "results", run(plan()))
    writer = Writer(folder)
    writer.append(outcome(status="failed", stage="launch", reason="see `loadtest serve alpha`"))
    writer.close()
    done = type_("report", folder)
    assert "see `.venv/bin/loadtest serve alpha`" in done.out
    assert "loadtest serve alpha" in (folder / "report.md").read_text()
    for name in ("report.md", "index.html"):
        assert ".venv/bin/loadtest" not in (folder / name).read_text()
