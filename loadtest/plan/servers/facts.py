"""What a project says of itself, asked of its own interpreter; see `inside/`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from loadtest.plan.servers import detect, own
from loadtest.plan.servers.project import FILES, INSIDE, Project
from loadtest.plan.servers.requests import Prepared
from loadtest.records.errors import UserError, unknown
from loadtest.records.measured import Site
from loadtest.records.planned import Record
from loadtest.records.values import Count
from loadtest.system import process
from loadtest.system.process import CommandError

WITHIN_S = 600.0

NO_ANSWER = "no answer: it took longer than 60 s, or ended the process that asked"
"""Of a question; see `LONGEST_S` in `inside/loadtest_probe.py`."""

OLDEST = (3, 2)
"""Of Django."""

Text = Annotated[str, Meta(max_length=1_000)]


class Failure(Record, frozen=True, kw_only=True):
    """What a project raised as it was looked at."""

    kind: Text
    text: Text
    at: Text

    def __str__(self) -> str:
        """Return it as Python would print it, with its place: for a person, and for no file."""
        return f"{self.kind}: {self.text} ({self.at})"

    @property
    def public(self) -> str:
        """What of it may stand in a file: the message may quote a secret."""
        return f"{self.kind} at {self.at}"


class Database(Record, frozen=True, kw_only=True):
    """One of the project's own databases, without where it is."""

    engine: Text
    file: Text | None
    """Of SQLite's."""
    conn_max_age: int | None
    """Seconds; None: without end."""
    pool: bool
    driver: Text | None = None
    """Of PostgreSQL's `psycopg`: `c`, `binary` or `python`; None of others, and of older ones."""

    @property
    def reconnects(self) -> bool:
        """Whether each request opens a connection of its own; a file has none."""
        return self.conn_max_age == 0 and not self.pool and "sqlite" not in self.engine


class Middleware(Record, frozen=True, kw_only=True):
    """One of the stack."""

    name: Text
    asynchronous: bool


class Route(Record, frozen=True, kw_only=True):
    """One route."""

    path: Text
    arguments: tuple[Text, ...]
    asynchronous: bool


class Facts(Record, frozen=True, kw_only=True):
    """What is known of a project, as far as it could be looked at."""

    stage: Literal["django", "settings", "setup", "routes", "application", "end"]
    """The last that was begun; `end`: all is known."""
    failure: Failure | None = None
    python: Text = ""
    django: Text = ""
    settings_file: Text = ""
    debug: bool = False
    wsgi: Text | None = None
    asgi: Text | None = None
    databases: dict[str, Database] = msgspec.field(default_factory=dict)
    caches: dict[str, Text] = msgspec.field(default_factory=dict)
    static_storage: Text = ""
    compressed: bool = False
    """Pages need what django-compressor makes beforehand."""
    hosts: tuple[Text, ...] = ()
    proxy_header: tuple[Text, Text] | None = None
    """With its value, what a proxy in front says by it: that a client came over HTTPS."""
    middleware: tuple[Middleware, ...] = ()
    routes: Annotated[tuple[Route, ...], Meta(max_length=5_000)] = ()
    wrapped: tuple[Text, ...] = ()
    """Its applications that are not Django's own."""
    forced: bool = False
    """An application's module names its settings whatever it is told."""


class Probed(Record, frozen=True, kw_only=True):
    """What one path answered in the project's own process."""

    path: str
    status: int = 0
    """0: it was not asked, as `like` says, or there was no answer, as `error` does."""
    like: str = ""
    """The path that was asked in its place, of the same route."""
    type: str = ""
    location: str = ""
    route: str = ""
    template: str = ""
    """The first of Django's that made it."""
    bytes: Count = 0
    statements: Count = 0
    """Of a later request, as `writes` are."""
    writes: tuple[str, ...] = ()
    writes_once: tuple[str, ...] = ()
    """By an earlier one alone: what it made, as a small picture, is there from then on."""
    mail: Count = 0
    outbound: tuple[str, ...] = ()
    error: str | None = None
    first_ms: float = 0.0
    again_ms: float = 0.0
    links: tuple[str, ...] = ()
    fit: bool = False
    """It can be loaded as it is."""


class _Begun(Record, frozen=True, kw_only=True):
    """The first line of `inside/loadtest_probe.py`."""

    user: bool


def look(project: Project) -> Facts:
    """Ask a project what it is; no database is reached. Raises UserError where nothing answers."""
    apps = [project.app.application("wsgi"), project.app.application("asgi")]
    script = str(INSIDE / "loadtest_facts.py")
    try:
        # Some storages look into a folder of files as they are imported.
        with process.folder("loadtest-look-") as home:
            env = {FILES: str(home.path)}
            printed = project.run(script, *apps, env=env, timeout_s=WITHIN_S)
        facts = msgspec.json.decode(printed, type=Facts)
    except CommandError as error:
        last = error.detail.splitlines()[-1] if error.detail else error.reason
        raise UserError(
            f"{project.python}: {last}; name the project's interpreter with --python"
        ) from None
    except msgspec.MsgspecError as error:
        raise UserError(f"{project.python}: does not say what the project is: {error}") from None
    return facts


def problems(project: Project, facts: Facts) -> list[str]:
    """Return what stands in the way of measuring a project as its file has it, a line each."""
    file, python = project.folder / own.FILE, project.python
    failed = str(facts.failure)
    match facts.stage:
        case "django":
            return [
                f"{python} has no Django: {failed}; name the project's interpreter with --python"
            ]
        case "settings" if facts.failure and facts.failure.kind == "ModuleNotFoundError":
            return [
                f"the settings cannot be imported: {failed}; install the project's packages for"
                f" {python}, or name the interpreter that has them with --python"
            ]
        case "settings":
            return [
                f"the settings cannot be imported: {failed}; tell them under [env] of {file} what"
                " they ask for"
            ]
        case "setup" | "routes" | "application":
            return [f"the project cannot be set up: {failed}; `{python} manage.py check` says more"]
    lines = []
    # As in `6.0rc1`, of which there is no version to be told.
    if tuple(map(int, re.findall(r"\d+", facts.django)[:2])) < OLDEST:
        lines.append(f"Django {facts.django}: loadtest needs 3.2 or newer")
    if not _belongs(project, facts):
        lines.append(
            f"{facts.settings_file} was imported for the settings, which is not below"
            f" {project.folder}; correct `settings` or `path` in {file}"
        )
    if facts.forced:
        lines.append(
            "the module of the WSGI or ASGI application sets DJANGO_SETTINGS_MODULE by force, so"
            " that it would run on the project's own databases; make it os.environ.setdefault, or"
            f' write wsgi = "generated" and asgi = "generated" in {file}'
        )
    return lines


def refusals(project: Project, facts: Facts) -> list[str]:
    """Return why a project is not to be measured as its file has it, a line each."""
    if lines := problems(project, facts) or unvaried(project, facts):
        return lines
    return [_in_debug(project, facts)] if facts.debug else []


def _in_debug(project: Project, facts: Facts) -> str:
    """Return that settings are those of development, and what to write for others."""
    file, env = project.folder / own.FILE, project.app.env
    names = detect.debug_variables(Path(facts.settings_file))
    unset = next((name for name in names if env.get(name) != "False"), None)
    write = (
        f'{unset} = "False" under [env]'
        if unset
        else 'the settings that you deploy, as in settings = "shop.settings.production"'
    )
    return (
        f"DEBUG is true in {env[own.BASE]}, whose numbers would be of no deployed site; write"
        f" {write} in {file}"
    )


def site(facts: Facts) -> Site:
    """Return what of a project may matter more than its server."""
    drivers = (database.driver for database in facts.databases.values())
    # As long as a record's names may be.
    waits = (each.name[:250] for each in facts.middleware if not each.asynchronous)
    return Site(
        reconnects=any(database.reconnects for database in facts.databases.values()),
        driver=next(filter(None, drivers), None),
        asynchronous=any(route.asynchronous for route in facts.routes),
        blocks=next(waits, None),
    )


def unvaried(project: Project, facts: Facts) -> list[str]:
    """Return which middleware a variant leaves out that the project does not have, a line each."""
    known = [middleware.name for middleware in facts.middleware]
    return [
        unknown("middleware", each, known, where=f"[variants.{name}]")
        for name, variant in project.app.variants.items()
        for each in variant.without
        if each not in known
    ]


def _belongs(project: Project, facts: Facts) -> bool:
    """Say whether the settings are the project's: another one may be importable by that name."""
    folder = os.path.realpath(project.folder)
    places = [folder, *(os.path.realpath(project.folder / part) for part in project.app.path)]
    return any(facts.settings_file.startswith(place + os.sep) for place in places)


def probe(
    project: Project,
    questions: Sequence[Sequence[Prepared]],
    env: Mapping[str, str],
    user: str | None = None,
    known: Mapping[str, str] | None = None,
    within_s: float = WITHIN_S,
    keep: bool = False,
) -> list[Probed]:
    """Ask in the project's own process, on a database of ours.

    Of each question the first two requests are asked, and the last of these once more. `env` has
    the addresses of the services. A `user` is logged in for all of them. What they write is undone,
    or is to `keep`. Where `known` is given, by route a path that answered, one path of each route
    is enough. When `within_s` are over, the answers that came are returned, in the order of the
    questions. Raises CommandError where none can be asked.
    """
    deadline = time.monotonic() + within_s
    script, answers = str(INSIDE / "loadtest_probe.py"), list[Probed]()
    while len(answers) < len(questions) and (left_s := deadline - time.monotonic()) > 0:
        rest = [[_sent(each) for each in of[:2]] for of in questions[len(answers) :]]
        if known is not None:
            known = {**{each.route: each.path for each in answers if each.fit}, **known}
        asked = {"user": user, "keep": keep, "known": known, "questions": rest}
        given = msgspec.json.encode(asked)
        failure: CommandError | None = None
        try:
            printed = project.run(script, env=env, timeout_s=left_s, given=given)
        except CommandError as error:
            printed, failure = error.printed, error
        begun, rows = _printed(printed)
        if failure is not None and begun is None:
            if not answers:
                raise failure
            break
        if user and begun is not None and not begun.user:
            raise CommandError(f"no user {user!r} is in the prepared database", "")
        answers += rows
        if failure is None:
            break
        if len(answers) < len(questions) and time.monotonic() < deadline:
            answers.append(Probed(path=questions[len(answers)][0].path, error=NO_ANSWER))
    return answers


def _printed(text: str) -> tuple[_Begun | None, list[Probed]]:
    """Return what a probe printed, as far as its lines are whole; raises CommandError."""
    first, *lines = text.split("\n")[:-1] or [""]
    try:
        begun = msgspec.json.decode(first, type=_Begun) if first else None
        return begun, [msgspec.json.decode(line, type=Probed) for line in lines]
    except msgspec.MsgspecError as error:
        raise CommandError(f"what the project answers is not understood: {error}", "") from None


def _sent(request: Prepared) -> dict[str, object]:
    return {
        "path": request.path,
        "method": request.method,
        "headers": request.headers,
        "body": request.body.decode(),
    }
