"""The options that several commands share, and what may be typed for an option."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click
import msgspec
from click.core import ParameterSource

from loadtest.records.errors import UserError
from loadtest.records.planned import Arrivals, Goal
from loadtest.records.privacy import conceal_place
from loadtest.records.values import MOST_BUDGET_S, MOST_RATE, MOST_ROUNDS, MOST_SEED, ShapeText

if TYPE_CHECKING:
    from loadtest.plan.servers.project import Project

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


# What may be typed for an option ------------------------------------------------------------------


class Value(click.ParamType[T]):
    """What is typed for an option, as a function takes it."""

    def __init__(self, name: str, take: Callable[[str], T]) -> None:
        """Take what a help calls it, and the function, which raises ValueError with a line."""
        self.name, self._take = name, take

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Return what the function makes of it."""
        try:
            return self._take(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def whole(example: str, least: int | None = None, most: int | None = None) -> Value[int]:
    """Return a whole number within limits, where there are some, as in `--rounds 3`."""

    def take(text: str) -> int:
        like = f"as in {example}"
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number, {like}") from None
        if least is not None and number < least:
            raise ValueError(f"{number}: at least {least}, {like}")
        if most is not None and number > most:
            raise ValueError(f"{number}: at most {most}, {like}")
        return number

    return Value("number", take)


def _float(text: str) -> float:
    """Return a number; one that is within no limits where the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _rate(text: str) -> float:
    rate = _float(text)
    if not 0 < rate <= MOST_RATE:
        raise ValueError(
            f"{text!r}: requests/s, above 0 and at most {MOST_RATE:,}, as in --rate 200"
        )
    return rate


RATE = Value("requests/s", _rate)


def _shape(text: str) -> str:
    try:
        return msgspec.convert(text, ShapeText)
    except msgspec.ValidationError:
        raise ValueError(f"{text!r}: workers x threads, as in --shape 2x4") from None


SHAPE = Value("shape", _shape)

UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000}

MOST_RUNS = 200
"""Of a history."""

MOST_GOAL_US = 60_000_000
"""A try lasts for five times the goal, and there are up to two dozen for each server."""

KEEPS = re.compile(
    r"(?P<what>p90|p99|errors)=(?P<number>\d{1,12}(?:\.\d{1,12})?)(?P<unit>us|ms|s|%)"
)


def _goal_part(text: str) -> tuple[str, float]:
    """Return a field of `Goal` and its value: of `p99=300ms`, `p90=50ms`, `errors=0.1%`."""
    kept = KEEPS.fullmatch(text)
    of_errors = kept is not None and kept["what"] == "errors"
    if kept is None or of_errors != (kept["unit"] == "%"):
        raise ValueError(
            f"{text!r}: p90 or p99 with a time, or errors with a share, each with its unit, as in"
            " --within p99=300ms, and beside it --within errors=0.1%"
        )
    number = float(kept["number"])
    if of_errors and number / 100 <= 0.99:
        return "error_share", number / 100
    us = 0 if of_errors else round(number * UNITS_US[kept["unit"]])
    if not 1 <= us <= MOST_GOAL_US:
        raise ValueError(f"{kept[0]}: a time from 1us to 60s, or errors of at most 99%")
    return f"{kept['what']}_us", us


GOAL_PART = Value("goal", _goal_part)


def share(*, zero: bool = False) -> Value[float]:
    """Return a share such as 3% or 0.03, as a number below 1; 0 only with `zero`."""

    def take(text: str) -> float:
        bare = text.strip()
        number = _float(bare.removesuffix("%")) / (100 if bare.endswith("%") else 1)
        if 1 <= number < 100 and not bare.endswith("%"):
            raise ValueError(f"{bare} is no share between 0 and 1; did you mean {bare}%?")
        if not 0 <= number < 1 or (number == 0 and not zero):
            raise ValueError(f"{text!r} is no share between 0 and 1; write it as in 3%")
        return number

    return Value("share", take)


def _time(text: str) -> float:
    """Return a time such as 90s, 20m or 2h in seconds: no longer than a run may take."""
    bare = text.strip()
    seconds = _float(bare[:-1]) * {"s": 1, "m": 60, "h": 3600}.get(bare[-1:], 0)
    if not seconds > 0:  # as of what is no number
        raise ValueError(f"{text!r} is no time; write it as in 90s, 20m or 2h")
    if seconds > MOST_BUDGET_S:
        raise ValueError(f"{bare}: at most {MOST_BUDGET_S / 3600:.0f}h, as in 20m or 2h")
    return seconds


TIME = Value("time", _time)


def address(example: str, *, own: bool = False) -> Value[tuple[str, int]]:
    """Return a host and a port: of `10.0.0.1:5557`, or of `10.0.0.1` with the usual one.

    `own`: an address of this machine, in numbers.
    """

    def take(text: str) -> tuple[str, int]:
        host, _, port = text.partition(":")
        number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else AGENTS_PORT if not port else 0
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", host) or not 0 < number < 65_536:
            raise ValueError(f"{text!r} is no host and port, as in {example}")
        if own and not _is_own(host):
            raise ValueError(
                f"{host} is no address of this machine, as in {example}; it is the one by which the"
                " agents reach it"
            )
        return host, number

    return Value("address", take)


AGENTS_PORT = 5557
"""As of Locust."""


def _is_own(host: str) -> bool:
    """Say whether a host is one address of this machine, in numbers."""
    try:
        number = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((host, 0))
        return not number.is_unspecified
    return False


def seconds(example: str, least: float, most: float) -> Value[float]:
    """Return a number of seconds within limits, which the help says in words."""

    def take(text: str) -> float:
        number = _float(text)
        if not least <= number <= most:
            raise ValueError(f"{text}: from {least:g} to {most:g} seconds, as in {example}")
        return number

    return Value("seconds", take)


LONGEST_PATH, LONGEST_PART = 4_095, 255
"""In bytes, as on Linux and macOS."""


def _path(text: str) -> Path:
    path = os.fsencode(text)
    if len(path) > LONGEST_PATH or max(map(len, path.split(b"/"))) > LONGEST_PART:
        raise ValueError(f"{text[:60]!r}... is longer than a path can be; shorten it")
    # A run's own words for typing it again have `~` in quotes.
    return Path(os.path.expanduser(text))


def location(name: str = "path") -> Value[Path]:
    """Return a path that a file system can have; whether anything is there, whoever uses it looks.

    `name` is what a help calls it.
    """
    return Value(name, _path)


# How a help lists them ----------------------------------------------------------------------------

TITLES = {
    "What to measure": "servers variants endpoints styles measures reuse http tls resume",
    "Load": "connections duration_s requests batch chunk body_bytes delay_ms no_keep_alive",
    "Load at a rate": "rates within arrivals",
    "Time and precision": "budget_s rounds precision warmup timeout_s seed",
    "Machine and services": "workers threads shapes pin launcher agents listen folder python"
    " postgres redis"
    " pythons make_environments url ca allowed serve port",
    "Output": "out each as_json help",
}
"""The parameters of commands with many options, under their titles; what is used most is first."""


class Titled(click.Command):
    """A command whose help has its options under titles."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, under `More` what has no title."""
        options = {
            # click's own option has a name of click's.
            "help" if "--help" in param.opts else str(param.name): record
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx))
        }
        for title, names in TITLES.items():
            if rows := [options.pop(name) for name in names.split() if name in options]:
                with formatter.section(title):
                    formatter.write_dl(rows)
        if options:
            with formatter.section("More"):
                formatter.write_dl(list(options.values()))


# Options of servers and of clients ----------------------------------------------------------------


def rounds_option(default: str, least: int | None = None) -> Callable[[F], F]:
    """Return the option; `least` is of those that do not check it together with all else."""
    return click.option(
        "--rounds",
        type=whole("--rounds 3", least, None if least is None else MOST_ROUNDS),
        help="How often each measurement is repeated; more rounds show smaller differences."
        f" Default: {default}.",
    )


seed_option = click.option(
    "--seed",
    type=whole("--seed 7", 0, MOST_SEED),
    help="Seed of the shuffled order of the measurements: the same seed, the same order."
    " Default: a new one for each run, which the report names.",
)

precision_option = click.option(
    "--precision",
    type=share(),
    help="Measure further rounds until each ratio is known to within this share, such as 3%."
    " Default: off.",
)


def budget_option(default: str) -> Callable[[F], F]:
    """Return the option."""
    return click.option(
        "--budget",
        "budget_s",
        type=TIME,
        help="Most time to spend on measuring, such as 90s, 20m or 2h. The first round is always"
        " measured, however long it takes; another begins only if it should end in time."
        f" Default: {default}.",
    )


resume_option = click.option(
    "--resume",
    type=location(),
    metavar="RUN",
    help="Continue the run in this folder: measure what is missing or has failed, with the plan,"
    " load and seed it was begun with.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for scripts instead of text."
)

out_option = click.option(
    "--out",
    type=location("directory"),
    default=Path("results"),
    help="Folder in which each run gets a folder of its own. Default: results.",
)


def refuse_beside_resume(*allowed: str) -> None:
    """Raise UserError for what was typed beside `--resume`, but for these options."""
    refuse_beside(
        "--resume goes on with the plan as it was", "--resume", "--out", "--json", *allowed
    )


def refuse_beside(why: str, *allowed: str) -> None:
    """Raise UserError for what was typed of the present command, but for these options."""
    if given := sorted(set(_typed()) - set(allowed)):
        raise UserError(f"{why}; leave out {', '.join(given)}")


def is_typed(name: str) -> bool:
    """Say whether a parameter of the present command was typed."""
    context = click.get_current_context()
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _typed() -> Iterator[str]:
    """Yield the words and options of the present command that were typed."""
    context = click.get_current_context()
    for param in context.command.params:
        name = param.name or ""
        if not is_typed(name):
            continue
        if isinstance(param, click.Option):
            yield next(name for name in param.opts if name.startswith("--"))
        elif param.nargs == 1:
            yield str(context.params[name])
        else:
            yield from context.params[name]


def resumed(resume: Path, out: Path) -> Path:
    """Return the folder of a run to go on with, which may be named without where runs are kept."""
    bare = not resume.exists() and resume == Path(resume.name)
    return out / resume if bare else resume


# Options of servers -------------------------------------------------------------------------------


def all_of(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several, which a help lists in this order."""

    def decorate(command: F) -> F:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


project_options: Callable[[F], F] = all_of(
    click.option(
        "--project",
        "folder",
        type=location("directory"),
        default=Path(),
        help="Folder of the Django project, with loadtest.toml (see `loadtest init`)."
        " Default: the current folder.",
    ),
    click.option(
        "--python",
        metavar="PATH",
        help="Python interpreter that has the project's packages."
        " Default: that of loadtest.toml, or the one that runs loadtest.",
    ),
)


def _allow(service: str, what: str, place: str) -> Callable[[F], F]:
    return click.option(
        f"--allow-{what.lower()}",
        service,
        metavar=place,
        help=f"Allow loadtest to write to the {what} that the environment names, typed here in"
        " full; it must be on this machine and used by nobody else. Default: not allowed, and a"
        " run is refused while its variable is set.",
    )


consent_options: Callable[[F], F] = all_of(
    _allow("postgres", "database", "HOST/NAME"), _allow("redis", "Redis", "HOST/DB")
)
"""Of every command that fills the services: what was not made for it is not written unasked."""


def project_of(
    folder: Path, python: str | None, postgres: str | None = None, redis: str | None = None
) -> Project:
    """Return the project that the options of a project and of consent name.

    Raises UserError where its file is broken, or nobody has written one.
    """
    from loadtest.plan.servers import own
    from loadtest.plan.servers.project import Service

    typed: dict[Service, str | None] = {"postgres": postgres, "redis": redis}
    allowed = {service: place for service, place in typed.items() if place is not None}
    project = own.project_at(folder.resolve(), located(python), allowed)
    conceal_place(project.folder)
    return project


def located(python: str | None) -> str | None:
    """Return an interpreter as it was typed, its path no longer as seen from the present folder."""
    if python is None or os.sep not in python:  # else it is looked for as a command is
        return python
    return os.path.abspath(os.path.expanduser(python))


def _goal(
    ctx: click.Context, param: click.Parameter, value: Sequence[tuple[str, float]]
) -> Goal | None:
    """Return what is to be kept; raises UsageError for what is said twice, or beside a rate."""
    if not value:
        return None
    given = dict(value)
    if len(given) < len(value):
        raise click.UsageError("--within: each of p90, p99 and errors once")
    if not given.keys() & {"p90_us", "p99_us"}:
        raise click.UsageError("--within errors=... needs a p90 or p99, as in --within p99=300ms")
    return Goal(**given)  # type: ignore[arg-type]


def _only(what: str, pattern: str) -> Callable[[F], F]:
    return click.option(
        f"--{what}",
        f"{what}s",
        metavar="NAME",
        multiple=True,
        help=f"Measure only this {what}; for several, repeat it or use a pattern such as"
        f" '{pattern}'. Default: all {what}s of the matrix.",
    )


matrix_options: Callable[[F], F] = all_of(
    click.argument("matrix", metavar="[MATRIX]", default="quick"),
    _only("server", "granian-*"),
    _only("endpoint", "gateway_*"),
    click.option(
        "--style",
        "styles",
        metavar="STYLE",
        multiple=True,
        help="Measure only views of this style: sync, async or control (which bypasses Django);"
        " repeat it for several. Default: all three.",
    ),
    rounds_option("the matrix's, and more of them while --budget lasts"),
    click.option(
        "--duration",
        "duration_s",
        type=whole("--duration 3"),
        metavar="SECONDS",
        help="How long each load lasts, in seconds; endpoints that wait are loaded for longer."
        " Default: the matrix's.",
    ),
    click.option(
        "--connections",
        type=whole("--connections 64"),
        help="Connections that each load keeps open at once. Default: the matrix's.",
    ),
    click.option(
        "--rate",
        "rates",
        type=RATE,
        metavar="NUMBER",
        multiple=True,
        help="Send this many requests per second, on schedule, however fast the responses come;"
        " repeat it for several rates. Default: no rate; each connection sends its next request as"
        " soon as it has its response (a closed loop).",
    ),
    click.option(
        "--arrivals",
        type=click.Choice(get_args(Arrivals)),
        help="How requests at a rate are spaced: even, or poisson (at random, like those of many"
        " users). Default: even.",
    ),
    click.option(
        "--within",
        type=GOAL_PART,
        metavar="GOAL",
        multiple=True,
        callback=_goal,
        help="Search for the highest rate at which each server meets a goal, such as p99=300ms or"
        " p90=50ms; repeat it to combine goals. errors=1% allows that share of errors instead of"
        " 0.1%. This takes minutes for each server. Default: no search.",
    ),
    click.option(
        "--workers",
        type=whole("--workers 2"),
        help="Worker processes per server. Default: the matrix's.",
    ),
    click.option(
        "--threads",
        type=whole("--threads 4"),
        help="Threads per worker, for servers that have threads. Default: the matrix's.",
    ),
    click.option(
        "--shape",
        "shapes",
        type=SHAPE,
        metavar="WORKERSxTHREADS",
        multiple=True,
        help="Measure each server with this many workers and threads, such as 2x4; repeat it to"
        " compare several. Default: those of loadtest.toml, or one shape (see --workers).",
    ),
    click.option(
        "--variant",
        "variants",
        metavar="NAME",
        multiple=True,
        help="Measure only this variant of loadtest.toml, and what runs today; repeat it for"
        " several. as-deployed is the project without a change. Default: all.",
    ),
    precision_option,
    budget_option("the matrix's; no limit with --rounds or --precision"),
    seed_option,
    click.option(
        "--pin/--no-pin",
        default=None,
        help="Keep the server and the load generator on separate processors (Linux only)."
        " Default: on with 4 processors or more.",
    ),
)
