"""An end from outside, at moments that are hard to meet: one line, status 130, no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

IN_THE_IMPORT = """
import os, signal, sys

wanted = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, *more):
        if name == wanted:
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Finder())
from loadtest.__main__ import main
main()
"""


def python(code: str, *words: str, before: Callable[[], Any] | None = None) -> Any:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("module", ["click", "msgspec", "loadtest.cli.plan", "psutil"])
def test_in_the_middle_of_an_import(module: str, name: str) -> None:
    done = python(IN_THE_IMPORT.replace("{name}", name), module, "plan", "quick")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "loadtest: interrupted\n"


IN_A_DESTRUCTOR = """
import os, signal, time
from loadtest.cli import interruption

class Ends:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)

interruption.take()
try:
    Ends()
    time.sleep(60)
except KeyboardInterrupt:
    print("taken")
"""


def test_in_a_destructor_it_is_not_lost() -> None:
    done = python(IN_A_DESTRUCTOR)
    assert (done.returncode, done.stdout, done.stderr) == (0, "taken\n", "")


WHILE_IT_WRITES = """
import io, os, signal, sys
from loadtest.cli import interruption, streams

class Interrupted(io.FileIO):
    def write(self, data):
        written = super().write(data)
        if data:
            os.kill(os.getpid(), signal.SIGINT)
        return written

streams._Stream.__bases__ = (Interrupted,)
interruption.take()
streams.prepare()
try:
    print("a line", flush=True)
    signal.pause()
except KeyboardInterrupt:
    streams._Stream.__bases__ = (io.FileIO,)
    sys.exit(interruption.say_so())
"""


def test_what_is_written_meanwhile_is_written_once() -> None:
    done = python(WHILE_IT_WRITES)
    assert (done.returncode, done.stdout, done.stderr) == (
        130,
        "a line\n",
        "loadtest: interrupted\n",
    )


AS_A_FILE_IS_MADE = """
import os, signal, tempfile
from loadtest.cli import interruption

interruption.take()
make = os.open

def interrupted_there(*of):
    descriptor = make(*of)
    os.kill(os.getpid(), signal.SIGHUP)
    return descriptor

os.open = interrupted_there
try:
    tempfile.gettempdir()
    signal.pause()
except KeyboardInterrupt:
    print("ends")
"""


def test_no_temporary_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python makes one, and removes it, to see whether a folder can have any."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert python(AS_A_FILE_IS_MADE).stdout == "ends\n"
    assert not [*tmp_path.iterdir()]


HUNG_UP = """
import os, signal
from loadtest.cli import interruption

interruption.take()
try:
    os.kill(os.getpid(), signal.SIGHUP)
    print("goes on")
except KeyboardInterrupt:
    print("ends")
"""


def test_nohup_is_respected() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert python(HUNG_UP).stdout == "ends\n"
    assert python(HUNG_UP, before=ignore).stdout == "goes on\n"


AT_THE_END = """
import atexit, os, signal, sys

@atexit.register
def interrupt():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)

from loadtest.__main__ import main
sys.argv = ["loadtest", "list", "matrices"]
main()
"""


def test_at_the_very_end_the_answer_is_kept() -> None:
    done = python(AT_THE_END)
    assert (done.returncode, done.stderr) == (0, "")


WHILE_IT_STOPS_LISTENING = """
import os, signal
from loadtest.cli import interruption

interruption.take()
set_handler = signal.signal

def interrupted_there(number, handler):
    os.kill(os.getpid(), signal.SIGTERM)
    return set_handler(number, handler)

signal.signal = interrupted_there
interruption.over()
print("ends")
"""


def test_nothing_comes_through_while_it_stops_listening() -> None:
    done = python(WHILE_IT_STOPS_LISTENING)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ends\n", "")


def test_the_command_begins_where_interruptions_are_taken() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"loadtest": "loadtest.__main__:main"}
