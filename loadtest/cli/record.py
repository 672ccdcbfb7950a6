"""`loadtest record` and `check`: what a project's endpoints answer, and whether they do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from msgspec.structs import replace

from loadtest.cli.network import enter
from loadtest.cli.options import json_option, project_of, project_options, seconds
from loadtest.cli.output import print_json, print_rows, say, waiting
from loadtest.records.errors import CellError, LoadtestError, UserError, unknown
from loadtest.records.text import plural

if TYPE_CHECKING:
    from loadtest.bench.servers.checking import Checked
    from loadtest.plan.servers.own import Failed, Fixed
    from loadtest.plan.servers.project import Project
    from loadtest.records.planned import Body, Endpoint, Server

LATER_S = 65.0

MOST_NAMED = 4
"""Servers in a line that tells of what is still to be done."""

NOT_REACHED = (
    "the project was not allowed to connect there: it is no service of the run; name a stand-in on"
    " this machine under [allow] connect of loadtest.toml"
)

WRITTEN = (
    "it changed while servers were checked: where nobody else did that, the project names its path"
    " by itself; name one outside of its folder under [env], or have git ignore it"
)

OTHER_ROWS = (
    "not as recorded under any server: where [prepare] makes other rows each time, as commands that"
    " invent some do, have it load the same ones (`manage.py dumpdata` keeps some)"
)

MOST_LISTED = 20
"""Of files, or of places."""


class Row(NamedTuple):
    """What became of an endpoint, or a server."""

    result: str
    name: str
    state: str


def _show(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        print_json([row._asdict() for row in rows])
    else:
        print_rows(rows)


@click.command("record")
@click.argument("names", metavar="[ENDPOINT]...", nargs=-1)
@click.option(
    "--later",
    "later_s",
    type=seconds("--later 65", 0, 3_600),
    default=LATER_S,
    help="Seconds to wait before each endpoint is requested again, so that times shown in its pages"
    " have changed."
    f" Default: {LATER_S:.0f}.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Overwrite earlier records that differ. Default: ask in a terminal, otherwise keep them.",
)
@project_options
@json_option
def record_command(
    names: tuple[str, ...],
    later_s: float,
    yes: bool,
    folder: Path,
    python: str | None,
    as_json: bool,
) -> int:
    """Record what the endpoints of loadtest.toml answer.

    Each is requested under two servers, with a database made anew for each; where one of them does
    not start, twice under the other. What all its answers have in common is kept in .loadtest/, and
    a run holds the servers to it. It also prints which
    wrong answers could not be told from the right one, and what differs from an earlier record.
    Exit status 1 if an endpoint cannot be measured, or its earlier record was kept.

    Example: loadtest record
    """
    from loadtest.bench.servers import recording
    from loadtest.plan.servers import own

    project = project_of(folder, python)
    if project.app.declares:
        raise UserError(
            "the endpoints of this project are declared with their answers; type `loadtest check`"
        )
    network, state = enter(project.outside(os.environ), project.app.connects)
    if network == "machine":
        say(f"network: {state}")
    _, servers = _ready(project)
    file = own.read(project.folder)
    by_name = {asked.name: asked for asked in own.endpoints(file)}
    if wrong := [name for name in names if name not in by_name]:
        raise UserError(*(unknown("endpoint", name, by_name) for name in wrong))
    chosen = [asked for name, asked in by_name.items() if not names or name in names]
    asked_under = _two(servers, project.app.reference)
    with waiting("making a database") as doing:

        def tell(line: str) -> None:
            say(line)
            doing(line)

        recorded = recording.ask_all(project, chosen, asked_under, later_s, tell)
    first_visits = recorded.written_once([asked for asked in chosen if not asked.writes])
    stored, basis = own.recorded(project.folder), dict(project.app.basis)
    before = stored.endpoints
    fixed: dict[str, Fixed] = {}
    failed: dict[str, Failed] = {}
    changed: dict[str, list[str]] = {}
    rows: list[Row] = []
    for asked in chosen:
        try:
            if reason := recorded.failed.get(asked.name):
                raise LoadtestError(reason)
            fixing = recording.fix(asked, recorded.replies[asked.name])
        except LoadtestError as error:
            rows.append(Row("NO", asked.name, str(error)))
            failed[asked.name] = own.Failed(asked=asked, basis=basis, reason=str(error))
            continue
        new = replace(fixing.fixed, basis=basis, writes_once=asked.name in first_visits)
        fixed[asked.name] = new
        body, statements = new.contract.body, recorded.probed[asked.name].statements
        assert body is not None
        words = [f"compared: {_fixed(body)}", plural(statements, "statement")]
        words += [f"it can be told from {', '.join(new.refuses)}"] if new.refuses else []
        words += [f"it cannot be told from {what}" for what in new.accepts]
        words += _proposed(fixing.words) if new.accepts else []
        old = before.get(asked.name)
        # What was recorded of another question, or on other data, is of no use any more.
        still_holds = old and old.basis == new.basis and own.same_request(old.asked, asked)
        if old and still_holds and (lines := own.differences(old, new)):
            changed[asked.name] = lines
        rows.append(Row("ok", asked.name, "; ".join(words)))
    rows += [
        Row("!", name, f"recorded otherwise before: {'; '.join(lines)}")
        for name, lines in changed.items()
    ]
    _show(rows, as_json)
    refused = bool(changed) and not (yes or _agreed(len(changed)))
    others = by_name.keys() - {asked.name for asked in chosen}
    others |= {*changed} if refused else set()
    kept = {name: each for name, each in before.items() if name in others}
    failed |= {name: each for name, each in stored.failed.items() if name in others - kept.keys()}
    now = own.Recorded(format=1, endpoints=fixed | kept, failed=failed)
    own.write_recorded(project.folder, now)
    if refused:
        named = ", ".join(changed)
        say(f"{named}: kept as recorded before; `loadtest record --yes` writes it over")
    return int(refused or len(fixed) < len(chosen))


def _agreed(number: int) -> bool:
    """Ask whoever sits at a terminal; elsewhere nobody agrees."""
    if not sys.stdin.isatty():
        return False
    return click.confirm(f"Write over what was recorded of {plural(number, 'endpoint')}?", err=True)


def _proposed(words: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what to write, so that an answer is told from those that are not right."""
    from loadtest.plan.servers.proposal import toml

    lines = [f"{key} = {toml(of)}" for key, of in words.items()]
    if not lines:
        return ["no word of all its answers tells them apart: is it the same page for all?"]
    return [f"write {' and '.join(lines)} under its [endpoint.answer]"]


def _fixed(body: Body) -> str:
    """Return in words how much of an answer is fixed."""
    return {
        "exact": "all bytes",
        "json": "the JSON value" + (f" but for {', '.join(body.holes)}" if body.holes else ""),
        "text": f"the text but for {_open(body.holes)}",
        "shape": "the shape of the JSON value",
        "tags": "its tags",
        "length": f"nothing but {body.least_bytes:,} to {body.most_bytes:,} bytes",
    }[body.level]


def _open(holes: Sequence[str]) -> str:
    """Return in words what is left open of a text."""
    places = sum(hole.isdecimal() for hole in holes)
    named = [hole for hole in holes if not hole.isdecimal()]
    return ", ".join([*named, *([plural(places, "word")] if places else [])])


def _two(servers: Sequence[Server], reference: str | None) -> list[Server]:
    """Return the servers to ask under: what it runs on today or a WSGI server, and an ASGI one."""
    wsgi = [server for server in servers if server.interface == "wsgi"]
    asgi = [server for server in servers if server.interface == "asgi"]
    today = [server for server in servers if server.name == reference]
    first = (today or wsgi or asgi)[0]
    second = (wsgi if first.interface == "asgi" else asgi) or [first]
    return [first, second[0]]


@click.command("check")
@project_options
@json_option
def check_command(folder: Path, python: str | None, as_json: bool) -> int:
    """Start every server once and compare its answers; put no load on it.

    Each endpoint is requested alone, then eight times at once, under each variant of the project;
    of one that waits, at most four at once, and no more than the server works on. Exit status 1 if
    a server does not start, an answer is not what was recorded, or a file of the project changes.

    Example: loadtest check
    """
    from loadtest.bench.servers import checking, recording
    from loadtest.plan.servers import inventory, lineup, matrix, own
    from loadtest.records.planned import Choice, Shape
    from loadtest.system import git

    project = project_of(folder, python)
    network, state = enter(project.outside(os.environ), project.app.connects)
    missing, installed = _ready(project)
    shape = next((lineup.sized(Shape(), typed) for typed in project.app.shapes), Shape())
    servers = lineup.lineup(installed, [shape], project.app, Choice())
    versions = project.versions(inventory.distributions(servers, project.app))
    offered = inventory.Inventory(project, servers, (), versions)
    missing |= offered.missing
    endpoints = project.endpoints()
    if lacking := own.lacking(project):
        raise UserError(*lacking)
    rows = [Row("ok" if network == "own" else "-", "network", state)]
    rows += [Row("-", name, why) for name, why in (own.left_out(project) | missing).items()]
    todo = [
        (server, able)
        for server in servers
        if server.name not in missing
        and (able := [each for each in endpoints if not matrix.unsupported(server, each, shape)])
    ]
    workers = max((server.sized(shape).workers for server in servers), default=shape.workers)
    at_once = inventory.at_once(offered, len(todo), workers)
    wrong = 0
    before = git.changed(project.folder)
    left = [server.name for server, _ in todo]
    # Each is asked alone, then several times at once.
    waits_s = max((sum(2 * each.contract.delay_s for each in of) for _, of in todo), default=0.0)
    why = f" (endpoints that wait take {waits_s:.0f} s under each)" if waits_s >= 1 else ""
    with waiting("making a database") as doing, recording.bench(project, shape, at_once) as local:

        def to_go() -> None:
            named = f": {', '.join(left)}" if 0 < len(left) <= MOST_NAMED else ""
            doing(f"checking servers{why}, {len(left)} of {len(todo)} to go{named}")

        def checked(server: Server) -> None:
            left.remove(server.name)
            to_go()

        to_go()
        results = checking.check_all(local, todo, at_once, checked)
        for (server, of), result in zip(todo, results, strict=True):
            problems = _problems(project, server, of, result)
            wrong += bool(problems)
            state = "; ".join(problems) or f"as recorded, at {plural(len(of), 'endpoint')}"
            rows.append(Row("NO" if problems else "ok", server.name, state))
        if alike := _wrong_everywhere([of for _, of in todo], results):
            rows.append(Row("-", "[prepare]", f"{', '.join(alike)}: {OTHER_ROWS}"))
        rows += [Row("-", where, NOT_REACHED) for where in _first(local.services.refused())]
    after = git.changed(project.folder)
    written = [] if before is None or after is None else sorted(after - before)
    rows += [Row("NO", path, WRITTEN) for path in _first(written)]
    _show(rows, as_json)
    return int(wrong > 0 or bool(written))


def _wrong_everywhere(
    asked: Sequence[Sequence[Endpoint]], results: Sequence[Checked | CellError]
) -> list[str]:
    """Return the endpoints that are not as recorded under any of several servers that are up."""
    wrong: dict[str, list[bool]] = {}
    for of, result in zip(asked, results, strict=True):
        if not isinstance(result, CellError):
            for each in of:
                wrong.setdefault(each.name, []).append(bool(result.get(each.id)))
    return [name for name, seen in wrong.items() if len(seen) > 1 and all(seen)]


def _problems(
    project: Project,
    server: Server,
    endpoints: Sequence[Endpoint],
    result: Checked | CellError,
) -> list[str]:
    """Return what is wrong under a server, and what to type next; nothing where all is right."""
    variant = f" --variant {server.variant}" if server.variant else ""
    shows = f"`loadtest serve {server.profile or server.name}{variant}`"
    if isinstance(result, CellError):
        last = (result.detail or "").splitlines()[-1:]
        return [": ".join([result.reason, *last]), f"{shows} shows all that it prints"]
    wrong = [each for each in endpoints if result.get(each.id)]
    if not wrong:
        return []
    if project.app.declares:
        problems = [f"{each.id} {result[each.id]}" for each in wrong]
        return [*problems, f"correct the view, or what is declared of it; {shows} starts it"]
    names = " ".join(each.name for each in wrong)
    return [
        *(f"{each.name} {result[each.id]}" for each in wrong),
        f"{shows} starts it; where it is to answer so from now on, type `loadtest record {names}`",
    ]


def _first(names: Sequence[str]) -> list[str]:
    """Return names of which there may be any number: the first, and how many more there are."""
    more = len(names) - MOST_LISTED
    return [*names[:MOST_LISTED], *([f"{more:,} more"] if more > 0 else [])]


def _ready(project: Project) -> tuple[dict[str, str], list[Server]]:
    """Return which servers are not installed, and those that are.

    Raises UserError for what stands in the way of starting any.
    """
    from loadtest.plan.servers import inventory, profile

    inventory.standing(project)
    servers = profile.load_servers(project.app.servers)
    versions = project.versions(inventory.distributions(servers, project.app))
    missing = inventory.Inventory(project, servers, (), versions).missing
    if not (ready := [server for server in servers if server.name not in missing]):
        raise UserError(f"{project.python} has no server; type `loadtest env` to install some")
    return missing, ready
