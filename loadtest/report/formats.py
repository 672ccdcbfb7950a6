"""Formats: modules with `render(report)` or `files(report)`, each file whole or not at all."""

from __future__ import annotations

import contextlib
import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from loadtest.records import files
from loadtest.records.text import printable
from loadtest.report.generated_marker import is_ours

Formats = dict[str, Callable[[Any], dict[str, str]]]
"""What makes the files of each format, by the format's name."""


def formats_in(package: ModuleType) -> Formats:
    """Return the formats of a package: its modules, each with `files`, or `FILE` and `render`.

    `files` gives several texts by their names; `render` gives the text of `FILE` alone.
    """
    return {
        module.name: _files_of(import_module(f"{package.__name__}.{module.name}"))
        for module in pkgutil.iter_modules(package.__path__)
    }


def _files_of(module: ModuleType) -> Callable[[Any], dict[str, str]]:
    several: Callable[[Any], dict[str, str]] | None = getattr(module, "files", None)
    return several or (lambda report: {module.FILE: module.render(report)})


def write_each(formats: Formats, report: object, folder: Path) -> list[Path]:
    """Write the formats of a report into `folder`, and return the files.

    Charts of what is in the run no more are deleted, if nobody changed them since.
    """
    written = [
        write(folder / name, text)
        for texts in formats.values()
        for name, text in texts(report).items()
    ]
    for path in sorted(set(folder.glob("*.svg")) - set(written)):
        with contextlib.suppress(OSError):
            if is_ours(files.read(path).decode(errors="replace")):
                path.unlink()
    return written


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all, and return it; raises OSError, as for a link."""
    files.write(path, text.encode())
    return path


def as_json(value: object) -> str:
    """Return a record as JSON that people can read, too."""
    return printable(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n"
