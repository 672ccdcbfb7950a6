"""`loadtest serve` and `loadtest services`: what a run starts, in the foreground until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.options import consent_options, project_of, project_options, whole
from loadtest.cli.output import say
from loadtest.plan.servers import inventory, lineup
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Shape
from loadtest.records.text import printable
from loadtest.records.values import MOST_THREADS, MOST_WORKERS
from loadtest.system import listening, process

if TYPE_CHECKING:
    from loadtest.bench.servers.instance import Instance

POLL_S = 0.2


@click.command("serve")
@click.argument("name", metavar="SERVER")
@click.option(
    "--port",
    type=whole("--port 8000", 1, 65_535),
    default=listening.FIRST_PORT,
    help="TCP port to listen on, or the next free one if it is taken."
    f" Default: {listening.FIRST_PORT}.",
)
@click.option(
    "--workers",
    type=whole("--workers 2", 1, MOST_WORKERS),
    default=Shape().workers,
    help=f"Worker processes. Default: {Shape().workers}.",
)
@click.option(
    "--threads",
    type=whole("--threads 4", 1, MOST_THREADS),
    default=Shape().threads,
    help=f"Threads per worker, if the server has threads. Default: {Shape().threads}.",
)
@click.option(
    "--variant",
    metavar="NAME",
    help="Variant of the project, by its name in loadtest.toml. Default: the project as it is.",
)
@project_options
@consent_options
def serve_command(
    name: str,
    port: int,
    workers: int,
    threads: int,
    variant: str | None,
    folder: Path,
    python: str | None,
    postgres: str | None,
    redis: str | None,
) -> int:
    """Start one server as in a run; Ctrl-C ends it.

    The services of the project are started with it. SERVER is a name from `loadtest list`.

    Example: loadtest serve granian-wsgi --port 8000
    """
    from loadtest.bench.servers.instance import launch
    from loadtest.bench.servers.services import services as running_services

    offered = inventory.take_inventory(project_of(folder, python, postgres, redis))
    problems = list(offered.problems)
    known = {server.name: server for server in offered.servers}
    if name not in (*known, *offered.broken):
        problems.append(unknown("server", name, known))
    app = offered.project.app
    if variant is not None and variant not in app.variants:
        problems.append(unknown("variant", variant, app.variants))
    if problems:
        raise UserError(*problems)
    server = lineup.varied(known[name], None, variant, app)
    missing = offered.lacking([server])
    if name in missing:
        raise UserError(f"{name}: {missing[name]}")
    shape = Shape(workers=workers, threads=threads)
    with (
        process.folder("loadtest-serve-") as logs,
        running_services(offered.project, logs.path, shape) as services,
    ):
        free = listening.free_port(port)
        if free != port:
            say(f"port {port} is taken, using {free}")
        instance = launch(
            server,
            shape,
            offered.project,
            env=services.env,
            log=logs.path / "server.log",
            port=free,
        )
        page = next((each.path for each in offered.endpoints if "{" not in each.path), "/")
        at = f"http://{listening.HOST}:{free}{page}"
        click.echo(f"{name} answers at {at} (Ctrl-C ends it)")
        try:
            say(_follow(instance))
            return 1
        except KeyboardInterrupt:
            return 0
        finally:
            instance.process.stop()


def _follow(instance: Instance) -> str:
    """Print the server's log as it grows until the server ends; return in words how it ended."""
    with open(instance.process.log, encoding="utf-8", errors="replace") as log:
        while (ended := instance.process.ended()) is None:
            click.echo(printable(log.read()), nl=False, err=True)
            time.sleep(POLL_S)
        click.echo(printable(log.read()), nl=False, err=True)
    return ended


@click.command("services")
@project_options
@consent_options
def services_command(
    folder: Path, python: str | None, postgres: str | None, redis: str | None
) -> int:
    """Start the services of a project as in a run; Ctrl-C ends them.

    The database is migrated and seeded. Paste the printed lines into another terminal, so that the
    app finds the services.

    Example: loadtest services
    """
    from loadtest.bench.servers.services import services as running_services

    project = project_of(folder, python, postgres, redis)
    with (
        process.folder("loadtest-services-") as logs,
        running_services(project, logs.path, Shape()) as services,
    ):
        for key, value in project.environment(services.env).items():
            # What the environment names already is its own to know.
            if key not in os.environ and key != "PYTHONPYCACHEPREFIX":
                click.echo(f"export {key}={shlex.quote(value)}")
        try:
            while (died := services.repair()) is None:
                time.sleep(POLL_S)
            say(died.reason)
            return 1
        except KeyboardInterrupt:
            return 0
