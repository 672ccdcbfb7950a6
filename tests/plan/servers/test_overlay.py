"""Servers over a project's packages: what it has is seen, keeps its version and is not touched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from loadtest.plan.servers import overlay, own
from loadtest.records.errors import UserError

pytestmark = pytest.mark.real

FILE = """
format = 1
[project]
python = ".venv/bin/python"
settings = "shop.settings"
[database]
kind = "none"
"""


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """Write a wheel with one module, which knows its version."""
    about = f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {required}" for required in requires]
    tags = ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"version = {version!r}\n")
        archive.writestr(f"{about}/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(f"{about}/WHEEL", "\n".join(tags) + "\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def printed(python: str, code: str) -> str:
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project with a package in its environment, and an index with a newer one of it."""
    index = tmp_path / "index"
    index.mkdir()
    old = wheel(index, "theirs", "1.0")
    wheel(index, "theirs", "2.0")
    wheel(index, "helper", "1.0")
    wheel(index, "served", "1.0", "theirs", "helper")
    wheel(index, "another", "1.0", "theirs")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    folder = tmp_path / "shop"
    folder.mkdir()
    own.ignore(folder / own.FOLDER)
    (folder / own.FILE).write_text(FILE)
    make = [sys.executable, "-m", "venv", "--without-pip", folder / ".venv"]
    subprocess.run(make, check=True)
    (site,) = (folder / ".venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(old).extractall(site)
    (site / "broken-1.0.dist-info").mkdir()
    (site / "odd-1.0.dist-info").mkdir()
    (site / "odd-1.0.dist-info" / "METADATA").write_text("Name: odd\nVersion: 2004d\n")
    (site / "in_place.pth").write_text(f"{folder / 'src'}\n")
    (folder / "src").mkdir()
    (folder / "src" / "in_place.py").write_text("version = 'in place'\n")
    return folder


def install(project: Path, *packages: str) -> str:
    """Install packages and return the interpreter that has them."""
    folder = project / own.FOLDER / own.OVERLAY
    overlay.install(folder, str(project / ".venv/bin/python"), packages, lambda text: None)
    return own.project_at(project).python


def test_what_a_project_has_is_seen_and_stays(project: Path) -> None:
    before = contents(project / ".venv")
    python = install(project, "served")
    assert python == str(project / ".loadtest/env/bin/python")
    code = "import theirs, helper, served, in_place as at; print(theirs.version, at.version)"
    assert printed(python, code) == "1.0 in place"
    (site,) = (project / ".loadtest/env").glob("lib/python*/site-packages")
    assert (site / "served.py").exists()
    assert not (site / "theirs.py").exists()
    # What comes later comes beside it.
    assert install(project, "another") == python
    assert printed(python, "import another, served; print('both')") == "both"
    assert contents(project / ".venv") == before


def test_it_is_of_one_interpreter(project: Path) -> None:
    install(project, "served")
    theirs = project / ".venv" / "bin" / "python"
    assert own.project_at(project, "/usr/bin/python3").python == "/usr/bin/python3"
    theirs.unlink()
    theirs.symlink_to("/bin/true")  # as where the environment was made anew with another Python
    assert own.project_at(project).python == str(theirs)


def test_what_cannot_be_installed_is_one_line(project: Path) -> None:
    with pytest.raises(UserError) as raised:
        install(project, "nowhere-to-be-had")
    (line,) = raised.value.lines
    assert "could not be made: the installer exited with status 1" in line
    assert "nowhere-to-be-had" in (project / ".loadtest/env.log").read_text()
    assert own.project_at(project).python == str(project / ".venv/bin/python")


def test_an_interpreter_that_is_none_is_one_line(project: Path) -> None:
    with pytest.raises(UserError, match="env could not be made"):
        overlay.install(project / ".loadtest/env", "/bin/false", ["served"], lambda text: None)
