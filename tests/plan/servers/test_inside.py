"""The settings of ours in front of a project's own: what they lead to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtest.plan.servers import own

SHOW = """
import json, loadtest_settings
shown = {name: value for name, value in vars(loadtest_settings).items() if name.isupper()}
print(json.dumps(shown, default=str))
"""

ADDRESS = "postgresql://shop@127.0.0.1:5433/mine"


def run(folder: Path, base: str, script: str, **told: str) -> str:
    """Return what a script prints under the settings of ours, the project's being `base`."""
    (folder / "base.py").write_text(base)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(own.INSIDE), str(folder)]),
        "DJANGO_SETTINGS_MODULE": "loadtest_settings",
        "LOADTEST_SETTINGS": "base",
        "LOADTEST_SECRET": "secret",
        **told,
    }
    argv = [sys.executable, "-c", script]
    return subprocess.run(
        argv, cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout


def settings(folder: Path, base: str, **told: str) -> dict[str, Any]:
    """Return the settings that a project of such a base has in a run."""
    shown: dict[str, Any] = json.loads(run(folder, base, SHOW, **told))
    return shown


def database(folder: Path, options: str, address: str = ADDRESS) -> dict[str, Any]:
    base = (
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql',"
        f" 'HOST': 'db.example.org', 'NAME': 'production', 'OPTIONS': {options}}}}}"
    )
    at: dict[str, Any] = settings(folder, base, LOADTEST_DATABASE=address)["DATABASES"]["default"]
    return at


def test_a_variant_changes_what_it_names_alone(tmp_path: Path) -> None:
    base = (
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': 'db',"
        " 'CONN_MAX_AGE': 0, 'OPTIONS': {'pool': False, 'prepare_threshold': 3}}}\n"
        "MIDDLEWARE = ['a.First', 'a.Slow', 'a.Last']\nPAGES = 10\nOTHER = 1\n"
    )
    changed = {"CONN_MAX_AGE": 60, "OPTIONS": {"pool": {"max_size": 4}}, "HOST": "db.example.org"}
    varied = {
        "settings": {"DATABASES": {"default": changed}, "PAGES": 20, "NEW": [1]},
        "without": ["a.Slow"],
    }
    told = {"LOADTEST_DATABASE": ADDRESS, "LOADTEST_VARIED": json.dumps(varied)}
    shown = settings(tmp_path, base, **told)
    at = shown["DATABASES"]["default"]
    assert (at["CONN_MAX_AGE"], at["OPTIONS"]) == (
        60,
        {"pool": {"max_size": 4}, "prepare_threshold": 3},
    )
    assert shown["MIDDLEWARE"] == ["a.First", "a.Last"]
    assert (shown["PAGES"], shown["NEW"], shown["OTHER"]) == (20, [1], 1)
    # It leads nowhere else.
    assert (at["HOST"], at["NAME"]) == ("127.0.0.1", "mine")


@pytest.mark.parametrize(
    "option",
    ["hostaddr", "host", "service", "servicefile", "dsn", "conninfo", "database", "sslrootcert"],
)
def test_no_option_leads_to_another_database(tmp_path: Path, option: str) -> None:
    at = database(tmp_path, f"{{'{option}': '203.0.113.1', 'pool': {{'max_size': 4}}}}")
    assert (at["HOST"], at["PORT"], at["NAME"]) == ("127.0.0.1", "5433", "mine")
    assert at["OPTIONS"] == {"pool": {"max_size": 4}}


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("postgresql://postgres@/seeded?host=%2Ftmp%2Fa", ("/tmp/a", "", "seeded")),
        ("postgresql://db.example.org/a?hostaddr=127.0.0.1", ("127.0.0.1", "", "a")),
        ("postgresql://127.0.0.1/a?dbname=b&port=6000", ("127.0.0.1", "6000", "b")),
        ("postgresql:///a?host=/x&host=/y", ("/y", "", "a")),
    ],
)
def test_an_address_is_read_as_libpq_reads_it(
    tmp_path: Path, address: str, place: tuple[str, str, str]
) -> None:
    """Consent is given to where libpq would go."""
    at = database(tmp_path, "{}", address)
    assert (at["HOST"], at["PORT"], at["NAME"]) == place


def test_nothing_of_a_dotenv_leads_libpq_elsewhere(tmp_path: Path) -> None:
    base = "import os; os.environ.update(PGHOSTADDR='203.0.113.1', PGSERVICE='shop', PG_POOL='4')"
    script = (
        "from django.conf import settings; settings.DEBUG; import os;"
        "print(sorted(name for name in os.environ if name.startswith('PG')))"
    )
    assert run(tmp_path, base, script).strip() == "['PG_POOL']"


@pytest.mark.parametrize(
    ("backend", "kept"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", True),
        ("django.core.cache.backends.db.DatabaseCache", True),
        ("django_redis.cache.RedisCache", False),
        ("django_valkey.cache.ValkeyCache", False),
        ("django.core.cache.backends.memcached.PyMemcacheCache", False),
        ("shop.cache.Shared", False),
    ],
)
def test_a_cache_of_elsewhere_is_in_the_process(tmp_path: Path, backend: str, kept: bool) -> None:
    base = f"CACHES = {{'default': {{'BACKEND': '{backend}', 'LOCATION': 'there'}}}}"
    cache = settings(tmp_path, base)["CACHES"]["default"]
    assert (cache.get("LOCATION") == "there") == kept


def test_the_redis_of_a_run_is_asked_as_itself(tmp_path: Path) -> None:
    """It has no password and no TLS, which a client would fail at in silence."""
    base = """
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "rediss://there",
    "OPTIONS": {"PASSWORD": "hunter2", "SENTINELS": [("there", 26379)], "MAX_ENTRIES": 5,
    "CONNECTION_POOL_KWARGS": {"ssl_cert_reqs": None, "max_connections": 9}}}}
"""
    cache = settings(tmp_path, base, LOADTEST_REDIS="unix:///here")["CACHES"]["default"]
    assert cache["LOCATION"] == "unix:///here"
    assert cache["OPTIONS"] == {
        "MAX_ENTRIES": 5,
        "CONNECTION_POOL_KWARGS": {"max_connections": 9},
    }


def test_files_are_written_to_the_folder_of_the_run(tmp_path: Path) -> None:
    base = """
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": "/shop/media", "base_url": "/media/"}},
    "staticfiles": {"BACKEND": "storages.backends.s3.S3ManifestStaticStorage",
        "OPTIONS": {"bucket_name": "shop"}},
}
LOGGING = {"version": 1, "handlers": {
    "file": {"class": "logging.FileHandler", "filename": "/shop/logs/shop.log"},
    "console": {"class": "logging.StreamHandler"},
}}
"""
    told = settings(tmp_path, base, LOADTEST_FILES="/run/files")
    assert told["MEDIA_ROOT"] == "/run/files/media"
    assert told["STORAGES"] == {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"base_url": "/media/"},
        },
        "staticfiles": {
            "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
            "OPTIONS": {},
        },
    }
    handlers = told["LOGGING"]["handlers"]
    assert handlers["file"]["filename"] == "/run/files/shop.log"
    assert handlers["console"] == {"class": "logging.StreamHandler"}
    nowhere = settings(tmp_path, base)["LOGGING"]["handlers"]
    assert nowhere["file"] == {"class": "logging.NullHandler"}


def test_no_task_is_run_or_handed_on(tmp_path: Path) -> None:
    base = """
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = "redis://there"
CELERY_TASK_ALWAYS_EAGER = True
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}
"""
    told = settings(tmp_path, base)
    assert told["CELERY_BROKER_URL"] == "memory://"
    assert told["CELERY_RESULT_BACKEND"] == "cache+memory://"
    assert told["CELERY_TASK_ALWAYS_EAGER"] is False
    layer = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    assert told["CHANNEL_LAYERS"] == {"default": layer}


def test_no_connection_leaves_this_machine(tmp_path: Path) -> None:
    script = """
import socket
from django.conf import settings
settings.DEBUG
for host in ("203.0.113.1", "127.0.0.1", "127.example.org", "localhost.example.org"):
    with socket.socket() as link:
        try:
            link.connect((host, 9))
        except OSError as error:
            print("loadtest" in str(error))
"""
    assert run(tmp_path, "", script).split() == ["True", "False", "True", "True"]


def test_of_an_error_nothing_is_told_but_its_type_and_place(tmp_path: Path) -> None:
    """The log of a server is quoted in results."""
    script = """
import sys
from django.conf import settings
settings.DEBUG
from django.core.signals import got_request_exception
sys.stderr = sys.stdout
try:
    import broken
except Exception:
    got_request_exception.send(None)
"""
    (tmp_path / "broken.py").write_text("key = 'hunter2'\n\nraise LookupError(key)\n")
    assert run(tmp_path, "", script) == "LookupError at broken.py:3\n"


def test_a_connection_to_another_database_is_closed(tmp_path: Path) -> None:
    """Whatever an engine, or code of a project, makes of the settings."""
    script = f"""
from django.db import connection, connections
from django.core.exceptions import ImproperlyConfigured
connection.cursor().close()
connections.databases["elsewhere"] = {{**connection.settings_dict, "NAME": "{tmp_path}/theirs"}}
for turn in range(2):
    try:
        connections["elsewhere"].cursor()
    except ImproperlyConfigured as error:
        print(error)
"""
    base = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'theirs'}}"
    printed = run(tmp_path, base, script, LOADTEST_SQLITE=str(tmp_path / "ours"))
    assert printed == "loadtest: this database is not of the run\n" * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.1"])
def test_a_connection_to_postgresql_is_known_by_its_driver(tmp_path: Path, host: str) -> None:
    script = f"""
from types import SimpleNamespace
from django.conf import settings
settings.DEBUG
import loadtest_settings
info = SimpleNamespace(dbname="mine", host="{host}")
connection = SimpleNamespace(vendor="postgresql", connection=SimpleNamespace(info=info))
print(loadtest_settings._is_ours(connection))
"""
    base = "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}"
    printed = run(tmp_path, base, script, LOADTEST_DATABASE=ADDRESS)
    assert printed == f"{host == '127.0.0.1'}\n"


def test_a_process_that_serves_says_under_which_settings(tmp_path: Path) -> None:
    script = """
from django.conf import settings
settings.DEBUG
from django.core.signals import request_started
for turn in range(2):
    request_started.send(None)
"""
    served = tmp_path / "served"
    run(tmp_path, "", script, LOADTEST_SERVED=str(served))
    assert served.read_text() == "loadtest_settings\n"
