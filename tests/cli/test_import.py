"""`loadtest import` as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import typing
from wrk_reports import CREATED_AT, LINES, REPORT, block

from loadtest.measure.servers.imported import report
from loadtest.measure.servers.resume import check_resumable
from loadtest.plan.servers.inventory import Inventory
from loadtest.records.errors import UserError


def type_(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[int, str, str]:
    done = typing(monkeypatch, capfd)(*arguments)
    assert "Traceback" not in done.err
    return done.status, done.out, done.err


def test_import_writes_a_run_and_its_reports(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = type_(monkeypatch, capfd, "import", REPORT, "--out", tmp_path)
    assert status == 0
    assert "103 of 103 blocks of wrk's text imported" in out
    assert f"{REPORT}, line 833: " in err
    (folder,) = tmp_path.iterdir()
    assert (folder / "report.md").exists()
    # It is a run like any other.
    assert type_(monkeypatch, capfd, "report", folder)[0] in (0, 1)


def test_import_says_with_its_status_that_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.md").write_text("\n".join(LINES).replace("10.09s", "10.09", 1))
    status, out, err = type_(
        monkeypatch, capfd, "import", tmp_path / "bad.md", "--out", tmp_path / "results"
    )
    assert status == 1
    assert "102 of 103 blocks" in out
    assert "line 13: '10.09' is no number with a unit that wrk prints (the block of line 8)" in err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.md", None, "no such file; name a wrk report"),
        ("empty.md", "", "no report of wrk's"),
        ("prose.md", "# Hello\n\nNothing to see.\n", "no report of wrk's"),
        ("homeless.md", block(), "nothing in it can be imported"),
    ],
)
def test_what_cannot_be_imported_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    text: str | None,
    message: str,
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    status, _, err = type_(monkeypatch, capfd, "import", tmp_path / name, "--out", tmp_path / "r")
    assert status == 2
    assert message in err.splitlines()[0]
    assert not (tmp_path / "r").exists()


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        report.read(tmp_path, CREATED_AT)


def test_an_imported_run_cannot_be_resumed() -> None:
    real = report.read(REPORT, CREATED_AT)
    nothing: Any = Inventory(project=None, servers=(), endpoints=(), versions={})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"read from django_workers\.md"):
        check_resumable(real.run, nothing, Path())
