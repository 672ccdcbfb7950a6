"""What differs between the conditions of two runs, and what of it is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from builders import LOAD, contract, plan, run
from two_runs import JSON, SERVERS, with_machine

from loadtest.judge.servers.conditions import differences
from loadtest.records.measured import Engine, Run
from loadtest.records.planned import Shape

REMOTE = Engine(
    address="ssh://there",
    name="there",
    remote=True,
    version="27.0",
    system="Linux",
    processors=2,
    memory_bytes=8_000_000_000,
)


def with_plan(of: Run, **changes: Any) -> Run:
    return msgspec.structs.replace(of, plan=msgspec.structs.replace(of.plan, **changes))


def cells(of: Run, **changes: Any) -> Run:
    changed = tuple(msgspec.structs.replace(cell, **changes) for cell in of.plan.cells)
    return with_plan(of, cells=changed)


LONGER = msgspec.structs.replace(LOAD, duration_s=5)
BASE = run(plan(SERVERS, [JSON]))


@pytest.mark.parametrize(
    ("new", "keys"),
    [
        (with_machine(BASE, cpu="another"), {"cpu"}),
        (with_machine(BASE, processors=4), {"processors"}),
        (with_plan(BASE, shape=Shape(workers=4, threads=8)), {"shape.workers", "shape.threads"}),
        (cells(BASE, load=LONGER), {"load of alpha.json-sync and 2 more"}),
        (
            cells(BASE, endpoint=msgspec.structs.replace(JSON, contract=contract(body_bytes=31))),
            {"contract of json-sync: body_bytes"},
        ),
        (msgspec.structs.replace(BASE, engine=REMOTE), {"machine of the servers"}),
    ],
)
def test_another_machine_load_or_workload_is_refused(new: Run, keys: set[str]) -> None:
    refused = differences(BASE, new)
    assert {difference.key for difference in refused} == keys
    assert all(difference.forbids for difference in refused)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (with_machine(BASE, python="CPython 3.13"), [("python", "CPython 3.11.2", "CPython 3.13")]),
        (with_machine(BASE, system="Linux 7"), [("system", "Linux", "Linux 7")]),
        (
            with_machine(BASE, versions={"Django": "6.0", "uvloop": "1"}),
            [("Django", "5.2", "6.0"), ("uvloop", "none", "1")],
        ),
        (
            msgspec.structs.replace(BASE, argv={"alpha": ("alpha", "--fast")}),
            [("argv of alpha", "alpha 8000", "alpha --fast")],
        ),
        (with_plan(BASE, turns=4), [("turns of a round", "1", "4")]),
        (with_machine(BASE, cpu=None), [("cpu", "a CPU", "unknown")]),
        (
            msgspec.structs.replace(BASE, launcher="compose"),
            [("launcher", "local", "compose")],
        ),
        (
            cells(BASE, endpoint=msgspec.structs.replace(JSON, contract=contract(pooled=True))),
            [("contract of json-sync: pooled", "False", "True")],
        ),
    ],
)
def test_software_is_named_and_so_is_the_unknown(
    new: Run, expected: list[tuple[str, str, str]]
) -> None:
    keys = differences(BASE, new)
    assert [(key.key, key.base, key.new) for key in keys] == expected
    assert not any(key.forbids for key in keys)
