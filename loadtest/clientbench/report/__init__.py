"""Reports of a clients' run: a module a format, with `files(report)`; the folder is the list."""

from __future__ import annotations

from pathlib import Path

from loadtest.clientbench.advice import advice
from loadtest.clientbench.report.table import Report
from loadtest.clientbench.store import Stored
from loadtest.clientbench.summary import summarise
from loadtest.report import Formats, formats_in, write_each

__all__ = ["Report", "formats", "make", "write_all"]


def make(stored: Stored) -> Report:
    """Return all that is to be said about a run as it was read back."""
    summary = summarise(stored.run, stored.outcomes, stored.ceilings)
    return Report(summary=summary, run=stored.run, advice=advice(summary), outcomes=stored.outcomes)


def formats() -> Formats[Report]:
    """Return what makes the files of each format, by the format's name."""
    return formats_in(__name__, __path__)


def write_all(report: Report, folder: Path) -> list[Path]:
    """Write every format into `folder`, each file whole or not at all, and return the files."""
    return write_each(formats(), report, folder)
