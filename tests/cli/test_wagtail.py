"""A site as `wagtail start` makes it, from nothing to a report."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import environments
import pytest
from command_line import Type
from own_shop import RECORD, short_run

from loadtest.plan.servers import own

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]

POSTGRES = """
from .base import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.postgres"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "production"}}
"""


def test_a_site_of_wagtail(type_: Type, tmp_path: Path) -> None:
    """With another Python than ours, and PostgreSQL; SQLite and our own are the shop's."""
    site = tmp_path / "site"
    environment, python = tmp_path / "venv", environments.python_of("3.13")
    theirs = environments.environment(environment, "wagtail", "psycopg[binary]", python=python)
    start = [environment / "bin" / "wagtail", "start", "mysite", site]
    site.mkdir()
    subprocess.run(start, check=True, capture_output=True)
    (site / "mysite" / "settings" / "local.py").write_text(POSTGRES)

    # Its environment is found beside it, and has no server.
    settings = "mysite.settings.production"
    done = type_("init", "--project", site, "--settings", settings)
    assert done.status == 0, done.err
    file = own.read(site)
    assert (own.interpreter(site, file), file.database.kind) == (str(theirs), "postgres")
    assert {"/", "/search/"} <= {asked.path for asked in file.endpoint}
    assert not any("/admin" in asked.path for asked in file.endpoint)
    done = type_("record", "--project", site)
    assert done.lines == [f"loadtest: {theirs} has no server; type `loadtest env` to install some"]
    done = type_("env", "--project", site, "gunicorn-sync", "uvicorn")
    assert done.status == 0, done.err
    assert not any(environment.glob("lib/python*/site-packages/gunicorn*"))

    done = type_(*RECORD, site)
    assert done.status == 0, done.out + done.err
    assert all(not fixed.accepts for fixed in own.recorded(site).endpoints.values())
    stored = short_run(type_, site, "--server", "gunicorn-sync", "--server", "uvicorn")
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}
    assert stored.run.machine.python == f"CPython {environments.version(theirs)}"
    text = (stored.folder / "report.md").read_text()
    assert re.search(r"python -m gunicorn .* mysite\.wsgi:application", text)
    assert re.search(r"python -m uvicorn .* mysite\.asgi:application", text)
    assert "to deploy it takes a module of the project, such as mysite.asgi." in text
    assert "loadtest_" not in text
