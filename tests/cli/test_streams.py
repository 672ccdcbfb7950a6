"""Standard output and error that are closed, full, of another encoding, or read by nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import outcome, plan, run

from loadtest.records.run_folder import Writer, create

LOADTEST = (sys.executable, "-m", "loadtest")

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(line: str, *words: str, env: Mapping[str, str] | None = None) -> Any:
    """Run a line of a shell, in which `"$@"` is the command line."""
    return subprocess.run(
        ["sh", "-c", line, "sh", *LOADTEST, *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """Give a run whose report ends with status 1."""
    folder = create(tmp_path, run(plan()))
    writer = Writer(folder)
    writer.append(outcome(status="failed", stage="launch", reason="it exited with status 3"))
    writer.close()
    return folder


def test_output_that_is_closed_is_none() -> None:
    done = shell('"$@" >&-', "list", "matrices")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_all_streams_closed(failed: Path) -> None:
    assert shell('"$@" <&- >&- 2>&-', "report", str(failed)).returncode == 1
    # No file was opened in their place, and written into by whoever prints.
    assert (failed / "index.html").read_bytes().startswith(b"<!doctype html>")


@needs_full
def test_output_that_takes_no_more_is_a_line() -> None:
    done = shell('"$@" > /dev/full', "list", "matrices")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("loadtest: standard output cannot be written: No space left on device;")


@needs_full
@pytest.mark.parametrize("line", ['"$@" 2> /dev/full', '"$@" 2>&-'])
def test_messages_that_nobody_takes_are_lost(line: str) -> None:
    assert shell(line, "list", "nonsense").returncode == 2
    assert shell(line, "list", "matrices").stdout.startswith(b"quick ")


@pytest.mark.parametrize("words", [["list", "matrices"], ["list", "matrices", "--json"]])
def test_a_reader_that_has_ended_is_no_failure(words: Sequence[str]) -> None:
    done = nobody_reads(*words)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_has_ended_leaves_the_answer_as_it_is(failed: Path) -> None:
    done = nobody_reads("report", str(failed))
    assert (done.returncode, done.stderr) == (1, b"")
    assert (failed / "report.md").exists()


def nobody_reads(*words: str) -> Any:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [*LOADTEST, *words], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=120
        )
    finally:
        os.close(writer)


ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
UTF8 = {"PYTHONUTF8": "1"}


@pytest.mark.real
def test_a_report_is_the_same_in_any_locale(failed: Path) -> None:
    (failed / "logs" / "x.log").write_text("not ASCII: \u00e9\n", encoding="utf-8")
    known = shell('"$@"', "report", str(failed), env=UTF8)
    pages = {path: path.read_bytes() for path in failed.iterdir() if path.is_file()}
    other = shell('"$@"', "report", str(failed), env=ASCII)
    assert (other.returncode, other.stderr) == (known.returncode, known.stderr)
    assert other.stdout == known.stdout
    assert {path: path.read_bytes() for path in failed.iterdir() if path.is_file()} == pages


def test_what_is_typed_is_text() -> None:
    done = shell('"$@" "$(printf "\\377")"', "report", env=UTF8)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("loadtest: \\udcff: no text in the encoding of this terminal, utf-8;")
