"""What the end of a run says of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.cli.output import show


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
