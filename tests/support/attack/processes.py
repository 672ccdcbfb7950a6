"""Commands as processes, ended at random moments in every way: nothing is lost, twice, or left."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType

import own_shop
import psutil
from census import Census
from demo import DEMO
from paths import ENGINE, ROOT

from attack import isolated, seeds
from attack.tally import Tally, broken, unkind

ADDRESSES = tuple(DEMO.addresses.values())

PATIENCE_S = 120.0
"""For an end: a machine may have other things to do."""

WAYS: tuple[tuple[tuple[str, float], ...], ...] = (
    (("KILL", 0.0),),
    (("TERM", 0.0),),
    (("INT", 0.0),),
    (("HUP", 0.0),),
    (("INT", 0.05), ("INT", 0.0)),
    (("INT", 0.3), ("INT", 0.3), ("INT", 0.0)),
    (("TERM", 0.2), ("KILL", 0.0)),
    (("STOP", 0.5), ("CONT", 0.1), ("TERM", 0.0)),
    (("warden", 0.5), ("TERM", 0.0)),
    (("warden", 0.1), ("KILL", 0.0)),
)
"""Signals with the seconds after each; `warden` is a KILL of one of the command's wardens."""

MATRIX = """
summary = "The smallest that is real."
rounds = 2
servers = ["uvicorn", "gunicorn-gthread"]
endpoints = ["json-sync", "json_query-sync"]
observe_release = false
[[loads]]
connections = 8
duration_s = 1
warmup_s = 0.1
"""


@dataclass(frozen=True)
class Command:
    """A command to end early."""

    name: str
    arguments: tuple[str, ...]
    """`{out}`, `{matrix}`, `{servers}`, `{clients}` and `{shop}` are filled in."""
    most_s: float
    """The latest moment."""
    resumed_by: tuple[str, ...] = ()
    """What goes on with its folder, `{run}`."""


COMMANDS = (
    Command("run", ("run", "{matrix}", "--out", "{out}"), 25.0, ("run", "--resume", "{run}")),
    Command(
        "clients",
        ("clients", "aiohttp", "urllib3", "--count", "50", "--batch", "4", "--rounds", "2")
        + ("--out", "{out}"),
        10.0,
        ("clients", "--resume", "{run}"),
    ),
    Command("init", ("init", "--project", "{new}", "--python", sys.executable), 12.0),
    Command("record", ("record", "--project", "{shop}", "--later", "0"), 20.0),
    Command("services", ("services",), 7.0),
    Command("serve", ("serve", "gunicorn-sync"), 8.0),
    Command("clients-serve", ("clients", "--serve"), 2.0),
    Command("report", ("report", "{servers}"), 2.5),
    Command("report-clients", ("report", "{clients}"), 2.5),
    Command("compare", ("compare", "{servers}", "{servers}/../other"), 2.5),
    Command("plan", ("plan", "quick"), 2.5),
    Command("list", ("list", "endpoints"), 2.0),
    Command("doctor", ("doctor",), 2.5),
    Command("import", ("import", "{report}", "--out", "{out}"), 2.5),
    Command("help", ("--help",), 0.5),
)

OURS = f'File "{ENGINE}/'
"""In a traceback: a line of ours, as against the interpreter's own start, which nobody can mend."""


@dataclass(frozen=True)
class User:
    """Somebody who is not root."""

    uid: int
    gid: int


NOBODY = "nobody"
"""Whom every system has."""


def ordinary() -> User | str:
    """Return a user as whom commands can be run as well, or why there is none."""
    if os.geteuid():
        return "not root: what else is tried is an ordinary user's already"
    entry = pwd.getpwnam(NOBODY)
    user = User(entry.pw_uid, entry.pw_gid)
    try:
        run = subprocess.run(
            [sys.executable, "-m", "loadtest", "list", "servers"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            user=user.uid,
            group=user.gid,
            extra_groups=[],
            capture_output=True,
        )
    except OSError as error:
        return f"{NOBODY} cannot start {sys.executable}: {error.strerror}"
    last = run.stderr.decode("utf-8", "replace").splitlines()[-1:]
    return f"{NOBODY} cannot use this clone: {last}" if run.returncode else user


def become(user: User | None) -> None:
    """Be a user from here on, for good: in a child."""
    if user:
        os.setgroups([])
        os.setgid(user.gid)
        os.setuid(user.uid)
        os.environ["HOME"] = "/nonexistent"


class Process:
    """A command in a process group and a temporary folder of its own."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str | None] = MappingProxyType({}),
        below: str = "",
        prepare: Callable[[], None] | None = None,
        stdout: int = subprocess.DEVNULL,
    ) -> None:
        """Start it; `env` is added to ours, `below` names its TMPDIR inside of the folder."""
        self.tmp = Path(tempfile.mkdtemp(prefix="at-", dir="/tmp"))
        self.tmp.chmod(0o755)
        if below and not below.startswith("missing"):
            (self.tmp / below).mkdir()
        self.census = Census(self.tmp)
        self.held: set[str] = set()
        self.pids: set[str] = set()
        given = {**os.environ, **dict.fromkeys(ADDRESSES), "TMPDIR": str(self.tmp / below), **env}
        self.running = subprocess.Popen(
            [sys.executable, "-m", "loadtest", *arguments],
            cwd=ROOT,
            env={key: value for key, value in given.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=prepare,
        )
        self._err: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.running.stderr is not None
        with self.running.stderr as err:
            for data in iter(lambda: os.read(err.fileno(), 1 << 16), b""):
                self._err.append(data)

    def stderr(self) -> str:
        """Return what it has written to stderr, which is no file: a file may be limited."""
        if self.running.poll() is not None:
            self._reader.join(5.0)
        return b"".join(self._err).decode("utf-8", "replace")

    def end(self, way: Sequence[tuple[str, float]], chance: Random) -> None:
        """End it in a way, and wait."""
        for name, pause_s in way:
            self._remember()
            if name == "warden":
                self._kill_a_warden(chance)
            else:
                with contextlib.suppress(ProcessLookupError):
                    self.running.send_signal(signal.Signals[f"SIG{name}"])
            time.sleep(pause_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.wait(PATIENCE_S)

    def _kill_a_warden(self, chance: Random) -> None:
        wardens = [
            process
            for process, words in self.census.commands()
            if any(word.endswith("warden.py") for word in words)
        ]
        if wardens:
            with contextlib.suppress(psutil.Error):
                chance.choice(wardens).kill()

    def _remember(self) -> None:
        """Note its processes, and the shared memory that they hold now."""
        for process in self.census.alive():
            self.pids.add(str(process.pid))
            with contextlib.suppress(OSError, psutil.Error):
                maps = Path(f"/proc/{process.pid}/maps").read_text()
                self.held |= set(re.findall(r"/dev/shm/\S+", maps))

    def left(self) -> str | None:
        """Return what is still there in the end; waits for what is just going."""
        if self.running.poll() is None:
            self.running.kill()
            return f"it did not end within {PATIENCE_S:.0f} s"
        deadline = time.monotonic() + PATIENCE_S / 4
        while time.monotonic() < deadline:
            names, files = self.census.names(), self.census.leftovers()
            memory = [name for name in self.held if os.path.exists(name)]
            memory += [f"segment {id_}" for id_, pid in segments().items() if pid in self.pids]
            if not (names or files or memory):
                return None
            time.sleep(0.1)
        return f"left: {[*names, *files, *memory]}"[:600]

    def close(self) -> None:
        """Clear away whatever there is."""
        self.census.kill()
        self.running.kill()
        self.running.wait()
        shutil.rmtree(self.tmp, ignore_errors=True)


def segments() -> dict[str, str]:
    """Return the ids of the System V segments of this machine, each with the process it is of."""
    path = Path("/proc/sysvipc/shm")
    lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else ()
    return {(fields := line.split())[1]: fields[4] for line in lines}


def attack(
    command: Command, seed: int, numbers: Sequence[int], jobs: int = 1, user: User | None = None
) -> Tally:
    """End a command, by each number at a moment and in a way of its own, `jobs` beside each other.

    Each has its own folders, and what is left is told by them.
    """

    def check(number: int) -> str | None:
        become(user)
        chance = Random(f"{seed} {command.name} {number}")
        with tempfile.TemporaryDirectory(prefix="attack-") as name:
            filled = files(Path(name) / "files")
            if command.resumed_by:
                wrong = _chain(command, filled, chance)
            else:
                wrong = [_killed(command.arguments, filled, chance, command)]
        return "; ".join(filter(None, wrong)) or None

    faults = isolated.faults(check, numbers, jobs, limited=False)
    kills = sum(_kills(command, Random(f"{seed} {command.name} {number}")) for number in numbers)
    again = f"kills --only 'kill {command.name}' --seed {seed} --number"
    again = f"user {again.partition(' ')[2]}" if user else again
    return Tally(
        f"kill {command.name}", kills, [(f"{again} {number}", why) for number, why in faults]
    )


def _kills(command: Command, chance: Random) -> int:
    return chance.choice((1, 2, 3)) if command.resumed_by else 1


def files(folder: Path) -> dict[str, str]:
    """Make what commands are typed with in a folder; return what is filled in."""
    folder.mkdir()
    matrix, report = folder / "small.toml", folder / "report.md"
    matrix.write_text(MATRIX)
    report.write_bytes(seeds.wrk_report())
    servers = seeds.servers_folder(folder, "servers")
    shutil.copytree(servers, servers.parent / "other")
    endpoint = '[[endpoint]]\nname = "products-json"\npath = "/products.json"\n'
    return {
        "new": str(own_shop.copied(folder / "new")),
        "shop": str(own_shop.copied(folder / "shop", own_shop.HEAD + endpoint)),
        "out": str(folder / "out"),
        "matrix": str(matrix),
        "report": str(report),
        "servers": str(servers),
        "clients": str(seeds.clients_folder(folder, "clients")),
    }


def _killed(
    arguments: Sequence[str],
    filled: dict[str, str],
    chance: Random,
    command: Command,
) -> str | None:
    way, moment_s = chance.choice(WAYS), chance.uniform(0, command.most_s)
    process = Process([word.format(**filled) for word in arguments])
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.running.wait(moment_s)
        ended_before = process.running.poll() is not None
        process.end(way, chance)
        why = process.left() or _wrong_end(process, way, ended_before)
        names = "+".join(name for name, _ in way)
        return f"{names} after {moment_s:.3f} s: {why}" if why else None
    finally:
        process.close()


def _wrong_end(
    process: Process, way: Sequence[tuple[str, float]], ended_before: bool
) -> str | None:
    """Return what was wrong with the status and the last words of a command that was ended."""
    err, status = process.stderr(), process.running.returncode
    if "Traceback" in err and OURS not in err:
        return None  # of the interpreter, before it had come to us
    if "Traceback" in err:
        return f"a traceback: {err[-800:]}"
    if ended_before:
        return broken(status, err)
    if any(name == "KILL" for name, _ in way):
        return None
    # A signal may come before the interpreter has come to us, and after all is done.
    if status not in (0, 1, 2, 3, 130) and status not in (-2, -15, -1):
        return f"status {status}: {err[-300:]}"
    return unkind(err.splitlines())


def _chain(command: Command, filled: dict[str, str], chance: Random) -> list[str | None]:
    """Begin a run and go on with it, ended again and again, then to its end; what was wrong."""
    wrong: list[str | None] = []
    out = Path(filled["out"])
    before = Counter[str]()
    for _ in range(_kills(command, chance)):
        runs = sorted(
            path.parent for path in out.glob("*/*.json") if path.stem in ("run", "clients")
        )
        arguments = command.resumed_by if runs else command.arguments
        filled["run"] = str(runs[0]) if runs else ""
        wrong.append(_killed(arguments, filled, chance, command))
        now = Counter(_measured(out))
        wrong += [f"lost after a kill: {key}" for key in before - now]
        before = now
    runs = sorted(path.parent for path in out.glob("*/*.json") if path.stem in ("run", "clients"))
    filled["run"] = str(runs[0]) if runs else ""
    arguments = command.resumed_by if runs else command.arguments
    process = Process([word.format(**filled) for word in arguments])
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.running.wait(10 * PATIENCE_S)
        wrong.append(process.left())
        # A busy machine may spoil a cell; the run is complete all the same.
        if process.running.returncode not in (0, 1):
            wrong.append(f"the last: {process.running.returncode}: {process.stderr()[-500:]}")
    finally:
        process.close()
    after = Counter(_measured(out))
    wrong += [f"lost: {key}" for key in before - after]
    wrong += [f"measured {count} times: {key}" for key, count in after.items() if count > 1]
    return wrong


def _measured(out: Path) -> Iterator[str]:
    """Yield what each measured outcome is of, as the lines of a run have it."""
    for path in out.glob("*/outcomes.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            with contextlib.suppress(ValueError):
                fact = json.loads(line)
                if fact.get("kind") == "outcome" and fact.get("status") == "measured":
                    keys = ("cell", "row", "round", "turn", "repeat", "measure")
                    yield " ".join(f"{key} {fact[key]}" for key in keys if key in fact)
