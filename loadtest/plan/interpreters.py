"""Asks a Python what it is and which versions of packages it has, without importing them here."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from loadtest.records.clients import Interpreter
from loadtest.system import process
from loadtest.system.process import CommandError

LOOK_WITHIN_S = 30.0

LOOK = """
import importlib.metadata, json, platform, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({
    "path": sys.executable, "version": platform.python_version(),
    "implementation": platform.python_implementation(), "versions": versions,
}))
"""
"""A script that prints an `Interpreter` with those of the distributions named to it that it has."""


def index_variables() -> dict[str, str]:
    """Return the variables that say where packages come from, which is the user's setting."""
    return {
        key: value
        for key, value in os.environ.items()
        if key.startswith(("PIP_", "UV_")) or key.lower().endswith("_proxy")
    }


def look(python: str, names: Collection[str]) -> Interpreter:
    """Ask a Python what it is and which of these distributions it has; raises CommandError."""
    printed = process.output(
        [python, "-I", "-c", LOOK, *names], env={}, cwd=Path.cwd(), timeout_s=LOOK_WITHIN_S
    )
    return _read(python, printed)


def _read(python: str, printed: str) -> Interpreter:
    try:
        return msgspec.json.decode(printed, type=Interpreter)
    except msgspec.MsgspecError:
        raise CommandError(f"{python} does not answer as a Python does", printed) from None


def versions(name: str, printed: str, names: Iterable[str]) -> dict[str, str | None]:
    """Return the version of each distribution by what `LOOK` printed, None for what is missing.

    The key `python` has the interpreter's own. Raises CommandError where that, which is called
    `name`, printed something else.
    """
    python = _read(name, printed)
    return {each: python.versions.get(each) for each in names} | {
        "python": f"{python.implementation} {python.version}"
    }
