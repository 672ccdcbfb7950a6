"""Folders and files that are well: what mutations begin with."""

from __future__ import annotations

import tempfile
from pathlib import Path

import builders
import client_facts
import msgspec
from paths import DATA

from loadtest.plan.servers import answers, own
from loadtest.records import run_folder
from loadtest.records.measured import (
    Afterwards,
    Begun,
    Ceiling,
    During,
    Histogram,
    Host,
    Launch,
    Left,
    Outcome,
    Segment,
    Sent,
    Site,
    Verified,
    Work,
)
from loadtest.records.planned import Cell, Goal, Load, Shape
from loadtest.records.run_folder import ClientsRun, Writer

ROUNDS = 3
SENT_S = 0.9
"""Of a load at a rate of a second, from its first slot on."""
RATED = msgspec.structs.replace(builders.LOAD, rate=200.0, connections=100)
SEARCHED = msgspec.structs.replace(builders.LOAD, within=Goal(p99_us=100_000))
STEPPED = msgspec.structs.replace(builders.LOAD, steps=(0.5, 0.9))
LATENCIES = ((0.91, 0.3), (0.96, 0.25), (1.02, 0.2), (1.07, 0.15), (1.18, 0.08), (1.5, 0.02))
"""Times the mean one, each with the share of the answers that took so long."""
CPU_S = {"alpha": 0.50, "beta": 0.62, "alpha-again": 0.51}


def servers_folder(parent: Path, name: str, *, site: bool = False) -> Path:
    """Write a small run of servers in which every kind of fact stands; return its folder.

    It is of somebody's `site`, or of this repository's app.
    """
    share = {"share": 0.25} if site else {}
    servers = [
        builders.server("alpha"),
        builders.server("beta", interface="asgi", unsupported={"async": "no event loop"}),
        builders.server("alpha-again", duplicate_of="alpha"),
    ]
    endpoints = [
        builders.endpoint("json", **share),
        builders.endpoint("wait", kind="waiting", delay_s=0.5, **share),
    ]
    plan = builders.plan(servers, endpoints, rounds=ROUNDS, reference="alpha", precision=0.05)
    cells = tuple(
        Cell(server=server.name, endpoint=endpoint, load=load)
        for endpoint, load in (
            (endpoints[0], RATED),
            (builders.endpoint("search", **share), SEARCHED),
            (builders.endpoint("steps", **share), STEPPED),
        )
        for server in servers
    )
    plan = msgspec.structs.replace(plan, cells=(*plan.cells, *cells))
    if site:
        varied = msgspec.structs.replace(
            servers[1], profile="beta", shape=Shape(workers=4, threads=1), variant="pooled"
        )
        plan = msgspec.structs.replace(
            plan, mix="stated", today="beta", servers=(servers[0], varied, servers[2])
        )
    of_site = Site(driver="python", blocks="a middleware") if site else None
    argv = {"alpha": ("alpha", "8000")}
    run = builders.run(plan, format=run_folder.FORMAT, argv=argv, site=of_site)
    folder = run_folder.create(parent / name, run)
    writer = Writer(folder)
    writer.append(Begun(started_at=1_795_984_641.7))
    writer.append(Ceiling(body_bytes=30, connections=8, goodput=32_550.4, generator_cpu_us=10.7))
    for round_ in range(ROUNDS):
        for at, cell in enumerate(plan.cells):
            if (at, round_) == (len(endpoints) * len(servers) - 1, ROUNDS - 1):
                writer.append(_failed(cell.id, round_))
                continue
            stem = f"raw/{cell.id}.r{round_}"
            (folder / f"{stem}.txt").write_text("Requests/sec: 1000.00\n")
            load = cell.load
            if load.explores and round_:  # after a closed loop
                load = msgspec.structs.replace(load, rate=400.0 + 100 * round_)
            histogram = _latencies(cell.endpoint.contract.delay_s, load, at + round_)
            (folder / f"{stem}.json").write_bytes(msgspec.json.encode(histogram))
            writer.append(_outcome(cell, load, round_, stem, sum(histogram.counts)))
        writer.append(
            Launch(
                server="alpha",
                round=round_,
                launch_s=0.4,
                memory_launched_bytes=90_000_000,
                memory_bytes=100_000_000,
            )
        )
    left = Left(connections=0, threads=0, memory_bytes=-4_096)
    work = Work(answers=1_000, postgres=3_000)
    writer.append(Afterwards(cell=plan.cells[0].id, round=0, work=work, left=left))
    writer.append(Segment(started_at=1_795_984_641.7, wall_s=60.0))
    writer.close()
    return folder


def _failed(cell: str, round_: int) -> Outcome:
    return builders.outcome(
        cell, round_, status="failed", stage="launch", reason="it exited", detail="a\nb"
    )


def _latencies(delay_s: float, load: Load, noise: int) -> Histogram:
    """Return latencies as a load of a second or so has them: what they say agrees."""
    if load.rate:
        answers, mean_us = round(SENT_S * load.rate), 2_000.0
    elif delay_s:
        answers, mean_us = round(load.connections * load.duration_s / delay_s), 1e6 * delay_s
        return Histogram(values_us=(round(1.01 * mean_us),), counts=(answers,))
    else:
        answers = 1_000 + noise
        mean_us = 1e6 * load.connections * load.duration_s / answers
    counts = [int(share * answers) for _, share in LATENCIES]
    counts[0] += answers - sum(counts)
    return Histogram(
        values_us=tuple(round(factor * mean_us) for factor, _ in LATENCIES), counts=tuple(counts)
    )


def _outcome(cell: Cell, load: Load, round_: int, stem: str, answers: int) -> Outcome:
    late = Histogram(values_us=(0, 1_000), counts=(answers - 5, 5))
    sent = Sent(window_us=round(1e6 * SENT_S), requests=answers, missed=1, late=late)
    return builders.outcome(
        cell.id,
        round_,
        tried=load if load.explores else None,
        started_at=1_795_984_650.0 + round_,
        launch_s=0.4,
        warmup_s=0.1,
        load_s=1.0,
        wall_s=1.6,
        raw=f"{stem}.txt",
        histogram=f"{stem}.json",
        verified=Verified(before=8, after=1, wire_bytes=300),
        usage={
            "server": builders.usage(CPU_S[cell.server] + 0.01 * round_, each_cpu_s=(0.3, 0.2)),
            "generator": builders.usage(0.1, processes=1),
        },
        during=During(checked=5, broken=None),
        work=Work(answers=answers, postgres=answers, redis=None),
        host=Host(
            window_s=1.0,
            processors=2,
            busy_cpu_s=1.2,
            other_cpu_s=0.01,
            steal_cpu_s=0.0,
            throttled_s=None,
        ),
        loaded=builders.loaded(
            answers,
            received_bytes=300 * answers,
            timeout_s=7.0,
            windows=10,
            silent_windows=0,
            sent=sent if load.rate else None,
        ),
    )


def clients_folder(parent: Path, name: str) -> Path:
    """Write the sample run of HTTP clients; return its folder."""
    sample: ClientsRun = client_facts.sample()
    run = msgspec.structs.replace(sample.run, format=run_folder.FORMAT)
    folder = run_folder.create(parent / name, run)
    writer = Writer(folder)
    writer.append(Begun(started_at=1_795_984_641.7))
    for fact in (*sample.ceilings, *sample.outcomes):
        writer.append(fact)
    writer.append(Segment(started_at=1_795_984_641.7, wall_s=60.0))
    writer.close()
    return folder


def wrk_report() -> bytes:
    """Return the beginning of a report of others: a few blocks of wrk's text."""
    text = (DATA / "wrk-reports" / "django_workers.md").read_text(encoding="utf-8")
    return "\n".join(text.splitlines()[:120]).encode()


def reports() -> list[bytes]:
    """Return reports of others, of every tool whose text is read."""
    field = [path.read_bytes() for path in sorted((DATA / "field").iterdir())]
    return [wrk_report(), *field]


def wrk_line() -> bytes:
    """Return what `wrk.lua` prints."""
    late = Histogram(values_us=(0, 1_000), counts=(995, 5))
    sent = Sent(window_us=900_000, requests=1_000, missed=0, late=late)
    fields = msgspec.structs.asdict(builders.loaded(1_000, windows=10, silent_windows=0, sent=sent))
    for unsaid in ("generator", "timeout_s", "text_latency"):
        del fields[unsaid]
    first = {"duration_us": fields.pop("duration_us")}
    latencies = msgspec.structs.asdict(_latencies(0.0, builders.LOAD, 0))
    return msgspec.json.encode(first | fields | latencies)


OWN = """
format = 1
shapes = ["2x1", "2x4"]
[project]
python = ".venv/bin/python"
settings = "shop.settings"
wsgi = "shop.wsgi:application"
path = [".", "src"]
reference = "gunicorn-gthread"
reference_shape = "2x4"
[env]
CURRENCY = "EUR"
KEY = "{random}"
URL = "{postgres.url}"
[database]
kind = "postgres"
redis = true
[prepare]
commands = ["migrate --noinput"]
seed = "seed.py"
[request]
headers = { X-Forwarded-Proto = "https" }
[allow]
connect = ["localhost:9200"]
[values]
number = "1..20"
[variants.pooled]
summary = "Kept connections."
env = { CURRENCY = "USD" }
settings = { CACHE_SECONDS = 60, DATABASES = { default = { CONN_MAX_AGE = 60 } } }
without = ["shop.middleware.Slow"]
requires = ["psycopg-pool"]
unsupported = { asgi = "threads without end" }
[[endpoint]]
name = "home"
path = "/?page=2"
as = "alice"
style = "sync"
kind = "pages"
summary = "The first page."
share = 0.2
writes = false
headers = { Accept-Language = "de" }
[endpoint.answer]
status = 200
has = ["Your orders"]
lacks = ["Log in"]
[[endpoint]]
name = "prices"
path = "/prices/{number}.json"
[[endpoint]]
name = "order"
path = "/orders/"
method = "POST"
writes = true
json = { of = "{key}", count = 2 }
values = { key = "shop.Product.pk" }
"""
"""The file of a project of somebody's own, with all that it may hold."""

PAGES = (b'{"id": 1, "token": "abc", "of": [1, 2]}', b'{"id": 1, "token": "def", "of": [2, 1]}')
"""Two answers of the same endpoint."""


def recorded() -> bytes:
    """Return what was recorded of that project's endpoints, each by another level."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / own.FILE).write_text(OWN)
        file = own.read(Path(name))
    bodies = (
        answers.strictest(PAGES, "application/json"),
        answers.strictest([b"a word and 1", b"a word and 2"], "text/plain"),
        answers.strictest([b"<p>1 minute ago</p>", b"<p>2 minutes ago</p>"], "text/html"),
    )
    fixed = {
        asked.name: own.Fixed(
            asked=asked,
            contract=msgspec.structs.replace(
                own.expected(asked), content_type="application/json", body=body
            ),
            accepts=("the answer to somebody who is not logged in",),
        )
        for asked, body in zip(file.endpoint, bodies, strict=True)
    }
    return msgspec.json.encode(own.Recorded(format=1, endpoints=fixed))
