"""`tests/compose/engine` with an engine that is none: whatever ends it, nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from census import Census, until
from paths import ROOT

SCRIPT = ROOT / "tests" / "compose" / "engine"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("apt-get") is None, reason="needs root and Debian"
    ),
]

# Leaves a process behind, as the engine does for each container, in a session of its own.
DOCKERD = """#!/bin/sh
echo $$ >"$ENGINE_HOME/docker.pid"
setsid sleep 1000 &
trap 'echo dockerd ends >>"$ENGINE_HOME/said"; rm -f "$ENGINE_HOME/docker.pid"; exit' TERM
while :; do sleep 0.1; done
"""
DOCKER = """#!/bin/sh
case "$1" in
info) [ -e "$ENGINE_HOME/docker.pid" ];;
ps) echo abc;;
*) echo "docker $*" >>"$ENGINE_HOME/said";;
esac
"""
COMMAND = """
trap 'echo interrupted >>"$ENGINE_HOME/said"; exit 5' INT
touch "$ENGINE_HOME/begun"
while :; do sleep 0.1; done
"""


@pytest.fixture
def home(census: Census, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of an engine that has been got before."""
    folder = census.folder / "engine"
    for name, text in (("tools/usr/sbin/dockerd", DOCKERD), ("tools/usr/bin/docker", DOCKER)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "ready").touch()
    monkeypatch.setenv("ENGINE_HOME", str(folder))
    return folder


@contextmanager
def started(home: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give the script at work with a command; skip where it says that it cannot be had here."""
    with subprocess.Popen([SCRIPT, *command], start_new_session=True) as script:
        try:
            yield script
        finally:
            script.kill()
    if script.returncode == 3:
        pytest.skip((home / "cannot").read_text())


def heard(home: Path) -> list[str]:
    return (home / "said").read_text().splitlines()


def test_the_status_is_the_commands(home: Path, census: Census) -> None:
    with started(home, "sh", "-c", "exit 7") as script:
        assert script.wait(60) in (3, 7)
    census.empty()
    assert heard(home)[-1] == "dockerd ends"


@pytest.mark.parametrize(
    ("number", "whom", "removed"),
    [
        ("TERM", "it", True),
        ("TERM", "its group", True),
        ("INT", "its group", True),
        ("KILL", "it", True),
        ("KILL", "its group", False),
        ("KILL", "the one inside", False),
    ],
)
def test_whatever_ends_it_nothing_is_left(
    number: str, whom: str, removed: bool, home: Path, census: Census
) -> None:
    with started(home, "sh", "-c", COMMAND) as script:
        until(lambda: (home / "begun").exists() or script.poll() is not None, "its command")
        if script.poll() is None:
            before = len(heard(home))
            end = signal.Signals[f"SIG{number}"]
            if whom == "its group":
                os.killpg(script.pid, end)
            elif whom == "it":
                script.send_signal(end)
            else:
                inside(script).send_signal(end)
            census.empty()
            text = heard(home)[before:]
            assert ("interrupted" in text) == (number == "INT")
            removal = "docker rm --force --volumes abc"
            assert (removal in text) == removed
            assert not removed or text.index(removal) < text.index("dockerd ends")
    # What it could not remove, the next start does before anything else.
    (home / "said").unlink()
    with started(home, "true") as script:
        assert script.wait(60) in (0, 3)
    assert heard(home)[0] == "docker rm --force --volumes abc"


def inside(script: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the script in the namespace of its own, the first process there."""
    (space,) = psutil.Process(script.pid).children()
    (first,) = space.children()
    return first
