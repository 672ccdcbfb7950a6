"""`loadtest clients`: HTTP clients compared, against an upstream of our own."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from loadtest.bench.clients import upstream
from loadtest.cli.clients_report import write_clients
from loadtest.cli.options import (
    json_option,
    out_option,
    refuse_beside_resume,
    resume_option,
    resumed,
)
from loadtest.cli.output import say
from loadtest.cli.progress import Watcher
from loadtest.measure.clients import session
from loadtest.plan.clients import catalogue, own_server, places, preset, typed_rows
from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.own_server import Expected, elsewhere
from loadtest.plan.clients.typed_rows import Typed
from loadtest.records import run_folder
from loadtest.records.clients import MEASURES, REUSES, Answer, Plan
from loadtest.records.errors import UserError

INTERRUPTED = 130

MOST_REQUESTS = 1_000_000

MOST_AT_ONCE = 10_000

MOST_BYTES = 100_000_000

DELAYS_MS = ("0", "1", "10", "100")


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
    help="Run each row under this Python, in an environment of its own; repeat it for several.",
)
@click.option(
    "--make-environments",
    is_flag=True,
    help="Make what a Python or client lacks from the lock files, in .clients/.",
)
@click.option("--url", help="Ask this server of yours in place of our upstream.")
@click.option("--ca", type=click.Path(dir_okay=False), help="The authority to verify it by.")
@click.option(own_server.PERMISSION, "allowed", is_flag=True, help="It may be anybody's machine.")
@click.option("--serve", is_flag=True, help="Run the upstream alone, until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65_000), help="Of --serve, and those after it.")
@resume_option
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
    resume: Path | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> int:
    """Compare HTTP clients: a preset, or clients and ways of driving them; by default a first look.

    Presets: asyncio-clients, reuse, threads-vs-asyncio. Clients: aiohttp, httpx_async, httpx_sync,
    niquests, requests, urllib3. Modes: sequential,
    threads-recreate, threads-reuse, threads-map, async-for, async-map, async-taskgroup.

    Example: loadtest clients aiohttp httpx --count 1000 --batch 10
    """
    lone = {
        "--port is of --serve": port is not None and not serve,
        "--ca is of --url": ca is not None and url is None and resume is None,
        f"{own_server.PERMISSION} is of --url": allowed and url is None and resume is None,
    }
    if lines := [f"{said}; add that, or leave it out" for said, is_so in lone.items() if is_so]:
        raise UserError(*lines)
    if serve:
        return serve_upstream(port)
    clients = catalogue.clients()
    if resume is not None:
        return _go_on(resumed(resume, out), clients, ca, allowed, as_json)
    asked = typed_rows.chosen(_typed(words, options), clients)
    expected = None
    if url is not None:
        _refuse_ours(options)
        expected = _look(url, ca, allowed)
        asked = elsewhere(asked, expected, all_tables=asked.name == typed_rows.CHOICE, say=say)
    found = places.places(asked, clients, pythons, make=make_environments, say=say)
    plan = preset.plan(
        asked,
        clients,
        found,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        url=url,
    )
    session.check(plan, out)
    for reason in dict.fromkeys(row.skip for row in plan.rows if row.skip):
        say(f"skipped: {reason}")

    def measure(watcher: Watcher) -> None:
        known = places.known(found)
        session.measure(
            plan,
            clients,
            known,
            out,
            _command(),
            expected=expected,
            say=say,
            watcher=watcher,
            created=folders.append,
        )

    folders: list[Path] = []
    return _measured(plan, measure, folders, as_json)


def _go_on(
    folder: Path, clients: Mapping[str, Client], ca: str | None, allowed: bool, as_json: bool
) -> int:
    stored = run_folder.read(folder, run_folder.CLIENTS)
    for note in stored.notes:
        say(note)
    plan = stored.run.plan
    refuse_beside_resume(*(("--ca", own_server.PERMISSION) if plan.url else ()))
    expected = None if plan.url is None else _look(plan.url, ca, allowed)
    if expected and {expected.body_bytes} != {row.answer.body_bytes for row in plan.rows}:
        raise UserError(
            f"{plan.url} answers with another length than in this run;"
            f" begin another: {stored.run.command}"
        )

    def measure(watcher: Watcher) -> None:
        session.go_on(folder, clients, expected=expected, say=say, watcher=watcher)

    return _measured(plan, measure, [folder], as_json)


def _measured(
    plan: Plan, measure: Callable[[Watcher], None], folders: list[Path], as_json: bool
) -> int:
    """Measure, showing it as it goes on, and write the reports of what is in the folder then."""
    try:
        measure(Watcher(plan.rounds, Console(stderr=True)))
    except KeyboardInterrupt:
        if folders:
            kept = f"loadtest clients --resume {shlex.quote(str(folders[0]))}"
            say(f"interrupted; what was measured is kept: {kept}")
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


def _refuse_ours(options: Mapping[str, Any]) -> None:
    """Refuse what only our own upstream can be told."""
    ours = {
        "--size": options["body_bytes"],
        "--delay": options["delay_ms"],
        "--no-keep-alive": options["no_keep_alive"],
        "--tls": options["tls"],
    }
    if given := [option for option, value in ours.items() if value]:
        raise UserError(f"--url is answered by your server as it is; leave out {', '.join(given)}")


def _look(url: str, ca: str | None, allowed: bool) -> Expected:
    """Return what a server of the user's own answers; raises UserError if it may not be asked."""
    expected, note = own_server.look(url, own_server.check(url, allowed), ca)
    if note is not None:
        say(note)
    return expected


def _command() -> str:
    """Return what to type for the same run again, but for its seed."""
    return shlex.join(["loadtest", *sys.argv[1:]])


FIRST_PORT = 8090

DELAYS_S = (0.0, 0.001, 0.01, 0.1)

POLL_S = 0.5


def answers() -> list[Answer]:
    """Return what is served: each delay, over each way of answering."""
    ways = [
        Answer(),
        Answer(keep_alive=False),
        Answer(tls=True),
        Answer(tls=True, http="2"),
    ]
    return [
        Answer(delay_s=delay_s, keep_alive=way.keep_alive, tls=way.tls, http=way.http)
        for way in ways
        for delay_s in DELAYS_S
    ]


def serve_upstream(port: int | None) -> int:
    """Run the upstream in the foreground and say where it answers what."""
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-clients-") as logs,
        upstream.running(answers(), Path(logs) / "upstream.log", port or FIRST_PORT) as running,
    ):
        for answer in answers():
            after = f" after {1000 * answer.delay_s:g} ms" if answer.delay_s else ""
            close = "" if answer.keep_alive else ", then closes"
            click.echo(f"{running.url(answer)}  HTTP/{answer.http}{after}{close}")
        click.echo(f"{running.ca}  verifies those over TLS (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            while (ended := running.process.ended()) is None:
                time.sleep(POLL_S)
            say(ended)
            return 1
    return 0
