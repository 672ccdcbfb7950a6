"""Prints in JSON what answers take: `loadtest_probe.py FILE`.

The file has a JSON object: the name of a `user`, or null, and `questions`, each a list of a request
or two. They are asked in this process on the database of the run, the last of each question once
more, in a transaction that is rolled back unless `keep` is true. No mail leaves, and no connection
but to what the run has, or was told of.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

MOST_TEXT = 300

outbound: list[str] = importlib.import_module("loadtest_outbound").refused
"""Where the project wanted to connect to: settings of ours refuse it."""

summary = importlib.import_module("loadtest_failure").summary

session = importlib.import_module("loadtest_requests").session

errors: list[str] = []


def probe(client: Any, requests: list[dict[str, Any]], user: Any, keep: bool) -> dict[str, Any]:
    """Ask each request, and the last once more, as load does; return what that took."""
    from django.core import mail

    del outbound[:], errors[:]
    mails = len(mail.outbox)
    took_ms = []
    written: list[set[str]] = []
    with on_database(keep) as connection:
        cookie = "" if user is None else session(user)
        for request in (*requests, requests[-1]):
            client.cookies.clear()  # load keeps none that an answer sets
            client.cookies.load(cookie)
            with counted(connection) as statements:
                began = time.perf_counter()
                answer = send(client, request)
                body = answer.getvalue() if answer.streaming else answer.content
                took_ms.append((time.perf_counter() - began) * 1e3)
            written.append(set(map(table, filter(writes, statements))))
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
        "bytes": len(body),
        "mail": len(mail.outbox) - mails,
        "outbound": sorted(set(outbound))[:5],
        "error": errors[0] if errors else None,
        "links": links(body) if "html" in answer.get("Content-Type", "") else [],
    }


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


def links(body: bytes) -> list[str]:
    """Return the paths that a page links to on the same site."""
    paths = re.findall(rb'<a\s[^>]*?href="(/[^"#\s]*)"', body)
    return list(dict.fromkeys(path.decode("utf-8", "replace")[:MOST_TEXT] for path in paths))[:100]


@contextlib.contextmanager
def on_database(keep: bool) -> Iterator[Any]:
    """Give the first database, and undo what is written unless it is to be kept; None without."""
    from django.db import connections, transaction

    alias = next(iter(connections), None)
    if alias is None or connections[alias].vendor == "unknown":
        yield None
        return
    with transaction.atomic(alias):
        yield connections[alias]
        if not keep:
            transaction.set_rollback(True, alias)


@contextlib.contextmanager
def counted(connection: Any) -> Iterator[list[str]]:
    """Give a list that has the block's statements when it ends."""
    from django.test.utils import CaptureQueriesContext

    statements: list[str] = []
    if connection is None:
        yield statements
        return
    with CaptureQueriesContext(connection) as captured:
        yield statements
    statements += [
        query["sql"] for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]
    ]


def writes(statement: str) -> bool:
    """Say whether a statement changes rows."""
    return statement.lstrip().split(" ", 1)[0].upper() in ("INSERT", "UPDATE", "DELETE")


def table(statement: str) -> str:
    """Return what a statement does to which table."""
    words = statement.replace('"', "").replace("`", "").split()
    verb = words[0].upper()
    at = 1 if verb == "UPDATE" else 2
    return f"{verb} {words[at] if len(words) > at else ''}"[:MOST_TEXT]


def all_probed() -> dict[str, Any]:
    """Return what is known of each path, in order."""
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
    rows = []
    for requests in asked["questions"]:
        try:
            rows.append(probe(client, requests, user, asked["keep"]))
        except Exception as error:  # whatever a view does
            row = {"path": requests[0]["path"], "status": 500, "error": summary(error)}
            rows.append(row)
    return {"probed": rows, "user": user is not None}


if __name__ == "__main__":
    importlib.import_module("loadtest_result").write(all_probed)
