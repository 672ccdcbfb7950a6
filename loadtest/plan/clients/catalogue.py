"""The HTTP clients of `bench/clients/drivers/`: what each declares, read without importing it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec

from loadtest.records.clients import TASKS, THREADS, Http, Kind, Mode
from loadtest.records.errors import UserError
from loadtest.records.planned import Record

FOLDER = Path(__file__).parents[2] / "bench" / "clients" / "drivers"


class Client(Record, frozen=True, kw_only=True):
    """What one file declares."""

    name: str
    """Of the file, without its suffix."""
    path: Path
    title: str
    requires: tuple[str, ...]
    """Distributions, its own first."""
    kind: Kind
    http: tuple[Http, ...]
    lock: str
    """The lock file beside it, without its suffix: the clients that can share an environment."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The ways it can be driven."""
        return ("sequential", *(THREADS if self.kind == "sync" else TASKS))


def clients(folder: Path = FOLDER) -> dict[str, Client]:
    """Return the clients of a folder by name; raises UserError for a file that declares too little.

    Their code does not run here: a client may need an environment that the engine does not have.
    """
    return {
        path.stem: read(path) for path in sorted(folder.glob("*.py")) if path.stem != "__init__"
    }


def read(path: Path) -> Client:
    """Return what a file declares by literals in capitals."""
    declared: dict[str, Any] = {"name": path.stem, "path": path}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            key = node.targets[0].id.lower()
            if node.targets[0].id.isupper() and key in Client.__struct_fields__:
                declared[key] = ast.literal_eval(node.value)
    try:
        return msgspec.convert(declared, Client)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}; see {FOLDER / '__init__.py'}") from None
