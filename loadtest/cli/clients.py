"""`loadtest clients`: HTTP clients compared, against an upstream of our own."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shlex
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from loadtest.cli.options import (
    Titled,
    all_of,
    budget_option,
    json_option,
    out_option,
    precision_option,
    refuse_beside,
    refuse_beside_resume,
    resume_option,
    resumed,
    rounds_option,
    seconds,
    seed_option,
    whole,
)
from loadtest.cli.output import say
from loadtest.plan.clients import PERMISSION
from loadtest.records import run_folder
from loadtest.records.clients import MEASURES, REUSES, Answer
from loadtest.records.errors import UserError, lone
from loadtest.records.privacy import public

if TYPE_CHECKING:
    from loadtest.measure.clients.measuring import Bench
    from loadtest.plan.clients.catalogue import Client
    from loadtest.plan.clients.own_server import Expected
    from loadtest.plan.clients.typed_rows import Typed

MOST_REQUESTS = 1_000_000
MOST_AT_ONCE = 10_000
MOST_BYTES = 100_000_000
DELAYS_MS = ("0", "1", "10", "100")

FIRST_PORT = 8090
"""Of `--serve`."""

_each = functools.partial(click.option, multiple=True)
"""An option that makes a row for each value it is given."""

row_options = all_of(
    _each(
        "--count",
        "--requests",
        "requests",
        type=whole("--count 1000", 1, MOST_REQUESTS),
        help="Timed requests in each measurement. Default: 500.",
    ),
    _each(
        "-b",
        "--batch",
        type=whole("--batch 10", 1, MOST_AT_ONCE),
        help="Requests in flight at once. Default: 10, and 1 for `sequential`.",
    ),
    _each(
        "-c",
        "--chunk",
        type=whole("--chunk 100", 1, MOST_REQUESTS),
        help="Requests that start together; the next ones start when all of these are done."
        " Default: all.",
    ),
    _each(
        "--reuse",
        type=click.Choice(REUSES),
        help="One session for all requests, or a new one for each. Default: kept.",
    ),
    _each(
        "--size",
        "body_bytes",
        type=whole("--size 1024", 0, MOST_BYTES),
        metavar="BYTES",
        help="Length of each response body, in bytes. Default: 1024.",
    ),
    _each(
        "--delay",
        "delay_ms",
        type=click.Choice(DELAYS_MS),
        help="Milliseconds that the upstream waits before it responds. Default: 0.",
    ),
    click.option(
        "--no-keep-alive",
        is_flag=True,
        help="Have the upstream close the connection after each response. Default: it stays open.",
    ),
    click.option(
        "--tls",
        is_flag=True,
        help="Use TLS, with a certificate made for the run. Default: plain HTTP.",
    ),
    _each(
        "--http",
        type=click.Choice(("1.1", "2")),
        help="HTTP version; 2 implies --tls. Default: 1.1.",
    ),
)
"""What rows are made of."""


@click.command("clients", cls=Titled)
@click.argument("words", nargs=-1, metavar="[PRESET | CLIENT... MODE...]")
@row_options
@click.option(
    "--measure",
    "measures",
    type=click.Choice(MEASURES),
    multiple=True,
    help="cold: time a whole process from start to end; warm: time requests in a process that has"
    " warmed up. Default: both.",
)
@rounds_option("the preset's, 8 to 10; 5 for rows of your own", least=1)
@click.option(
    "--warmup",
    type=whole("--warmup 50", 0, MOST_REQUESTS),
    help="Untimed requests before each warm measurement."
    " Default: the preset's, 20 to 100; 50 for rows of your own.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=seconds("--timeout 10", 0.1, 600),
    metavar="SECONDS",
    help="Seconds until a request counts as failed, from 0.1 to 600. Default: 10.",
)
@precision_option
@budget_option("no limit; goes with --precision")
@seed_option
@click.option(
    "--python",
    "pythons",
    metavar="PATH",
    multiple=True,
    help="Run each row with this Python interpreter; repeat it to compare several."
    " Default: the one that runs loadtest.",
)
@click.option(
    "--make-environments",
    is_flag=True,
    help="Install the locked packages that an interpreter lacks, into .clients/.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Send the requests to this URL of a server of yours; what follows its ? is not recorded."
    " Default: the upstream that comes with loadtest, on this machine.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Certificate authority (PEM) to verify the server of --url with."
    " Default: those that the system trusts.",
)
@click.option(
    PERMISSION,
    "allowed",
    is_flag=True,
    help="Confirm that you may put load on the host of --url; needed unless it is this machine or"
    " on a private network.",
)
@click.option(
    "--serve",
    is_flag=True,
    help="Measure nothing: run the upstream and print its URLs, until Ctrl-C.",
)
@click.option(
    "--port",
    type=whole("--port 8090", 1, 65_000),
    help="First TCP port of --serve, which takes one for each kind of response."
    f" Default: {FIRST_PORT}.",
)
@resume_option
@out_option
@json_option
def clients_command(
    words: tuple[str, ...],
    *,
    seed: int | None,
    precision: float | None,
    budget_s: float | None,
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
    """Measure Python's HTTP clients, then write the reports.

    Name a preset, or clients and the modes to drive them in; with neither, all clients are
    compared in under three minutes. Repeat an option such as --batch to get a row for each value.

    \b
    Presets: default, asyncio-clients, reuse, threads-vs-asyncio
    Clients: aiohttp, httpx_async, httpx_sync (httpx stands for both), niquests,
             requests, urllib3
    Modes:   sequential, threads-recreate, threads-reuse, threads-map,
             async-for, async-map, async-taskgroup

    Example: loadtest clients aiohttp httpx --count 1000 --batch 10
    """
    from loadtest.measure.clients import session
    from loadtest.measure.clients.measuring import Bench
    from loadtest.plan.clients import catalogue, environments, own_server, presets, typed_rows

    refused = {
        lone("--port", "--serve"): port is not None and not serve,
        lone("--ca", "--url"): ca is not None and url is None and resume is None,
        lone("--budget", "--precision"): budget_s is not None and precision is None,
        lone(PERMISSION, "--url"): allowed and url is None and resume is None,
    }
    if lines := [line for line, is_so in refused.items() if is_so]:
        raise UserError(*lines)
    if serve:
        refuse_beside("--serve measures nothing", "--serve", "--port")
        return serve_upstream(port)
    clients = catalogue.clients()
    if resume is not None:
        return _go_on(resumed(resume, out), clients, url, ca, allowed, as_json)
    asked = typed_rows.chosen(_typed(words, options), clients)
    expected = None
    if url is not None:
        _refuse_ours(options)
        expected = _look(url, ca, allowed)
        asked = own_server.elsewhere(
            asked, expected, all_tables=asked.name == typed_rows.CHOICE, say=say
        )
    pythons = tuple(map(os.path.expanduser, pythons))
    interpreters = environments.places(
        asked.clients, clients, pythons, make=make_environments, say=say
    )
    plan = presets.plan(
        asked,
        clients,
        interpreters,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        url=None if url is None else own_server.shown(url),
    )
    plan = msgspec.structs.replace(plan, precision=precision, budget_s=budget_s)
    session.check(plan, out)
    for reason in dict.fromkeys(row.skip for row in plan.rows if row.skip):
        say(f"skipped: {reason}")

    with session.answering(plan) as running:
        known = environments.known(interpreters)
        folder = run_folder.create(out, session.new_run(plan, known, _command(url), running))
        return _measured(folder, Bench(plan, clients, known, running, expected), as_json)


def _command(url: str | None) -> str:
    """Return what to type for such a run, without a token in its URL and where it is kept."""
    from loadtest.plan.clients import own_server

    words = [word for word in sys.argv[1:] if not word.startswith("--out=")]
    while "--out" in words:
        at = words.index("--out")
        del words[at : at + 2]
    if url is not None:
        words = [word.replace(url, own_server.shown(url)) for word in words]
    return shlex.join(["loadtest", *map(public, words)])


def _go_on(
    folder: Path,
    clients: Mapping[str, Client],
    url: str | None,
    ca: str | None,
    allowed: bool,
    as_json: bool,
) -> int:
    from loadtest.measure.clients import resume, session
    from loadtest.measure.clients.measuring import Bench
    from loadtest.measure.resume import another
    from loadtest.plan.clients import own_server

    run = run_folder.read(folder, run_folder.CLIENTS).run
    # As they were written down: `privacy.public`.
    here = {
        key: msgspec.structs.replace(each, path=os.path.abspath(os.path.expanduser(each.path)))
        for key, each in run.interpreters.items()
    }
    run = msgspec.structs.replace(run, interpreters=here)
    plan = run.plan
    refuse_beside_resume(*(("--url", "--ca", PERMISSION) if plan.url else ()))
    expected = None
    if plan.url is not None:
        expected = _look(own_server.again(plan.url, url), ca, allowed)
    if expected and {expected.body_bytes} != {row.answer.body_bytes for row in plan.rows}:
        raise UserError(
            f"{plan.url} answers with another length than in this run; {another(run.command)}"
        )
    session.check(plan, folder)
    with session.answering(plan) as running:
        resume.check(run, clients, session.this_machine(running))
        bench = Bench(plan, clients, run.interpreters, running, expected)
        return _measured(folder, bench, as_json)


def _measured(folder: Path, bench: Bench, as_json: bool) -> int:
    """Measure what a run lacks, and write its reports."""
    from loadtest.cli import kinds
    from loadtest.measure.clients import session

    trials = partial(session.ClientTrials, bench.plan)
    return kinds.measure(kinds.CLIENTS, folder, trials, contextlib.nullcontext(bench), as_json)


def _typed(words: tuple[str, ...], options: Mapping[str, Any]) -> Typed:
    from loadtest.plan.clients.typed_rows import Typed

    given = {key: value for key, value in options.items() if key != "no_keep_alive"}
    given["delay_ms"] = tuple(float(delay) for delay in options["delay_ms"])
    given["keep_alive"] = (False,) * options["no_keep_alive"]
    given["tls"] = (True,) * (options["tls"] or "2" in options["http"])
    return Typed(words=words, **given)


def _refuse_ours(options: Mapping[str, Any]) -> None:
    """Refuse what only our own upstream can be told."""
    ours = {
        "size": "body_bytes",
        "delay": "delay_ms",
        "no-keep-alive": "no_keep_alive",
        "tls": "tls",
    }
    if given := [f"--{option}" for option, key in ours.items() if options[key]]:
        raise UserError(f"--url is answered by your server as it is; leave out {', '.join(given)}")


def _look(url: str, ca: str | None, allowed: bool) -> Expected:
    """Return what a server of the user's own answers; raises UserError if it may not be asked."""
    from loadtest.plan.clients import own_server

    expected, note = own_server.ask(url, own_server.check(url, allowed), ca)
    if note is not None:
        say(note)
    return expected


POLL_S = 0.5


def answers() -> list[Answer]:
    """Return what is served: each delay, over each way of answering."""
    ways = (Answer(), Answer(keep_alive=False), Answer(tls=True), Answer(tls=True, http="2"))
    return [
        msgspec.structs.replace(way, delay_s=float(delay) / 1000)
        for way in ways
        for delay in DELAYS_MS
    ]


def serve_upstream(port: int | None) -> int:
    """Run the upstream in the foreground and say where it answers what."""
    from loadtest.bench.clients import upstream
    from loadtest.system import process

    with (
        process.folder("loadtest-clients-") as logs,
        upstream.running(answers(), logs.path / "upstream.log", port or FIRST_PORT) as running,
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
