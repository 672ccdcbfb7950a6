"""Reports of a clients' run: a module a format, with `files(report)`; the folder is the list."""

from __future__ import annotations

from pathlib import Path

from loadtest.report.clients.report import Report
from loadtest.report.formats import Formats, formats_in, write_each


def formats() -> Formats[Report]:
    """Return what makes the files of each format, by the format's name."""
    return formats_in(__name__, __path__)


def write_all(report: Report, folder: Path) -> list[Path]:
    """Write every format into `folder`, each file whole or not at all, and return the files."""
    return write_each(formats(), report, folder)
