"""Environments that people have: a command works in each, or one line says what to do."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from attack import isolated, processes
from attack.processes import PATIENCE_S, Process
from attack.tally import Tally, broken

TINY = """
summary = "One server at one endpoint."
rounds = 1
servers = ["gunicorn-sync"]
endpoints = ["json-sync"]
observe_release = false
[duplicate]
endpoints = ["json_query"]
[[loads]]
connections = 4
duration_s = 1
warmup_s = 0.1
"""

RUN = ("run", "{matrix}", "--out", "{out}")
REPORT, PLAN, LIST, HELP = ("report", "{servers}"), ("plan", "quick"), ("list", "servers"), ("-h",)

FOLDERS = (
    "a b", "a&b", "a#b", "a%b", "a,b", "a'b", 'a"b', "{a}", "a$b", "a:b", "a=b", "a;b", "-a", "é",
    "x" * 60, "x" * 100, "x" * 200, "missing/folder", "a\nb", "a*b",
)  # fmt: skip
"""Names of the system's folder for temporary files."""

LOCALES = ("C", "POSIX", "tr_TR.UTF-8", "en_US.ISO-8859-1", "nowhere")

FOREIGN = (
    {"LOADTEST_DATABASE": "postgresql://me:hunter2@192.0.2.1/app"},
    {"LOADTEST_DATABASE": "postgresql://me:hunter2@127.0.0.1:9/app"},
    {"LOADTEST_DATABASE": "postgresql://me:hunter2@127.0.0.1/"},
    {"LOADTEST_DATABASE": "postgresql://me:hunt@er2@127.0.0.1/app"},
    {"LOADTEST_DATABASE": "hunter2"},
    {"LOADTEST_DATABASE": ""},
    {"LOADTEST_DATABASE": "service=hunter2"},
    {"LOADTEST_REDIS": "redis://:hunter2@127.0.0.1:9/0"},
    {"LOADTEST_REDIS": "redis://:hunter2@192.0.2.1/0"},
    {"LOADTEST_REDIS": "redis://:hunt#er2@127.0.0.1/0"},
    {"LOADTEST_UPSTREAM": "http://me:hunter2@192.0.2.1:8081"},
    {"LOADTEST_UPSTREAM": "http://127.0.0.1:9/hunter2"},
)
"""Services of others, none of which may be used."""


LIBPQ = (
    {"PGHOSTADDR": "192.0.2.1"},
    {"PGPORT": "9", "PGHOST": "/nowhere", "PGUSER": "me", "PGDATABASE": "theirs"},
    {"PGSERVICE": "theirs", "PGSERVICEFILE": "/nowhere"},
    {"PGOPTIONS": "-c default_transaction_read_only=on", "PGSSLMODE": "verify-full"},
)
"""What psql would add to an address that says nothing of it."""


@dataclass(frozen=True)
class Environment:
    """How a command is started, and what is done to it."""

    name: str
    arguments: tuple[str, ...]
    env: Mapping[str, str | None] = field(default_factory=dict)
    below: str = ""
    """Its TMPDIR, inside the one that it would have had; made, but for one that is `missing`."""
    prepare: Callable[[], None] | None = None
    """Done in the process, before it is the command."""
    stdout: Callable[[], int] | None = None
    meanwhile: Callable[[Process, Path], None] | None = None
    statuses: tuple[int, ...] = (0, 2)


def _limit(what: int, most: int) -> Callable[[], None]:
    def limit() -> None:
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most, hard))

    return limit


def _closed(fd: int) -> Callable[[], None]:
    return lambda: os.close(fd)


def _full(fd: int) -> Callable[[], None]:
    def full() -> None:
        device = os.open("/dev/full", os.O_WRONLY)
        os.dup2(device, fd)
        os.close(device)

    return full


def _ended_pipe() -> int:
    """Return a pipe to which nobody listens any longer."""
    read, write = os.pipe()
    os.close(read)
    return write


def _closed_to_others() -> None:
    os.umask(0o077)


def _ignoring() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _measuring(process: Process, out: Path) -> bool:
    """Wait until a run has its folder and its services; say whether it is still there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.running.poll() is None:
        if any(path.stat().st_size for path in out.glob("*/outcomes.jsonl")):
            return True
        time.sleep(0.02)
    return False


def _delete(process: Process, out: Path) -> None:
    if _measuring(process, out):
        shutil.rmtree(out, ignore_errors=True)


def _move(process: Process, out: Path) -> None:
    if _measuring(process, out):
        out.rename(out.with_name("moved"))


def _hang_up(process: Process, out: Path) -> None:
    if _measuring(process, out):
        process.running.send_signal(signal.SIGHUP)


def _resume_beside(process: Process, out: Path) -> None:
    """Go on with a run that is going on: the second has to say so, and the first not to notice."""
    if not _measuring(process, out):
        return
    (folder,) = out.iterdir()
    second = Process(["run", "--resume", str(folder)])
    try:
        second.running.wait(PATIENCE_S)
        if process.running.poll() is None:
            assert second.running.returncode == 2, f"a second --resume: {second.stderr()[-300:]}"
    finally:
        second.close()


def environments() -> Iterator[Environment]:
    """Yield all of them, the short ones first."""
    for command in (REPORT, PLAN, LIST, HELP):
        name = command[0]
        either = (0, 1, 2) if command is REPORT else (0, 2)
        for locale in LOCALES:
            env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
            yield Environment(f"{name} LC_ALL={locale}", command, env, statuses=either)
        for key, value in (
            ("TERM", "dumb"), ("TERM", None), ("COLUMNS", "1"), ("COLUMNS", "x"), ("HOME", None),
            ("HOME", "/nowhere"), ("PYTHONIOENCODING", "ascii"), ("TZ", "nowhere"),
        ):  # fmt: skip
            yield Environment(f"{name} {key}={value}", command, {key: value}, statuses=either)
        for fd in (0, 1, 2):
            closed = _closed(fd)
            yield Environment(f"{name} fd {fd} closed", command, prepare=closed, statuses=either)
        for fd in (1, 2):
            full = _full(fd)
            yield Environment(f"{name} fd {fd} full", command, prepare=full, statuses=either)
        ended = (*either, 141, -13)
        yield Environment(f"{name} | head", command, stdout=_ended_pipe, statuses=ended)
        for what, most in (
            (resource.RLIMIT_NOFILE, 16), (resource.RLIMIT_NOFILE, 64),
            (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_FSIZE, 20_000),
            (resource.RLIMIT_STACK, 512_000),
        ):  # fmt: skip
            limited = _limit(what, most)
            named = f"{name} limit {what} of {most}"
            yield Environment(named, command, prepare=limited, statuses=either)
    for env in FOREIGN:
        for command in (RUN, ("services",), ("serve", "gunicorn-sync")):
            yield Environment(f"{command[0]} {env}", command, env, statuses=(2,))
    for name in FOLDERS:
        yield Environment(f"run TMPDIR={name!r}", RUN, below=name)
    for key, value in (("HOME", None), ("HOME", "/nowhere"), ("LC_ALL", "C"), ("PATH", "/nowhere")):
        yield Environment(f"run {key}={value}", RUN, {key: value})
    for env in LIBPQ:
        yield Environment(f"run {env}", RUN, env, statuses=(0,))
    for fd in (0, 1, 2):
        yield Environment(f"run fd {fd} closed", RUN, prepare=_closed(fd))
        if fd:
            yield Environment(f"run fd {fd} full", RUN, prepare=_full(fd))
    yield Environment("run | head", RUN, stdout=_ended_pipe, statuses=(0, 2, 141, -13))
    for what, most in (
        (resource.RLIMIT_NOFILE, 16), (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_FSIZE, 20_000),
        (resource.RLIMIT_FSIZE, 2_000_000), (resource.RLIMIT_STACK, 512_000),
        (resource.RLIMIT_NPROC, 12), (resource.RLIMIT_AS, 400_000_000),
    ):  # fmt: skip
        yield Environment(f"run limit {what} of {most}", RUN, prepare=_limit(what, most))
    yield Environment("run umask 077", RUN, prepare=_closed_to_others)
    yield Environment("run nohup", RUN, prepare=_ignoring, meanwhile=_hang_up, statuses=(0,))
    yield Environment("run deleted half-way", RUN, meanwhile=_delete)
    yield Environment("run moved half-way", RUN, meanwhile=_move)
    yield Environment("run resumed beside itself", RUN, meanwhile=_resume_beside, statuses=(0,))


MIXED = 100

ENDED = (0, 1, 2, 141, -13)
"""How a command may end where several things are wrong at once."""


def mixed(chance: Random) -> Environment:
    """Return a command in several of these environments at once."""
    alone = {each.name.partition(" ")[2]: each for each in environments() if each.meanwhile is None}
    of = [alone[name] for name in chance.sample(sorted(alone), chance.choice((2, 2, 3)))]
    command = chance.choice((REPORT, PLAN, LIST, HELP, RUN, RUN))

    def prepare() -> None:
        for each in of:
            if each.prepare:
                each.prepare()

    return Environment(
        f"{command[0]} " + " + ".join(each.name.partition(" ")[2] for each in of),
        command,
        {name: value for each in of for name, value in each.env.items()},
        next((each.below for each in of if each.below), ""),
        prepare if any(each.prepare for each in of) else None,
        next((each.stdout for each in of if each.stdout), None),
        statuses=ENDED,
    )


def groups(seed: int) -> dict[str, list[Environment]]:
    """Return all of them by the command that they are of, and mixtures of them."""
    commands: dict[str, list[Environment]] = {}
    for each in environments():
        commands.setdefault(each.arguments[0], []).append(each)
    chances = (Random(f"{seed} mixed {number}") for number in range(MIXED))
    return commands | {"mixed": list(map(mixed, chances))}


def attack(
    name: str,
    chosen: Sequence[Environment],
    seed: int,
    numbers: Sequence[int],
    jobs: int = 1,
    user: processes.User | None = None,
) -> Tally:
    """Try those environments of a group that have these numbers, `jobs` beside each other.

    `seed` is of the mixed ones.
    """

    def check(number: int) -> str | None:
        processes.become(user)
        with tempfile.TemporaryDirectory(prefix="attack-") as folder:
            filled = processes.files(Path(folder) / "files")
            Path(filled["matrix"]).write_text(TINY)
            return tried(chosen[number], filled)

    faults = isolated.faults(check, numbers, jobs, limited=False)
    part = "user" if user else "environments"
    again = f"{part} --only 'environments {name}' --seed {seed} --number"
    return Tally(
        f"environments {name}",
        len(numbers),
        [(f"{again} {number}: {chosen[number].name}", why) for number, why in faults],
    )


def tried(environment: Environment, filled: Mapping[str, str]) -> str | None:
    """Return what was wrong with a command in an environment, None where nothing was."""
    stdout = environment.stdout() if environment.stdout else subprocess.DEVNULL
    process = Process(
        [word.format(**filled) for word in environment.arguments],
        env=environment.env,
        below=environment.below,
        prepare=environment.prepare,
        stdout=stdout,
    )
    try:
        if environment.stdout:
            os.close(stdout)
        if environment.meanwhile:
            environment.meanwhile(process, Path(filled["out"]))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.running.wait(2 * PATIENCE_S)
        status = process.running.poll()
        if environment.below:
            with contextlib.suppress(OSError):
                (process.tmp / environment.below).rmdir()  # ours, if nothing is left in it
        if left := process.left():
            return left
        assert status is not None
        err = process.stderr()
        if "hunter2" in err:
            return f"a password is told: {err[:300]}"
        if status not in environment.statuses:
            return f"status {status}: {err[-500:]}"
        # Who was ended by a pipe has nothing to say.
        return broken(status, err) if status >= 0 and status != 141 else None
    except AssertionError as error:
        return str(error)
    finally:
        process.close()
