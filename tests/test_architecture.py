"""What no import contract can say: the engine knows no app, one place spawns, all is explained.

Which room may import which is held by `import-linter`, see `make check`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from demo import DEMO
from paths import ENGINE

MODULES = {
    ".".join(path.relative_to(ENGINE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ENGINE.rglob("*.py"))
    if path != ENGINE / "__init__.py"
}
APP = {"django", "myapp", "myproject"}


TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def roots(name: str) -> Iterator[str]:
    """Yield the first part of every module that one imports, wherever in it."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            yield (node.module or "").partition(".")[0]


INSIDE = "plan.servers.inside"
"""What runs in the interpreter of the project under test."""


def test_the_engine_never_imports_the_app() -> None:
    importing = {name: APP & set(roots(name)) for name in MODULES if not name.startswith(INSIDE)}
    assert {name: apps for name, apps in importing.items() if apps} == {}


def test_what_runs_in_a_project_needs_nothing_of_ours() -> None:
    needed = {root for name in MODULES if name.startswith(INSIDE) for root in roots(name)}
    assert needed <= {*sys.stdlib_module_names, "django"}


NAMED = {"myapp", "myproject", '"/raw"', '"/count"', 'manage("seed"'} | {
    name for name in DEMO.env if not name.startswith(("LOADTEST_", "DATABASE_URL"))
}
"""How code would name the app of this repository; `loadtest.toml` is where that is known.

DATABASE_URL is what it is called in many projects.
"""


def test_nothing_knows_the_app() -> None:
    knows = {
        str(path.relative_to(ENGINE))
        for path in ENGINE.rglob("*.*")
        if path.suffix in (".py", ".jinja", ".js", ".lua", ".toml")
        if any(name in path.read_text(encoding="utf-8") for name in NAMED)
    }
    assert knows == set()


def test_the_warden_needs_the_standard_library_alone() -> None:
    """It starts with every process, in isolation and in milliseconds."""
    assert set(roots("system.warden")) <= sys.stdlib_module_names


def public(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public functions and classes of a module, and the methods of those classes."""
    for node in TREES[name].body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            yield node
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield inner


def test_what_is_public_is_explained() -> None:
    """A module by a docstring, all in it by one whose first paragraph is a sentence."""
    unexplained = {name for name, tree in TREES.items() if not ast.get_docstring(tree)}
    assert unexplained <= {"__main__"}
    sentences = {
        f"{name}.{node.name}": (ast.get_docstring(node) or "").partition("\n\n")[0].rstrip()
        for name in MODULES
        for node in public(name)
    }
    assert [name for name, text in sentences.items() if not text.endswith((".", "?"))] == []


def test_processes_are_spawned_in_one_place() -> None:
    spawners = {"subprocess.Popen", "subprocess.run", "subprocess.check_output", "os.system"}
    spawning = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in spawners
    }
    assert spawning <= {"system.process", "system.warden"}


def test_text_is_read_and_written_in_a_named_encoding() -> None:
    """In a locale that is not UTF-8 it would be garbled, or fail at the end of a run."""
    unnamed = []
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            mode = ast.unparse(node.args[1]) if len(node.args) > 1 else "'r'"
            text = called in ("read_text", "write_text") or (
                ast.unparse(node.func) == "open" and "b" not in mode
            )
            if text and "encoding" not in {keyword.arg for keyword in node.keywords}:
                unnamed.append(f"{name}, line {node.lineno}")
    assert unnamed == []
