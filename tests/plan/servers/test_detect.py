"""What a project's files say of how it is run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from paths import TESTS

from loadtest.plan.servers import detect
from loadtest.plan.servers.detect import Guess

SHOP = TESTS / "projects" / "shop"


def test_the_shop() -> None:
    assert list(detect.settings(SHOP)) == [Guess("shop.settings", "manage.py")]
    today = detect.server(SHOP)
    assert today is not None
    assert today[0] == Guess("gunicorn-gthread", "Procfile")
    assert detect.value(SHOP, "SHOP_CURRENCY") == Guess("EUR", ".env.example")
    assert detect.value(SHOP, "SHOP_SECRET_KEY").value == "{random}"
    assert detect.value(SHOP, "SHOP_COLOUR").value == ""
    assert detect.value(SHOP, "SHOP_DATABASE_URL").value == "{postgres.url}"
    assert detect.value(SHOP, "SHOP_REDIS_URL").value == "{redis.url}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "{postgres.url}"),
        ("DATABASE_URL=postgres://me@db/shop\n", "{postgres.url}"),
        ('DATABASE_URL="postgresql://me@db/shop"\n', "{postgresql.url}"),
    ],
)
def test_an_address_is_told_as_the_project_spells_it(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / ".env.example").write_text(text)
    assert detect.value(tmp_path, "DATABASE_URL").value == told


def test_nothing_of_what_starts_it_is_quoted_but_what_was_read(tmp_path: Path) -> None:
    """The file that quotes it is committed."""
    (tmp_path / "Procfile").write_text(
        "web: PAYMENT=hunter2 /srv/bin/gunicorn -c gunicorn.conf.py -w ${WORKERS:-3} --threads=2"
        " -e URL=postgres://me:hunter2@db/shop -k gthread shop.wsgi --statsd-host hunter2:1\n"
    )
    today = detect.server(tmp_path)
    assert today is not None
    assert today.line == "gunicorn -w ${WORKERS:-3} --threads=2 -k gthread"


@pytest.mark.parametrize(
    ("name", "text", "profile"),
    [
        ("Procfile", "web: gunicorn shop.wsgi\n", "gunicorn-sync"),
        ("Procfile", "web: gunicorn shop.wsgi -k gevent\n", "gunicorn-gevent"),
        ("Procfile", "web: gunicorn a.asgi -k uvicorn.workers.UvicornWorker", "gunicorn-uvicorn"),
        ("Dockerfile", 'CMD ["gunicorn", "shop.wsgi", "--threads", "4"]\n', "gunicorn-gthread"),
        ("Dockerfile", "RUN pip install gunicorn\nCMD daphne shop.asgi:application\n", "daphne"),
        ("Dockerfile", "RUN pip install gunicorn==23.0\n", None),
        ("docker-compose.yml", "    command: uvicorn shop.asgi:application\n", "uvicorn"),
        ("uwsgi.ini", "[uwsgi]\nmodule = shop.wsgi\n", "uwsgi"),
        ("gunicorn.conf.py", "workers = 4\nthreads = 2\n", "gunicorn-gthread"),
        ("README", "gunicorn\n", None),
    ],
)
def test_the_server_of_today(tmp_path: Path, name: str, text: str, profile: str | None) -> None:
    (tmp_path / name).write_text(text)
    today = detect.server(tmp_path)
    assert (today and today[0].value) == profile


@pytest.mark.parametrize(
    ("files", "profile", "shape"),
    [
        ({"Procfile": "web: gunicorn shop.wsgi -w 3 --threads=2\n"}, "gunicorn-gthread", "3x2"),
        # Where nothing says how many workers there is one.
        ({"Procfile": "web: gunicorn shop.wsgi --threads 4\n"}, "gunicorn-gthread", "1x4"),
        ({"Procfile": "web: gunicorn shop.wsgi --threads 1 -w 2\n"}, "gunicorn-sync", "2x1"),
        ({"Dockerfile": "ENV WEB_CONCURRENCY=5\nCMD gunicorn a.wsgi\n"}, "gunicorn-sync", "5x4"),
        ({"Procfile": "web: gunicorn a.wsgi --workers ${WORKERS:-3}\n"}, "gunicorn-sync", "3x4"),
        ({"Procfile": "web: gunicorn a.wsgi --workers $WORKERS\n"}, "gunicorn-sync", None),
        ({"Dockerfile": 'CMD ["granian", "--interface", "wsgi", \\\n  "--workers", "4",'
          ' "--blocking-threads", "8", "a.wsgi"]\n'}, "granian-wsgi", "4x8"),
        ({"compose.yml": "    command: uvicorn a.asgi:application --workers 2\n"},
         "uvicorn", "2x4"),
        ({"compose.yaml": "    command:\n      - gunicorn\n      - --workers\n      - '6'\n      -"
          " a.wsgi\n    ports:\n      - 80\n"}, "gunicorn-sync", "6x4"),
        ({"deploy/shop.service": "[Unit]\nDescription=gunicorn of the shop\nAfter=gunicorn.socket"
          "\n[Service]\nExecStart=/srv/venv/bin/gunicorn \\\n  --workers 3 shop.wsgi\n"},
         "gunicorn-sync", "3x4"),
        ({"gunicorn.conf.py": "workers = 4\nthreads = 2\n"}, "gunicorn-gthread", "4x2"),
        ({"gunicorn.conf.py": "workers = cpu_count() * 2 + 1\nthreads = 2\n"},
         "gunicorn-gthread", None),
        ({"Procfile": "web: gunicorn -c conf/g.py a.wsgi\n",
          "conf/g.py": 'worker_class = "gevent"\nworkers = int(os.getenv("N", "6"))  # six\n'},
         "gunicorn-gevent", "6x4"),
        ({"Dockerfile": "CMD gunicorn -c /app/g.py a.wsgi\n", "g.py": "workers = 2\n"},
         "gunicorn-sync", "2x4"),
        ({"uwsgi.ini": "[uwsgi]\nprocesses = 4\nthreads = 2\n"}, "uwsgi", "4x2"),
        ({"Procfile": "web: uwsgi --ini w.ini\n", "w.ini": "workers = 3\n"}, "uwsgi", "3x4"),
        ({"Dockerfile": 'CMD ["uwsgi", "/opt/shop/docker/u.ini"]\n',
          "docker/u.ini": "processes = 4\nthreads = 1\n"}, "uwsgi", "4x1"),
        ({"Procfile": "web: daphne -p 8000 a.asgi:application\n"}, "daphne", "1x4"),
        ({"Procfile": "web: bash Procfile.sh", "Procfile.sh": "gunicorn a.wsgi -w 2 --threads 3\n",
          "Dockerfile": "CMD daphne a.asgi\n"}, "gunicorn-gthread", "2x3"),
        ({"Dockerfile": 'ENTRYPOINT ["/app/bin/up.sh"]\n', "bin/up.sh": "exec granian a.asgi\n"},
         "granian-asgi", "1x4"),
    ],
)  # fmt: skip
def test_with_how_many_workers_and_threads_it_runs_today(
    tmp_path: Path, files: dict[str, str], profile: str, shape: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    today = detect.server(tmp_path)
    assert today is not None
    assert (today.profile.value, today.shape) == (profile, shape)


def test_a_repository_around_a_project_says_how_it_is_deployed(tmp_path: Path) -> None:
    """Where that has a folder of its own in it."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    (tmp_path / "Dockerfile").write_text(
        "ENV DJANGO_SETTINGS_MODULE=settings_deployed\nCMD uwsgi --ini /app/sandbox/w.ini\n"
    )
    (folder / "w.ini").write_text("processes = 3\n")
    (folder / "manage.py").write_text('setdefault("DJANGO_SETTINGS_MODULE", "settings")')
    assert detect.server(folder) is None
    (tmp_path / ".git").mkdir()
    today = detect.server(folder)
    assert today is not None
    assert (today.profile, today.shape) == (Guess("uwsgi", "../Dockerfile"), "3x4")
    assert list(detect.settings(folder)) == [
        Guess("settings_deployed", "../Dockerfile"),
        Guess("settings", "manage.py"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "module"),
    [
        ("manage.py", 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "a.b")', "a.b"),
        ("manage.py", "os.environ['DJANGO_SETTINGS_MODULE'] = 'a.b'", "a.b"),
        ("Dockerfile", "ENV DJANGO_SETTINGS_MODULE=a.production", "a.production"),
        ("docker-compose.yml", "      DJANGO_SETTINGS_MODULE: a.production", "a.production"),
        ("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = a.test", "a.test"),
        ("manage.py", "print(1)", None),
    ],
)
def test_settings_are_named(tmp_path: Path, name: str, text: str, module: str | None) -> None:
    (tmp_path / name).write_text(text)
    assert [each.value for each in detect.settings(tmp_path)] == ([module] if module else [])


@pytest.mark.parametrize(
    "text",
    [
        "web: gunicorn shop.wsgi" + " gunicorn" * 90_000,
        "web: uwsgi " + "a" * 900_000,
        "web: gunicorn shop.wsgi -w " + "9" * 5_000,
        "web: gunicorn shop.wsgi -w \u00b2",
        f"WEB_CONCURRENCY={'9' * 5_000}\nweb: gunicorn shop.wsgi",
        "a" * 900_000 + "\nweb: gunicorn shop.wsgi",
        "a/" * 400_000 + "x.sh\nweb: gunicorn shop.wsgi",
    ],
    ids=lambda text: text[:12],
)
def test_a_line_without_end_says_what_it_begins_with(tmp_path: Path, text: str) -> None:
    (tmp_path / "Procfile").write_text(text)
    (tmp_path / "gunicorn.conf.py").write_text(f"workers = {'getenv(' * 100_000}")
    today = detect.server(tmp_path)
    assert today
    assert today.profile.value in ("gunicorn-sync", "uwsgi")


def test_deployed_settings_come_before_those_of_development(tmp_path: Path) -> None:
    (tmp_path / "manage.py").write_text('setdefault("DJANGO_SETTINGS_MODULE", "a.development")')
    (tmp_path / "Dockerfile").write_text("ENV DJANGO_SETTINGS_MODULE=a.production\n")
    named = [each.value for each in detect.settings(tmp_path)]
    assert named == ["a.production", "a.development"]


@pytest.mark.parametrize(
    ("file", "text", "read", "told"),
    [
        ("compose.yml", "  DATABASE_URL: postgres://me:pw@db/shop\n  REDIS_URL: redis://redis\n",
         'os.environ.get("REDIS_URL")\nif "DATABASE_URL" in os.environ: ...',
         {"DATABASE_URL": "{postgres.url}", "REDIS_URL": "{redis.url}"}),
        ("docker-compose.yml", "  - DATABASE_URL=postgresql://me@db/shop\n",
         "dj_database_url.config()", {"DATABASE_URL": "{postgresql.url}"}),
        ("Dockerfile", "RUN SHOP_DB_URL=$URL CACHE_HOST=there python a.py\n",
         "env.db('SHOP_DB_URL')\nenv('CACHE_HOST')",
         {"SHOP_DB_URL": "{postgres.url}", "CACHE_HOST": "{redis.host}"}),
        # What the settings do not read, of a kind that no run has, or of a developer's own.
        ("compose.yml", "  DATABASE_URL: postgres://db/shop\n", "DATABASES = {}", {}),
        ("compose.yml", "  DATABASE_URL: mysql://db/shop\n", 'env("DATABASE_URL")', {}),
        (".env", "DATABASE_URL=postgres://db/shop\n", 'env("DATABASE_URL")', {}),
    ],
)  # fmt: skip
def test_a_deployment_says_of_services_that_settings_can_do_without(
    tmp_path: Path, file: str, text: str, read: str, told: dict[str, str]
) -> None:
    (tmp_path / file).write_text(text)
    (tmp_path / "base.py").write_text(read)
    named = detect.addresses(tmp_path, tmp_path / "production.py")
    assert {name: (each.value, each.why) for name, each in named} == {
        name: (address, file) for name, address in told.items()
    }


def test_what_may_fill_a_database(tmp_path: Path) -> None:
    for name in (
        "shop/management/commands/load_initial_data.py",
        "shop/management/commands/sendmails.py",
        "shop/books/management/commands/fake.py",
        "shop/fixtures/books.json",
        "shop/fixtures/readme.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert detect.fillers(tmp_path) == ["fake", "load_initial_data", "loaddata books"]


APPS = "INSTALLED_APPS = []\n"

ALL_OF_IT = "from .base import *\n"


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        # Nothing names any: those that are there, but for a name that no import has.
        ({"a/settings/base.py": APPS, "a/settings/development.py": ALL_OF_IT,
          "a/settings/production.example.py": ALL_OF_IT, "a/settings/clever-cloud.py": ALL_OF_IT,
          "a/settings/__init__.py": "", "manage.py": ""},
         ["a.settings.base", "a.settings.development"]),
        ({"settings.py": APPS, "tests/settings.py": APPS, "b/settings.py": "PAGES = 3\n"},
         ["settings", "tests.settings"]),
        ({"a/settings/__init__.py": APPS, ".venv/settings.py": APPS}, ["a.settings"]),
        # A deployed one comes before what manage.py names for development.
        ({"a/settings/base.py": APPS, "a/settings/production.py": ALL_OF_IT,
          "a/settings/dev.py": ALL_OF_IT,
          "manage.py": 'setdefault("DJANGO_SETTINGS_MODULE", "a.settings.dev")'},
         ["a.settings.production", "a.settings.dev"]),
        ({"a/settings.py": APPS, "a/settings/prod.py": ALL_OF_IT,
          "Dockerfile": "ENV DJANGO_SETTINGS_MODULE=a.settings\n"},
         ["a.settings", "a.settings.prod"]),
    ],
)  # fmt: skip
def test_settings_that_no_file_names(
    tmp_path: Path, files: dict[str, str], modules: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [each.value for each in detect.settings(tmp_path)] == modules


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("KeyError", "'SECRET_KEY'", "SECRET_KEY"),
        ("ImproperlyConfigured", "Set the DATABASE_URL environment variable", "DATABASE_URL"),
        (
            "UndefinedValueError",
            "STRIPE_KEY not found. Declare it as envvar or define a default value.",
            "STRIPE_KEY",
        ),
        ("ImproperlyConfigured", "DJANGO_SECRET_KEY is not set.", "DJANGO_SECRET_KEY"),
        ("KeyError", "'default'", None),
        ("ModuleNotFoundError", "No module named 'FOO_BAR'", None),
    ],
)
def test_which_variable_settings_lack(kind: str, text: str, name: str | None) -> None:
    assert detect.missing(kind, text) == name


def test_interpreters_of_a_project(tmp_path: Path) -> None:
    """The likeliest first, each once, and last the one that runs loadtest."""
    for name in (".venv", "venv"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").symlink_to(sys.executable)
    broken = tmp_path / "env" / "bin"
    broken.mkdir(parents=True)
    (broken / "python").write_text("no program")
    likely = list(detect.interpreters(tmp_path, {"VIRTUAL_ENV": str(tmp_path / "venv")}))
    own = Guess(os.path.join(sys.prefix, "bin", "python"), "the one that runs loadtest")
    assert likely == [
        Guess(str(tmp_path / "venv/bin/python"), "$VIRTUAL_ENV"),
        Guess(str(tmp_path / ".venv/bin/python"), ".venv in the project's folder"),
        own,
    ]
    assert list(detect.interpreters(tmp_path / "inner", {})) == [
        Guess(str(tmp_path / ".venv/bin/python"), ".venv beside the project's folder"),
        Guess(str(tmp_path / "venv/bin/python"), "venv beside the project's folder"),
        own,
    ]


def test_files_without_end_are_looked_at(tmp_path: Path) -> None:
    """Once, and not for each name that another one has, which would take minutes here."""
    (tmp_path / "start.sh").write_text("x\n" * 450_000)
    (tmp_path / "Procfile").write_text("start.sh\n" * 30_000 + "web: gunicorn shop.wsgi\n")
    assert detect.server(tmp_path)
    settings = tmp_path / "settings.py"
    settings.write_text("x = 1\n" * 150_000 + "X = environ['LAST_DB_URL']\n")
    named = "".join(f"  A{number}_DB_URL: x\n" for number in range(30_000))
    (tmp_path / "docker-compose.yml").write_text(f"{named}  LAST_DB_URL: x\n")
    (given,) = dict(detect.addresses(tmp_path, settings)).items()
    assert given == ("LAST_DB_URL", Guess("{postgres.url}", "docker-compose.yml"))


def test_of_scripts_without_end_the_first_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Procfile").write_text(" ".join(f"a/{number}.sh" for number in range(1_000)))
    looked: list[str] = []

    def there(folder: Path, named: str) -> list[Path]:
        looked.append(named)
        return []

    monkeypatch.setattr(detect, "_there", there)
    detect.server(tmp_path)
    assert len([name for name in looked if name.endswith(".sh")]) == 100
