"""Connects to PostgreSQL as the app does: by an address alone, whatever the shell adds to it."""

from __future__ import annotations

import os
from typing import Any

import psycopg

OWN = "PG"
"""How the variables begin that libpq takes what an address leaves open from."""


def connect(url: str, **options: Any) -> psycopg.Connection[Any]:
    """Connect to a database; raises psycopg.Error.

    Of libpq's own variables no child is told, so they are put out of force here for good:
    PGHOSTADDR would lead elsewhere than an address does, and a private database is at no PGPORT of
    others.
    """
    for name in [name for name in os.environ if name.startswith(OWN)]:
        del os.environ[name]
    return psycopg.connect(url, **options)
