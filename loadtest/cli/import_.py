"""`loadtest import`: what load generators printed for others becomes a run like our own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from loadtest.cli.options import RATE, TIME, Value, json_option, location, out_option, whole
from loadtest.cli.output import say
from loadtest.records.errors import UserError
from loadtest.records.values import MOST_CONNECTIONS

MOST_WORD = 60


def _word(typed: str) -> str:
    text = typed.strip()
    if not any(map(str.isalnum, text)) or len(text) > MOST_WORD or not text.isprintable():
        raise ValueError(f"{text[:40]!r}: a name of at most {MOST_WORD} characters")
    return text


WORD = Value("name", _word)
"""That files can be called by."""


@click.command("import")
@click.argument("files", metavar="FILE...", type=location(), nargs=-1)
@click.option(
    "--server",
    type=WORD,
    help="Server that was loaded. Default: what headings, commands and the file's name say.",
)
@click.option(
    "--style",
    type=click.Choice(["sync", "async"]),
    help="Style of the views. Default: what URLs and headings say, otherwise unknown.",
)
@click.option(
    "--endpoint", type=WORD, help="Endpoint that was loaded. Default: what URLs and headings say."
)
@click.option(
    "--delay",
    "delay_s",
    type=TIME,
    help="How long the endpoint waits before it answers, such as 1s. Default: what a name like"
    " gateway_3s says, otherwise not at all.",
)
@click.option(
    "--connections",
    type=whole("--connections 64", 1, MOST_CONNECTIONS),
    help="Connections of the load, where neither its output nor its command says.",
)
@click.option(
    "--rate", type=RATE, help="Rate that wrk2 was given, in requests/s, where no command shows it."
)
@click.option(
    "--rounds",
    is_flag=True,
    help="Take outputs with the same server, URL and load as rounds of one measurement, whatever"
    " the headings above them say.",
)
@out_option
@json_option
def import_command(files: Sequence[Path], out: Path, as_json: bool, **typed: Any) -> int:
    """Judge what a load generator printed for somebody else, as if it were a run.

    \b
    FILE is a report or a log with the output of wrk, wrk2, ab, hey, oha or
    bombardier, in any layout; - is standard input; several make one run.
    Server, endpoint and style are what headings, commands, URLs and the
    file's name say; what is guessed is listed, and can be typed instead.

    Exit status 1 if a part of it could not be read, or is of a server that could not be reached;
    each such part is listed with its line. 2 if nothing could be read.

    Example: loadtest import django_workers.md --out results/
    """
    from loadtest.cli import kinds
    from loadtest.measure.servers.imported import report
    from loadtest.measure.servers.imported.text import Typed

    if not files:
        raise UserError("name a report to read, or - for standard input")
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    imported = report.read(files, created_at, Typed(**typed))
    for note in imported.notes:
        say(f"{files[0]}, {note}" if len(files) == 1 else str(note))
    folder = report.write(imported, out)
    kinds.write_reports(kinds.SERVERS, folder, as_json)
    count = len(imported.outcomes)
    # Where a script reads the rest, this is beside it.
    tell = say if as_json else click.echo
    tell(f"{count} of {count + imported.left_out} blocks of text imported: {folder}")
    return 1 if imported.left_out or imported.failed else 0
