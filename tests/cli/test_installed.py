"""The wheel, installed in an environment of its own, where there is no clone."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import environments
import msgspec
import pytest
from own_shop import copied
from paths import ENGINE, ROOT

from loadtest.records.planned import Plan

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel of this clone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def loadtest(wheel: Path) -> Path:
    """Give the command as who installs it has it."""
    python = environments.environment(wheel.parent / "env", wheel)
    return python.with_name("loadtest")


def typed(loadtest: Path, cwd: Path, *words: Any) -> subprocess.CompletedProcess[str]:
    """Return what a command printed that was typed in a folder."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "LOADTEST_DATABASE", "LOADTEST_REDIS", "LOADTEST_UPSTREAM"}
    env = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [loadtest, *map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def test_it_has_all_that_lies_beside_the_code(wheel: Path) -> None:
    names = {path for path in zipfile.ZipFile(wheel).namelist() if "dist-info" not in path}
    code = {
        path.relative_to(ROOT).as_posix()
        for path in ENGINE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    profiles = {f"loadtest/plan/servers/profiles/{path.name}" for path in ROOT.glob("servers/*")}
    docs = {f"loadtest/{path.relative_to(ROOT)}" for path in ROOT.glob("docs/schemas/*")}
    docs |= {f"loadtest/docs/{page}.md" for page in ("own-project", "loadtest-toml")}
    assert names == code | profiles | docs


def test_outside_of_a_project_it_says_what_to_type(loadtest: Path, tmp_path: Path) -> None:
    # Its lines end where the path of this folder lets them.
    shown = " ".join(typed(loadtest, tmp_path, "--help").stdout.split())
    assert f"Example: {loadtest} run quick" in shown
    for command in ("run", "plan", "record", "check", "env"):
        done = typed(loadtest, tmp_path, command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"loadtest: {tmp_path}: no loadtest.toml there; type `{loadtest} init` in the folder"
            " of your Django project\n"
        )


def test_a_project_is_looked_at_and_planned(loadtest: Path, tmp_path: Path) -> None:
    shop = copied(tmp_path / "shop")
    done = typed(
        loadtest, shop, "init", "--python", sys.executable, "--seed", "seed.py", "--no-ask"
    )
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout.replace(sys.executable, "")
    file = shop / "loadtest.toml"
    file.write_text(f'{file.read_text()}\n[[endpoint]]\nname = "home"\npath = "/"\n')
    done = typed(loadtest, shop, "record", "--later", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    done = typed(loadtest, shop, "plan", "--json")
    assert done.returncode == 0, done.stderr
    plan = msgspec.json.decode(done.stdout, type=Plan)
    assert plan.reference == "gunicorn-gthread"
    assert {cell.skip for cell in plan.cells} == {None}
