"""Environments for tests, their packages from where a person's own come from."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

UV = Path(sys.executable).with_name("uv")

UNREACHED = re.compile(
    r"dns error|error sending request|failed to connect|connection (refused|reset)|timed out"
    r"|network is unreachable|disabled and the requested data wasn't found",
    re.IGNORECASE,
)
"""What uv says where there is no index to be asked."""


def uv(*words: str | Path) -> str:
    """Return what uv prints, told what pip is configured with.

    Skips the test where no index can be reached.
    """
    if not UV.exists():
        pytest.skip("no uv here: `make dev`")
    install = runpy.run_path(str(ROOT / "scripts" / "install.py"))
    listing = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    pythons = Path.home().glob(".pyenv/versions/*/bin")
    path = os.pathsep.join([os.environ["PATH"], *map(str, pythons)])
    env = install["environment"](install["settings"](listed), os.environ) | {"PATH": path}
    done = subprocess.run(
        [UV, *words], env=env, capture_output=True, text=True, check=False, cwd=Path.home()
    )
    if done.returncode and UNREACHED.search(done.stderr):
        pytest.skip(f"no package index can be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def python_of(version: str) -> str:
    """Return the path of a Python of a version; skips the test where uv finds none."""
    try:
        return uv("python", "find", "--no-project", version)
    except AssertionError as error:
        pytest.skip(f"uv finds no Python {version} here: {error}")


def environment(folder: Path, *packages: str | Path, python: str = sys.executable) -> Path:
    """Make an environment that has these packages and return its interpreter."""
    uv("venv", "--quiet", "--no-project", "--python", python, folder)
    ours = folder / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", ours, *packages)
    return ours


def version(python: Path) -> str:
    """Return the version of a Python."""
    code = "import platform; print(platform.python_version())"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()
