"""What there is to choose from: endpoints, servers and installed packages; a plan made of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import psutil
from msgspec.structs import replace

from loadtest.plan.servers import facts, lineup, matrix, own, profile
from loadtest.plan.servers.matrix import Matrix
from loadtest.plan.servers.project import App, Project
from loadtest.records.errors import UserError
from loadtest.records.measured import Agent, Engine, Launcher, Network, Site
from loadtest.records.planned import Choice, Endpoint, Plan, Server

PROCESS_BYTES = 100_000_000
"""Of a server's process, with Django and what a load adds: more than most take."""

DISTRIBUTIONS = {
    *("Django", "asgiref", "psycopg", "psycopg-pool", "psycopg2", "psycopg2-binary", "redis")
}
"""Whose versions a run records, beside those that servers and variants require."""

MEMORY_SHARE = 0.6
"""Of what is available."""

FEWEST_AT_ONCE = 3
"""The reference, its duplicate and another."""


@dataclass(frozen=True)
class Inventory:
    """What there is to choose from: the project's endpoints and servers, and what is installed."""

    project: Project
    servers: tuple[Server, ...]
    endpoints: tuple[Endpoint, ...]
    versions: dict[str, str | None]
    """Of the app's interpreter; None: not installed."""
    problems: tuple[str, ...] = ()
    """Mistakes in the project's files, a line each: with one of them nothing can be planned."""
    broken: tuple[str, ...] = ()
    """Servers whose file has one."""
    launcher: Launcher = "local"
    engine: Engine | None = None
    """Of `compose`; the versions are then its image's."""
    served_by: Agent | None = None
    """Of `agent`; the versions are then its own."""
    network: Network | None = None
    """That it was taken on, where its servers are started on it as well."""
    site: Site | None = None
    """What is known of the project."""

    @property
    def missing(self) -> dict[str, str]:
        """For each server that lacks packages why it is skipped, with what to type."""
        return self.lacking(self.servers)

    def lacking(self, servers: Iterable[Server]) -> dict[str, str]:
        """Return likewise for servers that are made of these."""
        why: dict[str, str] = {}
        for server in servers:
            if names := " ".join(name for name in server.requires if not self.versions.get(name)):
                # The environment of a project is its owner's, and stays as it is.
                how = f"`loadtest env {server.profile or server.name}`"
                why[server.name] = f"not installed: {names}; {how}"
        return why


def take_inventory(project: Project) -> Inventory:
    """Read what a project offers, as far as it can be read."""
    endpoints = project.app.declared
    versions: dict[str, str | None] = {}
    site: Site | None = None
    servers, broken, problems = profile.read_servers(project.app.servers)
    servers = tuple(_limited(server, project.app) for server in servers)
    try:
        versions = project.versions(distributions(servers, project.app))
        site = standing(project)
        if lacking := own.lacking(project):
            raise UserError(*lacking)
        endpoints = project.endpoints()
    except UserError as error:
        problems.extend(error.lines)
    return Inventory(project, servers, endpoints, versions, tuple(problems), broken, site=site)


def _limited(server: Server, app: App) -> Server:
    """Return a server with what its results say where a run makes the application by itself."""
    name = app.generated.get(server.interface) if server.interface else None
    if name is None:
        return server
    limit = (
        f'The run made its application, as `{server.interface} = "generated"` asks; to deploy it'
        f" takes a module of the project, such as {name.partition(':')[0]}."
    )
    return replace(server, limits=(*server.limits, limit))


def standing(project: Project) -> Site:
    """Return what of a project may matter more than its server.

    Raises UserError with what stands in the way of starting it.
    """
    if not (project.app.declared or project.app.declares):
        file = project.folder / own.FILE
        raise UserError(f"{file} has no [[endpoint]]; add one, or type `loadtest init`")
    known = facts.look(project)
    if refusals := facts.refusals(project, known):
        raise UserError(*refusals)
    return facts.site(known)


def make_plan(inventory: Inventory, choice: Choice) -> Plan:
    """Return the plan of a choice for a project; raises UserError with every mistake in it."""
    problems = list(inventory.problems)
    app = inventory.project.app
    chosen = Matrix(name=choice.matrix, summary="", rounds=1, loads=())
    # A server keeps its name though its file is broken: to choose it is no second mistake.
    names = sorted([*(server.name for server in inventory.servers), *inventory.broken])
    try:
        chosen = matrix.load_matrix(choice.matrix, app.matrices)
        chosen = replace(chosen, shapes=chosen.shapes or app.shapes)
        if app.reference:
            # What a project runs on today takes part, whichever servers a matrix has.
            chosen = replace(chosen, servers=(*chosen.servers, app.reference))
    except UserError as error:
        named = {"server": names, "endpoint": [each.name for each in inventory.endpoints]}
        kinds = [kind for kind, known in named.items() if choice.matrix in known]
        problems.extend(
            [f"{choice.matrix} is no matrix: type --{kinds[0]} {choice.matrix}"]
            if kinds
            else error.lines
        )
    if problems:
        raise UserError(*problems, *matrix.mistakes(chosen, names, inventory.endpoints, choice))
    shapes = matrix.shapes(chosen, choice)
    of = lineup.lineup(inventory.servers, shapes, app, choice)
    today = lineup.reference(of, shapes[0], app)
    if base := today.name if today else app.reference:
        chosen = replace(chosen, duplicate=replace(chosen.duplicate, server=base))
    plan = matrix.expand(chosen, of, inventory.endpoints, choice, inventory.lacking(of))
    taking_part = {cell.server for cell in plan.cells if cell.skip is None}
    return replace(
        plan,
        at_once=at_once(inventory, len(plan.servers), plan.most_workers),
        today=today.name if today and today.name in taking_part else None,
        mix=app.mix,
    )


def at_once(inventory: Inventory, servers: int, workers: int) -> int:
    """Return how many servers of so many workers can be up at the same time.

    One where they are not ours to start, or share a database: what it counts is then of whoever is
    up.
    """
    shared = inventory.project.app.addresses.get("postgres", "") in os.environ
    there = inventory.served_by
    if there is None and (inventory.launcher != "local" or shared):
        return 1
    each_bytes = PROCESS_BYTES * (workers + 1)
    free_bytes = psutil.virtual_memory().available
    if there:  # what is available on it is not known: half of all, say
        free_bytes = (there.machine.memory_bytes or 0) // 2
    room = int(free_bytes * MEMORY_SHARE / each_bytes)
    return min(servers, max(FEWEST_AT_ONCE, room))


def distributions(servers: Iterable[Server], app: App) -> set[str]:
    """Return whose versions a run with these servers records."""
    needed = {name for server in servers for name in server.requires}
    needed |= {name for variant in app.variants.values() for name in variant.requires}
    return needed | DISTRIBUTIONS
