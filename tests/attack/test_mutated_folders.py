"""Folders with a value changed anywhere: refused in a line, or read and judged without harm."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import client_facts
import msgspec
import pytest
import sample_run
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.cli import kinds
from loadtest.records import measured
from loadtest.records.errors import UserError
from loadtest.records.run_folder import CLIENTS, KINDS, OUTCOMES, SERVERS, Kind, Writer, create
from loadtest.report.formats import formats_in

Path_ = tuple[Any, ...]

NUMBERS = (0, 1, -1, 2, 7, 100, 10**4, 10**6, 2**31, 2**53, 2**63 - 1, 2**63, 10**30, 10**400)
FLOATS = (0.0, -0.0, 0.5, -1.5, 1e-6, 1e-29, 5e-324, 1e-308, 1e5, 1e8, 1e15, 1e29, 1e308)
TEXTS = ("", "a", "\x1b[2J", "\0", "\ufffe", "../x", "raw/x.json", "=1+1", "x" * 300, "x" * 5_000)
OTHERS: tuple[Any, ...] = (None, True, [], {}, [0], {"a": 1}, "DEEP")
nasty = st.sampled_from([*NUMBERS, *FLOATS, *TEXTS, *OTHERS])


@cache
def folder_of(kind: Kind[Any, Any, Any]) -> dict[str, bytes]:
    """Return the files of a whole run by name."""
    ended: Any
    if kind is SERVERS:
        run, outcomes, segments = sample_run.sample()
        whole = msgspec.structs.replace(run.plan, reference="gthread", precision=0.05)
        run = msgspec.structs.replace(run, plan=whole)
        host = measured.Host(
            window_s=3.0,
            processors=2,
            busy_cpu_s=3.0,
            other_cpu_s=0.1,
            steal_cpu_s=0.0,
            throttled_s=0.0,
        )
        ended = [
            *(msgspec.structs.replace(of, host=host if of.loaded else None) for of in outcomes),
            measured.Ceiling(body_bytes=30, goodput=60_000.0, generator_cpu_us=7.0),
            measured.Launch(
                server="gthread",
                round=0,
                launch_s=1.0,
                memory_launched_bytes=10**8,
                memory_bytes=10**8,
            ),
            *segments,
        ]
    else:
        stored = client_facts.sample()
        run, ended = stored.run, [*stored.outcomes, *stored.ceilings]
    with tempfile.TemporaryDirectory() as name:
        folder = create(Path(name), run)
        with closing(Writer(folder)) as writer:
            for fact in ended:
                writer.append(fact)
        for fact in ended:
            if isinstance(fact, measured.Outcome) and fact.histogram:
                histogram = sample_run.histograms(fact.histogram)
                (folder / fact.histogram).write_bytes(msgspec.json.encode(histogram))
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def places(value: Any, way: Path_ = ()) -> Iterator[Path_]:
    """Yield the way to all that stands in a value of JSON."""
    if way:
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items if isinstance(value, dict | list) else ():
        yield from places(each, (*way, key))


def changed(data: bytes, draw: Any) -> bytes:
    """Return a line of JSON with a value in it changed, doubled or taken away."""
    facts = json.loads(data)
    *way, last = draw(st.sampled_from(list(places(facts))))
    at = facts
    for step in way:
        at = at[step]
    value = draw(nasty)
    if value == "DEEP":
        text = json.dumps(facts | {"kind": "DEEP"})
        return text.replace('"DEEP"', "[" * 3_000 + "]" * 3_000).encode()
    if isinstance(at, list) and draw(st.booleans()):
        at.append(at[last])
    elif draw(st.integers(0, 9)) == 0:
        del at[last]
    else:
        at[last] = value
    return json.dumps(facts).encode()


@pytest.mark.parametrize("kind", KINDS, ids=[kind.file for kind in KINDS])
@pytest.mark.parametrize("in_outcomes", [False, True])
@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_value_does_no_harm(
    kind: Kind[Any, Any, Any], in_outcomes: bool, data: st.DataObject
) -> None:
    files = dict(folder_of(kind))
    file = OUTCOMES if in_outcomes else kind.file
    lines = files[file].splitlines() if in_outcomes else [files[file]]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        try:
            lines[at] = changed(lines[at], data.draw)
        except (ValueError, RecursionError):
            continue  # it was made unreadable before
    files[file] = b"\n".join(lines) + b"\n"
    with tempfile.TemporaryDirectory() as name:
        for path, content in files.items():
            (Path(name) / path).parent.mkdir(exist_ok=True)
            (Path(name) / path).write_bytes(content)
        of = kinds.of_folder(Path(name))
        try:
            report = of.report(kinds.read(of, Path(name)))
        except UserError as error:
            assert all("\n" not in line for line in error.lines)
            return
        for name_, make in formats_in(of.formats).items():
            if name_ in ("csv", "json", "markdown", "rst"):
                make(report)
        figures = msgspec.to_builtins(report.summary)
    assert all(math.isfinite(number) for number in numbers(figures))


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, float):
        yield value


def test_the_whole_folders_are_taken() -> None:
    for kind in (SERVERS, CLIENTS):
        with tempfile.TemporaryDirectory() as name:
            for path, content in folder_of(kind).items():
                (Path(name) / path).parent.mkdir(exist_ok=True)
                (Path(name) / path).write_bytes(content)
            of = kinds.of_folder(Path(name))
            stored = kinds.read(of, Path(name))
            assert stored.notes == ()
            assert of.report(stored).summary.counts.measured
