"""The server profiles in `servers/*.toml`, read strictly, and the command line each comes to."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import asdict

from loadtest.plan import toml_file
from loadtest.plan.servers.project import Project
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Record, Server, Shape
from loadtest.system.listening import HOST

PLACEHOLDERS = frozenset(
    ("python", "host", "port", "fd", "workers", "threads", "workers*threads")
    + ("backlog", "keep_alive_s", "time_limit_s", "max_requests", "application", "module")
)

MADE_OF_IT: Mapping[str, None] = dict.fromkeys(("duplicate_of", "profile", "shape", "variant"))
"""What a run adds to a profile, and no file sets."""


def load_servers(folder: Path) -> tuple[Server, ...]:
    """Return the servers of a folder, by name; every broken file is reported at once."""
    servers, _, problems = read_servers(folder)
    if problems:
        raise UserError(*problems)
    return servers


def read_servers(folder: Path) -> tuple[tuple[Server, ...], tuple[str, ...], list[str]]:
    """Return the servers of a folder, which others can't be read, and a line for each problem."""
    servers: list[Server] = []
    broken: list[str] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem):
        try:
            server = toml_file.read(path, Server, name=path.stem, **MADE_OF_IT)
            _check_lists(path, server)
            _check_placeholders(path, server)
        except UserError as error:
            broken.append(path.stem)
            problems += error.lines
        else:
            servers.append(server)
    if not servers and not broken:
        problems.append(f"{folder}: no server there; name the project's folder with --project")
    return tuple(servers), tuple(broken), problems


def _check_lists(path: Path, server: Server) -> None:
    for key in ("requires", "argv"):
        if not getattr(server, key):
            raise UserError(f"{path}: {key} must be a list in brackets that is not empty")


def _check_placeholders(path: Path, server: Server) -> None:
    for text in (*server.argv, *server.recycled, *server.env.values()):
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        except ValueError as error:
            raise UserError(f"{path}: {text!r}: {error}; write {{{{ for a brace") from None
        for name in sorted(names - PLACEHOLDERS):
            raise UserError(unknown("placeholder", name, PLACEHOLDERS, where=str(path)))


class Command(Record, frozen=True, kw_only=True):
    """What starts a server, its placeholders filled in."""

    argv: tuple[str, ...]
    env: dict[str, str]
    """What it is told beside what the project and its services are told."""
    times: int
    """How often it is started."""


def command(
    server: Server, shape: Shape, project: Project, port: int, fd: int = -1, host: str = HOST
) -> Command:
    """Return what starts a server at an address, or on the listening socket `fd`.

    `shape` is that of a server that has none of its own.
    """
    shape = server.sized(shape)
    filled = {
        **asdict(shape),
        "python": project.python,
        "host": host,
        "port": port,
        "fd": fd,
        "workers*threads": shape.workers * shape.threads,
        "module": project.app.module(server.interface),
        "application": project.app.application(server.interface),
    }
    words = (*server.argv, *(server.recycled if shape.max_requests else ()))
    return Command(
        argv=tuple(text.format_map(filled) for text in words),
        env={key: value.format_map(filled) for key, value in server.env.items()},
        times=shape.workers if server.processes == "workers" else 1,
    )
