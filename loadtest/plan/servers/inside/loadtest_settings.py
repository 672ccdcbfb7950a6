"""The settings of a project, but for where its data is and whom it writes to.

What a run does not give leads nowhere, so that no process of a run reaches a database of others.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.signals import got_request_exception

_base = importlib.import_module(os.environ["LOADTEST_SETTINGS"])
globals().update({name: getattr(_base, name) for name in dir(_base) if name.isupper()})

_ELSEWHERE = {"host", "port", "dbname", "user", "password", "service", "passfile", "ssl"}
"""What options of a database would say of another server, beside all that begin with `ssl`."""

_LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def _given(name: str) -> Any:
    return globals().get(name) or {}


def _database(of: dict[str, Any]) -> dict[str, Any]:
    engine = str(of.get("ENGINE", ""))
    options = {
        key: value
        for key, value in (of.get("OPTIONS") or {}).items()
        if key not in _ELSEWHERE and not str(key).startswith("ssl")
    }
    if "sqlite" in engine or "spatialite" in engine:
        return {**of, "NAME": os.environ.get("LOADTEST_SQLITE", ":memory:"), "OPTIONS": options}
    if "postg" in engine or "psql" in engine:
        url = urlsplit(os.environ.get("LOADTEST_DATABASE", "postgresql://nobody@127.0.0.1:9/none"))
        return {
            **of,
            "HOST": parse_qs(url.query).get("host", [url.hostname or ""])[0],
            "PORT": str(url.port or ""),
            "NAME": unquote(url.path.lstrip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "OPTIONS": options,
        }
    return {"ENGINE": "django.db.backends.dummy"}


def _cache(of: dict[str, Any]) -> dict[str, Any]:
    backend = str(of.get("BACKEND", "")).lower()
    if "redis" in backend and "LOADTEST_REDIS" in os.environ:
        return {**of, "LOCATION": os.environ["LOADTEST_REDIS"]}
    if "filebased" in backend:
        return {**of, "LOCATION": os.path.join(_files, "cache")}
    return _LOCAL if any(name in backend for name in ("redis", "memcache")) else of


_files = os.environ.get("LOADTEST_FILES", os.devnull)

DEBUG = False
SECRET_KEY = os.environ["LOADTEST_SECRET"]
SECRET_KEY_FALLBACKS: list[str] = []
ALLOWED_HOSTS = [*_given("ALLOWED_HOSTS"), "127.0.0.1", "localhost"]
SECURE_SSL_REDIRECT = False
DATABASES = {alias: _database(of) for alias, of in _given("DATABASES").items()}
CACHES = {alias: _cache(of) for alias, of in _given("CACHES").items()} or {"default": _LOCAL}
STATIC_ROOT = os.path.join(_files, "static")
MEDIA_ROOT = os.path.join(_files, "media")

# No mail leaves; kept in memory it would grow with each request of a load.
_NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"
if "MAILERS" in globals():  # Django 6.1 takes one of the two
    MAILERS = {alias: {"BACKEND": _NO_MAIL} for alias in _given("MAILERS") or ("default",)}
else:
    EMAIL_BACKEND = _NO_MAIL

# No task is run or handed on.
if _given("TASKS"):
    TASKS = {
        alias: {"BACKEND": "django.tasks.backends.dummy.DummyBackend"} for alias in _given("TASKS")
    }
for _name in ("CELERY_BROKER_URL", "BROKER_URL"):
    if _given(_name):
        globals()[_name] = "memory://"

_errors_left = 20


def _tell(**facts: Any) -> None:
    """Write the first errors to the server's log: many a project logs elsewhere."""
    global _errors_left
    _errors_left -= 1
    if _errors_left >= 0:
        sys.stderr.write(traceback.format_exc(limit=-3))
        sys.stderr.flush()


got_request_exception.connect(_tell, weak=False, dispatch_uid="loadtest")
