"""`loadtest.toml`: a Django project, read strictly and made an `App`.

Nothing of the project is changed or imported: its interpreter runs it with settings of ours in
front, see `inside/`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, field
from msgspec.structs import replace

from loadtest.plan import toml_file
from loadtest.plan.servers import overlay
from loadtest.plan.servers.lineup import AS_DEPLOYED
from loadtest.plan.servers.project import (
    ADDRESSES,
    COUNTS,
    FILES,
    FOLDER,
    HOSTS,
    INSIDE,
    MATRICES,
    PLACEHOLDERS,
    SECRET,
    SERVED,
    SERVER_MEDIA,
    SERVERS,
    SHELL,
    SQLITE,
    App,
    Project,
    Service,
    Upstream,
    Variant,
)
from loadtest.plan.servers.requests import Method, Template
from loadtest.records import files
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Contract, Endpoint, Interface, Mix, Record, Style
from loadtest.records.text import message
from loadtest.records.values import END, WHOLE, Distribution, Name, Seconds, ShapeText, Word

FILE = "loadtest.toml"

RECORDED = "answers.json"

OVERLAY = "env"
"""The environment of servers that the project's own lacks."""

REFUSED_HEADERS = {"connection", "content-length", "cookie", "transfer-encoding"}
"""Of a connection, or a secret: a login is named by `as`."""

MOST_ENDPOINTS = 200

MOST_SHAPES, MOST_VARIANTS = 10, 20

Module = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*{END}",
        extra={"wanted": 'a module in quotes, as in "shop.settings"'},
    ),
]

Application = Annotated[
    str,
    Meta(
        pattern=rf"^(generated|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*){END}",
        extra={
            "wanted": 'a module and a callable in quotes, as in "shop.wsgi:application", or'
            ' "generated"'
        },
    ),
]

LOCATION = r"/[!\"$-\[\]-~]*"
"""What can be asked for over HTTP as it stands: in ASCII, without a blank or a fragment."""

Location = Annotated[
    str,
    Meta(
        pattern=rf"^{LOCATION}{END}",
        max_length=2_000,
        extra={
            "wanted": "a path in quotes that begins with a slash, percent-encoded as in"
            ' "/caf%C3%A9/?page=2"'
        },
    ),
]


Source = Annotated[
    str,
    Meta(
        pattern=rf"^([A-Za-z_]\w*\.\w+\.\w+|(?i:select) [^\x00]+|\d{{1,9}}\.\.\d{{1,9}}){END}",
        max_length=2_000,
        extra={
            "wanted": 'the field of a model, as in "shop.Product.pk", a "SELECT ..." of one column,'
            ' or numbers as in "1..20"'
        },
    ),
]
"""Where values of a placeholder come from."""


class Where(Record, frozen=True, kw_only=True):
    """How the project is reached."""

    python: Word
    """Its interpreter, as seen from the file."""
    settings: Module
    wsgi: Application = "generated"
    asgi: Application = "generated"
    """`generated`: a module of ours that asks Django for one."""
    path: tuple[Word, ...] = (".",)
    """Folders that it imports from, as seen from the file."""
    reference: Name | None = None
    """The server profile that others are compared with: what it runs on today."""
    reference_shape: ShapeText | None = None
    """The workers and threads that it has today."""
    endpoints: Word | None = None
    """The management command that prints its endpoints with their contracts: none is here."""
    matrices: Word | None = None
    servers: Word | None = None
    """Folders in the place of the matrices and profiles that come along, as seen from the file."""
    compose: bool = False
    """Its `docker-compose.yml` has the servers and services that ours has."""


class Database(Record, frozen=True, kw_only=True):
    """What the run makes in the place of the project's databases."""

    kind: Literal["postgres", "sqlite", "none"]
    copy: Word | None = None
    """The SQLite file that is copied; None: it begins empty."""
    redis: bool | Literal["socket"] = False
    """A Redis of the run in the place of that of the caches; `socket`: at a Unix socket."""


class Prepare(Record, frozen=True, kw_only=True):
    """What makes tables and rows, once a run, in that database alone."""

    commands: tuple[Word, ...] = ("migrate --noinput",)
    """Of Django, in order."""
    seed: Word | None = None
    """A Python script that is run after these, Django being set up."""


class Request(Record, frozen=True, kw_only=True):
    """What every request has."""

    headers: dict[str, str] = field(default_factory=dict)


Here = Annotated[
    str,
    Meta(
        pattern=rf"^((localhost|127\.\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}|\[::1\]):\d{{1,5}}|/\S+){END}",
        max_length=200,
        extra={
            "wanted": 'a host of this machine with its port in quotes, as in "localhost:9200", or'
            " the path of a Unix socket"
        },
    ),
]


class Allow(Record, frozen=True, kw_only=True):
    """What a project may reach beside the services of its run."""

    connect: Annotated[tuple[Here, ...], Meta(max_length=100)] = ()


Words = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=500)], ...], Meta(max_length=100)
]
"""As many as `Body` may have."""


class Answer(Record, frozen=True, kw_only=True):
    """What a person says of an answer, beside what is recorded."""

    status: Annotated[int, Meta(ge=200, le=399)] = 200
    has: Words = ()
    lacks: Words = ()


class Asked(Record, frozen=True, kw_only=True, rename={"as_": "as"}):
    """One endpoint."""

    name: Name
    path: Location
    method: Method = "GET"
    as_: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """The user who is logged in, by the USERNAME_FIELD of the user model; None: nobody."""
    style: Style = "sync"
    kind: Name = "pages"
    summary: str = ""
    share: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Of the requests of the site."""
    writes: bool = False
    """It may write to its database, which each server has a copy of."""
    headers: dict[str, str] = field(default_factory=dict)
    json: dict[str, Any] | list[Any] | None = None
    """The body, with placeholders in its texts."""
    form: dict[str, str] | None = None
    """The body as a form sends it, likewise."""
    values: dict[str, Source] = field(default_factory=dict)
    """Of placeholders in its path, headers and body, by their names, beside those of the file."""
    answer: Answer = Answer()


class Varied(Record, frozen=True, kw_only=True):
    """One variant: the project with something changed, measured beside it as it is."""

    summary: str = ""
    env: dict[str, Word] = field(default_factory=dict)
    """In place of what `[env]` says, or beside it."""
    settings: dict[str, Any] = field(default_factory=dict)
    """In place of what the settings say; of a table, only the keys that are named."""
    without: tuple[Word, ...] = ()
    """Middleware that is left out."""
    requires: tuple[Distribution, ...] = ()
    """Distributions without which it is skipped."""
    unsupported: dict[Interface, str] = field(default_factory=dict)
    """Why it is not measured under the servers of an interface."""


class File(Record, frozen=True, kw_only=True):
    """The whole file."""

    format: Literal[1]
    """History: 1, the first; of `Recorded` as well."""
    shapes: Annotated[tuple[ShapeText, ...], Meta(max_length=MOST_SHAPES)] = ()
    """Workers x threads of all servers; none: as it runs today, or as the matrix has it."""
    project: Where
    env: dict[str, Word] = field(default_factory=dict)
    """What the app is told beside what every process is; see `process.INHERITED`."""
    database: Database
    prepare: Prepare = Prepare()
    request: Request = Request()
    allow: Allow = Allow()
    upstream: Upstream | None = None
    values: dict[str, Source] = field(default_factory=dict)
    """Of placeholders, by their names: another one in each request."""
    variants: dict[Name, Varied] = field(default_factory=dict)
    endpoint: Annotated[tuple[Asked, ...], Meta(max_length=MOST_ENDPOINTS)] = ()


class Fixed(Record, frozen=True, kw_only=True):
    """What was recorded of one endpoint."""

    asked: Asked
    """As it stood in the file then: what has changed since is to be recorded again."""
    contract: Contract
    accepts: tuple[str, ...] = ()
    """What it cannot tell from a right answer, in words."""
    refuses: tuple[str, ...] = ()
    """What it was tried on and tells from one, likewise."""
    cost_s: Seconds | None = None
    """How long an answer took while nothing else was asked."""
    writes_once: bool = False
    """At its first visit; see `App.visited`."""
    basis: dict[str, str] = field(default_factory=dict)
    """What it was recorded on, see `basis`: on another one it says nothing."""


class Failed(Record, frozen=True, kw_only=True):
    """That one endpoint could not be recorded: the others can be measured without it."""

    asked: Asked
    basis: dict[str, str]
    """As of `Fixed`."""
    reason: str


class Recorded(Record, frozen=True, kw_only=True):
    """The contracts of a project, by endpoint."""

    format: Literal[1]
    endpoints: dict[str, Fixed]
    failed: dict[str, Failed] = field(default_factory=dict)


def read(folder: Path) -> File:
    """Return the file of a project; raises UserError with every mistake in it."""
    path = folder / FILE
    if not path.exists():
        raise UserError(
            f"{folder}: no {FILE} there; type `loadtest init` in the folder of your Django project"
        )
    file = toml_file.read(path, File)
    if problems := [f"{path}: {problem}" for problem in mistakes(file)]:
        raise UserError(*problems)
    return file


def mistakes(file: File) -> Iterator[str]:
    """Yield what is wrong with a file beside its types, in a line each."""
    for name, times in Counter(asked.name for asked in file.endpoint).items():
        if times > 1:
            yield f"{times} endpoints are called {name!r}; rename {times - 1}"
    if (total := sum(asked.share or 0 for asked in file.endpoint)) > WHOLE:
        yield f"the shares of all endpoints come to {total:g}; they are parts of 1"
    elif total > 2 - WHOLE and (without := [of.name for of in file.endpoint if of.share is None]):
        yield f"no share is left for {', '.join(without)}; give each a part of 1"
    if file.project.endpoints and file.endpoint:
        yield "[project]: endpoints is for a file without [[endpoint]]; leave one of them out"
    if file.project.reference_shape and not file.project.reference:
        yield "[project]: reference_shape goes with reference; leave it out, or name the server"
    if (number := len(file.variants)) > MOST_VARIANTS:
        yield f"[variants]: {number:,}, each under every server, and {MOST_VARIANTS} are the most"
    for name in file.variants:
        if not re.fullmatch(r"[A-Za-z][\w-]{0,39}", name) or name in UNVARIED:
            yield f"[variants]: {name!r} is no name for a variant; begin with a letter, as pooled"
    if file.database.copy is not None and file.database.kind != "sqlite":
        yield '[database]: copy goes with kind = "sqlite"; leave it out'
    environments = {"[env]": file.env}
    environments |= {f"[variants.{name}] env": of.env for name, of in file.variants.items()}
    for where, env in environments.items():
        for name in (name for text in env.values() for name in re.findall(r"\{[a-z.]+\}", text)):
            if name not in PLACEHOLDERS and not SHELL.fullmatch(name):
                yield unknown("placeholder", name, [*PLACEHOLDERS, "{env.NAME}"], where=where)
        for name in env:
            if not re.fullmatch(r"[A-Za-z_]\w*", name) or name in RESERVED:
                yield f"{where}: {name!r} is not for a project to be told; leave it out"
    for name, of in file.variants.items():
        for key in of.settings:
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
                yield f"[variants.{name}] settings: {key!r} is no setting; they are in capitals"
    for where, headers in (
        ("[request]", file.request.headers),
        *((f"endpoint {asked.name}", asked.headers) for asked in file.endpoint),
    ):
        for name, text in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name):
                yield f"{where}: {name!r} is no name of a header"
            elif name.lower() in REFUSED_HEADERS:
                yield f"{where}: the header {name} is not set here; a login is `as`"
            elif not (text.isascii() and text.isprintable()):
                yield f"{where}: {name} must be of ASCII letters, digits and signs"
    for asked in endpoints(file):
        yield from _unfit(asked)
    for text in file.prepare.commands:
        try:
            words = shlex.split(text)
        except ValueError as error:
            yield f"[prepare]: {text!r}: {error}"
        else:
            if not words:
                yield "[prepare]: a command is empty; leave it out"
            if any(word.startswith(("--settings", "--pythonpath")) for word in words):
                yield (
                    f"[prepare]: {text!r} would run under other settings, and on their database;"
                    " leave out --settings and --pythonpath"
                )


def endpoints(file: File) -> tuple[Asked, ...]:
    """Return the endpoints with what the file says of every request."""
    return tuple(
        replace(
            asked,
            headers={**file.request.headers, **asked.headers},
            values={**file.values, **asked.values},
        )
        for asked in file.endpoint
    )


def template(asked: Asked) -> Template:
    """Return how an endpoint is asked."""
    return Template(
        path=asked.path,
        method=asked.method,
        headers=asked.headers,
        user=asked.as_,
        json=asked.json,
        form=asked.form,
        sources=asked.values,
    )


def _unfit(asked: Asked) -> Iterator[str]:
    """Yield what of an endpoint's request does not go together, in a line each."""
    where = f"endpoint {asked.name}"
    if asked.method != "GET" and not asked.writes:
        yield f"{where}: {asked.method} may write; add writes = true"
    if asked.method == "GET" and (asked.json is not None or asked.form is not None):
        yield f"{where}: a GET has no body; add its method, or leave json and form out"
    if asked.json is not None and asked.form is not None:
        yield f"{where}: a body is json or form; leave one of them out"
    if msgspec.json.decode(msgspec.json.encode(asked.json)) != asked.json:
        yield f"{where}: JSON has no dates; put those of json in quotes"
    for name, source in asked.values.items():
        first, dots, last = source.partition("..")
        if dots and first.isdigit() and last.isdigit() and int(first) > int(last):
            yield f"{where}: {source!r} of {name} has no number in it; name the smaller one first"
    for name in template(asked).names:
        if not asked.values:
            yield f"{where}: {{{name}}} stands for a value; say under [values] where it comes from"
        elif name not in asked.values:
            yield unknown("value", name, asked.values, where)


UNVARIED = {AS_DEPLOYED, "again"}
"""What a variant is not called: the project as it is, and the second copy of a server."""

ALLOW = "LOADTEST_ALLOW"
"""Where else it may connect to; read by `inside/loadtest_outbound.py`."""

VARIED = "LOADTEST_VARIED"

EARLIER = "LOADTEST_EARLIER_S"
"""By how much Django's clock is slow, in seconds."""

BASE = "LOADTEST_SETTINGS"
"""The variables that `inside/loadtest_settings.py` reads."""

RESERVED = {*ADDRESSES.values(), SECRET, HOSTS, FILES, SQLITE, SERVED, COUNTS} | {
    *(VARIED, BASE, ALLOW, SERVER_MEDIA, EARLIER),
    *("DJANGO_SETTINGS_MODULE", "PYTHONPATH", "PYTHONPYCACHEPREFIX"),
}


def app(
    file: File, recorded: Mapping[str, Fixed | Failed] | None = None, folder: Path = Path()
) -> App:
    """Return what the engine has to know of a project; unrecorded endpoints cannot be loaded."""
    has: Mapping[Service, bool] = {
        "postgres": file.database.kind == "postgres",
        "redis": bool(file.database.redis),
        "upstream": file.upstream is not None,
    }
    addresses = {service: name for service, name in ADDRESSES.items() if has[service]}
    where = file.project
    applications: dict[Interface, str] = {"wsgi": where.wsgi, "asgi": where.asgi}
    work: Mapping[str, int | None] = {name: None if there else 0 for name, there in has.items()}
    known = recorded or {}
    asked_for = endpoints(file)
    seed = file.prepare.seed
    mix, shares = _shares(file)
    today = where.reference_shape
    return App(
        applications={
            interface: f"loadtest_{interface}:application" if given == "generated" else given
            for interface, given in applications.items()
        },
        generated={
            interface: _usual(where.settings, interface)
            for interface, given in applications.items()
            if given == "generated"
        },
        prepare=tuple(tuple(shlex.split(command)) for command in file.prepare.commands),
        scripts=((str(INSIDE / "loadtest_seed.py"), seed),) if seed else (),
        upstream=file.upstream,
        addresses=addresses,
        redis_socket=file.database.redis == "socket",
        connects=tuple(place for place in file.allow.connect if not place.startswith("/")),
        env={BASE: where.settings, ALLOW: " ".join(file.allow.connect), **file.env},
        path=(str(INSIDE), *where.path),
        sqlite=file.database.kind == "sqlite",
        sqlite_copy=file.database.copy,
        declared=tuple(
            _endpoint(asked, known.get(asked.name), work, share)
            for asked, share in zip(asked_for, shares, strict=True)
        ),
        declares=where.endpoints,
        requests={asked.name: template(asked) for asked in asked_for},
        visited=tuple(asked.name for asked in asked_for if _writes_once(known.get(asked.name))),
        matrices=folder / where.matrices if where.matrices else MATRICES,
        servers=folder / where.servers if where.servers else SERVERS,
        compose=where.compose,
        reference=where.reference,
        reference_shape=today,
        shapes=file.shapes or ((today,) if today else ()),
        variants={name: _variant(of) for name, of in file.variants.items()},
        mix=None if where.endpoints else mix,
    )


def _writes_once(known: Fixed | Failed | None) -> bool:
    return isinstance(known, Fixed) and known.writes_once


def _usual(settings: str, interface: Interface) -> str:
    """Return what the application of an interface is called in most projects."""
    package, dot, _ = settings.partition(".")
    return f"{package}.{interface}:application" if dot else f"{interface}:application"


def _shares(file: File) -> tuple[Mix, list[float]]:
    """Return how the shares of the endpoints are known, and the share of each.

    Those of which the file says none divide what is left, each the same.
    """
    shares = [asked.share for asked in file.endpoint]
    without = shares.count(None)
    mix: Mix = "stated" if not without else "equal" if without == len(shares) else "rest"
    rest = max(0.0, 1 - sum(share or 0.0 for share in shares)) / max(1, without)
    return mix, [share or rest for share in shares]


def _variant(of: Varied) -> Variant:
    changed = {"settings": of.settings, "without": of.without}
    varied = {VARIED: json.dumps(changed, default=str)} if any(changed.values()) else {}
    return Variant(
        summary=of.summary,
        env={**of.env, **varied},
        without=of.without,
        requires=of.requires,
        unsupported=of.unsupported,
    )


def _endpoint(
    asked: Asked, known: Fixed | Failed | None, work: Mapping[str, int | None], share: float
) -> Endpoint:
    fixed = known if isinstance(known, Fixed) else None
    contract = fixed.contract if fixed else expected(asked)
    unsupported: dict[Interface, str] = {}
    if isinstance(known, Failed):
        why = message(
            f"its answer could not be recorded: {known.reason}; type `loadtest record {asked.name}`"
            f" to try again, or take it out of {FILE}"
        )
        unsupported = dict.fromkeys(get_args(Interface), why)
    return Endpoint(
        name=asked.name,
        style=asked.style,
        path=asked.path,
        title=asked.summary or asked.path,
        kind=asked.kind,
        summary=asked.summary or f"{asked.method} {asked.path}",
        isolated=asked.writes,
        note=None,
        unsupported=unsupported,
        share=share,
        cost_s=fixed.cost_s if fixed else None,
        contract=replace(contract, **work),
    )


def expected(asked: Asked) -> Contract:
    """Return the contract of an endpoint of which nothing is known but what the file says."""
    return Contract(
        status=asked.answer.status,
        content_type=None,
        content_encoding=None,
        body_bytes=None,
        body_sha256=None,
        delay_s=0.0,
        postgres=None,
        redis=None,
        upstream=None,
    )


def project_at(
    folder: Path, python: str | None = None, allowed: Mapping[Service, str] | None = None
) -> Project:
    """Return the project of the file in a folder; raises UserError where that is none.

    `python` is what was typed in place of its interpreter.
    """
    file = read(folder)
    if os.access(folder, os.W_OK):  # in a container it is not
        ignore(folder / FOLDER)  # for all that its interpreter leaves, compiled modules first
    known = recorded(folder)
    return project(folder, file, python, allowed, {**known.failed, **known.endpoints})


def project(
    folder: Path,
    file: File,
    python: str | None = None,
    allowed: Mapping[Service, str] | None = None,
    recorded: Mapping[str, Fixed | Failed] | None = None,
) -> Project:
    """Return the project of a file, with what of what was `recorded` before still holds.

    It is run in the environment of servers where there is one. Raises UserError where the file
    hands on a variable of the shell that is not set.
    """
    given = python or interpreter(folder, file)
    ours = overlay.interpreter(folder / FOLDER / OVERLAY, given)
    now = basis(folder, file, given)
    of_app = app(file, _still_so(file, recorded or {}, now), folder)
    if unset := sorted(of_app.from_shell - os.environ.keys()):
        lines = (f"{name} is taken from your shell; type `export {name}=...`" for name in unset)
        raise UserError(*(f"{folder / FILE}: {line}" for line in lines))
    return Project(folder, ours or given, dataclasses.replace(of_app, basis=now), allowed or {})


def interpreter(folder: Path, file: File) -> str:
    """Return the project's own interpreter."""
    python = os.path.expanduser(file.project.python)
    # Without a slash it is looked for as a command is.
    return os.path.normpath(folder / python) if os.sep in python else python


def ignore(folder: Path) -> None:
    """Have git ignore all in a folder, made where it isn't there; raises UserError.

    Nor may anything in it be a link: an environment that is made anew is emptied first.
    """
    if link := next((path for path in (folder, *folder.glob("*")) if path.is_symlink()), None):
        raise UserError(f"{link}: it is a link, and nothing is written through it; remove it")
    if (folder / ".gitignore").exists():
        return
    try:
        folder.mkdir(exist_ok=True)
        files.write(folder / ".gitignore", b"*\n")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None


def write_recorded(folder: Path, recorded: Recorded) -> None:
    """Keep what was recorded; raises UserError where that cannot be written."""
    ignore(folder / FOLDER)
    path, data = folder / FOLDER / RECORDED, msgspec.json.format(msgspec.json.encode(recorded))
    if len(data) > files.MOST_BYTES:
        raise UserError(
            f"{path}: the contracts of {len(recorded.endpoints)} endpoints are larger than the"
            f" {files.MOST_BYTES / 2**20:g} MB that are read of it; take some out of {FILE}"
        )
    try:
        files.write(path, data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def recorded(folder: Path) -> Recorded:
    """Return what was recorded for a project; raises UserError where that cannot be read."""
    path = folder / FOLDER / RECORDED
    try:
        return msgspec.json.decode(files.read(path), type=Recorded)
    except FileNotFoundError:
        return Recorded(format=1, endpoints={})
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: cannot be read: {error}; remove it, and type `loadtest record`"
        ) from None


def _still_so(
    file: File, recorded: Mapping[str, Fixed | Failed], now: Mapping[str, str]
) -> dict[str, Fixed | Failed]:
    """Return what was recorded for the endpoints as they stand now, on the basis of now."""
    return {
        asked.name: recorded[asked.name]
        for asked in endpoints(file)
        if asked.name in recorded
        and recorded[asked.name].basis == now
        and same_request(recorded[asked.name].asked, asked)
    }


def basis(folder: Path, file: File, python: str) -> dict[str, str]:
    """Return digests of what answers depend on beside their requests, by what a line calls it."""
    names = file.project.settings.split(".")
    places = [folder.joinpath(part, *names) for part in file.project.path]
    modules = [path for at in places for path in (at.with_suffix(".py"), at / "__init__.py")]
    tables = ("env", "database", "prepare", "allow")
    parts: dict[str, object] = {f"[{name}]": getattr(file, name) for name in tables}
    parts["seed script"] = [_text(folder / file.prepare.seed)] if file.prepare.seed else []
    parts["settings"] = [file.project.settings, *map(_text, modules)]
    parts |= {"[upstream]": file.upstream} if file.upstream else {}
    parts["interpreter"] = [python, os.path.realpath(shutil.which(python) or python)]
    return {
        name: hashlib.sha256(msgspec.json.encode(part, order="deterministic")).hexdigest()
        for name, part in parts.items()
    }


def _text(path: Path) -> bytes:
    """Return what is in a file, nothing where it cannot be read."""
    try:
        return files.read(path, links=True)
    except OSError:
        return b""


def differences(then: Fixed, now: Fixed) -> list[str]:
    """Return what is fixed otherwise than it was, in words; lengths and times always differ."""
    old, new = then.contract, now.contract
    lines = [
        f"{what.replace('_', ' ')} {getattr(old, what)} -> {getattr(new, what)}"
        for what in ("status", "content_type", "content_encoding", "statements", "changes")
        if getattr(old, what) != getattr(new, what)
    ]
    if old.body is None or new.body is None:
        return lines
    if old.body.level != new.body.level:
        lines.append(f"what is fixed: {old.body.level} -> {new.body.level}")
    elif gone := set(old.body.holes) ^ set(new.body.holes):
        opened, closed = gone - set(old.body.holes), gone - set(new.body.holes)
        lines += [f"now open: {', '.join(sorted(opened))}"] if opened else []
        lines += [f"now fixed: {', '.join(sorted(closed))}"] if closed else []
    elif (old.body.sha256, old.body.each) != (new.body.sha256, new.body.each):
        lines.append("another answer")
    if old.body.location_sha256 != new.body.location_sha256:
        lines.append("another place that it redirects to")
    if old.body.cookies != new.body.cookies:
        names = (", ".join(each.cookies) or "none" for each in (old.body, new.body))
        lines.append(f"cookies {' -> '.join(names)}")
    return lines


def same_request(then: Asked, now: Asked) -> bool:
    """Say whether an answer that was recorded then is one to what is asked now."""
    return _asked_for(then) == _asked_for(now)


def _asked_for(asked: Asked) -> Asked:
    """Return an endpoint without what its answers do not depend on."""
    used = {name: asked.values[name] for name in template(asked).names if name in asked.values}
    return replace(asked, share=None, summary="", kind="pages", values=used)


def unrecorded(of: Project) -> list[str]:
    """Return the names of endpoints that nobody has tried to record as they stand now."""
    without = left_out(of)
    return [
        endpoint.name
        for endpoint in of.app.declared
        if endpoint.contract.content_type is None and endpoint.name not in without
    ]


def left_out(of: Project) -> dict[str, str]:
    """Return the endpoints that could not be recorded, by name with why and what to type."""
    return {
        endpoint.name: next(iter(endpoint.unsupported.values()))
        for endpoint in of.app.declared
        if endpoint.contract.content_type is None and endpoint.unsupported
    }


def lacking(of: Project) -> list[str]:
    """Return what of endpoints has to be recorded before any can be measured, a line each."""
    if not (names := unrecorded(of)):
        without = left_out(of)
        every = len(without) == len(of.app.declared)
        return [f"{name}: {why}" for name, why in without.items()] if every else []
    fixed = recorded(of.folder).endpoints
    changed = [
        part
        for part, now in of.app.basis.items()
        if any(fixed[name].basis.get(part) != now for name in names if name in fixed)
    ]
    under = f" under today's {' and '.join(changed)}" if changed else ""
    return [f"no answer of {', '.join(names)} is recorded{under}; type `loadtest record`"]
