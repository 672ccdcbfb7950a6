"""What is typed and what comes back: one line a mistake, an exit status, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from builders import outcome, plan, run

from loadtest import cli, results, serve_command
from loadtest.model import Begun, Endpoint, Plan, Shape
from loadtest.project import Project
from loadtest.services import Services

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.usefixtures("no_addresses")


class Done(msgspec.Struct):
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        assert "Traceback" not in self.err
        return self.err.splitlines()


Type = Callable[..., Done]


@pytest.fixture
def type_(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    declared: dict[str, Endpoint],
) -> Type:
    """Give a function that runs the command line in this process, which saves its start."""
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    monkeypatch.chdir(ROOT)
    ask = Project.endpoints

    def endpoints(project: Project) -> tuple[Endpoint, ...]:
        """Ask this repository's app once for all tests, and any other each time."""
        ours = (project.folder, project.python) == (ROOT, sys.executable)
        return tuple(declared.values()) if ours else ask(project)

    monkeypatch.setattr(Project, "endpoints", endpoints)

    def type_(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["loadtest", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return Done(status=ended.value.code or 0, out=said.out, err=said.err)  # type: ignore[arg-type]

    return type_


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the project whose servers a test may break."""
    folder = tmp_path / "copy"
    for name in ("myproject", "myapp", "servers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    return folder


def test_every_mistake_in_one_go(type_: Type, tmp_path: Path) -> None:
    done = type_(
        "run", "quik", "--server", "uvicron", "--endpoint", "jsno", "--style", "asinc",
        "--rounds", "0", "--out", tmp_path,
    )  # fmt: skip
    assert done.status == 2
    assert done.lines == [
        "loadtest: unknown matrix 'quik'; did you mean quick?",
        "loadtest: unknown server 'uvicron'; did you mean uvicorn or uvicorn-h11 or"
        " gunicorn-uvicorn?",
        "loadtest: unknown endpoint 'jsno'; did you mean json?",
        "loadtest: unknown style 'asinc'; did you mean async or sync?",
        "loadtest: --rounds 0: at least 1",
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "quik"], "unknown matrix 'quik'; did you mean quick?"),
        (["plan", "nowhere.toml"], "unknown matrix 'nowhere.toml'; known: quick, seed, standard"),
        (["rnu"], "No such command 'rnu'"),
        (["run", "--conections", "3"], "No such option '--conections'"),
        (["compare", "one"], "Missing argument 'NEW'; `loadtest compare --help`"),
        (["plan", "--rnds", "3"], "`loadtest plan --help`"),
        (["run", "--rounds", "many"], "'many' is not a valid integer"),
        (["serve", "uvicron"], "unknown server 'uvicron'; did you mean uvicorn"),
        (["serve"], "Missing argument 'SERVER'"),
        (["list", "serves"], "'serves' is not one of 'servers', 'endpoints', 'matrices'"),
        (["run", "--resume", "nowhere"], "results/nowhere: not a run, it has no run.json"),
        (["report", "nowhere"], "nowhere: not a run, it has no run.json"),
        (["report", "--out", "nowhere"], "nowhere: no run there; make one with `loadtest run qui"),
        (["list", "--project", "tests"], "no server there; name the project's folder with --proj"),
        (
            ["plan", "--python", "/nowhere/python"],
            "cannot start /nowhere/python: No such file or directory; install the app",
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
    (copy / "manage.py").unlink()
    done = type_("run", "quick", "--project", copy, "--out", tmp_path / "results")
    assert done.status == 2
    assert [line.partition(": ")[2].partition(":")[0] for line in done.lines] == [
        f"{copy}/servers/uvicorn.toml",
        f"{copy}/servers/waitress.toml",
        f"{copy}",
    ]
    assert "not valid TOML" in done.lines[0]
    assert "unknown key 'unsuported'; did you mean unsupported?" in done.lines[1]
    assert "no manage.py there" in done.lines[2]
    assert not (tmp_path / "results").exists()


def test_a_broken_file_hides_no_other_mistake(
    type_: Type, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "servers" / "uvicorn.toml").write_text("summary = 'unfinished")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = type_(
        "run", "quick", "--project", copy, "--out", tmp_path / "results",
        "--server", "uvicorn", "--server", "granain-*", "--rounds", "0", "--budget", "1m",
    )  # fmt: skip
    assert done.status == 2
    broken, server, rounds, budget, wrk = done.lines
    assert "uvicorn.toml: not valid TOML" in broken
    # The name of a server is known though its file is broken.
    assert "unknown server 'granain-*'; did you mean granian-" in server
    assert "--rounds 0: at least 1" in rounds
    assert "--budget limits --precision" in budget
    assert "wrk is missing" in wrk
    done = type_("doctor", "--project", copy, "--out", tmp_path / "results", "--json")
    assert done.status == 1
    checks = json.loads(done.out)
    assert [one["advice"] for one in checks if one["name"] == "project"] == [broken[10:]]
    assert {"wrk", "other load", "granian-wsgi"} <= {one["name"] for one in checks}
    done = type_("serve", "uvicorn", "--project", copy)
    assert (done.status, done.lines) == (2, [broken])


def test_an_app_that_does_not_start_is_one_line(type_: Type, copy: Path) -> None:
    (copy / "myapp" / "views" / "__init__.py").write_text("import no_such_package")
    done = type_("plan", "quick", "--project", copy)
    assert done.status == 2
    (line,) = done.lines
    assert "No module named 'no_such_package'" in line
    assert "--python" in line


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
    assert "`pip install no-such-dist`" in checks["uvicorn"]["advice"]
    assert checks["uvicorn-h11"]["advice"] is None
    assert checks["open files"]["advice"] is None

    done = type_("doctor", "--project", copy, "--out", tmp_path / "results")
    assert done.status == 1
    assert "NO  wrk" in done.out


def test_a_server_without_its_package_is_skipped(type_: Type, copy: Path) -> None:
    uvicorn = copy / "servers" / "uvicorn.toml"
    uvicorn.write_text(uvicorn.read_text().replace('"uvloop"', '"no-such-dist"', 1))
    done = type_(
        "plan", "quick", "--server", "uvicorn*", "--endpoint", "json", "--project", copy, "--json"
    )
    assert done.status == 0
    skips = {cell.server: cell.skip for cell in msgspec.json.decode(done.out, type=Plan).cells}
    assert skips == {
        "uvicorn": "not installed: no-such-dist; `pip install no-such-dist` (or `make setup`)",
        "uvicorn-h11": None,
        "uvicorn-h11-again": None,  # the second arm is of one that can run
    }


def test_a_plan_is_the_same_with_its_seed(type_: Type) -> None:
    arguments = ["plan", "quick", "--server", "g*", "--endpoint", "json", "--rounds", "2", "-v"]
    one, two = (type_(*arguments, "--seed", "7") for _ in range(2))
    assert (one.status, one.out) == (0, two.out)
    assert "round 2  granian-asgi" in one.out
    assert "skipped  gunicorn-gevent" in one.out
    assert one.out.endswith("the same order again with --seed 7\n")
    # Three servers twice, and gunicorn-gevent's sync style.
    measured = [line for line in one.out.splitlines() if line.startswith("round")]
    assert f"\n{len(measured)} measurements in 2 rounds, about" in one.out


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
        folder = results.create(tmp_path / "results", run(plan()))
        writer = results.Writer(folder)
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
    made = json.loads(type_("report", folder, "--json").out)
    assert made["folder"] == str(folder)
    assert made["summary"] == json.loads((folder / "summary.json").read_text())
    assert {"report.md", "summary.csv"} <= {Path(name).name for name in made["files"]}
    assert all(Path(name).exists() for name in made["files"])


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
        "loadtest: nothing was measured: every cell was skipped, for the reasons in the report"
    ]


def test_a_report_of_damaged_outcomes_has_its_notes(
    type_: Type, results_of: Callable[..., Path]
) -> None:
    folder = results_of(FAILED)
    with open(folder / results.OUTCOMES, "ab") as file:
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
    data = json.loads((folder / results.RUN).read_text())
    data["machine"]["versions"]["Django"] = "1.4"
    (folder / results.RUN).write_text(json.dumps(data))
    done = type_("run", "--resume", folder)
    assert done.status == 2
    (line,) = done.lines
    assert "Django 1.4 then" in line
    assert "endpoint json-sync is declared differently now" in line
    assert "begin another: loadtest run test --seed 1" in line


def test_a_server_that_does_not_start_says_why(
    type_: Type, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "servers" / "bad.toml").write_text(
        'summary = "It exits at once."\ninterface = "wsgi"\nrequires = ["gunicorn"]\n'
        f'in_flight = "workers"\nargv = ["{{python}}", "{ROOT}/tests/bad/exits_at_once.py"]\n'
    )

    @contextmanager
    def none(project: Project, logs: Path, shape: Shape) -> Iterator[Services]:
        yield Services(project, logs, shape)

    monkeypatch.setattr(serve_command, "running_services", none)
    done = type_("serve", "bad", "--project", copy)
    assert done.status == 1
    # Where something else has the port a line says so first.
    assert done.lines[-2:] == [
        "loadtest: bad exited with status 3 before it answered",
        "cannot import name 'application'",
    ]


@pytest.mark.parametrize("name", [None, *sorted(cli.cli.commands)])
def test_every_help_has_an_example(type_: Type, name: str | None) -> None:
    done = type_(*([name] if name else []), "--help")
    assert done.status == 0
    assert "Example: loadtest " in done.out


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
