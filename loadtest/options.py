"""The options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

TYPED = {
    "servers": "server",
    "endpoints": "endpoint",
    "styles": "style",
    "duration_s": "duration",
}
"""What is typed for a parameter of another name."""


def project_options(command: F) -> F:
    """Add the options that say which project, and which interpreter it runs under."""
    command = click.option(
        "--python",
        default=sys.executable,
        show_default="this one",
        help="The app's interpreter.",
    )(command)
    return click.option(
        "--project",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        show_default="this folder",
        help="The project's folder, with manage.py and servers/.",
    )(command)


def matrix_options(command: F) -> F:
    """Add the options that narrow a matrix."""
    for option in reversed(
        (
            click.argument("matrix_name", metavar="[MATRIX]", default="standard"),
            click.option("--server", "servers", multiple=True, help="Only these; globs work."),
            click.option("--endpoint", "endpoints", multiple=True, help="Only these, likewise."),
            click.option("--style", "styles", multiple=True, help="sync, async or control."),
            click.option("--rounds", type=int, help="How often each cell is measured."),
            click.option("--duration", "duration_s", type=int, help="Seconds of each load."),
            click.option("--connections", type=int, help="Of each load."),
            click.option("--workers", type=int, help="Processes of each server."),
            click.option("--threads", type=int, help="Of each worker, where a server has them."),
            click.option("--seed", type=int, help="Of the order; a new one where not given."),
        )
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where runs are kept.",
)
