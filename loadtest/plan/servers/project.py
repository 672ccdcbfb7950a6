"""The Django project under test, reached only through its own interpreter.

The engine never imports it: it may live in another environment, with another Python.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from loadtest.plan import interpreters
from loadtest.records.errors import UserError
from loadtest.records.planned import Endpoint, Interface, Record
from loadtest.system import process

FORMAT = 1
"""Of what `manage.py endpoints` prints. History: 1, the first."""

Service = Literal["postgres", "redis", "upstream"]
"""As a contract and the counts name them."""


class _Version(msgspec.Struct):
    format: int


class _Declared(Record, frozen=True, kw_only=True):
    format: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, kw_only=True)
class App:
    """What the engine knows of an app under test, beside what that says of its endpoints itself."""

    settings: str
    """The module of Django's settings."""
    application: str
    """The module with the callable `application` of an `{interface}`."""
    prepare: tuple[tuple[str, ...], ...]
    """The management commands that make its tables and rows; made twice changes nothing."""
    distributions: tuple[str, ...]
    """Whose versions a run records, beside those that servers require."""
    probe_path: str
    """Answered by a server that is up, whatever its services do."""
    page_path: str
    """For a person to look at."""
    upstream: str
    """The module of what it calls over HTTP: takes `--host` and `--port`, prints its address."""
    counter_path: str
    """Where the upstream says in JSON what it has counted, its requests under `counter_key`."""
    counter_key: str
    secret_variable: str
    pool_variable: str
    """For the most connections of a worker process to the database."""
    hosts_variable: str
    addresses: Mapping[Service, str]
    """The variable that has the address of each service."""

    def module(self, interface: Interface | None) -> str:
        """Return the module that servers of an interface import."""
        return self.application.format(interface=interface)


DEMO = App(
    settings="myproject.settings",
    application="myproject.{interface}",
    prepare=(("migrate", "--verbosity=0"), ("seed",)),
    distributions=("Django", "psycopg", "psycopg-pool", "redis", "asgiref"),
    probe_path="/raw",
    page_path="/myapp/sync/json",
    upstream="myproject.upstream",
    counter_path="/count",
    counter_key="requests",
    secret_variable="DJANGO_SECRET_KEY",
    pool_variable="DATABASE_POOL_SIZE",
    hosts_variable="ALLOWED_HOSTS",
    addresses={"postgres": "DATABASE_URL", "redis": "REDIS_URL", "upstream": "UPSTREAM_URL"},
)
"""The app of this repository."""


@dataclass(frozen=True)
class Project:
    """A folder with a `manage.py`, and the interpreter that has what it imports."""

    folder: Path
    python: str
    app: App = DEMO
    allowed: Mapping[Service, str] = field(default_factory=dict)
    """Services of others that may be written, each as it was typed: a variable is no consent."""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def env(self) -> dict[str, str]:
        """What every process of the project is told, whatever it does."""
        return {
            "DJANGO_SETTINGS_MODULE": self.app.settings,
            self.app.secret_variable: self.secret,
            "PYTHONPATH": str(self.folder),
        }

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Return what a management command prints; raises CommandError with the end of it."""
        return process.output(
            [self.python, "manage.py", *arguments], env=self.env | dict(env or {}), cwd=self.folder
        )

    def prepare(self, env: Mapping[str, str]) -> str:
        """Make its tables and rows, and return what that prints; raises CommandError likewise."""
        return "".join(self.manage(*command, env=env) for command in self.app.prepare)

    def upstream(self, *arguments: str) -> list[str]:
        """Return the command line of its upstream."""
        return [self.python, "-m", self.app.upstream, *arguments]

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints as the app declares them; raises UserError where it can't say."""
        if not (self.folder / "manage.py").exists():
            raise UserError(
                f"{self.folder}: no manage.py there; run from the project's folder,"
                " or name it with --project"
            )
        try:
            text = self.manage("endpoints")
            version = msgspec.json.decode(text, type=_Version).format
            if version != FORMAT:
                older = "this project" if version < FORMAT else "loadtest"
                raise UserError(
                    f"{self.folder}: `manage.py endpoints` speaks format {version} and loadtest"
                    f" format {FORMAT}; update {older}"
                )
            return msgspec.json.decode(text, type=_Declared).endpoints
        except process.CommandError as error:
            last = error.detail.splitlines()[-1] if error.detail else error.reason
            raise UserError(
                f"`manage.py endpoints` failed under {self.python}: {last};"
                " install the app's packages (make setup) or name its interpreter with --python"
            ) from None
        except msgspec.MsgspecError as error:
            raise UserError(
                f"`manage.py endpoints` printed what is not understood: {error}"
            ) from None

    def versions(self, distributions: Iterable[str]) -> dict[str, str | None]:
        """Return the version of each distribution that the app's interpreter has, None for others.

        The key `python` has the interpreter's own.
        """
        names = sorted(set(distributions))
        argv = [self.python, "-c", interpreters.LOOK, *names]
        try:
            printed = process.output(argv, env=self.env, cwd=self.folder)
        except process.CommandError as error:
            raise UserError(f"{error}; name the app's interpreter with --python") from None
        return interpreters.versions(printed, names)
