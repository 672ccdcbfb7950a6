"""Endpoints added to a run that was begun without them."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
import pytest
from builders import run
from demo import PROJECT
from paths import ROOT

from loadtest.cli.run import run_command
from loadtest.measure.servers.new_run import OPTIONS, command_of
from loadtest.measure.servers.resume import widened
from loadtest.plan.servers import inventory
from loadtest.plan.servers.inventory import Inventory
from loadtest.records.errors import UserError
from loadtest.records.measured import Launcher, Run
from loadtest.records.planned import Choice
from loadtest.records.privacy import public_path
from loadtest.records.run_folder import SERVERS, create, read, replan

WORDS = ["standard", "--server", "gunicorn-*", "--endpoint", "json", "--duration", "2"]


@pytest.fixture(scope="module")
def offered() -> Inventory:
    return inventory.take_inventory(PROJECT)


def chosen(words: list[str]) -> tuple[Choice, Launcher]:
    """Return what a command line asks for."""
    values = run_command.make_context("run", words).params
    return Choice(**{key: values[key] for key in ("matrix", *OPTIONS)}), values["launcher"]


def begun(offered: Inventory, words: list[str]) -> Run:
    choice, launcher = chosen([*words, "--seed", "7"])
    plan = inventory.make_plan(offered, choice)
    return run(plan, choice=choice, command=command_of(choice, launcher or "local"))


def add(to: Run, offered: Inventory, *endpoints: str) -> Run:
    return widened(to, offered, endpoints)


def test_a_widened_run_is_what_its_command_plans(offered: Inventory) -> None:
    narrow = begun(offered, WORDS)
    wide = add(narrow, offered, "gateway_3s", "cache_*")
    assert wide.command == (
        "loadtest run standard --server 'gunicorn-*' --endpoint json --endpoint gateway_3s"
        " --endpoint 'cache_*' --duration 2 --seed 7"
    )
    planned = inventory.make_plan(offered, chosen(shlex.split(wide.command)[2:])[0])
    assert wide.plan == planned
    assert all(cell in planned.cells for cell in narrow.plan.cells)
    names = {cell.endpoint.name for cell in planned.cells}
    assert {"json", "gateway_3s", "cache_hit", "cache_set"} == names
    # The 3 s take their own load and rounds, as in a run that had them from the start.
    slow = next(cell for cell in planned.cells if cell.endpoint.name == "gateway_3s")
    assert (slow.load.duration_s, slow.rounds) == (11, 1)


def test_servers_that_were_up_in_groups_stay_in_them(offered: Inventory) -> None:
    """Another number at once would number the turns otherwise, and measure them again."""
    narrow = begun(offered, WORDS)
    narrow = msgspec.structs.replace(narrow, plan=msgspec.structs.replace(narrow.plan, at_once=3))
    wide = add(narrow, offered, "gateway_3s").plan
    assert msgspec.structs.replace(wide, cells=narrow.plan.cells) == narrow.plan
    assert all(cell in wide.cells for cell in narrow.plan.cells)


def test_the_endpoints_of_the_matrix_itself_are_kept(offered: Inventory) -> None:
    narrow = begun(offered, ["quick", "--server", "uvicorn"])
    wide = add(narrow, offered, "gateway_3s")
    names = dict.fromkeys(cell.endpoint.name for cell in narrow.plan.cells)
    assert all(f"--endpoint {name}" in wide.command for name in names)
    assert all(cell in wide.plan.cells for cell in narrow.plan.cells)


def test_a_widened_run_is_launched_as_it_was(offered: Inventory) -> None:
    narrow = begun(offered, [*WORDS, "--launcher", "compose"])
    wide = add(msgspec.structs.replace(narrow, launcher="compose"), offered, "raw")
    assert wide.command.endswith("--endpoint raw --duration 2 --seed 7 --launcher compose")


def test_what_cannot_be_widened_says_why(offered: Inventory) -> None:
    narrow = begun(offered, WORDS)
    with pytest.raises(UserError, match="unknown endpoint 'jsom'"):
        add(narrow, offered, "jsom")
    with pytest.raises(UserError, match="has json already; leave out --endpoint"):
        add(narrow, offered, "json")
    changed = msgspec.structs.replace(
        narrow.plan.cells[0], load=msgspec.structs.replace(narrow.plan.cells[0].load, duration_s=9)
    )
    other = msgspec.structs.replace(narrow.plan, cells=(changed, *narrow.plan.cells[1:]))
    with pytest.raises(UserError, match="would be planned otherwise now"):
        add(msgspec.structs.replace(narrow, plan=other), offered, "raw")
    imported = msgspec.structs.replace(narrow, choice=None)
    with pytest.raises(UserError, match="does not say what it was begun with"):
        add(imported, offered, "raw")


def test_a_matrix_that_lies_elsewhere_is_named_again(
    tmp_path: Path, offered: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run keeps its name alone; what it says to type has to work."""
    monkeypatch.chdir(ROOT)
    path = tmp_path / "mine.toml"
    path.write_text((PROJECT.app.matrices / "quick.toml").read_text())
    narrow = begun(offered, [str(path), "--endpoint", "json"])
    assert narrow.choice
    kept = msgspec.structs.replace(narrow.choice, matrix=public_path(str(path)))
    narrow = msgspec.structs.replace(narrow, choice=kept)
    assert kept.matrix == "mine.toml"
    with pytest.raises(UserError) as caught:
        add(narrow, offered, "raw")
    assert caught.value.lines == (
        "mine.toml is not here, and the run does not say where it lies; type that as well, as in"
        " `loadtest run PATH/mine.toml --resume RUN --endpoint NAME`",
    )
    wide = widened(narrow, offered, ["raw"], str(path))
    assert {cell.endpoint.name for cell in wide.plan.cells} == {"json", "raw"}
    assert str(tmp_path) not in msgspec.json.encode(wide).decode()
    with pytest.raises(UserError, match="would be planned otherwise now"):
        widened(narrow, offered, ["raw"], "seed")


def test_a_wider_plan_replaces_the_other_in_the_folder(tmp_path: Path, offered: Inventory) -> None:
    narrow = begun(offered, WORDS)
    folder = create(tmp_path, narrow)
    wide = add(narrow, offered, "raw")
    replan(folder, wide)
    assert read(folder, SERVERS).run == wide
    assert sorted(path.name for path in folder.iterdir()) == ["logs", "raw", "run.json"]
