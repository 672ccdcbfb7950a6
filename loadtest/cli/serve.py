"""`loadtest serve` and `loadtest services`: what a run starts, in the foreground until Ctrl-C."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from loadtest.bench.servers.instance import Instance, launch
from loadtest.bench.servers.services import services as running_services
from loadtest.cli.options import project_of, project_options
from loadtest.cli.output import say
from loadtest.plan.servers import inventory
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Shape
from loadtest.system import listening

POLL_S = 0.2


@click.command("serve")
@click.argument("name", metavar="SERVER")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=listening.FIRST_PORT, show_default=True
)
@click.option("--workers", type=int, default=Shape().workers, show_default=True)
@click.option("--threads", type=int, default=Shape().threads, show_default=True)
@project_options
def serve_command(
    name: str, port: int, workers: int, threads: int, folder: Path, python: str
) -> int:
    """Run one server with its services in the foreground, as a run would, until Ctrl-C.

    Example: loadtest serve granian-wsgi --port 8000
    """
    found = inventory.take_inventory(project_of(folder, python))
    problems = list(found.problems)
    known = {one.name: one for one in found.servers}
    if name not in (*known, *found.broken):
        problems.append(unknown("server", name, known))
    if problems:
        raise UserError(*problems)
    missing = inventory.packages(found.servers, found.versions)
    if name in missing:
        raise UserError(f"{name}: {missing[name]}")
    shape = Shape(workers=workers, threads=threads)
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-serve-") as logs,
        running_services(found.project, Path(logs), shape) as services,
    ):
        free = listening.free_port(port)
        if free != port:
            say(f"port {port} is taken, using {free}")
        instance = launch(
            known[name],
            shape,
            found.project,
            env=services.env,
            log=Path(logs) / "server.log",
            port=free,
        )
        page = f"http://{listening.HOST}:{free}{found.project.app.page_path}"
        click.echo(f"{name} answers at {page} (Ctrl-C ends it)")
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
            click.echo(log.read(), nl=False, err=True)
            time.sleep(POLL_S)
        click.echo(log.read(), nl=False, err=True)
    return ended


@click.command("services")
@project_options
def services_command(folder: Path, python: str) -> int:
    """Run the private PostgreSQL, Valkey and upstream, migrated and seeded, until Ctrl-C.

    Example: loadtest services (and paste what it prints into another terminal)
    """
    project = project_of(folder, python)
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-services-") as logs,
        running_services(project, Path(logs), Shape()) as services,
    ):
        for key, value in services.env.items():
            click.echo(f"export {key}='{value}'")
        try:
            while (died := services.repair()) is None:
                time.sleep(POLL_S)
            say(died.reason)
            return 1
        except KeyboardInterrupt:
            return 0
