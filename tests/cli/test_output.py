"""What a command says while it lasts, and of its files at its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from loadtest.cli import output
from loadtest.cli.output import show, waiting


def test_which_file_is_for_what(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("results/2026-11-20T10-00-00-" + "quick-and-more-" * 8)
    names = ("summary.csv", "index.html", "report.md", "cost.svg", "hyperfine.json", "summary.json")
    show(lambda console: console.print("answer"), [folder / name for name in names])
    assert capsys.readouterr().out.splitlines() == [
        "answer",
        "",
        f"Report: open {folder}/index.html in a browser.",
        "Beside it: report.md (Markdown), summary.csv (for a spreadsheet),"
        " hyperfine.json and summary.json (for scripts).",
    ]


def test_what_is_waited_for_is_said_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    twice, other = threading.Event(), threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) > 1:
            twice.set()
        if line.endswith("requesting pages"):
            other.set()

    monkeypatch.setattr(output, "say", say)
    monkeypatch.setattr(output, "TELL_EVERY_S", 0.01)
    with waiting("making a database") as doing:
        assert twice.wait(20)
        doing("requesting pages")
        assert other.wait(20)
    assert lines[0] == "still at it after 0 s: making a database"
