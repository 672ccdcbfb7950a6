"""Where the command line says what: messages to stderr, tables and JSON to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import msgspec
from rich.console import Console

WIDTH = 100
"""Of a table that goes into a file or a pipe: as wide as it is made for."""

CHART = ".svg"


def say(line: str) -> None:
    """Say one line to whoever typed the command, apart from what the command prints."""
    click.echo(f"loadtest: {line}", err=True)


def print_json(record: object) -> None:
    """Print a record, or several, for a script."""
    click.echo(msgspec.json.format(msgspec.json.encode(record)).decode())


def show(report: Callable[[Console], None], files: Iterable[Path]) -> None:
    """Print a report, and where its files are; charts are in the page and beside the Markdown."""
    console = tables()
    report(console)
    for path in files:
        if path.suffix != CHART:
            console.print(str(path), markup=False, soft_wrap=True)


def tables() -> Console:
    """Return where tables are printed: as wide as the terminal, or `WIDTH` without one."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
