"""Damaged copies of the real report: no block is dropped in silence."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wrk_reports import CREATED_AT, LINES, imported

from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.blocks import find
from loadtest.measure.servers.imported.lines import lines_of

RUNNING = {line for line in LINES if line.startswith("Running ")}


def starts(lines: list[str]) -> list[int]:
    """Return the numbers of the lines, from 1, at which a block starts unharmed."""
    return [at for at, line in enumerate(lines, 1) if line in RUNNING]


def check_accounted(lines: list[str]) -> None:
    """Every block is imported, or a line of it is listed; nothing is both or made up."""
    text = "\n".join(lines)
    converted, parsed = imported(text), find(lines_of(text.encode()))
    begin = starts(lines)
    read = {block.line for block in parsed.blocks}
    noted = {note.line for note in converted.notes if "not imported" in note.text}
    for start, end in pairwise([*begin, len(lines) + 1]):
        assert start in read or any(start <= line < end for line in noted), start
    assert len(parsed.blocks) == len(converted.outcomes) + converted.left_out - parsed.unread
    assert len(converted.outcomes) + converted.left_out >= len(begin)
    assert all(1 <= note.line <= len(lines) for note in converted.notes)
    assert len(converted.raw) == len(converted.outcomes)
    if converted.outcomes:
        # It is a run that the format takes, and no two cells share a name.
        ids = [cell.id for cell in converted.run.plan.cells]
        assert len(set(ids)) == len(ids)
        msgspec.json.decode(msgspec.json.encode(converted.run), type=type(converted.run))


def garbled(line: str, chance: random.Random) -> str:
    """Return a line with some of its characters changed, lost or doubled."""
    characters = list(line) or [" "]
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(characters))
        characters[at] = chance.choice(["", chr(chance.randrange(32, 0x3000)), "9", "#", "`" * 3])
    return "".join(characters)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_in_a_damaged_copy_no_block_is_dropped(chance: random.Random) -> None:
    lines = list(LINES)
    for _ in range(chance.randint(1, 60)):
        at = chance.randrange(len(lines))
        if chance.random() < 0.5:
            del lines[at]
        else:
            lines[at] = garbled(lines[at], chance)
    check_accounted(lines)


@settings(max_examples=20)
@given(st.integers(0, len(LINES)), st.integers(0, 40), st.integers(0, len(LINES)))
def test_a_copy_with_a_hole_and_a_torn_end(hole: int, width: int, end: int) -> None:
    check_accounted((LINES[:hole] + LINES[hole + width :])[:end])


@given(st.binary(max_size=300))
def test_what_is_no_report_has_no_run(data: bytes) -> None:
    assert report.convert(data, "x.md", CREATED_AT).outcomes == ()


@pytest.mark.parametrize(
    ("line", "change", "noted"),
    [
        (8, "Runnning 10s test @ http://localhost:8000/myapp/sync/json", 9),
        (10, "  Thread Stat   Avg      Stdev     Max   +/- Stdev", 10),
        (12, "    Req/Sec     1.62k   732.02", 12),
        (13, "  313307 requests in 10.09 parsecs, 91.73MB read", 13),
        (14, "  Socket errors: connect 0, read 30, write 0, timeout many", 14),
        (15, "Requests/sec:  41060.30", 15),
    ],
)
def test_a_damaged_line_is_listed_by_its_number(line: int, change: str, noted: int) -> None:
    lines = list(LINES)
    lines[line - 1] = change
    converted = imported("\n".join(lines))
    assert (len(converted.outcomes), converted.left_out) == (102, 1)
    assert noted in [note.line for note in converted.notes]


def test_a_note_is_a_line_that_can_be_read() -> None:
    text = "\n".join(LINES).replace("Transfer/sec:      9.09MB", f"Transfer/sec: {'9' * 5_000}\x1b")
    (note, *_) = imported(text).notes
    assert len(str(note)) < 1_000
    assert "\x1b" not in str(note)
    assert str(note).endswith("; this block is not imported")
