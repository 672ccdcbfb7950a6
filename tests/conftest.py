"""What the engine's tests share: services that are up, a clean environment, a census."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import own_shop
import pytest
from browser import chromium
from census import Census
from command_line import Type, typing
from demo import DEMO, PROJECT
from fake_docker import FakeDocker
from paths import ROOT
from playwright.sync_api import Browser

from loadtest.bench.servers.services import Services
from loadtest.bench.servers.services import services as start_services
from loadtest.plan.servers import facts, own
from loadtest.plan.servers.project import Project
from loadtest.records.planned import Endpoint, Shape

ADDRESSES = tuple(DEMO.addresses.values())

# A suite that `nohup` started would hand on that HUP is ignored, and some tests send it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline, neither for a test nor for what makes its examples: a loaded machine is no bug.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")


MARKS = {
    "browser": "browser",
    "services": "real",
    "addresses": "real",
    "filled": "real",
    "quiet": "slow",
}
"""What a fixture makes of the tests that ask for it, beside the marks that they give themselves."""


LONG = {"real", "browser", "slow"}
"""Marks of what takes seconds."""


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts services or a browser; files that take long come first.

    Short ones at the end let several processes end at about the same time.
    """
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])
    long = {item.path for item in items if LONG & {mark.name for mark in item.iter_markers()}}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def project() -> Project:
    """Give this repository as the project under test."""
    return PROJECT


@pytest.fixture(scope="session")
def declared(project: Project) -> dict[str, Endpoint]:
    """Give the app's endpoints by id."""
    return {endpoint.id: endpoint for endpoint in project.endpoints()}


@cache
def looked_at(look: Callable[[Project], facts.Facts]) -> facts.Facts:
    return look(PROJECT)


@pytest.fixture
def no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the addresses of services that the caller or another test has set."""
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def services(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Give real services, started once for all tests that leave them alive."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ADDRESSES:
            patch.delenv(name, raising=False)
        with start_services(project, tmp_path_factory.mktemp("logs"), Shape()) as running:
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a Chromium, to the tests of one file: Playwright's event loop runs as long."""
    with chromium() as started:
        yield started


@pytest.fixture
def census(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Census]:
    """Find every process started in the test, by its own TMPDIR, and end what is left of them."""
    # After pytest's own `tmp_path`, which must not move in here.
    # Short, for the paths of Unix sockets, and open to the user that PostgreSQL may run as.
    folder = Path(tempfile.mkdtemp(prefix="lt-", dir="/tmp"))
    folder.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    census = Census(folder)
    try:
        yield census
    finally:
        census.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def installed(project: Project) -> Callable[[frozenset[str]], dict[str, str | None]]:
    """Give what tells the versions of distributions, asking for the same ones once."""
    return cache(project.versions)


@pytest.fixture
def type_(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    declared: dict[str, Endpoint],
    installed: Callable[[frozenset[str]], dict[str, str | None]],
) -> Type:
    """Give a function that runs the command line in this process, which saves its start.

    The interpreter of this repository's app is asked once for all tests, any other each time.
    """
    monkeypatch.chdir(ROOT)
    ask, look, known = Project.endpoints, Project.versions, facts.look

    def ours(project: Project) -> bool:
        return (project.folder, project.python) == (ROOT, sys.executable)

    def endpoints(project: Project) -> tuple[Endpoint, ...]:
        return tuple(declared.values()) if ours(project) else ask(project)

    def versions(project: Project, names: Iterable[str]) -> dict[str, str | None]:
        return dict(installed(frozenset(names))) if ours(project) else look(project, names)

    monkeypatch.setattr(Project, "endpoints", endpoints)
    monkeypatch.setattr(Project, "versions", versions)
    monkeypatch.setattr(facts, "look", lambda of: looked_at(known) if ours(of) else known(of))

    return typing(monkeypatch, capfd)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project whose answers are recorded, once for all tests that copy it.

    Where several processes run them, the first that needs it makes it for all.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with open(base / "recorded.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "recorded").exists():
            own_shop.recorded(Path(tempfile.mkdtemp(dir=base)) / "shop").rename(base / "recorded")
    return base / "recorded"


@pytest.fixture
def shop(recorded: Path, tmp_path: Path) -> Path:
    """Give a copy of it that a test may change."""
    return Path(shutil.copytree(recorded, tmp_path / "shop"))


@pytest.fixture
def two_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a WSGI and an ASGI server alone, where none would be another case."""
    folder = tmp_path / "servers"
    folder.mkdir()
    for name in ("gunicorn-gthread", "uvicorn"):
        shutil.copy(own.SERVERS / f"{name}.toml", folder)
    monkeypatch.setattr(own, "SERVERS", folder)


@pytest.fixture
def docker_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """Give what puts a `docker` with chosen answers on PATH."""
    for name in ("DOCKER_HOST", "SERVER_IMAGE", "PUBLISH", "PORT", "POSTGRES_IMAGE", "CACHE_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    return FakeDocker(tmp_path, monkeypatch)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the project whose servers a test may break."""
    folder = tmp_path / "copy"
    for name in ("myproject", "myapp", "servers", "matrices"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    text = (ROOT / own.FILE).read_text().replace(".venv/bin/python", sys.executable)
    (folder / own.FILE).write_text(text)
    return folder
