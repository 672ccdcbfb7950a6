"""Copies of `tests/projects/shop`: somebody's own project, with the surprises of real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from command_line import Type
from paths import TESTS

from loadtest.plan.servers import own
from loadtest.records import run_folder
from loadtest.records.run_folder import ServersRun

HEAD = f"""
format = 1
[project]
python = "{sys.executable}"
settings = "shop.settings"
wsgi = "shop.wsgi:application"
reference = "gunicorn-gthread"
[env]
SHOP_CURRENCY = "EUR"
SHOP_SECRET_KEY = "{{random}}"
DEBUG = "False"
[database]
kind = "sqlite"
redis = true
[prepare]
commands = ["migrate --noinput", "collectstatic --noinput"]
seed = "seed.py"
[request]
headers = {{ Authorization = "Key lettersanddigits" }}
"""

FILE = f"""{HEAD}
[[endpoint]]
name = "home"
path = "/"
[endpoint.answer]
has = ["Thing 7"]
[[endpoint]]
name = "products"
path = "/products.json"
[[endpoint]]
name = "account"
path = "/account/"
as = "alice"
[[endpoint]]
name = "slow"
path = "/slow/"
"""

RECORD = ("record", "--later", "0", "--project")


def copied(folder: Path, file: str | None = None) -> Path:
    """Return a copy of the shop, with that as its loadtest.toml."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TESTS / "projects" / "shop", folder, ignore=ignored)
    if file is not None:
        (folder / own.FILE).write_text(file)
    return folder


def recorded(folder: Path) -> Path:
    """Return a copy whose answers are recorded: what a test may copy once more, and change."""
    copied(folder, FILE)
    services = set(own.ADDRESSES.values())
    env = {name: value for name, value in os.environ.items() if name not in services}
    record = [sys.executable, "-m", "loadtest", *RECORD, folder]
    done = subprocess.run(record, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def changed(path: Path, old: str, new: str) -> None:
    """Replace the first of some words in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def short_run(type_: Type, project: Path, *words: str) -> ServersRun:
    """Measure servers for a round of a second each, and return what is in the folder of the run.

    On so few connections each is answered in that second, however busy the machine is.
    """
    results = project / "results"
    short = ("--rounds", "1", "--duration", "1", "--connections", "4")
    done = type_("run", "--project", project, *words, *short, "--out", results)
    assert done.status in (0, 1), done.out + done.err  # a busy machine may put a number in doubt
    (folder,) = (path for path in results.iterdir() if path.is_dir())
    return run_folder.read(folder, run_folder.SERVERS)
