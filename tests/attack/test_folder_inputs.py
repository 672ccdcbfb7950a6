"""What once did harm in a run's folder is refused or left out, in a line each, and never taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command_line import Type
from hostile_folder import INPUTS, inputs, of_input

from loadtest.bench.load import wrk
from loadtest.cli import kinds
from loadtest.records.errors import UserError
from loadtest.records.measured import Histogram
from loadtest.records.run_folder import Stored, read
from loadtest.records.text import UNSAFE
from loadtest.report.formats import formats_in

DESCRIPTIONS = inputs("run-json", "compare", "clients-json")
OUTCOMES = inputs("outcomes", "clients-outcomes")


def fits(line: str) -> bool:
    """Say whether a message is one short printable line."""
    return len(line) < 1_000 and not re.search(f"[{UNSAFE}\n]", line)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    kind = of_input(name, tmp_path)
    with pytest.raises(UserError, match="damaged") as error:
        read(tmp_path, kind)
    (line,) = error.value.lines
    assert line.startswith(str(tmp_path / kind.file))
    assert fits(line)


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_are_left_out_and_judged_without(name: str, tmp_path: Path) -> None:
    kind = of_input(name, tmp_path)
    stored: Stored[Any, Any, Any] = read(tmp_path, kind)
    kept = msgspec.to_builtins((stored.outcomes, stored.ceilings, stored.segments))
    assert all(0 <= number < 1e16 for number in numbers(kept))
    assert all(fits(note) for note in stored.notes)
    of = kinds.of_folder(tmp_path)
    try:
        report = of.report(stored)
    except UserError as error:
        # Counts that are not those of the latencies beside them.
        (line,) = error.lines
        assert "more latencies than its load had answers); remove it" in line
        return
    if name == "outcomes-23396a72":  # more load than there was time
        assert report.summary.load_share is None
    else:
        assert stored.notes
    if "-full-" in name:  # which once did no harm before a report was written
        for files in formats_in(of.formats).values():
            files(report)


def test_the_counts_of_another_load_are_refused(type_: Type, tmp_path: Path) -> None:
    of_input("outcomes-506bbfdd", tmp_path)
    done = type_("report", tmp_path)
    assert done.status == 2
    (line,) = done.lines
    assert line.startswith(f"loadtest: {tmp_path}/raw/gunicorn-sync.json-sync.r0.json: damaged (")


@pytest.mark.parametrize("name", [DESCRIPTIONS[0], DESCRIPTIONS[-1]])
def test_every_command_says_so(name: str, type_: Type, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    of_input(name, folder)
    begin = "clients" if name.startswith("clients") else "run"
    for words in (["report", folder], [begin, "--resume", folder], ["report", "--out", tmp_path]):
        done = type_(*words)
        assert done.status == 2
        (line,) = done.lines
        assert ": damaged: " in line
        assert fits(line)


@pytest.mark.parametrize("name", inputs("histogram"))
def test_a_histogram_is_refused(name: str) -> None:
    data = (INPUTS / name).read_bytes()
    # Of one it shows beside its counts alone that they cannot be of the same load.
    if name in ("histogram-506bbfdd", "histogram-5d2fa347"):
        return
    with pytest.raises(ValueError, match=r"."):
        msgspec.json.decode(data, type=Histogram)


@pytest.mark.parametrize("name", inputs("wrk-lua"))
def test_a_line_of_wrk_is_refused(name: str) -> None:
    with pytest.raises(wrk.NoResultError, match="cannot be read"):
        wrk.parse("", (INPUTS / name).read_text())
