"""Reports of a clients' run: a module a format, with `files(report)`; the folder is the list."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from loadtest.clientbench.advice import advice
from loadtest.clientbench.report.table import Report
from loadtest.clientbench.store import Stored
from loadtest.clientbench.summary import summarise
from loadtest.report import write

__all__ = ["Report", "formats", "make", "write_all"]


def make(stored: Stored) -> Report:
    """Return all that is to be said about a run as it was read back."""
    summary = summarise(stored.run, stored.outcomes, stored.ceilings)
    return Report(summary=summary, run=stored.run, advice=advice(summary), outcomes=stored.outcomes)


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
