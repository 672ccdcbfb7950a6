"""A short part of `make attack`, the same each time: the rest of it takes hours."""

from __future__ import annotations

import json
import os
import re
import selectors
import time
from pathlib import Path
from random import Random

import msgspec
import pytest
from attack import arguments, environments, processes, readers, seeds
from attack.isolated import faults
from attack.mutations import Mutate, in_bytes, in_json, in_json_lines, in_text, in_toml
from attack.readers import READERS, Reader
from attack.sanity import nonsense
from attack.tally import broken, unclean, unkind
from builders import contract, loaded, server
from builders import plan as plan_of
from census import until
from paths import TESTS

from loadtest.records.measured import Histogram

SEED = 14

INPUTS = 50
"""Of each reader."""

JOBS = 2
"""Whatever there is, so that the same inputs are rendered."""


# What an attack notices ---------------------------------------------------------------------------


def test_what_a_child_does_not_survive_is_a_failure_and_no_end() -> None:
    def check(number: int) -> str | None:
        if number == 3:
            os.abort()
        try:
            held = bytearray(3_000_000_000 if number == 5 else 1)
        except MemoryError:
            return "memory"
        return "seven" if number == 7 and held else None

    assert faults(check, range(12), 2) == [
        (3, "it ended the process with status -6"),
        (5, "memory"),
        (7, "seven"),
    ]


def test_what_takes_its_time_has_a_child_of_its_own(tmp_path: Path) -> None:
    """Each ends it for good; only two are there at a time."""

    def check(number: int) -> str | None:
        mine = tmp_path / str(os.getpid())
        mine.touch()
        time.sleep(0.05)
        there = len(list(tmp_path.iterdir()))
        mine.unlink()
        if number == 4:
            raise ValueError("a fault")
        return "a crowd" if there > 2 else str(os.getpid())

    failed = faults(check, range(6), 2, limited=False)
    assert [number for number, _ in failed] == list(range(6))
    assert failed[4][1] == "ValueError: a fault"
    assert len({why for _, why in failed}) == 6


def test_what_is_interrupted_clears_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"

    def check(number: int) -> str | None:
        try:
            mark.touch()
            time.sleep(60)
        finally:
            mark.unlink()
        return None

    def interrupted(*_: object, **__: object) -> None:
        until(mark.exists, "a child that is at work")
        raise KeyboardInterrupt

    monkeypatch.setattr(selectors.DefaultSelector, "select", interrupted)
    with pytest.raises(KeyboardInterrupt):
        faults(check, [0], 1, limited=False)
    assert not mark.exists()


def test_the_same_again_is_checked_and_rendered_once() -> None:
    seen = readers.Seen()
    first, second = loaded(10), loaded(11)
    assert seen.is_new(first)
    assert not seen.is_new(loaded(10))
    assert seen.is_new(first, second)
    assert seen.is_new(changed(loaded(10), timeout_s=float("nan")))
    assert seen.is_new(changed(loaded(10), timeout_s=float("inf")))

    rendered = [seen.renders(plan_of(rounds=2)) for _ in range(2 * readers.RENDERED_AT_LAST + 1)]
    assert rendered[0]
    assert sum(rendered) == 3
    assert any(seen.renders(plan_of(precision=0.1)) for _ in range(readers.RENDERED_EACH))


@pytest.mark.parametrize("text", ["\x1b[2J", "\x00", "\x9b1m", "\u202eabc", "\u2028", "\ufffe"])
def test_what_a_terminal_must_not_get(text: str) -> None:
    assert unclean(text)
    assert broken(2, f"loadtest: {text}: no such file")
    assert unclean("caf\u00e9 \u2013 \u0394 \U0001f600\n\tx") is None


@pytest.mark.parametrize(
    ("status", "err"),
    [
        (1, "Traceback (most recent call last):\n  ..."),
        (-6, ""),
        (120, ""),
        (2, "usage: loadtest"),
        (2, f"loadtest: {'x' * 5_000}"),
    ],
)
def test_how_a_command_must_not_end(status: int, err: str) -> None:
    assert broken(status, err)
    assert broken(2, "loadtest: no such folder\n") is None
    so_far = "starting services and servers: 10 s so far"
    assert broken(2, f"{so_far}\nloadtest: x: cannot be written\n") is None
    assert unkind(["a line\nand another"])


def test_the_table_names_tests_that_are_there() -> None:
    text = (TESTS / "attack" / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+\.py)::(\w+)`", text)
    assert len(named) > 50
    for file, name in named:
        path = TESTS.parent / file if "/" in file else TESTS / "attack" / file
        assert f"def {name}(" in path.read_text(encoding="utf-8"), f"{file}::{name}"


def changed(record: msgspec.Struct, **fields: object) -> msgspec.Struct:
    """Return a record with fields that it may refuse to be made with."""
    for name, value in fields.items():
        msgspec.structs.force_setattr(record, name, value)
    return record


@pytest.mark.parametrize(
    "record",
    [
        changed(Histogram(values_us=(1, 2), counts=(1, 1)), counts=(1,)),
        changed(Histogram(values_us=(1, 2), counts=(1, 1)), values_us=(2, 1)),
        changed(Histogram(values_us=(1, 2), counts=(1, 1)), counts=(1, -1)),
        loaded(10, status_errors=11),
        loaded(10, seconds=0.0),
        loaded(-1),
        contract(delay_s=float("inf")),
        contract(delay_s=float("nan")),
        server("a\x1b[2J"),
        server("x" * 300),
        server(argv=("a\0b",)),
        plan_of(rounds=10**8),
        plan_of(rounds=0),
        plan_of([server("alpha"), server("b" * 300)]),
    ],
    ids=lambda record: type(record).__name__,
)
def test_nonsense(record: msgspec.Struct) -> None:
    assert nonsense(record)
    assert nonsense(loaded(10)) is None
    assert nonsense(plan_of()) is None


@pytest.mark.parametrize(
    ("mutate", "data"),
    [
        (in_bytes, b"abc"),
        (in_json, seeds.wrk_line()),
        (in_json_lines, seeds.wrk_line() + b"\n" + seeds.wrk_line() + b"\n"),
        (in_text, seeds.wrk_report()),
        (in_toml, processes.MATRIX.encode()),
    ],
)
def test_a_seed_makes_the_same_input_again(mutate: Mutate, data: bytes) -> None:
    first = [mutate(Random(number), data) for number in range(200)]
    assert first == [mutate(Random(number), data) for number in range(200)]
    assert len(set(first)) > 50
    if mutate is in_json:  # some are still documents, else only the parser would be tried
        assert sum(_is_json(each) for each in first) > 50


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


# A short attack -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_takes_what_is_sound_and_refuses_the_rest(reader: Reader) -> None:
    tally = readers.attack(reader, SEED, range(INPUTS), JOBS)
    assert tally.failed == []


@pytest.mark.slow
def test_any_argument_is_answered() -> None:
    assert arguments.attack(SEED, range(INPUTS), JOBS).failed == []


@pytest.mark.real
@pytest.mark.parametrize("name", ["report", "plan", "list", "services"])
def test_a_command_may_end_at_any_moment(name: str) -> None:
    (command,) = (each for each in processes.COMMANDS if each.name == name)
    assert processes.attack(command, SEED, range(2)).failed == []


ENVIRONMENTS = (
    "report LC_ALL=C",
    "list fd 1 closed",
    "list fd 1 full",
    "list | head",
    f"run {environments.FOREIGN[0]}",
    f"services {environments.FOREIGN[4]}",
    "run TMPDIR='a b'",
)


@pytest.mark.real
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_worked_in_or_refused(name: str) -> None:
    known = {each.name: each for each in environments.environments()}
    assert len(known) > 100
    assert environments.attack("one", [known[name]], SEED, [0]).failed == []


def test_environments_are_mixed_by_a_seed() -> None:
    first, again, other = (environments.groups(seed)["mixed"] for seed in (SEED, SEED, SEED + 1))
    assert len(first) == environments.MIXED
    names = [each.name for each in first]
    assert names == [each.name for each in again]
    assert names != [each.name for each in other]
    assert len(set(names)) > 90
    assert all(" + " in name for name in names)


def test_a_user_who_is_not_root_is_there_or_it_is_said_why() -> None:
    user = processes.ordinary()
    assert isinstance(user, processes.User) or "\n" not in user
