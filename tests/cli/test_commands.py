"""What is typed and what comes back: plans, lists, reports, an exit status, no traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from builders import outcome, plan, run
from command_line import Type
from paths import BAD, ROOT

from loadtest.bench.servers.services import Services
from loadtest.cli import main
from loadtest.cli.commands import COMMANDS
from loadtest.cli.run import _launched_by
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.project import App, Project
from loadtest.records.errors import CellError, UserError
from loadtest.records.measured import Begun
from loadtest.records.planned import Plan, Shape
from loadtest.records.run_folder import OUTCOMES, SERVERS, Writer, create
from loadtest.records.values import MOST_TRIED
from loadtest.stats.search import MOST_TRIES

pytestmark = pytest.mark.usefixtures("no_addresses")


@pytest.mark.real
def test_a_server_without_its_package_is_skipped(type_: Type, copy: Path) -> None:
    uvicorn = copy / "servers" / "uvicorn.toml"
    uvicorn.write_text(uvicorn.read_text().replace('"uvloop"', '"no-such-dist"', 1))
    done = type_(
        "plan", "quick", "--server", "uvicorn*", "--endpoint", "json", "--project", copy, "--json"
    )
    assert done.status == 0
    skips = {cell.server: cell.skip for cell in msgspec.json.decode(done.out, type=Plan).cells}
    assert skips == {
        "uvicorn": "not installed: no-such-dist; `loadtest env uvicorn`",
        "uvicorn-h11": None,
        "uvicorn-h11-again": None,  # the second arm is of one that can run
    }


def test_a_plan_is_the_same_with_its_seed(type_: Type) -> None:
    arguments = ["plan", "quick", "--server", "g*", "--endpoint", "json", "--rounds", "2", "-v"]
    first, second = (type_(*arguments, "--seed", "7") for _ in range(2))
    assert (first.status, first.out) == (0, second.out)
    assert "round 2  json-sync                granian-asgi" in first.out
    assert "skipped  gunicorn-gevent" in first.out
    assert first.out.endswith("The same order again: --seed 7.\n")
    measured = [line for line in first.out.splitlines() if line.startswith("round")]
    assert f"\n{len(measured)} loads in 2 rounds, about" in first.out


def test_a_plan_is_a_line_for_each_server(type_: Type) -> None:
    done = type_("plan", "standard", "--rounds", "1", "--seed", "7")
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) <= 100
    names = [line.split()[0] for line in done.out.splitlines() if line and line[0].isalpha()]
    assert {path.stem for path in (ROOT / "servers").glob("*.toml")} <= set(names)
    # A reason stands once, with all that it is about, and no cell has a line of its own.
    reasons = [line for line in done.out.splitlines() if line.startswith("skipped: ")]
    assert len(reasons) == len(set(reasons)) > 1
    assert len(done.out.splitlines()) < 80
    each = type_("plan", "standard", "--rounds", "1", "--seed", "7", "--each")
    assert each.out.splitlines()[-1] == done.out.splitlines()[-1]
    skipped = sum(line.startswith("skipped") for line in each.out.splitlines())
    cells = [line.split() for line in done.out.splitlines() if line[-2:-1] == "."]
    assert sum(int(row[2]) for row in cells if row[2] != "-") == skipped


CHOSEN = ("--server", "granian-wsgi", "--server", "uvicorn", "--seed", "7")


def test_a_plan_says_how_long_a_search_may_take(type_: Type) -> None:
    asked = ("plan", "quick", *CHOSEN, "--endpoint", "json-sync", "--within", "p99=300ms")
    done = type_(*asked)
    text = " ".join(done.out.split())
    assert done.status == 0
    usual, most = re.findall(r"about (\d+) min, (\d+) min at most", text)[0]
    assert int(usual) < int(most)
    assert "3 loads as fast as each server can be driven, then about " in text
    assert f"at a rate for each, {MOST_TRIES} at most" in text
    assert f"the connections that it needs, {MOST_TRIED:,} at most" in text
    assert "--budget" not in text
    limited = " ".join(type_(*asked, "--budget", "1m").out.split())
    assert "min at most; no further load begins after 1 min (see --budget). The same" in limited


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ["--budget", "5s"],
            r"\d+ s on an idle machine\. The first round alone takes about \d+ s, longer than the"
            r" budget of 5 s: it is measured whole, and no other\. The same",
        ),
        (
            ["--budget", "15s"],
            r"\d+ s on an idle machine; as many as fit into 15 s, and less once the order",
        ),
        (
            ["--budget", "2m"],
            r"\d+ s on an idle machine; 2 min of measuring at most, and less once the",
        ),
        (["--budget", "2m", "--precision", "3%"], r"known to 3 %; 2 min of measuring at most\."),
        (["--precision", "3%"], r"ratio is known to 3 % \(no limit: see --budget\)\."),
    ],
)
def test_a_plan_says_what_a_budget_leaves_of_it(type_: Type, options: list[str], says: str) -> None:
    """With a budget of one minute it said that the run takes eight."""
    done = type_("plan", "quick", *CHOSEN, "--endpoint", "json-sync", *options)
    assert re.search(says, " ".join(done.out.split()))


def test_a_plan_says_how_long_steps_take(type_: Type) -> None:
    text = " ".join(type_("plan", "rates", *CHOSEN, "--endpoint", "json-sync").out.split())
    assert "3 loads as fast as each server can be driven, then 9 at a rate for each: about" in text


def test_a_plan_says_what_each_rate_needs(type_: Type) -> None:
    slow = ("--endpoint", "json-sync", "--endpoint", "gateway_1s-sync")
    text = " ".join(type_("plan", *CHOSEN, *slow, "--rate", "200", "--rate", "50").out.split())
    assert "50 requests/s: 25 connections, 8 s a load (json-sync); 75 connections, 8 s" in text
    assert (
        "200 requests/s: 100 connections, 2 s a load (json-sync); 300 connections, 4 s a load"
        " (gateway_1s-sync)"
    ) in text


@pytest.mark.parametrize("what", ["servers", "endpoints", "matrices"])
def test_lists(type_: Type, what: str) -> None:
    text, data = type_("list", what), type_("list", what, "--json")
    assert text.status == data.status == 0
    records = json.loads(data.out)
    assert records
    for record in records:
        assert record["name"] in text.out


@pytest.fixture
def results_of(tmp_path: Path) -> Callable[..., Path]:
    def make(*records: object) -> Path:
        folder = create(tmp_path / "results", run(plan()))
        writer = Writer(folder)
        for record in records:
            writer.append(record)  # type: ignore[arg-type]
        writer.close()
        return folder

    return make


FAILED = outcome(status="failed", stage="launch", reason="it exited with status 3")


def test_a_report_needs_no_server(type_: Type, results_of: Callable[..., Path]) -> None:
    folder = results_of(Begun(started_at=1.0), FAILED)
    done = type_("report", folder)
    assert done.status == 1  # a cell has failed
    assert "it exited with status 3" in done.out
    assert (folder / "report.md").exists()
    assert type_("report", "--out", folder.parent).out == done.out
    data = json.loads(type_("report", folder, "--json").out)
    assert data["folder"] == str(folder)
    assert data["summary"] == json.loads((folder / "summary.json").read_text())
    assert {"report.md", "summary.csv"} <= {Path(name).name for name in data["files"]}
    assert all(Path(name).exists() for name in data["files"])


def test_the_end_of_a_log_is_shown(type_: Type, results_of: Callable[..., Path]) -> None:
    log = "".join(f"line {number}\n" for number in range(30)) + "OSError: [Errno 98] in use\n\n"
    done = type_("report", results_of(msgspec.structs.replace(FAILED, detail=log)))
    assert "    OSError: [Errno 98] in use\n" in done.out
    assert "line 29" in done.out
    assert "line 9\n" not in done.out
    # A master says much after its worker's traceback, which has the reason.
    log = "Traceback:\n  File x\nModuleNotFoundError: No module named 'nowhere'\n"
    log += "".join(f"line {number}\n" for number in range(30))
    done = type_("report", results_of(msgspec.structs.replace(FAILED, detail=log)))
    assert "    ModuleNotFoundError: No module named 'nowhere'\n    line 26\n" in done.out


def test_a_run_without_a_number_is_no_success(type_: Type, results_of: Callable[..., Path]) -> None:
    done = type_("report", results_of(outcome(status="skipped", reason="not installed: it")))
    assert done.status == 1
    assert "not installed: it" in done.out
    assert done.lines == [
        "loadtest: nothing was measured: every cell was skipped: not installed: it"
    ]


def test_a_plan_of_nothing_is_no_success(type_: Type) -> None:
    only = ("--server", "gunicorn-sync", "--style", "async", "--endpoint", "httpx")
    assert type_("plan", "quick", *only).status == 1
    assert type_("plan", "quick", *only, "--json").status == 1
    assert type_("plan", "quick", "--server", "gunicorn-sync").status == 0


def test_a_report_of_damaged_outcomes_has_its_notes(
    type_: Type, results_of: Callable[..., Path]
) -> None:
    folder = results_of(FAILED)
    with open(folder / OUTCOMES, "ab") as file:
        file.write(b"\0\0\n" + msgspec.json.encode(FAILED)[:40])
    done = type_("report", folder)
    assert done.status == 1
    damaged, torn = done.lines
    assert damaged.startswith("loadtest: outcomes.jsonl, line 2: damaged, dropped")
    assert torn.startswith("loadtest: outcomes.jsonl, line 3: torn when the run ended, dropped")


def test_a_run_goes_on_as_it_was_planned(type_: Type, results_of: Callable[..., Path]) -> None:
    folder = results_of(FAILED)
    done = type_("run", "--resume", folder, "--duration", "3", "--rounds", "2", "--server", "u*")
    assert done.status == 2
    assert done.lines == [
        "loadtest: --resume goes on with the plan as it was; leave out --duration, --rounds,"
        " --server"
    ]
    done = type_("run", "seed", "--no-pin", "--resume", folder)
    assert done.status == 2
    assert done.lines == [
        "loadtest: --resume goes on with the plan as it was; leave out --pin, seed"
    ]


def test_a_matrix_is_typed_beside_resume_for_further_endpoints_alone(
    type_: Type, results_of: Callable[..., Path]
) -> None:
    folder = results_of(FAILED)
    done = type_("run", "mine.toml", "--resume", folder)
    assert done.lines == ["loadtest: --resume goes on with the plan as it was; leave out mine.toml"]
    done = type_("run", "mine.toml", "--resume", folder, "--endpoint", "raw", "--rounds", "2")
    assert done.lines == ["loadtest: --resume goes on with the plan as it was; leave out --rounds"]


@pytest.mark.real
def test_a_run_does_not_go_on_with_broken_files(
    type_: Type, copy: Path, results_of: Callable[..., Path]
) -> None:
    (copy / "servers" / "uvicorn.toml").write_text("summary = 'unfinished")
    done = type_("run", "--resume", results_of(FAILED), "--project", copy)
    assert done.status == 2
    (line,) = done.lines
    assert "uvicorn.toml: not valid TOML" in line


def test_a_run_does_not_go_on_with_other_software(
    type_: Type, results_of: Callable[..., Path]
) -> None:
    folder = results_of(FAILED)
    data = json.loads((folder / SERVERS.file).read_text())
    data["machine"]["versions"]["Django"] = "1.4"
    (folder / SERVERS.file).write_text(json.dumps(data))
    done = type_("run", "--resume", folder)
    assert done.status == 2
    (line,) = done.lines
    assert "Django 1.4 then" in line
    assert "endpoint json-sync is declared differently now" in line
    assert "begin another: loadtest run test --seed 1" in line


@pytest.mark.real
def test_a_server_that_does_not_start_says_why(
    type_: Type, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "servers" / "bad.toml").write_text(
        'summary = "It exits at once."\ninterface = "wsgi"\nrequires = ["gunicorn"]\n'
        f'in_flight = "workers"\nargv = ["{{python}}", "{BAD}/exits_at_once.py"]\n'
    )

    @contextmanager
    def none(project: Project, logs: Path, shape: Shape) -> Iterator[Services]:
        yield Services(project, logs, shape)

    monkeypatch.setattr("loadtest.bench.servers.services.services", none)
    done = type_("serve", "bad", "--project", copy)
    assert done.status == 1
    # Where something else has the port a line says so first.
    assert done.lines[-2:] == [
        "loadtest: bad exited with status 3 before it answered",
        "cannot import name 'application'",
    ]


def test_containers_are_for_a_project_that_has_them() -> None:
    """A docker-compose.yml of its own would be brought up, with all that is in it."""
    offered = Inventory(Project(Path(), "python", App()), (), (), {})
    assert _launched_by("local", offered, Path(), ()) == (offered, {})
    with pytest.raises(UserError, match="compose = true under"):
        _launched_by("compose", offered, Path(), ())


def test_the_services_are_printed_as_a_project_is_told(
    type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted into another terminal they are found, whichever variables the settings read."""
    died = CellError("services", "the upstream was ended by SIGKILL", "")

    @contextmanager
    def up(project: Project, logs: Path, shape: Shape) -> Iterator[Any]:
        env = {"LOADTEST_UPSTREAM": "http://127.0.0.1:8081"}
        yield SimpleNamespace(env=env, repair=lambda: died)

    monkeypatch.setattr("loadtest.bench.servers.services.services", up)
    for name in ("UPSTREAM_URL", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)  # tests of the app have them
    done = type_("services")
    assert (done.status, done.lines[-1]) == (1, f"loadtest: {died.reason}")
    assert {
        "export LOADTEST_UPSTREAM=http://127.0.0.1:8081",
        "export UPSTREAM_URL=http://127.0.0.1:8081",
        "export DJANGO_SETTINGS_MODULE=loadtest_settings",
    } <= {*done.out.splitlines()}


@pytest.mark.parametrize("name", [None, *sorted(main.cli.commands)])
def test_every_help_has_an_example(type_: Type, name: str | None) -> None:
    done = type_(*([name] if name else []), "--help")
    assert done.status == 0
    assert "Example: loadtest " in done.out


def test_help_is_a_word_as_well(type_: Type) -> None:
    whole, of_run = type_("--help"), type_("run", "--help")
    assert (type_("help"), type_("help", "run")) == (whole, of_run)
    nothing = type_()
    assert (nothing.status, nothing.out) == (2, whole.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_help_begins_with(name: str) -> None:
    command = main.cli.commands[name]
    assert isinstance(command, main.Deferred)
    assert command.load().name == name
    assert str(command.load().help).startswith(f"{command.short_help}\n")


@pytest.mark.parametrize("typed", [[], *([name] for name in COMMANDS), ["--version"]])
def test_help_is_at_hand_without_what_measures_judges_and_draws(typed: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        "from loadtest.cli.main import main\n"
        "atexit.register(lambda: print('modules:', *sys.modules))\n"
        f"sys.argv = ['loadtest', *{typed!r}, '--help']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.rpartition("modules:")[2].split())
    assert "loadtest.cli.main" in modules
    slow = {"asyncio", "jinja2", "numpy", "psycopg", "scipy"}
    rooms = {f"loadtest.{room}" for room in ("bench", "judge", "measure", "stats")}
    assert not modules & (slow | rooms)


@pytest.mark.real
def test_the_module_is_the_command(tmp_path: Path) -> None:
    """As a process, where nothing of this one helps."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "run", "quik"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "loadtest: unknown matrix 'quik'; did you mean quick?\n"
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
