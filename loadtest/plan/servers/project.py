"""The Django project under test, reached only through its own interpreter.

The engine never imports it: it may live in another environment, with another Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from loadtest.plan import interpreters
from loadtest.plan.servers.requests import NOBODY, Data, Page, Prepared, Template, others, prepare
from loadtest.records.errors import UserError
from loadtest.records.planned import Endpoint, Interface, Mix, Record, Shape
from loadtest.records.privacy import KEY_NAME, SECRET_NAME
from loadtest.records.values import Word
from loadtest.system import process

FORMAT = 1
"""Of what a command prints that declares endpoints. History: 1, the first."""

Service = Literal["postgres", "redis", "upstream"]
"""As a contract and the counts name them."""

NOWHERE: Mapping[Service, str] = {
    "postgres": "postgresql://nobody@127.0.0.1:9/nothing",
    "redis": "redis://127.0.0.1:9",
    "upstream": "http://127.0.0.1:9",
}
"""The address of each service where there is none, for settings that want one to be imported."""

POOL = "{postgres.pool}"
"""In what an app is told: how many connections to it a worker process may have."""

PLACEHOLDERS = (
    *("{random}", "{postgres.url}", "{postgresql.url}"),
    *("{redis.url}", "{redis.host}", "{redis.port}", "{upstream.url}", POOL),
)
"""In what an app is told: a secret of this run, and the address of a service, whole or in parts.

PostgreSQL's in both spellings: `postgres:` is what most settings take, and some take no other.
"""

SHELL = re.compile(r"\{env\.([A-Za-z_]\w*)\}")
"""Likewise: a variable of the shell that loadtest is typed in, for a secret that is in no file."""

SETTINGS = "loadtest_settings"
"""The module of settings that each project is run under, see `inside/`."""

INSIDE = Path(__file__).with_name("inside")
"""What runs in the project's interpreter: the standard library and its Django, nothing of ours."""

MANAGE = str(INSIDE / "loadtest_manage.py")
"""What stands between the interpreter and a management command."""

ADDRESSES: Mapping[Service, str] = {
    "postgres": "LOADTEST_DATABASE",
    "redis": "LOADTEST_REDIS",
    "upstream": "LOADTEST_UPSTREAM",
}
"""The variables that they read, beside those below: the address of each service."""

SECRET, HOSTS = "LOADTEST_SECRET_KEY", "LOADTEST_HOSTS"
"""The secret key; by which other names servers are asked."""

FILES, SQLITE = "LOADTEST_FILES", "LOADTEST_SQLITE"
"""A folder of the run that a project may write to; the file of its database, if it is SQLite's."""

SERVER_MEDIA, COUNTS = "LOADTEST_MEDIA", "LOADTEST_COUNTS"
"""Of a server: its own copy of what is under `MEDIA` in that folder, which goes with its rows; a
folder where each of its processes counts what the project does."""

SERVED = "LOADTEST_SERVED"
"""The file where a server's process writes, at its first request, its settings' module."""

NOT_THERE = "/.well-known/loadtest"
"""What a new server is asked for until it answers: no view, which may be slow, or send mail."""

FOLDER = ".loadtest"
"""Beside the file of a project, for what is generated; git ignores it."""

PASSWORD = re.compile(r"://[^/@:\s]*:([^/@\s]+)@")
"""In an address."""

TOKEN = re.compile(r"https?://[^/@\s]+@")
"""Likewise, of the web."""

A_SECRET = 8
"""Letters, at least, of one among other words."""

NO_SECRETS = ("true", "false", "none")
"""What a variable as SESSION_COOKIE_SECURE is set to."""


def is_secret(name: str, text: str) -> bool:
    """Say whether what a variable is set to is nobody else's to read, so far as that shows."""
    text = re.sub(r"\{[\w.]+\}", "", text)  # a placeholder tells nothing
    if PASSWORD.search(text) or TOKEN.search(text):
        return True
    named = KEY_NAME if text.isdecimal() else SECRET_NAME
    return bool(text) and text.lower() not in NO_SECRETS and named.search(name) is not None


class _Version(msgspec.Struct):
    format: int


class _Declared(Record, frozen=True, kw_only=True):
    format: int
    endpoints: tuple[Endpoint, ...]


MATRICES = Path(__file__).with_name("matrices")
"""Those that come along."""

_PACKED = Path(__file__).with_name("profiles")

SERVERS = _PACKED if _PACKED.is_dir() else Path(__file__).parents[3] / "servers"
"""The server profiles that come along: in a wheel beside this file, in a clone at its top."""

MEDIA = "media"
"""The folder of files that go with rows."""

PREPARED_WITHIN_S = 900.0
"""For each command that makes tables or rows: real projects have hundreds of migrations."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A project with something changed: each server is measured under it as well."""

    summary: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    """What it is told in place of what the project is, with placeholders, see `PLACEHOLDERS`."""
    without: tuple[str, ...] = ()
    """Middleware that it leaves out."""
    requires: tuple[str, ...] = ()
    """Distributions that its interpreter must have."""
    unsupported: Mapping[Interface, str] = field(default_factory=dict)
    """Why it cannot be measured under the servers of an interface."""


class Upstream(Record, frozen=True, kw_only=True):
    """A server that stands in for what a project calls over HTTP."""

    module: Word
    """Run as `python -m MODULE --host HOST --port PORT`; it prints its address."""
    counter: Word
    """The path where it says in JSON what it has counted."""
    key: Word
    """Of its requests in that."""


@dataclass(frozen=True, kw_only=True)
class App:
    """What the engine knows of an app under test, beside what that says of its endpoints itself."""

    applications: Mapping[Interface, str] = field(default_factory=dict)
    """What the servers of an interface import, as `module:callable`."""
    generated: Mapping[Interface, str] = field(default_factory=dict)
    """Which of these a run makes by itself, as they would be called in the project."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """The management commands that make its tables and rows; made twice changes nothing."""
    scripts: tuple[tuple[str, ...], ...] = ()
    """What the interpreter runs after these, likewise."""
    upstream: Upstream | None = None
    addresses: Mapping[Service, str] = field(default_factory=dict)
    """The variable that has the address of each service that it is given."""
    redis_socket: bool = False
    """It takes its Redis at a Unix socket; others may take its address apart."""
    connects: tuple[str, ...] = ()
    """What it may reach on this machine beside its services and Unix sockets: hosts with ports."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What else it is told, with placeholders, see `PLACEHOLDERS`."""
    path: tuple[str, ...] = (str(INSIDE), ".")
    """Folders that it imports from, as seen from its own."""
    sqlite: bool = False
    """Its database is SQLite's."""
    sqlite_copy: str | None = None
    """The file that its database begins as a copy of."""
    declared: tuple[Endpoint, ...] = ()
    """Its endpoints."""
    declares: str | None = None
    """The management command that prints them in the place of these."""
    requests: Mapping[str, Template] = field(default_factory=dict)
    """How endpoints are asked, by their names, where that is more than a GET of their path."""
    visited: tuple[str, ...] = ()
    """Endpoints that write at their first visit alone, which is made once for all servers."""
    basis: Mapping[str, str] = field(default_factory=dict)
    """Digests of what its recorded answers depend on, by what a line calls it."""
    matrices: Path = MATRICES
    servers: Path = SERVERS
    """The folders of its matrices and its server profiles."""
    compose: bool = False
    """It can be run in containers, by its own `docker-compose.yml`."""
    reference: str | None = None
    """The server that others are compared with: what it runs on today; None: the matrix's."""
    reference_shape: str | None = None
    """In which shape it does, as in `2x4`; None: not known."""
    shapes: tuple[str, ...] = ()
    """In which servers are measured, likewise; none: as the matrix has it."""
    variants: Mapping[str, Variant] = field(default_factory=dict)
    """Beside the project as it is."""
    mix: Mix | None = None
    """How the shares of its endpoints are known; None: they are no site's."""

    @property
    def pooled(self) -> bool:
        """Whether it is told how many connections a worker process may have."""
        return any(POOL in text for text in self.env.values())

    @property
    def from_shell(self) -> set[str]:
        """The variables of the shell that are in what it is told."""
        environments = (self.env, *(of.env for of in self.variants.values()))
        texts = [text for env in environments for text in env.values()]
        return {name for text in texts for name in SHELL.findall(text)}

    def module(self, interface: Interface | None) -> str:
        """Return the module that servers of an interface import."""
        return self.application(interface).partition(":")[0]

    def application(self, interface: Interface | None) -> str:
        """Return the module and the callable in it."""
        return self.applications.get(interface or "wsgi", "")


@dataclass(frozen=True)
class Project:
    """A folder with a Django project, and the interpreter that has what it imports."""

    folder: Path
    python: str
    app: App
    allowed: Mapping[Service, str] = field(default_factory=dict)
    """Services of others that may be written, each as it was typed: a variable is no consent."""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def env(self) -> dict[str, str]:
        """What every process of the project is told, whatever it does."""
        return self.environment({})

    def environment(
        self,
        addresses: Mapping[str, str],
        variant: str | None = None,
        shape: Shape = Shape(),  # noqa: B008
    ) -> dict[str, str]:
        """Return that with the addresses of its services, by variable, wherever they are told.

        Under a variant, with what that changes; under a server, with what its shape says.
        """
        changed = self.app.variants[variant].env if variant else {}
        compiled = self.folder / FOLDER
        by_service = {
            service: addresses[variable]
            for service, variable in self.app.addresses.items()
            if variable in addresses
        }
        return {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            SECRET: self.secret,
            "PYTHONPATH": os.pathsep.join(
                os.path.normpath(self.folder / part) for part in self.app.path
            ),
            # Its own folders stay as they are. Where nothing can be written there is no such one.
            **(
                {"PYTHONPYCACHEPREFIX": os.path.abspath(compiled / "pycache")}
                if compiled.is_dir()
                else {}
            ),
            **addresses,
            **{
                name: self._filled(name, text, by_service, shape)
                for name, text in {**self.app.env, **changed}.items()
            },
        }

    def _filled(self, name: str, text: str, addresses: Mapping[Service, str], shape: Shape) -> str:
        """Return what a variable is set to: its text, each placeholder replaced."""
        secret = hashlib.sha256(f"{self.secret}/{name}".encode()).hexdigest()
        known = (addresses.get(service, nowhere) for service, nowhere in NOWHERE.items())
        long, redis, upstream = known
        short, at = long.replace("postgresql:", "postgres:", 1), urlsplit(redis)
        parts = (redis, at.hostname or "", str(at.port or 6379))
        values = (secret, short, long, *parts, upstream, str(shape.database_pool))
        for placeholder, value in zip(PLACEHOLDERS, values, strict=True):
            text = text.replace(placeholder, value)
        return SHELL.sub(lambda at: os.environ.get(at[1], ""), text)

    def outside(self, env: Mapping[str, str]) -> list[str]:
        """Return the variables in `env` that have the address of a service of others."""
        return [name for name in self.app.addresses.values() if name in env]

    def manage(
        self, *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 60.0
    ) -> str:
        """Return what a management command prints; raises CommandError with the end of it."""
        return self.run(MANAGE, *arguments, env=env, timeout_s=timeout_s)

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
        given: bytes = b"",
    ) -> str:
        """Return what the project's interpreter prints; raises CommandError likewise.

        What is `given` it reads from the file that its last argument names.
        """
        environment = self.environment(env or {})
        with process.handed(given) as (fd, path):
            return process.output(
                [self.python, *arguments, *([path] if given else [])],
                env=environment,
                cwd=self.folder,
                timeout_s=timeout_s,
                fds=(fd,) if given else (),
            )

    def prepare(self, env: Mapping[str, str]) -> str:
        """Make its tables and rows, and return what that prints; raises CommandError likewise."""
        within_s = PREPARED_WITHIN_S
        commands = [(MANAGE, *command) for command in self.app.prepare]
        return "".join(
            self.run(*command, env=env, timeout_s=within_s)
            for command in (*commands, *self.app.scripts)
        )

    def requests(self, env: Mapping[str, str]) -> dict[str, tuple[Prepared, ...]]:
        """Return what is sent, by the endpoint's name, its user being logged in.

        Raises CommandError where a user or a value is not in the database.
        """
        if not self.app.requests:
            return {}
        data = self._data(env)
        return {name: prepare(template, data) for name, template in self.app.requests.items()}

    def refused(self, env: Mapping[str, str]) -> tuple[dict[str, dict[str, Prepared]], Page | None]:
        """Return what no right answer comes to, by the endpoint's name and by what is wrong.

        With it goes the page of an error. Raises CommandError likewise.
        """
        data = self._data(env, others=True)
        wrong = {name: others(template, data) for name, template in self.app.requests.items()}
        return wrong, data.error

    def _data(self, env: Mapping[str, str], *, others: bool = False) -> Data:
        templates = self.app.requests.values()
        asked = {
            "users": sorted({NOBODY, *(template.user or NOBODY for template in templates)}),
            "values": sorted({of.sources[name] for of in templates for name in of.names}),
            "others": others,
        }
        given = msgspec.json.encode(asked)
        printed = self.run(str(INSIDE / "loadtest_requests.py"), env=env, given=given)
        try:
            return msgspec.json.decode(printed, type=Data)
        except msgspec.MsgspecError as error:
            reason = f"what the project says of its data is not understood: {error}"
            raise process.CommandError(reason, "") from None

    def confidential(
        self, env: Mapping[str, str], requests: Mapping[str, Iterable[Prepared]]
    ) -> Iterator[str]:
        """Yield what of its variables and requests is nobody else's to read, by their names.

        Of several words, as cookies are, each that is long enough to be a secret.
        """
        sent = [request for of in requests.values() for request in of]
        environments = [self.environment(env, variant) for variant in (None, *self.app.variants)]
        texts = [*environments, *(of.headers for of in sent), *(of.values for of in sent)]
        named = [each for of in texts for each in of.items()]
        yield from (os.environ.get(name, "") for name in self.app.from_shell)
        for name, text in named:
            yield from PASSWORD.findall(text)
            if SECRET_NAME.search(name) and text.lower() not in NO_SECRETS:
                yield text
                for word in re.split(r"[\s;]+", text):
                    parts = (word, word.partition("=")[2])
                    yield from (part for part in parts if len(part) >= A_SECRET)

    def upstream(self, *arguments: str) -> list[str]:
        """Return the command line of its upstream, which it has to have."""
        assert self.app.upstream is not None
        return [self.python, "-m", self.app.upstream.module, *arguments]

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints as the app declares them; raises UserError where it can't say."""
        if self.app.declares is None:
            return self.app.declared
        command = f"`manage.py {self.app.declares}`"
        try:
            text = self.manage(*self.app.declares.split())
            version = msgspec.json.decode(text, type=_Version).format
            if version != FORMAT:
                older = "this project" if version < FORMAT else "loadtest"
                raise UserError(
                    f"{self.folder}: {command} speaks format {version} and loadtest format"
                    f" {FORMAT}; update {older}"
                )
            return msgspec.json.decode(text, type=_Declared).endpoints
        except process.CommandError as error:
            last = error.detail.splitlines()[-1] if error.detail else error.reason
            raise UserError(
                f"{command} failed under {self.python}: {last}; name the project's interpreter"
                " with --python"
            ) from None
        except msgspec.MsgspecError as error:
            raise UserError(f"{command} printed what is not understood: {error}") from None

    def versions(self, distributions: Iterable[str]) -> dict[str, str | None]:
        """Return the version of each distribution that the app's interpreter has, None for others.

        The key `python` has the interpreter's own.
        """
        names = sorted(set(distributions))
        argv = [self.python, "-c", interpreters.LOOK, *names]
        try:
            printed = process.output(argv, env=self.env, cwd=self.folder)
            return interpreters.versions(self.python, printed, names)
        except process.CommandError as error:
            raise UserError(f"{error}; name the app's interpreter with --python") from None
