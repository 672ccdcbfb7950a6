"""Finds the Docker engine and all that would keep a run from it, each in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from loadtest.bench.servers.compose import guard
from loadtest.plan import interpreters
from loadtest.plan.servers.inventory import Inventory, distributions
from loadtest.records.errors import UserError
from loadtest.records.measured import Engine
from loadtest.records.planned import Server
from loadtest.records.privacy import public
from loadtest.system.docker import FILE, Docker, reason_of, settings
from loadtest.system.process import CommandError

OLDEST = 25
"""The first engine that asks for health often while a container starts, and seldom after."""

BUILD_WITHIN_S = 1800.0

PULL_WITHIN_S = 600.0

NEEDED = {"CACHE", "CACHE_IMAGE", "PORT", "POSTGRES_IMAGE", "PUBLISH"}
"""Settings by which a run knows its servers and services."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

INSTALL = "install Docker Engine 25 or newer with its compose plugin, or leave out --launcher"

BUILT = "upstream"
"""The service whose image the servers have as well."""


def take_inventory(inventory: Inventory, out: Path, say: Callable[[str], None]) -> Inventory:
    """Return what there is to choose from in containers: the image's versions in place of ours.

    Takes down what runs in the results folder `out` left behind, and builds the image where the
    code has changed. Raises UserError with what stands in the way.
    """
    docker = Docker(inventory.project.folder, project_name())
    if not (docker.folder / FILE).exists():
        raise UserError(f"{docker.folder}: no {FILE} there; run from the project's folder")
    engine = reach(docker)
    chosen = _settings(docker.folder)
    problems = [*_unpublished(engine, chosen), *_without_profile(docker, inventory.servers)]
    if problems:
        raise UserError(*problems)
    sweep(docker, out)
    if "SERVER_IMAGE" not in os.environ:
        say("building the image of the servers, where something has changed")
        _build(docker)
    image = os.environ.get("SERVER_IMAGE", "loadtest-server")
    versions = _versions(docker, image, inventory) | _service_versions(docker, chosen)
    named = (image, chosen["POSTGRES_IMAGE"], chosen["CACHE_IMAGE"])
    id_of = ("image", "inspect", "--format", "{{.Id}}")
    images = {name: docker.docker(*id_of, name).strip() for name in named}
    engine = msgspec.structs.replace(engine, images=images, settings=chosen)
    return dataclasses.replace(inventory, versions=versions, launcher="compose", engine=engine)


def _settings(folder: Path) -> dict[str, str]:
    """Return the settings of the compose file; raises UserError where it lacks one of them."""
    chosen = settings(folder)
    if lacking := sorted(NEEDED - chosen.keys()):
        raise UserError(
            f"{folder / FILE}: it does not use ${{{lacking[0]}:-...}}, as loadtest's own file does;"
            " add that, or leave out --launcher"
        )
    return chosen


def project_name() -> str:
    """Return a name for a run's Compose project, which nobody has on any machine."""
    return f"{guard.NAME}{secrets.token_hex(6)}"


def reach(docker: Docker) -> Engine:
    """Return the engine that Docker's own settings point at; raises UserError."""
    if shutil.which("docker") is None:
        raise UserError(f"docker is missing; {INSTALL}")
    try:
        docker.docker("compose", "version")
    except CommandError:
        raise UserError(f"this docker has no working compose plugin; {INSTALL}") from None
    address = ""
    try:
        address = docker.docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        address = address.strip()
        facts = json.loads(docker.docker("info", "--format", "{{json .}}"))
    except CommandError as error:
        raise UserError(_refusal(error, address)) from None
    except ValueError:
        raise UserError("`docker info` prints what is not understood; look at it") from None
    if errors := facts.get("ServerErrors"):
        raise UserError(_refusal(CommandError(errors[0], errors[0]), address))
    version = facts["ServerVersion"]
    if not version.split(".")[0].isdecimal() or int(version.split(".")[0]) < OLDEST:
        raise UserError(f"the Docker engine is version {version} and has to be {OLDEST} or newer")
    return Engine(
        address=public(address),
        # The name of this machine is left out of results.
        name="this machine" if facts["Name"] == socket.gethostname() else facts["Name"],
        remote=host(address) not in LOOPBACK,
        version=version,
        system=f"{facts['OperatingSystem']}, Linux {facts['KernelVersion']}",
        processors=facts["NCPU"],
        memory_bytes=facts["MemTotal"],
    )


def host(address: str) -> str:
    """Return the machine that an engine's address names: this one for a socket."""
    parts = urlsplit(address)
    return (parts.hostname if parts.scheme in ("tcp", "ssh", "http", "https") else None) or (
        LOOPBACK[0]
    )


def _refusal(error: CommandError, address: str) -> str:
    why, where = reason_of(error), address or "its socket"
    if "permission denied" in why.lower():
        return (
            f"the Docker engine at {where} refuses you; join the group docker"
            " (`sudo usermod -aG docker $USER`, then log in again), or run as root"
        )
    if "did not end within" in error.reason:
        return f"the Docker engine at {where} does not answer; start it again, or set DOCKER_HOST"
    if "cannot connect" in why.lower() or "is the docker daemon running" in why.lower():
        return (
            f"no Docker engine at {where}; start it (`sudo systemctl start docker`),"
            " or point DOCKER_HOST at another"
        )
    return f"the Docker engine at {where} cannot be used: {why}; `docker info` says more"


def _unpublished(engine: Engine, chosen: Mapping[str, str]) -> list[str]:
    """Return why a server would not be reached at the published port, or could not be published."""
    if not chosen["PORT"].isdecimal() or not 0 < int(chosen["PORT"]) < 65_536:
        return [f"PORT={chosen['PORT']}: not a port; correct it in .env"]
    address, port = chosen["PUBLISH"], int(chosen["PORT"])
    if engine.remote:
        there = host(engine.address)
        if address in LOOPBACK:
            return [
                f"the engine is on {there} and would publish servers on its own loopback;"
                f" PUBLISH=<an address of {there}> opens them to whoever reaches that"
            ]
        return []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return [
                f"port {port} of {address} cannot be published: {(error.strerror or '').lower()};"
                f" end what listens there, or PORT={port + 1}"
            ]
    return []


def _without_profile(docker: Docker, servers: Sequence[Server]) -> list[str]:
    try:
        known = docker.compose("config", "--profiles").split()
    except CommandError as error:
        return [f"{FILE} cannot be used: {reason_of(error)}; `docker compose config` says more"]
    return [
        f"servers/{name}.toml has no profile in {FILE}; add"
        f" `{name}: {{<<: *server, profiles: [{name}], command: [{name}]}}`"
        for name in (server.name for server in servers)
        if name not in known
    ]


def _build(docker: Docker) -> None:
    try:
        docker.compose("build", "--quiet", BUILT, timeout_s=BUILD_WITHIN_S)
    except CommandError as error:
        raise UserError(
            f"the image cannot be built: {reason_of(error)};"
            f" `docker compose build {BUILT}` shows all of it"
        ) from None


def _versions(docker: Docker, image: str, inventory: Inventory) -> dict[str, str | None]:
    names = sorted(distributions(inventory.servers, inventory.project.app))
    try:
        printed = _run(docker, "python", image, "-c", interpreters.LOOK, *names)
        return interpreters.versions("its Python", printed, names)
    except CommandError as error:
        raise UserError(
            f"the image {image} cannot be used: {reason_of(error)}; `docker image inspect {image}`"
        ) from None


def _service_versions(docker: Docker, chosen: Mapping[str, str]) -> dict[str, str | None]:
    """Return what the services are; the first time this gets their images."""
    cache = chosen["CACHE"]
    asked = {
        "PostgreSQL": ("POSTGRES_IMAGE", "postgres"),
        cache.capitalize(): ("CACHE_IMAGE", f"{cache}-server"),
    }
    versions: dict[str, str | None] = {}
    problems: list[str] = []
    for name, (variable, program) in asked.items():
        try:
            text = _run(docker, program, chosen[variable], "--version")
        except CommandError as error:
            problems.append(
                f"the image {chosen[variable]} cannot be used: {reason_of(error)};"
                f" {variable} in .env names another"
            )
        else:
            number = re.search(r"\d+\.\d+[\d.]*", text)
            versions[name] = number[0] if number else None
    if problems:
        raise UserError(*problems)
    return versions


def _run(docker: Docker, program: str, image: str, *argv: str) -> str:
    """Return what a program of an image prints, in a container that is gone afterwards."""
    return docker.docker(
        *("run", "--rm", "--network", "none", "--entrypoint", program, image, *argv),
        timeout_s=PULL_WITHIN_S,
    )


def sweep(docker: Docker, out: Path) -> None:
    """Take down what earlier runs in a results folder left, because their engine was gone as well.

    A mark whose project this engine does not have may be another engine's, and stays.
    """
    label = '{{.Label "com.docker.compose.project"}}'
    there = docker.docker("network", "ls", "--format", label).split()
    for mark in guard.left_behind(out):
        project = dataclasses.replace(docker, project=mark.stem)
        if mark.stem in there and guard.take_down(project, 0.0) == 0:
            mark.unlink(missing_ok=True)
