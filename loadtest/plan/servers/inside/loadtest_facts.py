"""Prints in JSON what a project is: `loadtest_facts.py [WSGI] [ASGI]`, under the settings of ours.

No database is there to be asked and nothing of a secret is printed. What fails is printed too, with
the stage at which it did.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import platform
import sys
from collections.abc import Iterator
from typing import Any

MOST_ROUTES = 5_000
MOST_TEXT = 500


def facts(applications: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what is known after each stage; raises whatever the project raises in the next one."""
    stage = {"stage": "django"}
    yield stage
    import django

    yield {**stage, "python": platform.python_version(), "django": django.get_version()}
    yield {"stage": "settings"}
    base = importlib.import_module(os.environ["LOADTEST_SETTINGS"])
    from django.conf import settings

    settings.DEBUG  # noqa: B018 - reads them all
    yield of_settings(base)
    yield {"stage": "setup"}
    django.setup()
    yield {"middleware": list(of_middleware(settings))}
    yield {"stage": "routes"}
    yield {"routes": list(itertools.islice(of_routes(), MOST_ROUTES))}
    yield {"stage": "application"}
    yield {"wrapped": [each for each in applications if each and is_wrapped(each)]}
    # An application that sets it by force would be served with the project's own databases.
    yield {"forced": os.environ["DJANGO_SETTINGS_MODULE"] != "loadtest_settings", "stage": "end"}


def is_wrapped(application: str) -> bool:
    """Say whether a module's application is another than Django's own; raises what it raises."""
    module, _, name = application.partition(":")
    of = type(getattr(importlib.import_module(module), name))
    return not of.__module__.startswith("django.")


def of_settings(base: Any) -> dict[str, Any]:
    """Return what the project's own settings say, but for names, addresses and secrets."""
    databases = getattr(base, "DATABASES", None) or {}
    caches = getattr(base, "CACHES", None) or {}
    storages = getattr(base, "STORAGES", None) or {}
    static = (storages.get("staticfiles") or {}).get("BACKEND") or getattr(
        base, "STATICFILES_STORAGE", ""
    )
    return {
        "settings_file": os.path.realpath(getattr(base, "__file__", None) or ""),
        "debug": bool(getattr(base, "DEBUG", False)),
        "wsgi": text(getattr(base, "WSGI_APPLICATION", None)),
        "asgi": text(getattr(base, "ASGI_APPLICATION", None)),
        "databases": {str(alias): of_database(of) for alias, of in databases.items()},
        "caches": {str(alias): text(of.get("BACKEND")) or "" for alias, of in caches.items()},
        "static_storage": text(static) or "",
        "compressed": bool(getattr(base, "COMPRESS_OFFLINE", False)),
        "hosts": [str(host)[:MOST_TEXT] for host in getattr(base, "ALLOWED_HOSTS", ())],
        "proxy_header": proxy_header(getattr(base, "SECURE_PROXY_SSL_HEADER", None)),
    }


def proxy_header(of: Any) -> list[str] | None:
    """Return the header, as a proxy writes it, that says that a client came over HTTPS."""
    if not of:
        return None
    name = str(of[0])
    plain_name = name[len("HTTP_") :] if name.startswith("HTTP_") else name
    return [plain_name.replace("_", "-").title()[:MOST_TEXT], str(of[1])[:MOST_TEXT]]


def of_database(of: dict[str, Any]) -> dict[str, Any]:
    """Return what matters of a database, not where it is; of SQLite's the file."""
    engine = str(of.get("ENGINE", ""))
    options = of.get("OPTIONS") or {}
    age = of.get("CONN_MAX_AGE", 0)
    return {
        "engine": engine,
        "file": str(of.get("NAME", "")) if "sqlite" in engine else None,
        "conn_max_age": age if isinstance(age, int) else None,
        "pool": bool(options.get("pool")),
        "driver": driver() if "postg" in engine or "psql" in engine else None,
    }


def driver() -> str | None:
    """Return in what psycopg is implemented, which Django takes wherever it is installed."""
    try:
        return text(importlib.import_module("psycopg").pq.__impl__)
    except ImportError:
        return None


def of_middleware(settings: Any) -> Iterator[dict[str, Any]]:
    """Yield each middleware, and whether it can be awaited."""
    from django.utils.module_loading import import_string

    for name in settings.MIDDLEWARE:
        yield {"name": name, "asynchronous": bool(getattr(import_string(name), "async_capable", 0))}


def of_routes() -> Iterator[dict[str, Any]]:
    """Yield each route of the project, with what stands in the place of its arguments."""
    from django.urls import get_resolver

    return walk(get_resolver().url_patterns, "/", [])


def walk(patterns: Any, prefix: str, above: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the routes below a prefix."""
    for pattern in patterns:
        of = pattern.pattern
        route = prefix + plain(str(of), of)
        names = [*above, *names_of(of)]
        if hasattr(pattern, "url_patterns"):
            yield from walk(pattern.url_patterns, route, names)
            continue
        view = pattern.callback
        of_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
        yield {
            "path": route[:MOST_TEXT],
            "arguments": names,
            "asynchronous": inspect.iscoroutinefunction(view)
            or getattr(of_class, "view_is_async", False) is True,
        }


def plain(route: str, of: Any) -> str:
    """Return a route without the signs of a regular expression at its ends."""
    if not hasattr(of, "_regex"):
        return route.lstrip("/")
    for end in ("$", "\\Z"):
        if route.endswith(end):
            route = route[: -len(end)]
    return route.lstrip("^").lstrip("/")


def names_of(of: Any) -> list[str]:
    """Return the arguments of a part of a route, those without a name as `?`."""
    if converters := getattr(of, "converters", None):
        return list(converters)
    regex = getattr(of, "regex", None)
    if regex is None or not hasattr(of, "_regex"):
        return []
    return list(regex.groupindex) or ["?"] * regex.groups


def text(value: Any) -> str | None:
    """Return a value as a text of some length, None as it is."""
    return None if value is None else str(value)[:MOST_TEXT]


def failure(error: BaseException) -> dict[str, str]:
    """Return what went wrong and in which line of the project."""
    return {
        "kind": type(error).__name__,
        "text": " ".join(str(error).split())[:MOST_TEXT],
        "at": importlib.import_module("loadtest_failure").place(error),
    }


def all_known() -> dict[str, Any]:
    """Return all facts up to the stage that fails."""
    known: dict[str, Any] = {}
    try:
        for part in facts(sys.argv[1:]):
            known.update(part)
    except (Exception, SystemExit) as error:
        known["failure"] = failure(error)
    return known


if __name__ == "__main__":
    importlib.import_module("loadtest_result").write(all_known)
