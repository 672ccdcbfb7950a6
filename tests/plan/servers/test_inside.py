"""The settings of ours in front of a project's own: what they lead to."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from builders import contract

from loadtest.bench.servers.service_counters import Counters
from loadtest.plan.servers import facts, own
from loadtest.plan.servers.inside import loadtest_counts
from loadtest.plan.servers.project import INSIDE, App, Project
from loadtest.plan.servers.requests import Prepared
from loadtest.system.process import CommandError

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
        "PYTHONPATH": os.pathsep.join([str(INSIDE), str(folder)]),
        "DJANGO_SETTINGS_MODULE": "loadtest_settings",
        "LOADTEST_SETTINGS": "base",
        "LOADTEST_SECRET_KEY": "secret",
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
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "whoosh", "PATH": "/shop/index"}}
EMAIL_FILE_PATH = "/shop/mail"
"""
    told = settings(tmp_path, base, LOADTEST_FILES="/run/files")
    assert told["MEDIA_ROOT"] == "/run/files/media"
    assert settings(tmp_path, base, LOADTEST_MEDIA="/run/copy")["MEDIA_ROOT"] == "/run/copy"
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
    assert told["HAYSTACK_CONNECTIONS"]["default"]["PATH"] == "/run/files/search-default"
    assert told["EMAIL_FILE_PATH"] == "/run/files/mail"


LOGS = """
import logging, logging.config, logging.handlers, os
from pathlib import Path

class Mine(logging.handlers.TimedRotatingFileHandler):
    def __init__(self):
        super().__init__(Path("logs") / "mine.log", when="S", encoding="utf-8")

class Mail(logging.handlers.SMTPHandler):
    pass

HANDLERS = {
    "file": {"class": "logging.FileHandler", "filename": "logs/shop.log"},
    "rotating": {"class": "logging.handlers.RotatingFileHandler", "filename": "logs/turns.log",
                 "maxBytes": 20, "backupCount": 2},
    "watched": {"class": "logging.handlers.WatchedFileHandler", "filename": "logs/watched.log"},
    "mine": {"()": Mine},
    "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
    "admins": {"class": "django.utils.log.AdminEmailHandler", "level": "ERROR",
               "email_backend": "django.core.mail.backends.console.EmailBackend"},
    "mail": {"()": Mail, "mailhost": "127.0.0.1", "fromaddr": "a@b", "toaddrs": ["a@b"],
             "subject": "x"},
    "syslog": {"class": "logging.handlers.SysLogHandler", "address": ("127.0.0.1", 9),
               "socktype": 1},
    "http": {"class": "logging.handlers.HTTPHandler", "host": "127.0.0.1:9", "url": "/"},
    "socket": {"class": "logging.handlers.SocketHandler", "host": "127.0.0.1", "port": 9},
    "datagram": {"class": "logging.handlers.DatagramHandler", "host": "127.0.0.1", "port": 9},
}
LOGGING = {"version": 1, "disable_existing_loggers": False, "handlers": HANDLERS,
           "root": {"handlers": list(HANDLERS), "level": "INFO"}}
ADMINS = [("Alice", "alice@example.org")]
"""

AT_ONCE = """
LOGGING_CONFIG = None
logging.config.dictConfig({**LOGGING, "handlers": {
    name: of for name, of in HANDLERS.items() if name not in ("console", "admins")
}, "root": {"handlers": [name for name in HANDLERS if name not in ("console", "admins")]}})
"""

WRITE = """
import django, logging
django.setup()
for number in range(9):
    logging.getLogger("shop").error("hunter%s", number)
logging.shutdown()
import loadtest_outbound
print(loadtest_outbound.refused)
"""


@pytest.mark.parametrize("by_itself", [False, True])
@pytest.mark.parametrize("given", [True, False])
def test_no_log_is_written_beside_the_code_or_sent(
    tmp_path: Path, by_itself: bool, given: bool
) -> None:
    """By whichever handler, and also where settings set logging up as they are imported."""
    shop, files = tmp_path / "shop", tmp_path / "files"
    (shop / "logs").mkdir(parents=True)
    files.mkdir()
    base = LOGS + AT_ONCE * by_itself
    env = {"LOADTEST_FILES": str(files)} if given else {}
    assert run(shop, base, WRITE, **env) == "[]\n"
    assert list((shop / "logs").iterdir()) == []
    assert {path.name for path in shop.iterdir()} <= {"base.py", "logs", "__pycache__"}
    names = {"shop.log", "turns.log", "turns.log.1", "turns.log.2", "watched.log", "mine.log"}
    names |= set() if by_itself else {"console.log"}
    written = {path.name for path in files.iterdir()}
    assert written - {name for name in written if name.startswith("mine.log.")} == (
        names if given else set()
    )


def test_what_was_built_into_the_static_root_is_collected(tmp_path: Path) -> None:
    """As by Node, and committed there; what an app has is taken from the app."""
    theirs, files = tmp_path / "static", tmp_path / "files"
    app = tmp_path / "shop" / "static"
    for folder in (theirs, files, app):
        folder.mkdir(parents=True)
    for path, text in (
        (theirs / "built.css", "built"),
        (theirs / "built.0123456789ab.css", "built"),
        (theirs / "shop.css", "old"),
        (app / "shop.css", "new"),
    ):
        path.write_text(text)
    (tmp_path / "shop" / "__init__.py").touch()
    paths = {"built.css": "built.0123456789ab.css", "shop.css": "s.1.css", "gone.css": "g.1.css"}
    (theirs / "staticfiles.json").write_text(json.dumps({"paths": paths, "version": "1.1"}))
    kind = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    base = (
        "INSTALLED_APPS = ['django.contrib.staticfiles', 'shop']\nSTATIC_URL = '/static/'\n"
        f"STATIC_ROOT = {str(theirs)!r}\nSTORAGES = {{'staticfiles': {{'BACKEND': '{kind}'}}}}\n"
    )
    before = sorted(theirs.iterdir())
    collect = (
        "import django; django.setup(); from django.core.management import call_command\n"
        "call_command('collectstatic', interactive=False, verbosity=0)\n"
        "from django.templatetags.static import static; print(static('built.css'))"
    )
    shown = run(tmp_path, base, collect, LOADTEST_FILES=str(files))
    assert shown.startswith("/static/built.")
    collected = files / "static"
    assert (collected / "built.css").read_text() == "built"
    assert (collected / "shop.css").read_text() == "new"
    assert not (collected / "built.0123456789ab.css").exists()
    assert sorted(theirs.iterdir()) == before


def test_chance_makes_the_same_rows_in_each_database(tmp_path: Path) -> None:
    """Their names stand in the paths that are asked."""
    script = (
        "import random, secrets; random.seed(secrets.randbits(64))  # as what a project imports\n"
        "from loadtest_manage import set_up; set_up(); print(random.random())"
    )
    assert len({run(tmp_path, "", script) for _ in range(2)}) == 1


def test_rows_are_made_by_the_clock_that_is_told(tmp_path: Path) -> None:
    base = "from django.utils.timezone import now; AT = now().timestamp()"
    told = {"LOADTEST_EARLIER_S": "3600"}
    at = [settings(tmp_path, base, **more)["AT"] for more in ({}, told)]
    assert 0 < at[0] - at[1] < 3600


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


ASK = """
import asyncio, os, socket, sys
from django.conf import settings
settings.DEBUG
kind, *where = sys.argv[1].rsplit(":", 1)
address = (kind, int(where[0])) if where else kind
family = socket.AF_INET if where else socket.AF_UNIX
with socket.socket(family) as link:
    try:
        link.connect(address)
        print("reached")
    except OSError as error:
        print("refused" if "no service of the run" in str(error) else error)
with socket.socket(family) as link:
    print("refused" if link.connect_ex(address) else "reached")
async def ask():
    opened = asyncio.open_connection(*address) if where else asyncio.open_unix_connection(address)
    try:
        _, writer = await opened
        writer.close()
        print("reached")
    except ConnectionRefusedError:
        print("refused")
asyncio.run(ask())
"""
"""Connects in several ways to the address that it is told."""


def ask(folder: Path, at: str, **told: str) -> set[str]:
    """Return what becomes of connections to an address, under the settings of ours."""
    script = f"import sys; sys.argv[1:] = [{at!r}]\n{ASK}"
    return set(run(folder, "", script, **told).split())


@pytest.mark.parametrize(
    ("told", "becomes"),
    [
        ({}, "refused"),
        ({"LOADTEST_ALLOW": "localhost:1 127.0.0.1:2"}, "refused"),
        ({"LOADTEST_ALLOW": "127.0.0.1:{port}"}, "reached"),
        ({"LOADTEST_ALLOW": "/a localhost:{port}"}, "reached"),
        ({"LOADTEST_ALLOW": "203.0.113.1:{port}"}, "refused"),
        ({"LOADTEST_REDIS": "redis://127.0.0.1:{port}"}, "reached"),
        ({"LOADTEST_REDIS": "redis://127.0.0.1"}, "refused"),
        ({"LOADTEST_DATABASE": "postgresql://shop@127.0.0.1:{port}/mine"}, "reached"),
        ({"LOADTEST_DATABASE": "postgresql:///mine?host=127.0.0.1&port={port}"}, "reached"),
        ({"LOADTEST_DATABASE": "postgresql://127.0.0.1:{port}/mine?port=1"}, "refused"),
    ],
)
def test_a_service_of_the_developer_s_own_is_not_reached(
    tmp_path: Path, told: dict[str, str], becomes: str
) -> None:
    """Its Redis, its queue: what connects to it would write there, under a load."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        theirs.setblocking(False)
        port = theirs.getsockname()[1]
        filled = {name: text.format(port=port) for name, text in told.items()}
        assert ask(tmp_path, f"127.0.0.1:{port}", **filled) == {becomes}
        if becomes == "refused":
            with pytest.raises(BlockingIOError):
                theirs.accept()


@pytest.mark.parametrize(
    ("told", "becomes"),
    [
        ({}, "refused"),
        ({"LOADTEST_ALLOW": "{path}"}, "reached"),
        ({"LOADTEST_REDIS": "unix://{path}?db=1"}, "reached"),
        ({"LOADTEST_DATABASE": "postgresql://shop@/mine?host={folder}"}, "reached"),
        ({"LOADTEST_DATABASE": "postgresql://shop@/mine?host=/elsewhere"}, "refused"),
    ],
)
def test_nor_at_a_unix_socket(tmp_path: Path, told: dict[str, str], becomes: str) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX) as theirs,
    ):
        path = f"{folder}/redis.sock"
        theirs.bind(path)
        theirs.listen()
        filled = {name: text.format(path=path, folder=folder) for name, text in told.items()}
        assert ask(tmp_path, path, **filled) == {becomes}


@pytest.mark.parametrize("host", ["203.0.113.1", "127.example.org", "localhost.example.org"])
def test_no_connection_leaves_this_machine(tmp_path: Path, host: str) -> None:
    script = f"""
import socket
from django.conf import settings
settings.DEBUG
for call in ("connect", "sendto"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        try:
            getattr(link, call)(*([b"x"] if call == "sendto" else []), ("{host}", 9))
        except OSError as error:
            print("no service of the run" in str(error))
"""
    assert run(tmp_path, "", script, LOADTEST_ALLOW="localhost:9").split() == ["True", "True"]


def test_a_service_in_a_container_is_reached_where_its_name_leads(tmp_path: Path) -> None:
    script = """
import socket
socket.getaddrinfo = lambda host, port, *more: [(2, 1, 6, "", ("192.0.2.7", port))]
from django.conf import settings
settings.DEBUG
import loadtest_outbound
for at in (("192.0.2.7", 8081), ("192.0.2.7", 80), ("192.0.2.8", 8081)):
    print(loadtest_outbound._stranger(socket.AF_INET, at))
"""
    printed = run(tmp_path, "", script, LOADTEST_UPSTREAM="http://upstream:8081").split()
    assert printed == ["None", "192.0.2.7:80", "192.0.2.8:8081"]


def test_by_which_names_else_servers_are_asked(tmp_path: Path) -> None:
    """In a container by any: its own, and its address in the network."""
    hosts = settings(tmp_path, "ALLOWED_HOSTS = ['a.example']", LOADTEST_HOSTS="*")["ALLOWED_HOSTS"]
    assert hosts == ["a.example", "127.0.0.1", "localhost", "*"]


def test_where_a_project_was_not_let_connect_is_noted(tmp_path: Path) -> None:
    script = f"""
import sys; sys.argv[1:] = ["127.0.0.1:9"]
{ASK}
import loadtest_outbound
print(loadtest_outbound.refused)
"""
    printed = run(tmp_path, "", script, LOADTEST_FILES=str(tmp_path))
    assert "['127.0.0.1:9']" in printed
    assert (tmp_path / "refused").read_text() == "127.0.0.1:9\n"


def test_processes_of_one_program_reach_each_other(tmp_path: Path) -> None:
    script = """
import threading
from multiprocessing.connection import Client, Listener
from django.conf import settings
settings.DEBUG
listener = Listener(family="AF_UNIX")
threading.Thread(target=listener.accept).start()
Client(listener.address).close()
print("reached")
"""
    assert run(tmp_path, "", script) == "reached\n"


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


COUNTING = """
import os, threading
import django
django.setup()
from django.core.signals import got_request_exception
from django.db import connection

def work():
    with connection.cursor() as cursor:
        for number in range(50):
            cursor.execute(" insert into t values (1)")
            cursor.execute("SELECT 1")
    connection.close()

with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE t (a int)")
connection.close()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if os.fork() == 0:
    got_request_exception.send(None)
    os._exit(0)  # as one that is killed: what it counted is told
os.wait()
"""


def test_the_processes_of_a_server_count_what_they_do(tmp_path: Path) -> None:
    """Each by itself, whichever thread it was and however it ended."""
    counts = tmp_path / "counts"
    counts.mkdir()
    base = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'theirs',"
    base += " 'OPTIONS': {'timeout': 60}}}"
    database = str(tmp_path / "ours")
    run(tmp_path, base, COUNTING, LOADTEST_SQLITE=database, LOADTEST_COUNTS=str(counts))
    assert len(list(counts.iterdir())) == 2
    counters = Counters(App(), {"LOADTEST_COUNTS": str(counts)})
    counted = counters.read(contract())
    assert (counted.exceptions, counted.statements, counted.changes) == (1, 401, 200)
    (counts / "3").write_bytes(b"half a line")
    assert counters.read(contract()) == counted


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        (" insert into t values (1)", "INSERT t"),
        ('INSERT INTO "shop_visit" ("a") VALUES (%s)', "INSERT shop_visit"),
        ("INSERT OR REPLACE INTO t VALUES (1)", "INSERT t"),
        ('UPDATE "a"."b" SET x = 1', "UPDATE a.b"),
        ("/* by */ -- whom\nDELETE FROM ONLY t", "DELETE t"),
        ("WITH a AS (INSERT INTO b VALUES (1) RETURNING id) SELECT * FROM a", "INSERT b"),
        ("WITH a AS (SELECT 1) UPDATE b AS c SET x = 1", "UPDATE b"),
        ("WITH a AS (SELECT 1) DELETE FROM b USING a", "DELETE b"),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "MERGE t"),
        ("REPLACE INTO t VALUES (1)", "REPLACE t"),
        ("TRUNCATE TABLE t", "TRUNCATE t"),
        ("COPY t (a) FROM STDIN", "COPY t"),
        ("CALL tidy(1)", "CALL tidy"),
        ("DO $$ BEGIN END $$", "DO"),
        ("SELECT 1", None),
        ("(SELECT 1) UNION (SELECT 2)", None),
        ("SELECT * FROM t FOR UPDATE", None),
        ("WITH a AS (SELECT 1 FROM b FOR NO KEY UPDATE OF b) SELECT * FROM a", None),
        ("WITH a AS (SELECT 'INSERT INTO b' AS t) SELECT * FROM a", None),
        ("COPY (SELECT a FROM stdin_of) TO STDOUT", None),
        ("SAVEPOINT a", None),
        ("", None),
    ],
)
def test_what_a_statement_changes(sql: str, change: str | None) -> None:
    assert loadtest_counts.change(sql) == change


def test_comments_and_nothing_else_take_no_time() -> None:
    """Each may end where any of those behind it does."""
    assert loadtest_counts.change("/* x */" * 1_000) is None


def test_nobody_counts_where_no_folder_is_named() -> None:
    counted = Counters(App(), {}).read(contract())
    assert (counted.exceptions, counted.statements, counted.changes) == (None, None, None)


FILL = """
import django
django.setup()
from django.core.management import call_command
from django.contrib.auth import get_user_model
call_command("migrate", verbosity=0)
for name in ("alice", "bob"):
    get_user_model().objects.create_user(name)
"""

SITE = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "theirs"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["shop.example.org"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
"""

URLS = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("who/", lambda request: HttpResponse(f"{request.user}"))]
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database with the tables of the site and two users, for tests to copy."""
    folder = tmp_path_factory.mktemp("filled")
    run(folder, SITE, FILL, LOADTEST_SQLITE=str(folder / "filled"))
    return folder / "filled"


def site(folder: Path, base: str, filled: Path) -> str:
    """Make a project with such settings and a copy of that database; return where it lies."""
    (folder / "base.py").write_text(base)
    return str(shutil.copy(filled, folder / "ours"))


PROXY = {"Host": "shop.example.org", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("in_session", "headers", "user"),
    [(False, {}, "alice"), (False, PROXY, None), (True, {}, None), (True, PROXY, "alice")],
)
def test_a_request_that_writes_is_let_through(
    tmp_path: Path, filled: Path, in_session: bool, headers: dict[str, str], user: str | None
) -> None:
    """By Django's own protection against forged requests, however its settings have it."""
    database = site(tmp_path, f"{SITE}\nCSRF_USE_SESSIONS = {in_session}\n", filled)
    (tmp_path / "urls.py").write_text(URLS)
    file = own.File(
        format=1,
        project=own.Where(python=sys.executable, settings="base"),
        database=own.Database(kind="sqlite"),
        request=own.Request(headers=headers),
        values={"n": "SELECT username FROM auth_user ORDER BY id DESC", "id": "auth.User.pk"},
        endpoint=(
            own.Asked(name="who", path="/who/?{n}&{id}", method="POST", writes=True, as_=user),
        ),
    )
    project = own.project(tmp_path, file)
    env = {"LOADTEST_SQLITE": database}
    requests = project.requests(env)["who"]
    assert [each.path for each in requests] == ["/who/?bob&1", "/who/?alice&2"]
    assert len({each.headers.get("Cookie") for each in requests}) == 1
    (answer,) = facts.probe(project, [requests], env)
    assert (answer.status, answer.error) == (200, None)
    forged = dataclasses.replace(requests[0], headers={**requests[0].headers, "X-Csrftoken": "x"})
    (answer,) = facts.probe(project, [[forged]], env)
    assert answer.status == 403
    wrong, error_page = project.refused(env)
    assert ("another user" in wrong["who"]) == (user is not None)
    assert error_page is not None
    assert error_page.status == 500


VISITED = """
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.urls import path

def made(request, n=0):
    Group.objects.get_or_create(name=f"picture {n}")
    return HttpResponse("made")

def seen(request):
    request.session.setdefault("seen", 1)
    return HttpResponse(f"{request.user}")

def hit(request):
    Group.objects.create(name=f"{Group.objects.count()}")
    return HttpResponse("hit")

urlpatterns = [path("made/<int:n>/", made), path("seen/", seen), path("hit/", hit)]
"""


def test_what_is_written_at_the_first_visit_alone(tmp_path: Path, filled: Path) -> None:
    """As a small picture is: it is found by each request of a load."""
    database = site(tmp_path, SITE, filled)
    (tmp_path / "urls.py").write_text(VISITED)
    where = own.Where(python=sys.executable, settings="base")
    file = own.File(format=1, project=where, database=own.Database(kind="sqlite"))
    project, env = own.project(tmp_path, file), {"LOADTEST_SQLITE": database}
    questions = [[Prepared(path)] for path in ("/made/1/", "/seen/", "/hit/")]
    questions.append([Prepared("/made/1/"), Prepared("/made/2/")])
    creating, nobody, hit, values = facts.probe(project, questions, env)
    assert (creating.writes, creating.writes_once) == ((), ("INSERT auth_group",))
    assert (values.writes, values.writes_once) == ((), ("INSERT auth_group",))
    assert (hit.writes, hit.writes_once) == (("INSERT auth_group",), ())
    # Whoever sends no cookie gets a session in each answer; that of a login is the run's own.
    assert nobody.writes == ("INSERT django_session",)
    (alice,) = facts.probe(project, [questions[1]], env, "alice")
    assert (alice.writes, alice.writes_once) == ((), ())
    # Nothing of this is there, until a visit is to be kept.
    for keep, once in ((True, ("INSERT auth_group",)), (False, ())):
        (creating,) = facts.probe(project, [questions[0]], env, keep=keep)
        assert creating.writes_once == once


SEVERAL = """
import os
from django.contrib.auth.models import Group
from django.db import connection, connections
from django.http import HttpResponse, HttpResponseNotFound
from django.template import Context, Engine
from django.urls import path, re_path

def other(request):
    Group.objects.using("copy").create(name=f"other {Group.objects.count()}")
    return HttpResponse(f"{request.user}")

def common(request):
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH a AS (SELECT count(*) AS n FROM auth_group)"
            " INSERT INTO auth_group (name) SELECT 'common ' || n FROM a"
        )
    return HttpResponse("common")

def ends(request):
    os._exit(3)

def refuses(request):
    refuses.asked = getattr(refuses, "asked", 0) + 1
    return HttpResponseNotFound("x" * refuses.asked)

def page(request, n):
    return HttpResponse(f"{n}")

def pages(request, name):
    template = Engine().from_string("page")
    template.name = f"{name[:4]}.html"
    return HttpResponse(template.render(Context()))

urlpatterns = [
    path("other/", other), path("common/", common), path("ends/", ends), path("refuses/", refuses),
    path("page/<int:n>/", page), re_path(r"^cms/((?:[\\w-]+/)*)$", pages),
]
"""


@pytest.fixture
def several(tmp_path: Path, filled: Path) -> tuple[Project, dict[str, str]]:
    """Give a project with a second name of its database, and one that nothing stands for."""
    (tmp_path / "urls.py").write_text(SEVERAL)
    base = f"{SITE}\nDATABASES['copy'] = dict(DATABASES['default'])\nDATABASES['warehouse'] = "
    base += "{'ENGINE': 'django.db.backends.postgresql', 'NAME': 'theirs'}\n"
    database = site(tmp_path, base, filled)
    where = own.Where(python=sys.executable, settings="base")
    file = own.File(format=1, project=where, database=own.Database(kind="sqlite"))
    return own.project(tmp_path, file), {"LOADTEST_SQLITE": database}


def test_what_is_written_by_any_name_of_a_database(several: tuple[Project, dict[str, str]]) -> None:
    project, env = several
    questions = [[Prepared(path)] for path in ("/other/", "/common/", "/refuses/")]
    other, common, refused = facts.probe(project, questions, env, "alice")
    assert other.writes == common.writes == ("INSERT auth_group",)
    assert (other.error, common.error) == (None, None)
    assert other.bytes == len("alice")  # whose session the copy has as well
    assert (refused.status, refused.bytes) == (404, 1)  # what is not there is asked once
    assert [each.fit for each in (other, common, refused)] == [False] * 3


def test_one_path_of_a_route_is_enough_and_one_that_ends_the_process_is_left_out(
    several: tuple[Project, dict[str, str]],
) -> None:
    project, env = several
    paths = ("/page/1/", "/ends/", "/page/2/?a=b", "/nowhere/", "/page/3/")
    questions = [[Prepared(path)] for path in paths]
    answers = facts.probe(project, questions, env, known={})
    assert [each.path for each in answers] == list(paths)
    assert [each.status for each in answers] == [200, 0, 0, 404, 0]
    assert [each.like for each in answers] == ["", "", "/page/1/", "", "/page/1/"]
    assert answers[1].error == facts.NO_ANSWER
    assert [each.status for each in facts.probe(project, questions[2:], env)] == [200, 404, 200]


def test_of_a_route_to_all_pages_several_are_asked(
    several: tuple[Project, dict[str, str]],
) -> None:
    """A CMS has one view for them, and a template for each kind."""
    project, env = several
    paths = [f"/cms/{'tea' if number % 2 else 'cake'}-{number}/more/" for number in range(30)]
    answers = facts.probe(project, [[Prepared(path)] for path in paths], env, known={})
    assert {each.template for each in answers if each.status} == {"tea-.html", "cake.html"}
    assert sum(each.status == 200 for each in answers) == 21
    assert answers[-1].like == paths[0]


REFUSES = """
from django.contrib.auth.backends import BaseBackend

class Refuses(BaseBackend):
    pass
"""


def test_a_login_is_by_a_backend_that_finds_its_user(tmp_path: Path, filled: Path) -> None:
    """As django-axes has one, which stands in front and only refuses."""
    (tmp_path / "urls.py").write_text(URLS)
    (tmp_path / "refuses.py").write_text(REFUSES)
    known = "django.contrib.auth.backends.ModelBackend"
    base = f"{SITE}\nAUTHENTICATION_BACKENDS = ['refuses.Refuses', '{known}']\n"
    database = site(tmp_path, base, filled)
    file = own.File(
        format=1,
        project=own.Where(python=sys.executable, settings="base"),
        database=own.Database(kind="sqlite"),
        endpoint=(own.Asked(name="who", path="/who/", as_="alice"),),
    )
    project, env = own.project(tmp_path, file), {"LOADTEST_SQLITE": database}
    questions = [project.requests(env)["who"], [Prepared("/who/")]]
    by_cookie, _ = facts.probe(project, questions, env)
    by_name = facts.probe(project, questions, env, "alice")[1]
    assert by_cookie.bytes == by_name.bytes == len("alice")


def test_an_application_that_is_more_than_django_s_own(tmp_path: Path) -> None:
    """As with a monitor or static files in front: another program than that of ASGI."""
    (tmp_path / "base.py").write_text(SITE)
    (tmp_path / "urls.py").write_text(URLS)
    (tmp_path / "shop_wsgi.py").write_text(
        "from django.core.wsgi import get_wsgi_application\n"
        "plain = get_wsgi_application()\n"
        "def watched(environ, start_response): return plain(environ, start_response)\n"
    )
    for name, wrapped in (("plain", ()), ("watched", ("shop_wsgi:watched",))):
        file = own.File(
            format=1,
            project=own.Where(
                python=sys.executable, settings="base", wsgi=f"shop_wsgi:{name}", asgi="generated"
            ),
            database=own.Database(kind="none"),
        )
        assert facts.look(own.project(tmp_path, file)).wrapped == wrapped


def test_a_session_that_each_request_writes_to_is_one_of_several(
    tmp_path: Path, filled: Path
) -> None:
    database = site(tmp_path, f"{SITE}\nSESSION_SAVE_EVERY_REQUEST = True\n", filled)
    file = own.File(
        format=1,
        project=own.Where(python=sys.executable, settings="base"),
        database=own.Database(kind="sqlite"),
        endpoint=(own.Asked(name="who", path="/who/", as_="alice"),),
    )
    requests = own.project(tmp_path, file).requests({"LOADTEST_SQLITE": database})["who"]
    assert len({each.headers["Cookie"] for each in requests}) == len(requests) == 20


@pytest.mark.parametrize(
    ("values", "user", "line"),
    [
        ({"n": "SELECT id FROM nowhere"}, None, "[values]: SELECT id FROM nowhere: OperationalE"),
        ({"n": "auth.Nobody.pk"}, None, "[values]: auth.Nobody.pk: LookupError"),
        ({"n": "auth.Group.pk"}, None, "[values]: auth.Group.pk: there is none in the prepared"),
        ({"n": "1..3"}, "carol", "no user has the username 'carol' in the prepared database"),
    ],
)
def test_what_is_not_in_the_data(
    tmp_path: Path, filled: Path, values: dict[str, str], user: str | None, line: str
) -> None:
    database = site(tmp_path, SITE, filled)
    file = own.File(
        format=1,
        project=own.Where(python=sys.executable, settings="base"),
        database=own.Database(kind="sqlite"),
        values=values,
        endpoint=(own.Asked(name="who", path="/who/?{n}", as_=user),),
    )
    with pytest.raises(CommandError) as raised:
        own.project(tmp_path, file).requests({"LOADTEST_SQLITE": database})
    assert line in (raised.value.detail or "").splitlines()[-1]


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
