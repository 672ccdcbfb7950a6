"""The shipped server profiles, as text and data; no server is started."""

import importlib.metadata
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from demo import DEMO
from paths import ROOT

from loadtest.plan.servers.profile import command, load_servers
from loadtest.plan.servers.project import INSIDE, Project
from loadtest.records.planned import Server, Shape

FOLDER = ROOT / "servers"
PATHS = sorted(FOLDER.glob("*.toml"))
SERVERS = load_servers(FOLDER)

FLAG = re.compile(r'^\s*"(-[^"]*)"')
FLAG_ANYWHERE = re.compile(r'"(-[^"]*)"')
INTERPRETER = {"-m", "-c"}
"""Of Python itself, right behind `{python}`."""


def by_name(server: Server) -> str:
    return server.name


def argv_lines(path: Path) -> list[str]:
    """Return the lines between `argv = [` and its closing bracket."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = lines.index("argv = [")
    return lines[start + 1 : lines.index("]", start)]


def test_the_folder_is_the_list() -> None:
    assert {server.name for server in SERVERS} == {path.stem for path in PATHS}
    assert len(SERVERS) == len(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_flag_has_its_reason(path: Path) -> None:
    above = ""
    for line in argv_lines(path):
        if FLAG.match(line):
            reason = line.rpartition("  # ")[2] if "  # " in line else above
            assert len(reason.strip(" #")) > 3, f"{path.name}: no reason given for {line.strip()}"
        above = line if line.lstrip().startswith("#") else ""


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_one_flag_a_line(path: Path) -> None:
    for line in argv_lines(path):
        code = line.partition("#")[0]
        flags = [flag for flag in FLAG_ANYWHERE.findall(code) if flag not in INTERPRETER]
        assert len(flags) <= 1, f"{path.name}: {line.strip()}"
        if flags:
            assert FLAG.match(code), f"{path.name}: the flag does not lead its line: {line.strip()}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_lines_read_are_all_of_argv(path: Path) -> None:
    read = tomllib.loads("argv = [\n" + "\n".join(argv_lines(path)) + "\n]")
    assert read["argv"] == tomllib.loads(path.read_text(encoding="utf-8"))["argv"]


@pytest.mark.parametrize("server", SERVERS, ids=by_name)
def test_what_it_requires_is_installed(server: Server) -> None:
    assert server.requires
    for name in server.requires:
        importlib.metadata.version(name)


@pytest.mark.parametrize("server", SERVERS, ids=by_name)
def test_no_placeholder_is_left(server: Server) -> None:
    filled = command(server, Shape(), Project(Path(), "/app/bin/python", DEMO), 8000, 7).argv
    assert filled[0] == "/app/bin/python"
    assert not any("{" in text or "}" in text for text in filled)
    root = "/" * server.name.startswith("granian")  # which imports it from there
    assert f"{root}myproject.{server.interface}:application" in filled


@pytest.mark.parametrize("server", SERVERS, ids=by_name)
def test_each_gets_the_whole_shape(server: Server) -> None:
    given = " ".join(server.argv)
    if server.processes == "workers":
        assert "{fd}" in given  # Whoever opens the socket sets its address and its backlog.
    else:
        assert "{port}" in given
        assert "{host}" in given
        assert "{backlog}" in given
        assert "{workers}" in given or "{workers*threads}" in given
    if server.in_flight == "workers * threads":
        assert "{threads}" in given or "{workers*threads}" in given


@pytest.mark.parametrize("server", SERVERS, ids=by_name)
def test_a_limit_is_a_sentence(server: Server) -> None:
    for sentence in (server.summary, *server.limits, *server.unsupported.values()):
        assert sentence.endswith("."), sentence
        assert len(sentence) < 220, sentence


def test_an_async_server_takes_what_a_connection_brings() -> None:
    for server in SERVERS:
        assert (server.interface == "asgi") <= (server.in_flight == "connections"), server.name


@pytest.mark.parametrize("server", SERVERS, ids=by_name)
def test_workers_are_replaced_only_where_the_shape_says_so(server: Server) -> None:
    project = Project(Path(), "/app/bin/python", DEMO)
    plain = command(server, Shape(), project, 8000, 7).argv
    replacing = command(server, Shape(max_requests=2_000), project, 8000, 7).argv
    assert replacing[: len(plain)] == plain
    assert ("2000" in replacing[len(plain) :]) == bool(server.recycled)


def test_no_gunicorn_takes_what_stands_in_the_folder_of_a_project() -> None:
    """A gunicorn.conf.py there may set the app's environment, and so its database."""
    given = {"GUNICORN_CMD_ARGS": "--config python:loadtest_gunicorn"}
    for server in SERVERS:
        assert server.env == (given if "gunicorn" in server.argv else {}), server.name


@pytest.mark.parametrize("server", SERVERS, ids=by_name)
def test_what_a_report_prints_can_be_deployed(server: Server) -> None:
    """Nothing of ours stands in a command line: it is in the environment of a run."""
    assert not any("loadtest" in word for word in (*server.argv, *server.recycled))


def test_what_an_older_gunicorn_does_not_know_is_no_flag() -> None:
    """It would not start with one; of a configuration it passes over what it does not know."""
    given = runpy.run_path(str(INSIDE / "loadtest_gunicorn.py"))
    settings = {name for name in given if not name.startswith("__")}
    assert settings == {"control_socket_disable"}
    assert not any("--no-control-socket" in server.argv for server in SERVERS)
