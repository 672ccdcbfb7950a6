"""What no import contract can say: the engine knows no app, one place spawns, all is explained.

Which room may import which is held by `import-linter`, see `make check`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ENGINE

from loadtest.plan.servers.project import DEMO

MODULES = {
    ".".join(path.relative_to(ENGINE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ENGINE.rglob("*.py"))
    if path != ENGINE / "__init__.py"
}
APP = {"django", "myapp", "myproject"}


def roots(path: Path) -> Iterator[str]:
    """Yield the first part of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("name", MODULES)
def test_the_engine_never_imports_the_app(name: str) -> None:
    assert not set(roots(MODULES[name])) & APP


NAMED = {"myapp", "myproject", f'"{DEMO.probe_path}"', f'"{DEMO.counter_path}"'} | {
    *DEMO.addresses.values(),
    *(DEMO.secret_variable, DEMO.pool_variable, DEMO.hosts_variable),
    *(f'"{command}"' for command, *_ in DEMO.prepare if command != "seed"),
    'manage("seed"',
}
"""How code would name the app beside the record; "seed" alone is of a plan's order as well."""


def test_one_record_knows_the_app() -> None:
    knows = {
        str(path.relative_to(ENGINE))
        for path in ENGINE.rglob("*.*")
        if path.suffix in (".py", ".jinja", ".js", ".lua", ".toml")
        if any(name in path.read_text(encoding="utf-8") for name in NAMED)
    }
    assert knows == {"plan/servers/project.py"}


def test_the_warden_needs_the_standard_library_alone() -> None:
    """It starts with every process, in isolation and in milliseconds."""
    assert set(roots(MODULES["system.warden"])) <= sys.stdlib_module_names


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
        docstring = ast.get_docstring(node)
        assert docstring, f"{name}.{node.name}"
        assert docstring.partition("\n\n")[0].rstrip().endswith((".", "?")), f"{name}.{node.name}"


@pytest.mark.parametrize("name", MODULES)
def test_processes_are_spawned_in_one_place(name: str) -> None:
    spawners = {"subprocess.Popen", "subprocess.run", "subprocess.check_output", "os.system"}
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert name in ("system.process", "system.warden") or not calls & spawners
