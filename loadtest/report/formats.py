"""Formats: modules with `files(report)`, each file written whole or not at all."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from loadtest.report.generated_marker import is_ours

Reported = TypeVar("Reported")

Formats = dict[str, Callable[[Reported], dict[str, str]]]
"""What makes the files of each format, by the format's name."""


def formats_in(package: str, path: Iterable[str]) -> Formats[Any]:
    """Return the formats of a package: its modules that have `files`."""
    modules = [import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path)]
    return {
        module.__name__.rpartition(".")[2]: module.files
        for module in modules
        if hasattr(module, "files")
    }


def write_each(formats: Formats[Reported], report: Reported, folder: Path) -> list[Path]:
    """Write the formats of a report into `folder`, and return the files.

    Charts of what is in the run no more are deleted, if nobody changed them since.
    """
    written = [
        write(folder / name, text)
        for files in formats.values()
        for name, text in files(report).items()
    ]
    for path in sorted(set(folder.glob("*.svg")) - set(written)):
        if path.is_file() and is_ours(path.read_text(encoding="utf-8", errors="replace")):
            path.unlink()
    return written


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all, and return it."""
    # In the same folder, so that the rename cannot cross a file system; a half-written file never
    # has the name a reader would open.
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text.encode())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
