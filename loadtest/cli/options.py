"""The options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from loadtest.plan.servers.project import Project
from loadtest.records.errors import UserError

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


def project_of(folder: Path, python: str) -> Project:
    """Return the project that these two options name."""
    return Project(folder=folder.resolve(), python=python)


def refuse_beside_resume(*allowed: str) -> None:
    """Raise UserError for what was typed beside `--resume`, but for these options."""
    if given := sorted(set(_typed()) - {"--resume", "--out", "--json", *allowed}):
        raise UserError(f"--resume goes on with the plan as it was; leave out {', '.join(given)}")


def _typed() -> Iterator[str]:
    """Yield the words and options of the present command that were typed."""
    context = click.get_current_context()
    for param in context.command.params:
        name = param.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(param, click.Option):
            yield max(param.opts, key=len)
        elif param.nargs == 1:
            yield str(context.params[name])
        else:
            yield from context.params[name]


def resumed(resume: Path, out: Path) -> Path:
    """Return the folder of a run to go on with, which may be named without where runs are kept."""
    bare = not resume.exists() and resume == Path(resume.name)
    return out / resume if bare else resume


class Share(click.ParamType[float]):
    """A share such as 3% or 0.03, below 1; 0 only with `zero`."""

    name = "share"

    def __init__(self, *, zero: bool = False) -> None:
        """Take 0 as well, if told to."""
        self._zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the share as a number, 0.03 for 3 %."""
        text = str(value).strip()
        try:
            found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            found = -1.0
        if not 0 <= found < 1 or (found == 0 and not self._zero):
            self.fail(f"{value!r} is no share between 0 and 1; write it as in 3%", param, ctx)
        return found


class Time(click.ParamType[float]):
    """A time such as 90s, 20m or 2h, above 0."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the time in seconds."""
        text = str(value).strip()
        unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
        try:
            found = float(text[:-1]) * unit
        except ValueError:
            found = 0.0
        if found <= 0:
            self.fail(f"{value!r} is no time; write it as in 90s, 20m or 2h", param, ctx)
        return found


def matrix_options(command: F) -> F:
    """Add the options that narrow a matrix."""
    for option in reversed(
        (
            click.argument("matrix_name", metavar="[MATRIX]", default="standard"),
            click.option("--server", "servers", multiple=True, help="Only these; globs work."),
            click.option("--endpoint", "endpoints", multiple=True, help="Only these, likewise."),
            click.option("--style", "styles", multiple=True, help="sync, async or control."),
            click.option(
                "--rounds",
                type=int,
                help="How often each cell is measured; what waits less often, where the matrix says"
                " so, unless you ask for more rounds than it has.",
            ),
            click.option("--duration", "duration_s", type=int, help="Seconds of each load."),
            click.option("--connections", type=int, help="Of each load."),
            click.option("--workers", type=int, help="Processes of each server."),
            click.option("--threads", type=int, help="Of each worker, where a server has them."),
            click.option(
                "--precision",
                type=Share(),
                help="Add rounds until each ratio is known this well, as in 3%.",
            ),
            click.option("--budget", type=Time(), help="For no longer than this, as in 20m."),
            click.option("--seed", type=int, help="Of the order; a new one where not given."),
            click.option(
                "--pin/--no-pin",
                default=None,
                show_default="from 4 processors on",
                help="Keep server and generator on processors of their own (Linux).",
            ),
        )
    ):
        command = option(command)
    return command


resume_option = click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Go on with this run's folder: what is missing or failed is measured.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where runs are kept.",
)
