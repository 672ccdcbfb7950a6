"""Asks a Python what it is and which versions of packages it has, without importing them here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from loadtest.records.clients import Interpreter
from loadtest.system import process
from loadtest.system.process import CommandError

VERSIONS = """
import importlib.metadata, json, platform, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
found["python"] = f"{platform.python_implementation()} {platform.python_version()}"
print(json.dumps(found))
"""
"""A script that prints the version of each distribution named to it, and its interpreter's."""

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


def look(python: str, names: Collection[str]) -> Interpreter:
    """Ask a Python what it is and which of these distributions it has; raises CommandError."""
    said = process.output(
        [python, "-I", "-c", LOOK, *names], env={}, cwd=Path.cwd(), timeout_s=LOOK_WITHIN_S
    )
    try:
        return msgspec.json.decode(said, type=Interpreter)
    except msgspec.MsgspecError:
        raise CommandError(f"{python} does not answer as a Python does", said) from None
