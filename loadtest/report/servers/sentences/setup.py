"""Says in words who started the servers, and which machine did what."""

from __future__ import annotations

from loadtest.records.measured import Engine, Run
from loadtest.report import units

RUNNING = (
    "The server was already running: it was not started afresh for each round, and what it used"
    " is not known."
)

PARTS = {"SERVER": "server", "DATABASES": "databases and upstream, each"}
"""What the settings of `.env` are about."""


def launched(run: Run) -> tuple[str, ...]:
    """Return sentences about who started the servers, on which machine and which processors.

    There are none for a report of others, which says nothing of it.
    """
    if run.source:
        return ()
    if run.launcher == "running":
        return (RUNNING,)
    if run.engine is None:
        return (f"Servers, services and load generator ran as processes here, {_placed(run)}.",)
    return tuple(_sentences(run, run.engine))


def _placed(run: Run) -> str:
    if run.placement is None:
        return "sharing all processors"
    parts = (
        ("the servers", run.placement.server),
        ("services", run.placement.services),
        ("generator", run.placement.generator),
    )
    on = (f"{part} on {', '.join(map(str, processors))}" for part, processors in parts)
    return f"each with processors of its own: {', '.join(on)}"


def _sentences(run: Run, engine: Engine) -> list[str]:
    images = ", ".join(f"{name} ({id_[7:19]})" for name, id_ in sorted(engine.images.items()))
    parts = "the servers, PostgreSQL, the cache and the upstream"
    if engine.remote:
        machine = f"{engine.system}, {units.plural(engine.processors, 'processor')}"
        machine += f", {units.size(engine.memory_bytes)} of memory, at {engine.address}"
        where = f"{parts} on {engine.name} ({machine}), the generator on the machine above"
    else:
        where = f"{parts}; the generator in none, all on the machine above"
    sentences = [
        f"In containers by Docker Compose, engine {engine.version}: {where}.",
        f"Images: {images}.",
    ]
    if limits := _limits(run, engine):
        sentences.append(f"Limits: {limits}.")
    return sentences


def _limits(run: Run, engine: Engine) -> str:
    limits = []
    for prefix, part in PARTS.items():
        cpus = engine.settings.get(f"{prefix}_CPUS", "")
        if run.placement:
            placed = run.placement.server if part == "server" else run.placement.services
            cpus = ",".join(map(str, placed))
        memory = engine.settings.get(f"{prefix}_MEMORY", "")
        words = [f"processors {cpus}" if cpus else "", f"{memory} of memory" if memory else ""]
        if stated := " and ".join(word for word in words if word):
            limits.append(f"{part} {stated}")
    return "; ".join(limits)
