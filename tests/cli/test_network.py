"""Which commands leave the machine's network, when, and what they say where they cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builders import endpoint, plan, run, server
from command_line import Type
from paths import ROOT

from loadtest.cli.network import enter
from loadtest.records.measured import Network
from loadtest.records.run_folder import create

PROJECT = """
format = 1
[project]
python = "/nowhere/python"
settings = "shop.settings"
[database]
kind = "postgres"
redis = true
{allow}
[[endpoint]]
name = "home"
path = "/"
"""

MOVES = """
import os, sys
from loadtest.system import network

def enter(beside):
    print(len(os.listdir("/proc/self/task")), flush=True)
    os._exit(0)

network.enter = enter
from loadtest.__main__ import main
main()
"""


@pytest.fixture
def shop(tmp_path: Path, no_addresses: None) -> Path:
    (tmp_path / "loadtest.toml").write_text(PROJECT.format(allow=""))
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a network")
@pytest.mark.parametrize("command", ["init", "record", "check", "run"])
def test_a_command_moves_before_it_has_threads(shop: Path, command: str) -> None:
    """The system refuses an ordinary user's with threads, and root's would stay where they are."""
    done = subprocess.run(
        [sys.executable, "-c", MOVES, command, "--project", shop],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.fixture
def asked(type_: Type, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Give a list that has an entry for each network that a command asked for."""
    entered: list[None] = []
    monkeypatch.setattr("loadtest.system.network.enter", lambda beside: entered.append(None))
    return entered


@pytest.mark.parametrize(
    ("words", "moves"),
    [
        (["run"], True),
        (["run", "--launcher", "local"], True),
        (["run", "--launcher", "compose"], False),
        (["run", "--launcher", "running"], False),
        (["run", "--agents", "2"], False),  # which have to reach the servers
        (["run", "--resume", "gone"], False),
        (["record"], True),
        (["check"], True),
        (["serve", "gunicorn-sync"], False),  # to be reached from a browser
    ],
)
def test_who_moves(
    words: list[str], moves: bool, type_: Type, shop: Path, asked: list[None]
) -> None:
    assert type_(*words, "--project", shop).status == 2  # its interpreter is not there
    assert asked == [None] * moves


@pytest.mark.parametrize(("network", "moves"), [("own", True), ("machine", False), (None, False)])
def test_a_run_goes_on_on_the_network_of_its_rounds(
    network: Network | None, moves: bool, type_: Type, shop: Path, asked: list[None], tmp_path: Path
) -> None:
    begun = run(plan([server("alpha")], [endpoint("json")]), network=network)
    folder = create(tmp_path / "results", begun)
    assert type_("run", "--resume", folder, "--project", shop).status == 2  # as above
    assert asked == [None] * moves


@pytest.mark.parametrize(
    ("variable", "allow", "outside"),
    [
        (None, "", []),
        (None, '[allow]\nconnect = ["/run/x.sock"]', []),
        (None, '[allow]\nconnect = ["/run/x.sock", "localhost:9200"]', []),
        ("LOADTEST_REDIS", "", ["LOADTEST_REDIS"]),
        ("DATABASE_URL", "", []),  # of whoever set it
    ],
)
def test_who_has_to_reach_what_is_on_the_machine_stays(
    variable: str | None,
    allow: str,
    outside: list[str],
    type_: Type,
    shop: Path,
    asked: list[None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (shop / "loadtest.toml").write_text(PROJECT.format(allow=allow))
    if variable:
        monkeypatch.setenv(variable, "redis://127.0.0.1:6379/0")
    done = type_("record", "--project", shop)
    assert asked == [None] * (not outside)
    line = f"network: this machine's, for {' '.join(outside)}: only Python's own sockets are held"
    assert (line in done.err) == bool(outside)


@pytest.mark.parametrize(
    ("outside", "refused", "which", "state"),
    [
        ([], None, "own", "one of its own: nothing but the services of the run can be reached"),
        (
            [],
            "Operation not permitted",
            "machine",
            "this machine's, as none of its own can be had (Operation not permitted): only Python's"
            " own sockets are held to the services",
        ),
        (
            ["LOADTEST_REDIS"],
            None,
            "machine",
            "this machine's, for LOADTEST_REDIS: only Python's own sockets are held to the"
            " services",
        ),
    ],
)
def test_it_is_said_which_it_is(
    outside: list[str],
    refused: str | None,
    which: str,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadtest.system.network.enter", lambda beside: refused)
    assert enter(outside) == (which, state)


def test_what_is_reached_beside_the_services_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr("loadtest.system.network.enter", given.append)
    state = enter([], ["localhost:9200"])[1]
    assert state.endswith("nothing but the services of the run and localhost:9200 can be reached")
    assert given == [["localhost:9200"]]
