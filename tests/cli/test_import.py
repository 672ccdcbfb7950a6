"""`loadtest import` as it is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import typing
from wrk_reports import CREATED_AT, LINES, REPORT, block, under

from loadtest.measure.servers.imported import report
from loadtest.measure.servers.resume import check_resumable
from loadtest.plan.servers.inventory import Inventory
from loadtest.records.errors import UserError
from loadtest.records.run_folder import SERVERS, read


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
    assert "103 of 103 blocks of text imported" in out
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
        ("none.md", None, "no such file; name a report"),
        ("empty.md", "", "no text of a load generator"),
        ("prose.md", "# Hello\n\nNothing to see.\n", "no text of a load generator"),
        ("two.md", "## Flask vs Bottle\n" + block(), "nothing in it can be imported"),
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
        report.read([tmp_path], CREATED_AT)


def test_an_imported_run_cannot_be_resumed() -> None:
    real = report.read([REPORT], CREATED_AT)
    nothing: Any = Inventory(project=None, servers=(), endpoints=(), versions={})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"read from django_workers\.md"):
        check_resumable(real.run, nothing, Path())


def cells(out: Path) -> list[str]:
    (folder,) = out.iterdir()
    return [cell.id for cell in read(folder, SERVERS).run.plan.cells]


def test_several_files_are_one_run_and_each_is_a_server(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [tmp_path / "alpha.txt", tmp_path / "beta.txt"]
    for path, requests in zip(files, (50_000, 60_000), strict=True):
        path.write_text(block(requests=requests))
    status, out, err = type_(monkeypatch, capfd, "import", *files, "--out", tmp_path / "r")
    assert status == 0
    assert "2 of 2 blocks" in out
    assert cells(tmp_path / "r") == ["alpha.json-sync", "beta.json-sync"]
    assert "alpha.txt, line 2: server alpha: nothing but the file's name says so" in err


def test_a_file_that_is_named_twice_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.md").write_text(block())
    status, _, err = type_(monkeypatch, capfd, "import", tmp_path / "x.md", tmp_path / "x.md")
    assert (status, "named twice" in err) == (2, True)


def test_a_report_may_come_on_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "import", "-", "--out", tmp_path / "r"],
        input=under(block()).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == (
        b"loadtest: -, line 7: server one: the heading of line 1; type --server if not\n"
    )
    assert cells(tmp_path / "r") == ["one.json-sync"]


@pytest.mark.parametrize(
    ("options", "cell"),
    [
        (("--server", "Granian"), "granian.json-unknown"),
        (("--style", "async"), "x.json-async"),
        (("--endpoint", "plain"), "x.plain-unknown"),
    ],
)
def test_what_a_report_does_not_say_is_typed(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: tuple[str, str],
    cell: str,
) -> None:
    (tmp_path / "x.md").write_text(block(url="http://h/json"))
    words = ("import", tmp_path / "x.md", *options, "--delay", "1s", "--out", tmp_path / "r")
    assert type_(monkeypatch, capfd, *words)[0] in (0, 1)
    assert cells(tmp_path / "r") == [cell]
    (folder,) = (tmp_path / "r").iterdir()
    run = read(folder, SERVERS).run
    assert run.plan.cells[0].endpoint.contract.delay_s == 1
    assert " ".join(options) in run.command


def test_words_above_tell_blocks_apart_unless_they_are_said_to_be_rounds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = under("Cold:\n", block(), "Warm:\n", block())
    (tmp_path / "x.md").write_text(text)
    words = ("import", tmp_path / "x.md", "--out")
    assert type_(monkeypatch, capfd, *words, tmp_path / "a")[0] == 0
    assert cells(tmp_path / "a") == ["one.json-cold-sync", "one.json-warm-sync"]
    assert type_(monkeypatch, capfd, *words, tmp_path / "b", "--rounds")[0] == 0
    assert cells(tmp_path / "b") == ["one.json-sync"]


def test_which_of_two_servers_is_asked_for_and_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.md").write_text(f"## Uvicorn and Granian (ASGI)\n{block()}{block()}")
    words = ("import", tmp_path / "x.md", "--out", tmp_path / "r")
    status, _, err = type_(monkeypatch, capfd, *words)
    assert status == 2
    assert "type --server uvicorn" in err
    assert type_(monkeypatch, capfd, *words, "--server", "uvicorn")[0] == 0
    assert cells(tmp_path / "r") == ["uvicorn.json-sync"]


@pytest.mark.parametrize("command", ["wrk", "wrk2 -R100", "wrk -R100"])
def test_a_server_that_refused_the_connection_has_a_failed_cell(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
) -> None:
    refused = f"$ {command} http://h:1/sync/json\nunable to connect to h:1 Connection refused\n"
    (tmp_path / "x.md").write_text(f"## WSGI One\n```\n{refused}```\n")
    status, out, _ = type_(monkeypatch, capfd, "import", tmp_path / "x.md", "--out", tmp_path / "r")
    assert (status, "1 of 1 blocks" in out) == (1, True)
    (folder,) = (tmp_path / "r").iterdir()
    assert "unable to connect to h:1 Connection refused" in (folder / "report.md").read_text()


def test_two_single_runs_of_others_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folders = []
    for name, requests in (("a", 104_411), ("b", 22_261)):
        (tmp_path / f"{name}.md").write_text(under(block(requests=requests)))
        words = ("import", tmp_path / f"{name}.md", "--out", tmp_path / name)
        assert type_(monkeypatch, capfd, *words)[0] == 0
        folders += (tmp_path / name).iterdir()
    status, out, _ = type_(monkeypatch, capfd, "compare", *folders)
    assert status == 3
    assert "o regression" not in out
