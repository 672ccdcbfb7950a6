"""A `docker` on PATH that says what a test chooses; real engines are in `tests/compose/`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from paths import ROOT

CANNOT = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    " Is the docker daemon running?"
)
INFO = {
    "ServerVersion": "28.0.1",
    "Name": "there",
    "OperatingSystem": "Debian GNU/Linux 13",
    "KernelVersion": "6.12",
    "NCPU": 8,
    "MemTotal": 16_000_000_000,
}
PROFILES = "\n".join(sorted(path.stem for path in (ROOT / "servers").glob("*.toml")))
PYTHON = {
    "path": "/usr/local/bin/python",
    "version": "3.13.5",
    "implementation": "CPython",
    "versions": {"Django": "6.0", "uvicorn": "0.35"},
}
WELL: dict[str, str | tuple[int, str]] = {
    "compose version": "v2.30",
    "context inspect": "unix:///var/run/docker.sock",
    "info": json.dumps(INFO),
    "--profiles": PROFILES,
    "network ls": "",
    "build": "",
    "--entrypoint python ": json.dumps(PYTHON),
    "--entrypoint postgres ": "postgres (PostgreSQL) 17.6",
    "--entrypoint valkey-server ": "Server v=8.1.3 sha=0",
    "image inspect": "sha256:1234",
    "down": "",
}
"""What an engine that is well answers, by words of the command; the first that fits counts."""

FAKE = """#!{python}
import json, sys
line = " ".join(sys.argv[1:]) + " "
with open({log!r}, "a") as log:
    log.write(line + "\\n")
for words, answer in json.load(open({answers!r})).items():
    if words in line:
        status, text = answer if isinstance(answer, list) else (0, answer)
        if status == "hangs":
            import time; time.sleep(600)
        print(text, file=sys.stderr if status else sys.stdout)
        sys.exit(status)
sys.exit("unexpected: " + line)
"""


@dataclass(frozen=True)
class FakeDocker:
    """Puts itself on PATH with the answers it is called with, and returns its log."""

    folder: Path
    patch: pytest.MonkeyPatch

    def __call__(self, **answers: str | tuple[int | str, str]) -> Path:
        given = {words.replace("_", " "): answer for words, answer in answers.items()}
        well = {words: answer for words, answer in WELL.items() if words not in given}
        separated = self.folder / "answers.json"
        separated.write_text(json.dumps({**given, **well}))
        fake, log = self.folder / "bin" / "docker", self.folder / "log"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(FAKE.format(python=sys.executable, log=str(log), answers=str(separated)))
        fake.chmod(0o755)
        self.patch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        return log
