"""`loadtest init`: look at a project and write its `loadtest.toml`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from loadtest.cli.network import enter
from loadtest.cli.options import located, location, seconds
from loadtest.cli.output import say, waiting
from loadtest.records import files
from loadtest.records.errors import UserError
from loadtest.records.text import printable

if TYPE_CHECKING:
    from loadtest.plan.servers.access_log import Traffic
    from loadtest.plan.servers.detect import Guess
    from loadtest.plan.servers.facts import Facts, Probed
    from loadtest.plan.servers.own import Asked, File
    from loadtest.plan.servers.project import Project
    from loadtest.plan.servers.proposal import Left, Proposal

FALSE = ("False", "0", "")
"""How settings are told that something is not so; to some only the last one does."""

MOST_NAMES = 5
"""Of variables that may be for DEBUG; each try takes a second."""

PATIENCE_S = 300.0
"""For all pages of a project together."""

LOOKING = "looking at the project"

MOST_TRIES = 30
"""Variables that settings ask for, one after the other."""

DRIVERS = {
    **dict.fromkeys(("psycopg", "psycopg2", "psycopg2-binary"), "{postgres"),
    **dict.fromkeys(("redis", "valkey"), "{redis"),
}
"""What connects to the services of a run, and how their addresses begin."""


@click.command("init")
@click.option(
    "--project",
    "folder",
    type=location("directory"),
    default=Path(),
    help="Folder of the Django project. Default: the current folder.",
)
@click.option(
    "--python",
    metavar="PATH",
    help="The project's interpreter. Default: that of its virtual environment.",
)
@click.option(
    "--settings",
    metavar="MODULE",
    help="The settings to measure, as in shop.settings.production. Default: what a Dockerfile,"
    " Procfile or manage.py names.",
)
@click.option(
    "--env",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set this environment variable for the app; repeat it for several. Default: what its"
    " settings need, as far as"
    " the project's files say it.",
)
@click.option(
    "--prepare",
    "commands",
    metavar="COMMAND",
    multiple=True,
    help="Command of manage.py that fills the database, such as 'loaddata shop.json'; repeat it for"
    " several. Default: none beside migrate and, where pages need it, collectstatic.",
)
@click.option(
    "--seed",
    metavar="FILE",
    help="Python script that fills the database, run once Django is set up. Default: none.",
)
@click.option(
    "--user",
    metavar="NAME",
    help="User to see pages behind a login as, by username (your USERNAME_FIELD). Default: nobody.",
)
@click.option(
    "--from-log",
    "log",
    type=location(),
    metavar="FILE",
    help="Access log of nginx, Apache, Gunicorn or Uvicorn: the pages asked for most are proposed,"
    " each with its share of the traffic. Default: none.",
)
@click.option(
    "--ask/--no-ask",
    default=True,
    help="Make a database and request the project's pages once, to propose endpoints. Default: on.",
)
@click.option(
    "--patience",
    "patience_s",
    type=seconds(f"--patience {PATIENCE_S:.0f}", 1, 86_400),
    default=PATIENCE_S,
    help="Seconds for requesting them all; what was answered by then is proposed."
    f" Default: {PATIENCE_S:.0f}.",
)
@click.option("--force", is_flag=True, help="Overwrite a loadtest.toml that is there.")
def init_command(
    folder: Path,
    python: str | None,
    settings: str | None,
    variables: tuple[str, ...],
    commands: tuple[str, ...],
    seed: str | None,
    user: str | None,
    log: Path | None,
    ask: bool,
    patience_s: float,
    force: bool,
) -> int:
    """Look at a Django project of yours and write its loadtest.toml.

    A comment beside each line says the reason for it. The project's code, environment and databases
    stay as they are. A loadtest.toml that is there is overwritten only with --force; without it,
    what would change is shown.

    Example: loadtest init --settings shop.settings.production
    """
    from loadtest.plan.servers import access_log, own, proposal
    from loadtest.plan.servers.project import FOLDER

    network, state = enter()
    if network == "machine":
        say(f"network: {state}")
    folder = folder.resolve()
    own.ignore(folder / FOLDER)
    traffic = access_log.read(log) if log else None
    told = _variables(variables)
    within_s = patience_s if ask else 0.0
    proposed = _propose(folder, python, settings, told, commands, seed, user, within_s, traffic)
    if problems := list(own.mistakes(proposed.file)):
        raise UserError(*problems)
    text = proposal.text(proposed)
    path = folder / own.FILE
    if path.exists() and not force:
        try:
            there = files.read(path, links=True).decode("utf-8", "replace")
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}; remove it") from None
        name = own.FILE
        difference = unified_diff(
            there.splitlines(), text.splitlines(), name, f"{name} as proposed", lineterm=""
        )
        click.echo(printable("\n".join(difference)))
        raise UserError(f"{path} is there already; type --force to write over it")
    try:
        files.write(path, text.encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    click.echo(text, nl=False)
    say(f"{path} is written; read it, then type `loadtest env` and `loadtest record`")
    return 0


def _variables(typed: tuple[str, ...]) -> dict[str, str]:
    """Return what was typed, a secret as a variable of the shell: the file is committed.

    It is one of this process from then on. Raises UserError for what is no variable.
    """
    from loadtest.plan.servers import own
    from loadtest.plan.servers.project import is_secret

    if broken := [text for text in typed if "=" not in text]:
        raise UserError(*(f"--env {text}: write NAME=VALUE" for text in broken))
    variables = {name: value for name, _, value in (text.partition("=") for text in typed)}
    for name, value in variables.items():
        if is_secret(name, value):
            os.environ[name], variables[name] = value, f"{{env.{name}}}"
            say(
                f"{name} is a secret and is not written into {own.FILE}, which takes it from your"
                f" shell; type `export {name}=...` before `loadtest record`"
            )
    return variables


def _propose(
    folder: Path,
    python: str | None,
    settings: str | None,
    typed: dict[str, str],
    commands: tuple[str, ...],
    seed: str | None,
    user: str | None,
    within_s: float,
    traffic: Traffic | None,
) -> Proposal:
    from loadtest.plan.servers import detect, own, proposal

    with waiting(LOOKING):
        interpreter, module, env, facts = _reached(folder, python, settings, typed)
    where = proposal.where(folder, interpreter.value, module.value, facts)
    reasons = {
        "project.python": proposal.because(interpreter, facts),
        "project.settings": module.why,
        "project.wsgi": "no module of the project's has one" if where.wsgi == "generated" else None,
        "project.asgi": "no module of the project's has one" if where.asgi == "generated" else None,
        **{f"env.{name}": variable.why for name, variable in env.items()},
    }
    if today := detect.server(folder):
        where = replace(where, reference=today.profile.value, reference_shape=today.shape)
        reasons["project.reference"] = f"{today.profile.why}: {today.line}"
        reasons["project.reference_shape"] = "its workers x threads, so far as that says them"
    database = proposal.database(folder, facts)
    if any("{redis." in variable.value for variable in env.values()):
        database = replace(database, redis=True)  # caches may have none
    if database.copy:
        reasons["database.copy"] = "a copy of it, which each server has to itself"
    prepare = proposal.prepare(facts, database.kind != "none", seed)
    file = own.File(
        format=1,
        project=where,
        env={name: variable.value for name, variable in env.items()},
        database=database,
        prepare=replace(prepare, commands=(*prepare.commands, *commands)),
    )
    request, reasons["request.headers"] = proposal.request(facts)
    file = replace(file, request=request)
    if problems := list(own.mistakes(file)):
        raise UserError(*problems)
    with waiting(LOOKING):
        file, facts, why = _with_applications(folder, file)
    reasons |= why
    project = own.project(folder, file)
    endpoints: list[tuple[Asked, str]] = []
    left: list[Left] = []
    empty = proposal.filled_by_nothing(database, prepare, commands, detect.fillers(folder))
    notes = [*empty, *proposal.notes(facts)]
    if within_s:
        endpoints, left = _asked(project, facts, user, notes, traffic, within_s)
    return proposal.Proposal(
        file=replace(file, endpoint=tuple(asked for asked, _ in endpoints)),
        reasons={key: why for key, why in reasons.items() if why},
        endpoints={asked.name: why for asked, why in endpoints},
        notes=notes,
        left=left,
    )


def _reached(
    folder: Path, python: str | None, settings: str | None, typed: dict[str, str]
) -> tuple[Guess, Guess, dict[str, Guess], Facts]:
    """Return the first interpreter and settings that are this project's, and what they are told.

    Raises UserError with what failed of each.
    """
    from loadtest.plan.servers import detect

    inner = [] if (folder / "manage.py").exists() else sorted(folder.glob("*/manage.py"))
    if inner and not settings:
        places = " or ".join(f"`--project {path.parent.name}`" for path in inner)
        raise UserError(
            f"{folder}: manage.py is not there but in a folder of it; type {places}, or name the"
            " settings with --settings"
        )
    modules = list(detect.settings(folder))
    if settings:
        modules = [detect.Guess(settings, "--settings")]
    if not modules:
        raise UserError(
            f"{folder}: no file there names a settings module; name the project's folder with"
            " --project, or its settings with --settings"
        )
    pythons = list(detect.interpreters(folder, os.environ))
    if python:
        pythons = [detect.Guess(str(located(python)), "--python")]
    if not pythons:
        raise UserError(
            f"{folder}: no environment of the project is there (.venv, venv, $VIRTUAL_ENV);"
            " name its interpreter with --python"
        )
    failures: list[str] = []
    for interpreter in pythons:
        for module in modules:
            given = {name: detect.Guess(value, "--env") for name, value in typed.items()}
            env, facts, failed = _told(folder, interpreter.value, module.value, given)
            if not failed:
                assert facts is not None
                at = (folder, interpreter.value, module.value)
                env, facts = _with_services(*at, env, facts)
                if facts.debug:
                    env, facts = _without_debug(*at, env, facts)
                return interpreter, module, env, facts
            failures += failed
    raise UserError(*dict.fromkeys(failures))


def _told(
    folder: Path, python: str, settings: str, given: dict[str, Guess]
) -> tuple[dict[str, Guess], Facts | None, list[str]]:
    """Return what settings have to be told until they can be imported, and what is in the way."""
    from loadtest.plan.servers import detect, facts, own

    env = dict(given)
    for _ in range(MOST_TRIES):
        file = own.File(
            format=1,
            project=own.Where(python=python, settings=settings),
            env={name: variable.value for name, variable in env.items()},
            database=own.Database(kind="none"),
        )
        try:
            looked = facts.look(project := own.project(folder, file))
        except UserError as error:
            return env, None, list(error.lines)
        failure = looked.failure
        if failure is not None and looked.stage == "settings":
            name = detect.missing(failure.kind, failure.text)
            if name and name not in env:
                env[name] = detect.value(folder, name)
                continue
        # A module for WSGI or ASGI may be missing, which is no matter yet.
        return env, looked, facts.problems(project, looked)
    return env, None, [f"{settings}: asks for more than {MOST_TRIES} variables; tell them by --env"]


def _with_services(
    folder: Path, python: str, settings: str, env: dict[str, Guess], facts: Facts
) -> tuple[dict[str, Guess], Facts]:
    """Return what settings are told of services where they are deployed, with those facts.

    Of those alone whose driver is installed: a developer may have others.
    """
    from loadtest.plan import interpreters
    from loadtest.plan.servers import detect

    given = dict(detect.addresses(folder, Path(facts.settings_file)))
    installed = interpreters.look(python, DRIVERS).versions if given else {}
    kinds = {DRIVERS[name] for name in installed}
    more = {
        name: address
        for name, address in given.items()
        if name not in env and any(kind in address.value for kind in kinds)
    }
    if more:
        told, looked, failed = _told(folder, python, settings, {**env, **more})
        if looked is not None and not failed:
            return told, looked
    return env, facts


def _without_debug(
    folder: Path, python: str, settings: str, env: dict[str, Guess], facts: Facts
) -> tuple[dict[str, Guess], Facts]:
    """Return what settings have to be told to be those of production, as far as they listen."""
    from loadtest.plan.servers import detect

    read = [*detect.debug_variables(Path(facts.settings_file)), "DEBUG", "DJANGO_DEBUG"]
    for name in dict.fromkeys(read[:MOST_NAMES]):
        for value in FALSE if name not in env else ():
            asked = {**env, name: detect.Guess(value, "the settings read it; true without it")}
            told, looked, failed = _told(folder, python, settings, asked)
            if looked is not None and not failed and not looked.debug:
                return told, looked
    return env, facts


def _with_applications(folder: Path, file: File) -> tuple[File, Facts, dict[str, str]]:
    """Return the file with applications that can be imported, its facts, and why one is ours.

    Raises UserError where the project cannot be run at all.
    """
    from loadtest.plan.servers import facts, own

    for ours in ((), ("asgi",), ("wsgi",), ("asgi", "wsgi")):
        where = replace(file.project, **dict.fromkeys(ours, "generated"))
        tried = replace(file, project=where)
        looked = facts.look(own.project(folder, tried))
        if looked.stage != "application" and not looked.forced:
            break
        failure = "it sets DJANGO_SETTINGS_MODULE by force"
        if looked.failure:
            failure = looked.failure.public
    if problems := facts.problems(own.project(folder, tried), looked):
        raise UserError(*problems)
    return (
        tried,
        looked,
        {f"project.{kind}": f"not {getattr(file.project, kind)}: {failure}" for kind in ours},
    )


def _asked(
    project: Project,
    facts: Facts,
    user: str | None,
    notes: list[str],
    traffic: Traffic | None,
    within_s: float = PATIENCE_S,
) -> tuple[list[tuple[Asked, str]], list[Left]]:
    """Return the endpoints to propose and what is left out, after asking what can be asked."""
    from loadtest.bench.servers.services import services
    from loadtest.plan.servers import proposal
    from loadtest.records.errors import LoadtestError
    from loadtest.records.planned import Shape
    from loadtest.system import process

    say("making a database and requesting the project's pages once")
    pages = _Pages(project, facts)
    try:
        with (
            waiting("making a database") as doing,
            process.folder("loadtest-init-") as logs,
            services(project, logs.path, Shape()) as running,
        ):
            doing("requesting the project's pages")
            pages.ask_all(user, running.env, within_s)
    except LoadtestError as error:
        # Its output may quote the database: that is for the terminal, not for the file.
        last = error.detail.splitlines()[-1:] if error.detail else []
        what = "not all pages" if pages.probed else "nothing"
        say(f"{what} could be asked: {error} {' '.join(last)}")
        notes.append(f"{what.capitalize()} could be asked: {error}")
    endpoints, left = proposal.endpoints(facts, pages.probed, user, pages.as_user, traffic)
    if pages.untried:
        late, note = proposal.untried(pages.untried, within_s)
        left += late
        notes.append(note)
        say(note)
    if traffic and pages.probed:
        known = sum(asked.share or 0.0 for asked, _ in endpoints)
        notes.append(f"These endpoints are {known:.0%} of the requests of the access log.")
    return endpoints, left


@dataclass
class _Pages:
    """What the pages of a project answered, as far as they were asked."""

    project: Project
    facts: Facts
    probed: list[Probed] = field(default_factory=list)
    as_user: set[str] = field(default_factory=set)
    """Paths of these that were asked as the user."""
    untried: list[str] = field(default_factory=list)
    """Paths for which no time was left."""

    def ask_all(self, user: str | None, env: Mapping[str, str], within_s: float) -> None:
        """Ask the routes, then one path of each that their pages link to; raises LoadtestError."""
        from loadtest.plan.servers import facts as asking
        from loadtest.plan.servers import proposal
        from loadtest.plan.servers.requests import Prepared

        # Links are read in the pages, which must not be compressed.
        headers = dict(proposal.request(self.facts)[0].headers)
        headers.pop("Accept-Encoding", None)
        known: dict[str, str] = {}
        deadline = time.monotonic() + within_s

        def ask(paths: Sequence[str], user: str | None = None) -> list[Probed]:
            questions = [[Prepared(path, headers=headers)] for path in paths]
            left_s = deadline - time.monotonic()
            answers = asking.probe(self.project, questions, env, user, known, left_s)
            known.update({each.route: each.path for each in answers if each.fit and each.route})
            return answers

        todo, asked = proposal.paths(self.facts), list[str]()
        for _ in range(2):
            answers = ask(todo)
            self.untried += todo[len(answers) :]
            asked += todo
            at = len(self.probed)
            self.probed += answers
            closed = [each.path for each in answers if each.status in (301, 302, 401, 403)]
            if user and closed:
                seen = {each.path: each for each in ask(closed, user)}
                self.as_user |= {path for path, each in seen.items() if each.status == 200}
                self.probed[at:] = [seen.get(each.path, each) for each in answers]
            todo = proposal.linked(self.probed[at:], asked)
            if not todo:
                break
