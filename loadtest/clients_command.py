"""`loadtest clients`: HTTP clients compared, against an upstream of our own."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from loadtest import clients_serve
from loadtest.clientbench import catalogue, choice, interpreters, preset, run, target
from loadtest.clientbench.catalogue import Client
from loadtest.clientbench.choice import Typed
from loadtest.clientbench.interpreters import Found
from loadtest.clientbench.job import Expected
from loadtest.clientbench.model import MEASURES, REUSES
from loadtest.clients_progress import Watcher
from loadtest.clients_report import write_clients
from loadtest.console import say
from loadtest.errors import UserError
from loadtest.options import json_option, out_option

INTERRUPTED = 130
MOST_REQUESTS = 1_000_000
MOST_AT_ONCE = 10_000
MOST_BYTES = 100_000_000
DELAYS_MS = ("0", "1", "10", "100")

Place = Mapping[str, Found]


def _count(most: int) -> click.IntRange:
    return click.IntRange(1, most)


@click.command("clients")
@click.argument("words", nargs=-1, metavar="[PRESET | CLIENT... MODE...]")
@click.option(
    "-r", "--requests", "--count", type=_count(MOST_REQUESTS), multiple=True, help="Timed calls."
)
@click.option("-b", "--batch", type=_count(MOST_AT_ONCE), multiple=True, help="Calls in flight.")
@click.option(
    "-c",
    "--chunk",
    type=_count(MOST_REQUESTS),
    multiple=True,
    help="Calls started together and waited for; all at once where not given.",
)
@click.option(
    "--reuse", type=click.Choice(REUSES), multiple=True, help="One session, or one a call."
)
@click.option(
    "--size", "body_bytes", type=click.IntRange(0, MOST_BYTES), multiple=True, help="Of an answer."
)
@click.option(
    "--delay",
    "delay_ms",
    type=click.Choice(DELAYS_MS),
    multiple=True,
    help="Milliseconds before the upstream answers.",
)
@click.option("--no-keep-alive", is_flag=True, help="The upstream closes after each answer.")
@click.option("--tls", is_flag=True, help="By a certificate made for the run.")
@click.option("--http", type=click.Choice(("1.1", "2")), multiple=True, help="2 is over TLS.")
@click.option(
    "--measure",
    "measures",
    type=click.Choice(MEASURES),
    multiple=True,
    help="Whole processes, or inside of one; both where not given.",
)
@click.option("--rounds", type=click.IntRange(1, 1000), help="How often each row is measured.")
@click.option("--warmup", type=click.IntRange(0, MOST_REQUESTS), help="Calls before those.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 600), help="Seconds, of a call.")
@click.option("--seed", type=int, help="Of the order; a new one where not given.")
@click.option(
    "--python",
    "pythons",
    multiple=True,
    help="Run each row under this Python too; repeat it for several.",
)
@click.option(
    "--make-environments",
    is_flag=True,
    help="Make what a Python or client lacks from the lock files, in .clients/.",
)
@click.option("--url", help="Ask this server of yours in place of our upstream.")
@click.option("--ca", type=click.Path(dir_okay=False), help="The authority to verify it by.")
@click.option(target.PERMISSION, "allowed", is_flag=True, help="It may be anybody's machine.")
@click.option("--serve", is_flag=True, help="Run the upstream alone, until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65_000), help="Of --serve, and those after it.")
@out_option
@json_option
def clients_command(
    words: tuple[str, ...],
    *,
    seed: int | None,
    pythons: tuple[str, ...],
    make_environments: bool,
    url: str | None,
    ca: str | None,
    allowed: bool,
    serve: bool,
    port: int | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> int:
    """Compare HTTP clients: a preset, or clients and ways of driving them; by default a first look.

    Presets: asyncio-clients, reuse, threads-vs-asyncio. Clients: the files in loadtest/clients.
    Modes: sequential, threads-recreate, threads-reuse, threads-map, async-for, async-map,
    async-taskgroup.

    Example: loadtest clients aiohttp httpx --count 1000 --batch 10
    """
    lone = {
        "--port is of --serve": port is not None and not serve,
        "--ca is of --url": ca is not None and url is None,
        f"{target.PERMISSION} is of --url": allowed and url is None,
    }
    if lines := [f"{said}; add that, or leave it out" for said, is_so in lone.items() if is_so]:
        raise UserError(*lines)
    if serve:
        return clients_serve.serve(port)
    clients = catalogue.clients()
    asked = choice.chosen(_typed(words, options), clients)
    expected = None
    if url is not None:
        asked, expected = _elsewhere(asked, url, ca, allowed, options)
    places = _places(asked, clients, pythons, make_environments)
    plan = preset.plan(
        asked,
        clients,
        places,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        url=url,
    )
    run.check(plan, out)
    for reason in dict.fromkeys(row.skip for row in plan.rows if row.skip):
        say(f"skipped: {reason}")
    folders: list[Path] = []
    watcher = Watcher(plan, Console(stderr=True))

    def watch(folder: Path) -> Any:
        folders.append(folder)
        return watcher.showing(folder)

    try:
        run.measure(
            plan,
            clients,
            run.interpreters(places),
            out,
            _command(),
            expected=expected,
            say=say,
            watch=watch,
        )
    except KeyboardInterrupt:
        if folders:
            say(f"interrupted; what was measured is kept: {folders[0]}")
        return INTERRUPTED
    return write_clients(folders[0], as_json)


def _typed(words: tuple[str, ...], options: Mapping[str, Any]) -> Typed:
    given = {key: value for key, value in options.items() if key not in ("no_keep_alive", "tls")}
    given["delay_ms"] = tuple(float(delay) for delay in options["delay_ms"])
    http = options["http"]
    if options["no_keep_alive"]:
        given["keep_alive"] = (False,)
    if options["tls"] or "2" in http:
        given["tls"] = (True,)
    return Typed(words=words, **given)


def _elsewhere(
    asked: preset.Preset, url: str, ca: str | None, allowed: bool, options: Mapping[str, Any]
) -> tuple[preset.Preset, Expected]:
    """Return the rows as they are at the user's own server, and what that answers."""
    ours = {
        "--size": options["body_bytes"],
        "--delay": options["delay_ms"],
        "--no-keep-alive": options["no_keep_alive"],
        "--tls": options["tls"],
    }
    if given := [option for option, value in ours.items() if value]:
        raise UserError(f"--url is answered by your server as it is; leave out {', '.join(given)}")
    parts = target.check(url, allowed)
    expected, note = target.look(url, parts, ca)
    if note is not None:
        say(note)
    tls = parts.scheme == "https"
    tables = asked.group if asked.name == choice.CHOICE else tuple(_true_of(asked.group, tls))
    group = tuple(
        msgspec.structs.replace(
            table,
            rows=tuple(
                msgspec.structs.replace(
                    block,
                    body_bytes=(expected.body_bytes,),
                    delay_ms=(0.0,),
                    keep_alive=(True,),
                    tls=(tls,),
                )
                for block in table.rows
            ),
        )
        for table in tables
    )
    return msgspec.structs.replace(asked, group=group), expected


def _true_of(tables: Iterable[preset.Table], tls: bool) -> Iterator[preset.Table]:
    """Yield a preset's tables whose titles are true of a server that answers in its own way."""
    found = {table: {over for block in table.rows for over in block.tls} for table in tables}
    over_tls = tls and {True} in found.values()
    for table, asked in found.items():
        late = any(delay for block in table.rows for delay in block.delay_ms)
        if late or (True in asked) != over_tls:
            say(f"left out, as your server answers in its own way: {table.title}")
        else:
            yield table


def _places(
    asked: preset.Preset, clients: Mapping[str, Client], pythons: tuple[str, ...], make: bool
) -> list[tuple[str, Place]]:
    """Return where the clients run under each Python, with what to call it in a label."""
    used = {name for table in asked.group for block in table.rows for name in block.client}
    wanted = [one for name, one in clients.items() if name in used]
    places: list[tuple[str, Place]] = []
    for python in dict.fromkeys(pythons or (sys.executable,)):
        place = {}
        for lock in sorted({one.lock for one in wanted}):
            group = [one for one in wanted if one.lock == lock]
            place[lock] = interpreters.find(python, group, make=make, say=say)
        places.append((_called(python, place) if len(set(pythons)) > 1 else "", place))
    return places


def _called(python: str, place: Place) -> str:
    known = [one.interpreter for one in place.values() if one.interpreter is not None]
    return f"Python {known[0].version}" if known else python


def _command() -> str:
    """Return what to type for the same run again, but for its seed."""
    return shlex.join(["loadtest", *sys.argv[1:]])
