"""The settings of a project, but for where its data is and whom it writes to.

What a run does not give leads nowhere, so that no process of a run reaches a database of others.
"""

from __future__ import annotations

import datetime
import importlib
import json
import logging
import os
import sys
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception, request_started
from django.db.backends.signals import connection_created
from django.utils import timezone

importlib.import_module("loadtest_outbound").refuse()
importlib.import_module("loadtest_logs").keep(os.environ.get("LOADTEST_FILES"))
_failure = importlib.import_module("loadtest_failure")

# Before any module takes it by its name.
if "LOADTEST_EARLIER_S" in os.environ:
    _now, _earlier_s = timezone.now, float(os.environ["LOADTEST_EARLIER_S"])
    timezone.now = lambda: _now() - datetime.timedelta(seconds=_earlier_s)

_base = importlib.import_module(os.environ["LOADTEST_SETTINGS"])
globals().update({name: getattr(_base, name) for name in dir(_base) if name.isupper()})


def _with(value: Any, changed: Any) -> Any:
    """Return a setting with what a variant changes in it, key by key."""
    if isinstance(value, dict) and isinstance(changed, dict):
        return {**value, **{key: _with(value.get(key), new) for key, new in changed.items()}}
    return changed


# First, so that no variant leads out of the run.
_varied = json.loads(os.environ.get("LOADTEST_VARIED", "{}"))
for _name, _changed in _varied.get("settings", {}).items():
    globals()[_name] = _with(globals().get(_name), _changed)
if _varied.get("without"):
    MIDDLEWARE = [name for name in globals()["MIDDLEWARE"] if name not in _varied["without"]]

# What an address leaves open libpq takes from these, and PGHOSTADDR leads elsewhere than it does;
# a `.env` may have set them. Its own have no underscore.
for _name in [name for name in os.environ if name.startswith("PG") and "_" not in name]:
    del os.environ[_name]

_ELSEWHERE = {
    *("host", "hostaddr", "port", "database", "dbname", "user", "username", "password"),
    *("passfile", "service", "servicefile", "dsn", "conninfo", "sentinels", "connection_factory"),
}
"""What options would say of another server, beside all that begin with `ssl`."""

_LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}

_HERE = tuple(f"django.core.cache.backends.{name}." for name in ("locmem", "db", "dummy"))
"""Caches that are in the process, or in its database."""

_REMOTE = ("storages.", "cloudinary_storage.", "minio_storage.")
"""Packages of storages whose files are on other machines."""

_files = os.environ.get("LOADTEST_FILES", os.devnull)


def _given(name: str) -> Any:
    return globals().get(name) or {}


def _options(of: Any) -> dict[str, Any]:
    """Return options, and those within them, without what would say of another server."""
    return {
        key: _options(value) if isinstance(value, dict) else value
        for key, value in (of or {}).items()
        if str(key).lower() not in _ELSEWHERE and not str(key).lower().startswith("ssl")
    }


def _database(of: dict[str, Any]) -> dict[str, Any]:
    engine, options = str(of.get("ENGINE", "")), _options(of.get("OPTIONS"))
    if "sqlite" in engine or "spatialite" in engine:
        return {**of, "NAME": os.environ.get("LOADTEST_SQLITE", ":memory:"), "OPTIONS": options}
    if "postg" in engine or "psql" in engine:
        url = urlsplit(os.environ.get("LOADTEST_DATABASE", "postgresql://nobody@127.0.0.1:9/none"))
        query = dict(parse_qsl(url.query))  # of several, libpq takes the last as well
        return {
            **of,
            "HOST": query.get("hostaddr") or query.get("host") or url.hostname or "",
            "PORT": query.get("port") or str(url.port or ""),
            "NAME": query.get("dbname") or unquote(url.path.lstrip("/")),
            "USER": query.get("user") or unquote(url.username or ""),
            "PASSWORD": query.get("password") or unquote(url.password or ""),
            "OPTIONS": options,
        }
    return {"ENGINE": "django.db.backends.dummy"}


def _cache(of: dict[str, Any]) -> dict[str, Any]:
    backend = str(of.get("BACKEND", ""))
    if "redis" in backend.lower() and "LOADTEST_REDIS" in os.environ:
        location, options = os.environ["LOADTEST_REDIS"], _options(of.get("OPTIONS"))
        return {**of, "LOCATION": location, "OPTIONS": options}
    if "filebased" in backend.lower():
        return {**of, "LOCATION": os.path.join(_files, "cache")}
    return of if backend.startswith(_HERE) else _LOCAL


def _storage_class(backend: str, static: bool) -> str:
    """Return a storage's class, in the place of another machine's the one of this machine."""
    if not backend.startswith(_REMOTE):
        return backend
    if not static:
        return "django.core.files.storage.FileSystemStorage"
    kind = "Manifest" if "manifest" in backend.lower() else ""
    return f"django.contrib.staticfiles.storage.{kind}StaticFilesStorage"


def _storage(alias: str, of: dict[str, Any]) -> dict[str, Any]:
    """Return a storage whose files are the run's: MEDIA_ROOT or STATIC_ROOT has them."""
    given = str(of.get("BACKEND", ""))
    backend = _storage_class(given, alias == "staticfiles")
    options = (of.get("OPTIONS") or {}) if backend == given else {}
    kept = {key: value for key, value in options.items() if key != "location"}
    return {**of, "BACKEND": backend, "OPTIONS": kept}


def _handler(of: dict[str, Any]) -> dict[str, Any]:
    """Return a handler of logs with a file in the place of the console, and no mail of its own.

    What is written to the console would stand in the server's log, which results quote.
    """
    kept = {key: value for key, value in of.items() if key != "email_backend"}
    if of.get("class") != "logging.StreamHandler":
        return kept
    kept = {key: value for key, value in kept.items() if key not in ("stream", "strm")}
    return {**kept, "class": "logging.FileHandler", "filename": "console.log"}


# Nor is anything quoted of what has no handler, or whose handler cannot reach its service.
logging.lastResort, logging.raiseExceptions = None, False


DEBUG = False
SECRET_KEY = os.environ["LOADTEST_SECRET_KEY"]
SECRET_KEY_FALLBACKS: list[str] = []
_hosts = os.environ.get("LOADTEST_HOSTS", "").split()
ALLOWED_HOSTS = [*_given("ALLOWED_HOSTS"), "127.0.0.1", "localhost", *_hosts]
SECURE_SSL_REDIRECT = False
DATABASES = {alias: _database(of) for alias, of in _given("DATABASES").items()}
CACHES = {alias: _cache(of) for alias, of in _given("CACHES").items()} or {"default": _LOCAL}

# What is in theirs alone, as it was built there, is collected into the run's.
LOADTEST_COLLECTED = str(_given("STATIC_ROOT") or "")
if LOADTEST_COLLECTED and os.path.isfile(f"{LOADTEST_COLLECTED}/staticfiles.json"):
    _finders = _given("STATICFILES_FINDERS") or global_settings.STATICFILES_FINDERS
    STATICFILES_FINDERS = [*_finders, "loadtest_static.Collected"]
STATIC_ROOT = os.path.join(_files, "static")
MEDIA_ROOT = os.environ.get("LOADTEST_MEDIA", os.path.join(_files, "media"))
SESSION_FILE_PATH = _files
if _given("COMPRESS_ROOT"):
    COMPRESS_ROOT = STATIC_ROOT
if _given("HAYSTACK_CONNECTIONS"):
    HAYSTACK_CONNECTIONS = {
        alias: {**of, "PATH": os.path.join(_files, f"search-{alias}")} if "PATH" in of else of
        for alias, of in _given("HAYSTACK_CONNECTIONS").items()
    }
if _given("STORAGES"):
    STORAGES = {alias: _storage(alias, of) for alias, of in _given("STORAGES").items()}
for _name in ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE"):  # before Django 5.1
    if _given(_name):
        globals()[_name] = _storage_class(str(_given(_name)), _name.startswith("STATIC"))
if _given("LOGGING"):
    _handlers = {name: _handler(of) for name, of in _given("LOGGING").get("handlers", {}).items()}
    LOGGING = {**_given("LOGGING"), "handlers": _handlers}

# No mail leaves; kept in memory it would grow with each request of a load.
_NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"
if "MAILERS" in globals():  # Django 6.1 takes one of the two
    MAILERS = {alias: {"BACKEND": _NO_MAIL} for alias in _given("MAILERS") or ("default",)}
else:
    EMAIL_BACKEND = _NO_MAIL
    EMAIL_HOST, EMAIL_PORT = "127.0.0.1", 9  # for code that names a backend by itself
    if _given("EMAIL_FILE_PATH"):
        EMAIL_FILE_PATH = os.path.join(_files, "mail")

# No task is run or handed on, and no message.
if _given("TASKS"):
    TASKS = {
        alias: {"BACKEND": "django.tasks.backends.dummy.DummyBackend"} for alias in _given("TASKS")
    }
for _name in ("", "_READ", "_WRITE"):
    for _setting in (f"CELERY_BROKER{_name}_URL", f"BROKER{_name}_URL"):
        if _given(_setting):
            globals()[_setting] = "memory://"
if "://" in str(_given("CELERY_RESULT_BACKEND")):
    CELERY_RESULT_BACKEND = "cache+memory://"
for _name in ("CELERY_TASK_ALWAYS_EAGER", "CELERY_ALWAYS_EAGER"):
    if _given(_name):
        globals()[_name] = False
if _given("CHANNEL_LAYERS"):
    CHANNEL_LAYERS = {
        alias: {"BACKEND": "channels.layers.InMemoryChannelLayer"}
        for alias in _given("CHANNEL_LAYERS")
    }

_errors_left = 20


def _tell(**facts: Any) -> None:
    """Write the first errors to the server's log, which results quote: no message of theirs."""
    global _errors_left
    _errors_left -= 1
    if _errors_left >= 0:
        error = sys.exc_info()[1]
        sys.stderr.write(f"{_failure.summary(error)}\n")
        sys.stderr.flush()


got_request_exception.connect(_tell, weak=False, dispatch_uid="loadtest")


_ours = [dict(of) for of in DATABASES.values() if "NAME" in of]
"""As they are now: a project may add to `DATABASES` later."""


def _is_ours(connection: Any) -> bool:
    """Say whether a connection leads to a database of the run, as its driver has it."""
    if connection.vendor == "sqlite":
        file = connection.connection.execute("PRAGMA database_list").fetchone()[2]
        names = [str(of["NAME"]) for of in _ours]
        # In memory it has nobody's rows.
        return not file or os.path.realpath(file) in map(os.path.realpath, names)
    if connection.vendor == "postgresql":
        at = connection.connection.info
        return any(
            at.dbname == of["NAME"] and (not of["HOST"] or at.host in of["HOST"].split(","))
            for of in _ours
            if "HOST" in of
        )
    return False


def _keep_ours(connection: Any, **facts: Any) -> None:
    """Close a connection to any other database: an engine of a project may go where it likes."""
    if not _is_ours(connection):
        connection.close()
        raise ImproperlyConfigured("loadtest: this database is not of the run")


connection_created.connect(_keep_ours, weak=False, dispatch_uid="loadtest")


def _serve(**facts: Any) -> None:
    """Note at the first request which settings Django runs under, for who started the server."""
    from django.conf import settings

    request_started.disconnect(dispatch_uid="loadtest")
    with open(os.environ["LOADTEST_SERVED"], "a", encoding="utf-8") as served:
        served.write(f"{settings.SETTINGS_MODULE}\n")


if "LOADTEST_SERVED" in os.environ:
    request_started.connect(_serve, weak=False, dispatch_uid="loadtest")

if "LOADTEST_COUNTS" in os.environ:
    importlib.import_module("loadtest_counts").begin()
