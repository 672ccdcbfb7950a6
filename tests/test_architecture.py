"""Imports run downwards only, the engine knows nothing of the app, and files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parent.parent / "loadtest"
MODULES = {
    ".".join(path.relative_to(ENGINE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ENGINE.rglob("*.py"))
    if path != ENGINE / "__init__.py"
}

CLIENTS = {name for name in MODULES if name.startswith("clients.")}

LAYERS = (
    # The data model.
    {"model.planned"},
    {"model.measured"},
    {"model"},
    {"errors", "clientbench", "clientbench.model", "clients"},
    # Pure parts, and edges: what touches the system or a file.
    {"cpu_clock"},
    {"histogram", "process", "results", "sampler", "toml", "verify", "warden", "wrk_text"},
    {"clientbench.store", "curve", "ended", "environment", "statistics", "wrk_report"},
    {"findings", "rates", "wrk_names"},
    {"noise"},
    {"precision"},
    {"figures", "matrix", "project", "server", "loadgen", "loadgen.wrk"},
    {"addresses", "counters", "generator", "machine", "placement", "ports", "compose"},
    {"compose.cpus", "compose.docker", "compose.serve", "concerns.evidence"},
    {"compose.cgroup", "compose.guard"},
    {"compose.container"},
    {
        "concerns.answers",
        "concerns.delayed_ack",
        "concerns.limits",
        "concerns.littles_law",
        "concerns.rounds",
        "concerns.stalls",
        "concerns.surroundings",
    },
    {"concerns"},
    {"row"},
    {"placing", "ranking", "answer.records"},
    {"answer.arms"},
    {"answer.claims", "answer.control"},
    {"answer"},
    {"services", "summary", "report.format", "report.signed"},
    {"doctor", "null_server", "report.table"},
    {
        "charts.chart",
        "report.doubts",
        "report.grouping",
        "report.losses",
        "report.markup",
        "report.state",
        "report.words.phrases",
    },
    {"report.columns", "report.decision", "report.noise", "report.use", "report.words.claims"},
    {"report.rankings"},
    {"report.markdown_tables"},
    {"report.words.deploy"},
    {"report.words.headline"},
    {"report.words"},
    {"charts.data", "charts.theme"},
    {"charts.labels"},
    {
        "charts.forest",
        "charts.goodput",
        "charts.kind",
        "charts.latency",
        "charts.matrix",
        "charts.memory",
        "charts.svg",
        "charts.timeline",
    },
    {"charts", "report.bounds", "report.html_anchors", "report.html_matrix", "report.html_rows"},
    {"report.html_page", "report.launched", "report.pictures"},
    {
        "bench",
        "report",
        "report.html",
        "report.csv",
        "report.json",
        "report.markdown",
        "report.terminal",
    },
    # HTTP clients: what is asked for, who answers, and the only loop over it. Their files and the
    # worker run in a child interpreter and import nothing of ours, see below.
    {"clientbench.worker"} | CLIENTS,
    {"clientbench.tasks", "clientbench.threads"},
    {"clientbench.catalogue", "clientbench.upstream"},
    {"clientbench.interpreters", "clientbench.job", "clientbench.ceiling"},
    {"clientbench.driver", "clientbench.preset", "clientbench.target"},
    {"clientbench.choice", "clientbench.elsewhere", "clientbench.places", "clientbench.resume"},
    {"clientbench.run"},
    # The clients' own judging and reporting, with the servers' statistics, tables and formats.
    {"clientbench.figures"},
    {"clientbench.doubts", "clientbench.standing"},
    {"clientbench.contrast", "clientbench.judge"},
    {"clientbench.summary"},
    {"clientbench.phrases"},
    {"clientbench.costs", "clientbench.pairs"},
    {"clientbench.advice"},
    {"clientbench.report.table"},
    {"clientbench.report.charts", "clientbench.report.distrust"},
    {
        "clientbench.report.csv",
        "clientbench.report.html",
        "clientbench.report.hyperfine",
        "clientbench.report.json",
        "clientbench.report.markdown",
        "clientbench.report.rst",
        "clientbench.report.terminal",
    },
    {"clientbench.report", "schema"},
    # The only loop, and its stand-in for a machine.
    {"runner", "fakes"},
    # The command line.
    {"evened", "judged"},
    {"sides"},
    {"compare"},
    {"compare_markdown", "console", "importer", "prepare", "progress", "options"},
    {"compose.attached", "compose.engine", "widen"},
    {"compose.stack"},
    {"compose.bench"},
    {"session", "clients_report", "clients_progress", "clients_serve"},
    {"compare_html", "history"},
    {"history_tables"},
    {"history_charts", "history_words"},
    {"history_html", "history_markdown"},
    {"histories"},
    {"report_command"},
    {"clients_command", "compare_command", "doctor_command", "import_command", "list_command"},
    {"plan_command", "run_command", "serve_command"},
    {"cli"},
    {"__main__"},
)
"""A module may import what stands above its line in this table, beside nothing of its own line."""

ALLOWED = {
    # An adapter imports the data model and nothing beside it; a renderer its tables as well.
    "loadgen.": {"model"},
    "report": {
        "model",
        "figures",
        "concerns",
        "noise",
        "row",
        "summary",
        "report.format",
        "report.signed",
        "report.table",
        "report.state",
        "report.columns",
        "report.grouping",
        "report.losses",
        "report.rankings",
        "report.doubts",
        "report.noise",
        "report.decision",
        "report.markup",
        "report.use",
        "report.words.phrases",
        "report.words.claims",
        "report.words.deploy",
        "report.words.headline",
        "report.words",
        "report.bounds",
        "report.launched",
        "report.html_anchors",
        "report.html_matrix",
        "report.html_page",
        "report.html_rows",
        "report.markdown_tables",
        "report.pictures",
        "answer",
        "findings",
        "charts",
        "charts.kind",
        "ranking",
    },
    # A chart is made from a summary alone.
    "charts": {
        "model",
        "figures",
        "row",
        "ranking",
        "summary",
        "statistics",
        "charts.chart",
        "charts.data",
        "charts.theme",
        "charts.forest",
        "charts.goodput",
        "charts.kind",
        "charts.labels",
        "charts.latency",
        "charts.matrix",
        "charts.memory",
        "charts.svg",
        "charts.timeline",
        "report.format",
        "report.signed",
        "report.state",
    },
    "answer": {
        "model",
        "figures",
        "row",
        "ranking",
        "findings",
        "noise",
        "statistics",
        "answer.records",
        "answer.arms",
        "answer.claims",
        "answer.control",
    },
    # The halves meet in the results folder alone.
    "summary": {
        "model",
        "answer",
        "curve",
        "ended",
        "figures",
        "concerns",
        "noise",
        "placing",
        "precision",
        "ranking",
        "rates",
        "row",
    },
    "concerns": {
        "model",
        "figures",
        "histogram",
        "concerns.evidence",
        "concerns.answers",
        "concerns.delayed_ack",
        "concerns.limits",
        "concerns.littles_law",
        "concerns.rounds",
        "concerns.stalls",
        "concerns.surroundings",
    },
    "figures": {"model", "histogram"},
    "runner": {"model", "errors", "matrix", "bench", "counters", "sampler"},
}
APP = {"django", "myapp", "myproject"}
LINES = 400


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            for alias in node.names:
                # A name may be a module: `from loadtest import matrix`.
                name = f"{node.module}.{alias.name}"
                yield name if name.removeprefix("loadtest.") in MODULES else node.module


def own(path: Path) -> set[str]:
    # Whole names: the standard library has a `statistics` too.
    names = {name for name in imports(path) if name.startswith("loadtest.")}
    return {name.removeprefix("loadtest.") for name in names} & MODULES.keys()


def run_by(name: str) -> set[str]:
    """Return what an import of a module runs: what it names, and the packages that holds."""
    found = own(MODULES[name])
    packages = {".".join(one.split(".")[:-1]) for one in found} & MODULES.keys()
    return found | {one for one in packages if not f"{name}.".startswith(f"{one}.")}


LAYER = {name: number for number, layer in enumerate(LAYERS) for name in layer}


def test_every_module_has_its_layer() -> None:
    assert LAYER.keys() == MODULES.keys()


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_downwards(name: str) -> None:
    for other in own(MODULES[name]):
        assert LAYER[other] < LAYER[name], f"{name} imports {other}"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_its_kind_may(name: str) -> None:
    for prefix, allowed in ALLOWED.items():
        if name == prefix or name.startswith(prefix if prefix.endswith(".") else f"{prefix}."):
            assert own(MODULES[name]) <= allowed


def test_there_is_no_cycle() -> None:
    try:
        TopologicalSorter({name: run_by(name) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("name", MODULES)
def test_the_engine_never_imports_the_app(name: str) -> None:
    assert not {one.partition(".")[0] for one in imports(MODULES[name])} & APP


def test_the_warden_needs_the_standard_library_alone() -> None:
    """It starts with every process, in isolation and in milliseconds."""
    import sys

    roots = {name.partition(".")[0] for name in imports(MODULES["warden"])}
    assert roots <= sys.stdlib_module_names


@pytest.mark.parametrize("name", MODULES)
def test_a_file_has_one_idea(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) < LINES


def public(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public functions and classes of a file, and the methods of those classes."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            yield node
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield inner


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_is_explained(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or name == "__main__"
    for node in public(MODULES[name]):
        said = ast.get_docstring(node)
        assert said, f"{name}.{node.name}"
        assert said.partition("\n\n")[0].rstrip().endswith((".", "?")), f"{name}.{node.name}"


@pytest.mark.parametrize("name", MODULES)
def test_processes_are_spawned_in_one_place(name: str) -> None:
    spawners = {"subprocess.Popen", "subprocess.run", "subprocess.check_output", "os.system"}
    found = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert name in ("process", "warden") or not found & spawners
