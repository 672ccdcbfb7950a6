"""Prints in JSON what answers take, a line for each question: `loadtest_probe.py FILE`.

The file has a JSON object: the name of a `user`, or null, and `questions`, each a list of a request
or two. They are asked in this process on the database of the run, the last of each question once
more, in transactions that are rolled back unless `keep` is true. No mail leaves, and no connection
but to what the run has, or was told of. `known`, where it is no null, has by route the path that
was asked: of one route no other is, but for some of one that leads to all pages of a site. Before
all answers a line says whether there is such a user. A question that takes too long ends the
process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

MOST_TEXT = 300

LONGEST_S = 60.0
"""For a question."""

DEEP = re.compile(r"<path:|\((?:\?:)?[^()]*/")
"""A route that leads to paths of any depth, as to the pages of a CMS: they have several views."""

NEGATED = re.compile(r"\[\^[^\]]*\]")
"""Signs that a part of a route may not have, as a slash."""

MOST_DEEP = 20
"""Of one such route."""

outbound: list[str] = importlib.import_module("loadtest_outbound").refused
"""Where the project wanted to connect to: settings of ours refuse it."""

summary = importlib.import_module("loadtest_failure").summary
counts = importlib.import_module("loadtest_counts")
session = importlib.import_module("loadtest_requests").session
errors: list[str] = []


def probe(
    client: Any, requests: list[dict[str, Any]], user: Any, databases: list[Any], keep: bool
) -> dict[str, Any]:
    """Ask each request, and the last once more, as load does; return what that took.

    What is refused, or not there, is not asked again.
    """
    from django.core import mail

    del outbound[:], errors[:]
    mails = len(mail.outbox)
    took_ms = []
    written: list[set[str]] = []
    with transactions(databases, keep):
        cookie = "" if user is None else session(user)
        for request in (*requests, requests[-1]):
            client.cookies.clear()  # load keeps none that an answer sets
            client.cookies.load(cookie)
            with noted(databases) as statements:
                began = time.perf_counter()
                answer = send(client, request)
                body = answer.getvalue() if answer.streaming else answer.content
                took_ms.append((time.perf_counter() - began) * 1e3)
            changes = filter(None, map(counts.change, statements))
            written.append({text[:MOST_TEXT] for text in changes} - {of_session()})
            if answer.status_code >= 400:
                break
    mailed, called = len(mail.outbox) - mails, sorted(set(outbound))[:5]
    harmless = not (written[-1] or mailed or called or errors)
    return {
        "first_ms": round(took_ms[0], 2),
        "again_ms": round(took_ms[-1], 2),
        "statements": len(statements),
        "writes": sorted(written[-1]),
        "writes_once": sorted({each for of in written for each in of} - written[-1]),
        "path": requests[0]["path"],
        "status": answer.status_code,
        "type": answer.get("Content-Type", "").split(";")[0][:MOST_TEXT],
        "location": (answer.get("Location") or "")[:MOST_TEXT],
        "route": route_of(answer),
        "template": template_of(answer),
        "bytes": len(body),
        "mail": mailed,
        "outbound": called,
        "error": errors[0] if errors else None,
        "links": links(body) if "html" in answer.get("Content-Type", "") else [],
        "fit": answer.status_code == 200 and harmless,
    }


def of_session() -> str:
    """Return the change that saves a session again: that of a login is the run's own."""
    from django.apps import apps
    from django.conf import settings

    store = importlib.import_module(settings.SESSION_ENGINE).SessionStore
    if apps.is_installed("django.contrib.sessions") and hasattr(store, "get_model_class"):
        return f"UPDATE {store.get_model_class()._meta.db_table}"
    return ""


def send(client: Any, request: dict[str, Any]) -> Any:
    """Send a request as it stands, with the headers that it would have over a wire."""
    headers = {name.upper().replace("-", "_"): text for name, text in request["headers"].items()}
    kind = headers.pop("CONTENT_TYPE", "")
    return client.generic(
        request["method"],
        request["path"],
        request["body"],
        kind,
        **{f"HTTP_{name}": text for name, text in headers.items()},
    )


def route_of(answer: Any) -> str:
    """Return the route that an answer came by, nothing where there is none."""
    try:
        return str(answer.resolver_match.route)[:MOST_TEXT]
    except Exception:  # it is looked for when it is asked for
        return ""


def template_of(answer: Any) -> str:
    """Return the name of the first of Django's templates that made an answer, nothing without."""
    return next((str(each.name)[:MOST_TEXT] for each in getattr(answer, "templates", ())), "")


def links(body: bytes) -> list[str]:
    """Return the paths that a page links to on the same site."""
    paths = re.findall(rb'<a\s[^>]*?href="(/[^"#\s]*)"', body)
    return list(dict.fromkeys(path.decode("utf-8", "replace")[:MOST_TEXT] for path in paths))[:100]


def route_to(path: str) -> str:
    """Return the route that a path will come by, nothing where none is known."""
    from django.urls import resolve

    try:
        return str(resolve(unquote(urlsplit(path).path)).route)[:MOST_TEXT]
    except Exception:  # there is none, or it is another in the language of the path
        return ""


def connect() -> list[Any]:
    """Return a connection to each database that can be reached.

    Aliases of the same one share it: nothing is committed, so none would see what another wrote.
    """
    from django.db import connections

    by_place: dict[tuple[str, ...], Any] = {}
    for alias in connections:
        try:
            own = connections[alias]
            named = (str(own.settings_dict.get(name, "")) for name in ("HOST", "PORT", "NAME"))
            place = (own.vendor, *named)
            if place not in by_place:
                own.ensure_connection()
                by_place[place] = own
        except Exception:  # nothing of the run stands for it
            continue
        connections[alias] = by_place[place]
    return [*by_place.values()]


@contextlib.contextmanager
def transactions(databases: list[Any], keep: bool) -> Iterator[None]:
    """Undo what is written in the block, unless it is to be kept."""
    from django.db import transaction

    with contextlib.ExitStack() as stack:
        for database in databases:
            stack.enter_context(transaction.atomic(database.alias))
            if not keep:
                stack.callback(transaction.set_rollback, True, database.alias)
        yield


@contextlib.contextmanager
def noted(databases: list[Any]) -> Iterator[list[str]]:
    """Give a list that gets the block's statements."""
    statements: list[str] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = counts.as_text(sql, context)
        if "SAVEPOINT" not in text:
            statements.append(text)
        return execute(sql, params, many, context)

    with contextlib.ExitStack() as stack:
        for database in databases:
            stack.enter_context(database.execute_wrapper(note))
        yield statements


def all_probed() -> Iterator[dict[str, Any]]:
    """Yield whether there is such a user, then what is known of each path, in order."""
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.signals import got_request_exception
    from django.test import Client
    from django.test.utils import setup_test_environment
    from django.urls import get_resolver

    def on_error(**facts: Any) -> None:
        errors.append(summary(sys.exc_info()[1]))

    got_request_exception.connect(on_error)
    setup_test_environment(debug=False)
    get_resolver().url_patterns  # noqa: B018 - what views do as they are imported is no answer's
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    user = None
    if asked["user"] is not None:
        model = get_user_model()
        user = model._default_manager.filter(**{model.USERNAME_FIELD: asked["user"]}).first()
    client = Client(enforce_csrf_checks=True, raise_request_exception=False, HTTP_HOST="127.0.0.1")
    databases, known = connect(), asked["known"]
    deep: Counter[str] = Counter()
    yield {"user": user is not None}
    for requests in asked["questions"]:
        path = requests[0]["path"]
        route = route_to(path) if known else ""
        deep[route] += bool(DEEP.search(NEGATED.sub("", route)))
        like = known.get(route or None) if known else None  # "" is that of any other
        if like and not 0 < deep[route] <= MOST_DEEP:
            yield {"path": path, "like": like}
            continue
        faulthandler.dump_traceback_later(LONGEST_S, exit=True, file=2)
        try:
            row = probe(client, requests, user, databases, asked["keep"])
        except Exception as error:  # whatever a view does
            row = {"path": path, "status": 500, "error": summary(error)}
        faulthandler.cancel_dump_traceback_later()
        yield row
        if known is not None and row.get("fit"):
            known.setdefault(row["route"], path)


if __name__ == "__main__":
    importlib.import_module("loadtest_result").write_each(all_probed)
