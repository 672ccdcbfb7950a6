"""Where the command line says what: messages to stderr, tables and JSON to stdout.

A message is one line, however long: a log has one for each, a terminal breaks it where it likes,
and what is to be typed next is copied whole. Tables and sentences of a report are as wide as the
terminal, or `WIDTH` where there is none.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.spelling import as_typed
from loadtest.records.text import message, printable

if TYPE_CHECKING:
    from rich.console import Console

CANNOT_TELL = 3
"""Exit status where two runs cannot tell whether anything changed: neither yes nor no."""

WIDTH = 100
"""Of a table that goes into a file or a pipe: as wide as it is made for."""

PAGE = ".html"

USES = {
    ".md": "(Markdown)",
    ".rst": "(reStructuredText)",
    ".csv": "(for a spreadsheet)",
    ".json": "(for scripts)",
}
"""Of the files beside the page, by how their names end; a chart is in the page as well."""


TELL_EVERY_S = 10.0
"""Nobody wonders for longer whether a command still does something."""


def say(line: str) -> None:
    """Say one line to whoever typed the command, apart from what the command prints."""
    click.echo(f"loadtest: {message(as_typed(line))}", err=True)


@contextmanager
def waiting(for_what: str) -> Iterator[Callable[[str], None]]:
    """Say every 10 s what is waited for, as long as the block lasts.

    Yields a function that takes the next thing waited for. It starts a thread, so a command that
    enters a network does that first.
    """
    began_s, now, over = time.monotonic(), [for_what], threading.Event()

    def tell() -> None:
        while not over.wait(TELL_EVERY_S):
            say(f"still at it after {time.monotonic() - began_s:.0f} s: {now[-1]}")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield now.append
    finally:
        over.set()
        thread.join()


def print_json(record: object) -> None:
    """Print a record, or several, for a script."""
    import msgspec

    # As bytes: JSON is UTF-8, whatever the terminal's locale is.
    click.echo(printable(msgspec.json.format(msgspec.json.encode(record)).decode()).encode())


def show(report: Callable[[Console], None], files: Iterable[Path]) -> None:
    """Print a report, and which of its files is for what; charts are in those to be read."""
    console = tables()
    report(console)
    page = ""
    beside: dict[str, list[str]] = {use: [] for use in USES.values()}
    for path in files:
        if path.suffix == PAGE:
            page = str(path)
        elif path.suffix in USES:
            beside[USES[path.suffix]].append(path.name)
    uses = ", ".join(f"{' and '.join(names)} {use}" for use, names in beside.items() if names)
    for line in ("", f"Report: open {page} in a browser.", f"Beside it: {uses}."):
        console.print(printable(line), markup=False, soft_wrap=True)


def print_rows(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of words as columns, without heads and without blanks at the end."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(as_typed(word))) for word in row))
    console = tables()
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def tables() -> Console:
    """Return where tables are printed: as wide as the terminal, or `WIDTH` without one."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
