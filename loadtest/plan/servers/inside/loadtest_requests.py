"""Prints in JSON what the requests of a run are made of: `loadtest_requests.py FILE`.

The file has a JSON object. `users` are logged in by Django's own sessions, without password and
login view: names of the user model's USERNAME_FIELD, or an empty one for who is nobody. `values`
are looked for: each the field of a model, a SELECT, or a range of numbers. With `others` goes what
must not be taken for a right answer: the session of one more user, and the page of an error.
"""

from __future__ import annotations

import importlib
import json
import re
import secrets
import string
import sys
from typing import Any

MOST_VALUES = 100
"""Of one source, and as many requests are made of them."""

SESSIONS = 20
"""Of one user, where several are needed."""

MOST_USERS = 20
"""That are looked at for one who is active."""

TOKEN = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(64))
"""As long as Django's own, with their mask: older ones take no other in a session."""


def cookies(name: str) -> list[str]:
    """Return the cookies of new sessions; exits with a line where nobody is called so.

    One is enough, unless each request writes to its session: all would wait for the same row.
    """
    from django.conf import settings

    number = SESSIONS if settings.SESSION_SAVE_EVERY_REQUEST else 1
    if not name:
        in_session = getattr(settings, "CSRF_USE_SESSIONS", False)
        return [session(None) for _ in range(number)] if in_session else [""]
    user = users().filter(**{username(): name}).first()
    if user is None:
        sys.exit(
            f"no user has the {username()} {name!r} in the prepared database;"
            " make one in the seed script, or correct `as` in loadtest.toml"
        )
    return [session(user) for _ in range(number)]


def users() -> Any:
    """Return all users, in an order that is always the same."""
    from django.contrib.auth import get_user_model

    return get_user_model()._default_manager.order_by("pk")


def username() -> str:
    """Return the field that users are called by."""
    from django.contrib.auth import get_user_model

    return str(get_user_model().USERNAME_FIELD)


def session(user: Any) -> str:
    """Return the cookie of a new session of a user, or of nobody."""
    from django.conf import settings

    of = importlib.import_module(settings.SESSION_ENGINE).SessionStore()
    of["_csrftoken"] = TOKEN  # for CSRF_USE_SESSIONS
    if user is not None:
        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

        of[SESSION_KEY] = user._meta.pk.value_to_string(user)
        of[BACKEND_SESSION_KEY] = backend(user)
        of[HASH_SESSION_KEY] = user.get_session_auth_hash()
    of.save()
    return f"{settings.SESSION_COOKIE_NAME}={of.session_key}"


def backend(user: Any) -> str:
    """Return the first backend that finds a user by their key: some do no more than refuse one."""
    from django.conf import settings
    from django.contrib.auth import load_backend

    paths = settings.AUTHENTICATION_BACKENDS
    return str(next((path for path in paths if load_backend(path).get_user(user.pk)), paths[0]))


def csrf() -> dict[str, Any]:
    """Return what Django's protection against forged requests lets through."""
    from django.conf import settings

    in_session = getattr(settings, "CSRF_USE_SESSIONS", False)
    secure = settings.SECURE_PROXY_SSL_HEADER
    return {
        "cookie": None if in_session else settings.CSRF_COOKIE_NAME,
        "header": header(settings.CSRF_HEADER_NAME),
        "token": TOKEN,
        "secure": (header(secure[0]), str(secure[1])) if secure else None,
    }


def header(name: str) -> str:
    """Return a header as a client writes it, for its name in WSGI: `HTTP_X_CSRFTOKEN`."""
    return name[len("HTTP_") :].replace("_", "-").title() if name.startswith("HTTP_") else name


def values(source: str) -> list[Any]:
    """Return the values of a source; exits with a line where there are none."""
    if numbers := re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", source):
        return list(range(int(numbers[1]), int(numbers[2]) + 1)[:MOST_VALUES])
    try:
        rows = selected(source) if source[:7].upper() == "SELECT " else of_field(source)
    except Exception as error:  # whatever a database, or a model, has against it
        sys.exit(f"[values]: {source}: {type(error).__name__}: {' '.join(str(error).split())}")
    if not rows:
        sys.exit(
            f"[values]: {source}: there is none in the prepared database; make some in the seed"
            " script"
        )
    return [each if isinstance(each, (str, int, float, bool)) else str(each) for each in rows]


def selected(query: str) -> list[Any]:
    """Return the first column of a query, which changes nothing."""
    from django.db import connection, transaction

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(query)
            rows = cursor.fetchmany(MOST_VALUES)
        transaction.set_rollback(True)
    return [row[0] for row in rows if row[0] is not None]


def of_field(source: str) -> list[Any]:
    """Return the values of a model's field, as in `shop.Product.pk`, in the order of their rows."""
    from django.apps import apps

    model, _, field = source.rpartition(".")
    rows = apps.get_model(model)._default_manager.exclude(**{f"{field}__isnull": True})
    return list(rows.order_by("pk").values_list(field, flat=True)[:MOST_VALUES])


def another(names: list[str]) -> str | None:
    """Return the cookie of an active user who is none of these; None where there is no other."""
    rest = users().exclude(**{f"{username()}__in": names})[:MOST_USERS]
    return next((session(user) for user in rest if user.is_active), None)


def error_page() -> dict[str, Any] | None:
    """Return what the project answers where a view fails; None where it cannot even do that."""
    from django.conf import settings
    from django.test import RequestFactory
    from django.urls import get_resolver

    try:
        request = RequestFactory(HTTP_HOST="localhost").get("/")
        request.session = importlib.import_module(settings.SESSION_ENGINE).SessionStore()
        page = get_resolver().resolve_error_handler(500)(request)
        page = page.render() if hasattr(page, "render") else page
        kind = page.get("Content-Type", "").split(";")[0]
        return {"status": page.status_code, "type": kind, "body": page.content.decode("latin-1")}
    except Exception:
        return None


def all_asked() -> dict[str, Any]:
    """Return all that is asked for."""
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    import django

    django.setup()
    data: dict[str, Any] = {
        "csrf": csrf(),
        "cookies": {name: cookies(name) for name in asked["users"]},
        "values": {source: values(source) for source in asked["values"]},
    }
    if asked["others"]:
        names = [name for name in asked["users"] if name]
        data["another"] = another(names) if names else None
        data["error"] = error_page()
    return data


if __name__ == "__main__":
    importlib.import_module("loadtest_result").write(all_asked)
