"""What runs in the containers of the project: a server as its file says, or what it needs.

    python -m loadtest.bench.servers.compose.serve uvicorn
    python -m loadtest.bench.servers.compose.serve --upstream
    python -m loadtest.bench.servers.compose.serve --prepare --allow-database HOST/NAME ...

The shape and the addresses of the services come from the environment, see `docker-compose.yml`.
Imports little: the image has no packages of the reports.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from loadtest.bench.servers import consent, instance
from loadtest.plan.servers import own
from loadtest.plan.servers.profile import command, load_servers
from loadtest.plan.servers.project import HOSTS, Project, Service
from loadtest.records.errors import LoadtestError, UserError, unknown
from loadtest.records.planned import Shape
from loadtest.system import process
from loadtest.system.process import CommandError

HOST = "0.0.0.0"
"""Of the container alone; what is published of it, and where, says the compose file."""

PORT = 8000

UPSTREAM_PORT = 8081

OPEN_FILES = 65_536
"""An engine may start containers with no more than 1,024, and lets them ask for more."""

SHAPE = {
    name.upper(): name
    for name in ("workers", "threads", "backlog", "keep_alive_s", "time_limit_s", "database_pool")
}
"""The variables of `.env` by the field that they set."""


@click.command()
@click.argument("name", metavar="SERVER", required=False)
@click.option("--upstream", is_flag=True, help="Become the upstream.")
@click.option("--prepare", is_flag=True, help="Make the tables and rows, and end.")
@click.option(consent.OPTIONS["postgres"], "postgres", help="The database of --prepare.")
@click.option(consent.OPTIONS["redis"], "redis", help="The Redis of --prepare.")
def main(
    name: str | None, upstream: bool, prepare: bool, postgres: str | None, redis: str | None
) -> None:
    """Become a server, with the container's address and the shape that the environment gives."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        project = own.project(Path.cwd(), own.read(Path.cwd()), sys.executable)
        passed = {*project.app.addresses.values(), HOSTS}
        given = {key: os.environ[key] for key in passed & os.environ.keys()}
        sized = shape(os.environ)
        env = project.environment(given, shape=sized)
        if prepare:
            typed: dict[Service, str] = {"postgres": postgres or "", "redis": redis or ""}
            if refused := consent.refusals(env, project.app, typed):
                raise UserError(*refused)
            click.echo(project.prepare(env).strip())
        elif upstream:
            argv = project.upstream("--host", HOST, "--port", str(UPSTREAM_PORT))
            process.become(argv, env=process.environment(env))
        else:
            _serve(name or "", sized, project, env)
    except CommandError as error:
        raise SystemExit(f"loadtest: {error.reason}\n{error.detail}") from None
    except LoadtestError as error:
        raise SystemExit(f"loadtest: {error}") from None


def shape(env: Mapping[str, str]) -> Shape:
    """Return the shape that an environment describes; raises UserError naming the variable."""
    read = Shape()
    for variable, name in SHAPE.items():
        text = env.get(variable, "")
        if not text:
            continue
        try:
            field = getattr(msgspec.convert({name: text}, Shape, strict=False), name)
        except msgspec.ValidationError:
            raise UserError(
                f"{variable}={text}: not a number above 0, or too large; correct it in .env"
            ) from None
        read = msgspec.structs.replace(read, **{name: field})
    return read


def variables(shape: Shape) -> dict[str, str]:
    """Return the environment that describes a shape."""
    return {variable: str(getattr(shape, name)) for variable, name in SHAPE.items()}


def _serve(name: str, shape: Shape, project: Project, env: Mapping[str, str]) -> None:
    known = {server.name: server for server in load_servers(project.app.servers)}
    if name not in known:
        raise UserError(unknown("server", name, known))
    profile = known[name]
    with instance.listening(profile, PORT, shape.backlog, HOST) as fd:
        started_by = command(profile, shape, project, PORT, fd, HOST)
        process.become(
            started_by.argv,
            env=process.environment({**env, **started_by.env}),
            times=started_by.times,
            fds=(fd,) if fd >= 0 else (),
        )


if __name__ == "__main__":
    main()
