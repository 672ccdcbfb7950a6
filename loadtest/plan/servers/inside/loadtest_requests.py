"""Logs users in by Django's own sessions: prints a cookie for each name that it is given.

There is no password and no login view; a name is of the user model's USERNAME_FIELD.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def cookie(name: str) -> str:
    """Return the cookie of a new session; exits with a line where nobody is called so."""
    from django.conf import settings
    from django.contrib.auth import (
        BACKEND_SESSION_KEY,
        HASH_SESSION_KEY,
        SESSION_KEY,
        get_user_model,
    )

    model = get_user_model()
    user = model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()
    if user is None:
        sys.exit(
            f"no user has the {model.USERNAME_FIELD} {name!r} in the prepared database;"
            " make one in the seed script, or correct `as` in loadtest.toml"
        )
    session = importlib.import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


if __name__ == "__main__":
    result = os.dup(1)
    os.dup2(2, 1)  # what a project prints by itself is no result
    import django

    django.setup()
    cookies = {name: cookie(name) for name in sys.argv[1:]}
    os.write(result, json.dumps(cookies).encode())
