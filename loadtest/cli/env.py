"""`loadtest env`: the servers that a project lacks, in an environment over its own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import click

from loadtest.cli.options import located, project_options
from loadtest.cli.output import say, waiting
from loadtest.records.errors import UserError, unknown


@click.command("env")
@click.argument("names", metavar="[SERVER]...", nargs=-1)
@project_options
def env_command(names: tuple[str, ...], folder: Path, python: str | None) -> int:
    """Install servers beside a project's packages, in an environment of their own.

    The environment is .loadtest/env, and the project runs in it from then on. The project's own
    environment stays as it is, and each of its packages keeps its version. SERVER is a name from
    `loadtest list`, or a pattern such as 'granian-*'; without one, the servers of the matrix quick
    are installed, and the one that the project runs on today. Packages that variants require are
    installed too. This needs a package index.

    Example: loadtest env granian-wsgi uvicorn
    """
    from loadtest.plan.servers import matrix, overlay, own, profile
    from loadtest.plan.servers.project import FOLDER

    folder = folder.resolve()
    file = own.read(folder)
    app = own.app(file, folder=folder)
    servers = {server.name: server for server in profile.load_servers(app.servers)}
    today = [app.reference] if app.reference else []
    globs = names or (*matrix.load_matrix("quick", app.matrices).servers, *today)
    if wrong := [glob for glob in globs if not any(fnmatchcase(name, glob) for name in servers)]:
        raise UserError(*(unknown("server", glob, servers) for glob in wrong))
    chosen = [name for name in servers if any(fnmatchcase(name, glob) for glob in globs)]
    packages = {package for name in chosen for package in servers[name].requires}
    packages |= {package for variant in app.variants.values() for package in variant.requires}
    own.ignore(folder / FOLDER)
    given = located(python) or own.interpreter(folder, file)
    with waiting(f"installing {', '.join(chosen)}"):
        overlay.install(folder / FOLDER / own.OVERLAY, given, packages, say)
    say(f"{', '.join(chosen)}: ready to be measured")
    return 0
