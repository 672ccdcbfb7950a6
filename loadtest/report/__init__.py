"""Reports: one module a format, with `files(report)`; the folder is the list.

`files` returns the text of each file by its name; a format may write several.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from loadtest.report.table import Report

__all__ = ["Report", "formats", "write", "write_all"]


def formats() -> dict[str, Callable[[Report], dict[str, str]]]:
    """Return what makes the files of each format, by the format's name."""
    modules = [
        import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    ]
    return {
        module.__name__.rpartition(".")[2]: module.files
        for module in modules
        if hasattr(module, "files")
    }


def write_all(report: Report, folder: Path) -> list[Path]:
    """Write every format into `folder`, each file whole or not at all, and return the files."""
    return [
        write(folder / name, text)
        for files in formats().values()
        for name, text in files(report).items()
    ]


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
