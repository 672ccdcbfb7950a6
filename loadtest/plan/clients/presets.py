"""Rows as data: files in `presets/` and what a person types, expanded into a plan.

A block of rows is a matrix: every combination of its lists is a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import asdict, replace

from loadtest.plan import toml_file
from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.environments import Place
from loadtest.records.clients import MEASURES, Answer, Group, Http, Measure, Mode, Plan, Reuse, Row
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Record

PRESETS = Path(__file__).parent / "presets"
DEFAULT = "default"
Count = Annotated[int, Meta(ge=1)]
LABEL = "{client}"

OF_ROW = ("client", "reuse", "mode", "requests", "batch", "chunk")
"""What a row has as its block does; the rest is of its answer."""

DUPLICATE = " (again)"
"""Behind the id of the row that is measured once more, to show the run's noise."""


class Block(Record, frozen=True, kw_only=True):
    """Rows that differ in what has several values here."""

    label: str = LABEL
    """What a row is called, with its settings as placeholders: `{client} --batch {batch}`."""
    client: tuple[str, ...]
    reuse: tuple[Reuse, ...] = ("kept",)
    mode: tuple[Mode, ...] = ("sequential",)
    requests: tuple[Count, ...]
    batch: tuple[Count, ...] = (1,)
    chunk: tuple[Count, ...] = ()
    """None given: all are started together."""
    body_bytes: tuple[Annotated[int, Meta(ge=0)] | None, ...] = (1024,)
    """None only where a server of the user's own answers."""
    delay_ms: tuple[Annotated[float, Meta(ge=0)], ...] = (0,)
    keep_alive: tuple[bool, ...] = (True,)
    tls: tuple[bool, ...] = (False,)
    http: tuple[Http, ...] = ("1.1",)


class Table(Record, frozen=True, kw_only=True):
    """A group of rows as a preset has it; its first row is what the others are compared with."""

    name: str
    title: str
    about: str
    measures: tuple[Measure, ...] = MEASURES
    rows: tuple[Block, ...]


class Preset(Record, frozen=True, kw_only=True):
    """One file in `presets/`, or what was typed."""

    name: str
    title: str
    rounds: Count
    warmup_requests: Annotated[int, Meta(ge=0)]
    timeout_s: float = 10.0
    group: tuple[Table, ...]

    @property
    def clients(self) -> set[str]:
        """The names of the clients in its rows."""
        return {name for table in self.group for block in table.rows for name in block.client}


def names() -> tuple[str, ...]:
    """Return the names of all presets."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.toml")))


def read(name: str) -> Preset:
    """Return a preset; raises UserError for an unknown one."""
    if name not in names():
        raise UserError(unknown("preset", name, names()))
    return toml_file.read(PRESETS / f"{name}.toml", Preset, name=name)


def plan(
    preset: Preset,
    clients: Mapping[str, Client],
    pythons: Sequence[tuple[str, Place]],
    *,
    seed: int,
    url: str | None = None,
) -> Plan:
    """Return the plan of a preset; raises UserError for each mistake in it.

    `pythons` are what each is called in a label, and what it has for each lock file.
    """
    mistakes: list[str] = []
    groups, rows = [], []
    for table in preset.group:
        of_table = [
            _row(table, settings, label, clients, place)
            for settings in _settings(table, clients, mistakes)
            for label, place in pythons
        ]
        if mistakes or not of_table:
            continue
        mistakes += _twice(of_table)
        reference = next((row for row in of_table if row.skip is None), None)
        if reference is not None:
            id_ = reference.id
            of_table.append(replace(reference, id=id_ + DUPLICATE, duplicate_of=id_))
        groups.append(
            Group(
                name=table.name,
                title=table.title,
                about=table.about,
                measures=table.measures,
                reference=None if reference is None else reference.id,
            )
        )
        rows += of_table
    if mistakes:
        raise UserError(*dict.fromkeys(mistakes))
    return Plan(
        preset=preset.name,
        title=preset.title,
        seed=seed,
        rounds=preset.rounds,
        warmup_requests=preset.warmup_requests,
        timeout_s=preset.timeout_s,
        url=url,
        groups=tuple(groups),
        rows=tuple(rows),
    )


def _settings(
    table: Table, clients: Mapping[str, Client], mistakes: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield what the combinations of each block are made of, noting what cannot be."""
    for block in table.rows:
        several = {**asdict(block), "chunk": block.chunk or (None,)}
        label = several.pop("label")
        for values in product(*several.values()):
            settings = dict(zip(several, values, strict=True))
            if settings["client"] not in clients:
                mistakes.append(unknown("client", settings["client"], clients))
            elif wrong := list(_wrong(settings, clients[settings["client"]])):
                mistakes += wrong
            else:
                yield {**settings, "label": label.format_map(settings)}


def _wrong(settings: Mapping[str, Any], client: Client) -> Iterator[str]:
    _, _, mode, requests, batch, chunk = (settings[key] for key in OF_ROW)
    if mode not in client.modes:
        yield (
            f"{client.name} is {client.kind} and cannot be driven by {mode};"
            f" it can by {', '.join(client.modes)}"
        )
    if batch > requests:
        yield (
            f"a batch of {batch} is more than {requests} requests:"
            f" ask for --batch {requests} or less, or for a larger --count"
        )
    if mode == "sequential" and batch > 1:
        yield f"sequential calls are one at a time: leave out --batch {batch}, or name a mode"
    if chunk is not None and mode in ("sequential", "threads-map"):
        yield f"{mode} has no chunks; leave out --chunk, or name another mode"
    if chunk is None and mode == "threads-recreate":
        yield f"{mode} makes its pool anew for each chunk, and there is none: add --chunk {batch}"
    if chunk is not None and chunk > requests:
        yield f"a chunk of {chunk} is more than {requests} requests; at most --chunk {requests}"
    if chunk is not None and chunk < batch:
        yield (
            f"of a chunk of {chunk} never {batch} are in flight:"
            f" ask for --batch {chunk}, or a larger --chunk"
        )
    if settings["http"] == "2" and not settings["tls"]:
        yield "HTTP/2 is spoken over TLS here; add --tls"


def _row(
    table: Table,
    settings: Mapping[str, Any],
    python: str,
    clients: Mapping[str, Client],
    place: Place,
) -> Row:
    client = clients[settings["client"]]
    environment = place[client.lock]
    label = settings["label"] + (f" ({python})" if python else "")
    skip = environment.missing.get(client.name)
    if settings["http"] not in client.http:
        others = {each.requires[0] for each in clients.values() if settings["http"] in each.http}
        able = (
            f"; {' and '.join(sorted(others))} {'do' if len(others) > 1 else 'does'}"
            if others
            else ""
        )
        skip = f"{client.title} does not speak HTTP/{settings['http']}{able}"
    delay_s = settings["delay_ms"] / 1000
    answer = {key: settings[key] for key in ("body_bytes", "keep_alive", "tls", "http")}
    return Row(
        id=f"{table.name}: {label}",
        label=label,
        group=table.name,
        answer=Answer(delay_s=delay_s, **answer),
        kind=client.kind,
        python=environment.key,
        skip=skip,
        **{key: settings[key] for key in OF_ROW},
    )


def _twice(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each row that another one of its group is as well."""
    labels: dict[str, Row] = {}
    same: dict[object, str] = {}
    for row in rows:
        what = replace(row, id="", label="")
        if row.label in labels:
            yield f"{row.group}: two rows are called {row.label!r}; give `label` what tells them"
        elif what in same:
            yield f"{row.group}: {row.label!r} and {same[what]!r} are the same row; leave out one"
        labels[row.label] = row
        same[what] = row.label
