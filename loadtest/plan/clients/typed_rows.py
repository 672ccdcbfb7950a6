"""What a person typed after `loadtest clients`, as a preset: a file's, or one made of the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from loadtest.plan.clients import presets
from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.presets import DEFAULT, Block, Preset, Table
from loadtest.records.clients import MODES, Http, Measure, Mode, Reuse
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Record

CHOICE = "choice"
REQUESTS = 500
BATCH = 10

FOR_MODE: Mapping[str, str] = {"threads": "requests", "async": "aiohttp"}
"""The client of a way of driving that was named without one, as in the third document."""


class Typed(Record, frozen=True, kw_only=True):
    """The words and the options; an empty one was not given."""

    words: tuple[str, ...] = ()
    """A preset alone, or clients and modes in any order."""
    requests: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()
    chunk: tuple[int, ...] = ()
    reuse: tuple[Reuse, ...] = ()
    body_bytes: tuple[int, ...] = ()
    delay_ms: tuple[float, ...] = ()
    keep_alive: tuple[bool, ...] = ()
    tls: tuple[bool, ...] = ()
    http: tuple[Http, ...] = ()
    measures: tuple[Measure, ...] = ()
    rounds: int | None = None
    warmup: int | None = None
    timeout_s: float | None = None


OPTIONS = {
    "requests": "--count",
    "batch": "--batch",
    "chunk": "--chunk",
    "reuse": "--reuse",
    "body_bytes": "--size",
    "delay_ms": "--delay",
    "keep_alive": "--no-keep-alive",
    "tls": "--tls",
    "http": "--http",
}
"""What is typed for each dimension of a row."""


def chosen(typed: Typed, clients: Mapping[str, Client]) -> Preset:
    """Return the preset that was named, or one made of what was typed; raises UserError."""
    dimensions = [option for key, option in OPTIONS.items() if getattr(typed, key)]
    named = [word for word in typed.words if word in presets.names()]
    if not typed.words and not dimensions:
        named = [DEFAULT]
    if not named:
        return _with(_preset(typed, clients), typed)
    if len(typed.words) > 1:
        raise UserError(f"{named[0]} is a preset, which stands alone; leave out the other words")
    if dimensions:
        raise UserError(
            f"{named[0]} is a preset and says itself what its rows are;"
            f" leave out {', '.join(dimensions)}, or name clients in its place"
        )
    return _with(presets.read(named[0]), typed)


def _with(preset: Preset, typed: Typed) -> Preset:
    """Return a preset with the settings that any of them takes."""
    given: dict[str, Any] = {
        "rounds": typed.rounds,
        "warmup_requests": typed.warmup,
        "timeout_s": typed.timeout_s,
    }
    if typed.measures:
        given["group"] = tuple(replace(table, measures=typed.measures) for table in preset.group)
    return replace(preset, **{key: value for key, value in given.items() if value is not None})


def _preset(typed: Typed, clients: Mapping[str, Client]) -> Preset:
    names, modes = _sorted(typed.words, clients)
    if not names:
        families = dict.fromkeys(mode.partition("-")[0] for mode in modes if "-" in mode)
        names = [FOR_MODE[family] for family in families] or list(clients)
    modes_of = {name: [mode for mode in modes if mode in clients[name].modes] for name in names}
    if len(names) == 1 and not modes_of[names[0]]:
        modes_of = {names[0]: modes}  # which the plan explains
    blocks = [
        _block(typed, clients[name], own, batch)
        for batch in typed.batch or typed.chunk or (None,)
        for name, own in modes_of.items()
        if own or not modes
    ]
    if lost := [mode for mode in modes if not any(mode in own for own in modes_of.values())]:
        able = [client.name for client in clients.values() if lost[0] in client.modes]
        raise UserError(
            f"{' and '.join(names)} cannot be driven by {lost[0]}; name {' or '.join(able)}"
        )
    title = _title(" ".join(typed.words) or "All clients", blocks)
    table = Table(name=CHOICE, title=title, about="As typed.", rows=tuple(blocks))
    return Preset(name=CHOICE, title=title, rounds=5, warmup_requests=50, group=(table,))


def _sorted(words: Iterable[str], clients: Mapping[str, Client]) -> tuple[list[str], list[Mode]]:
    """Tell clients from modes; `httpx` stands for all clients whose names begin so."""
    names: list[str] = []
    modes: list[Mode] = []
    for word in words:
        family = [name for name in clients if name == word or name.startswith(f"{word}_")]
        if word in MODES:
            modes.append(word)
        elif family:
            names += family
        else:
            known = {*clients, *MODES, *presets.names()}
            raise UserError(unknown("client, mode or preset", word, known))
    return list(dict.fromkeys(names)), list(dict.fromkeys(modes))


def _block(typed: Typed, client: Client, modes: list[Mode], batch: int | None) -> Block:
    """Return the rows of one client by these modes; by its usual one where none was named."""
    requests = typed.requests or (REQUESTS,)
    if batch is None:
        batch = 1 if modes == ["sequential"] else min(BATCH, *requests)
    usual: Mode = "threads-reuse" if client.kind == "sync" else "async-for"
    driven = modes or ["sequential" if batch == 1 else usual]
    dimensions = {key: value for key in OPTIONS if (value := getattr(typed, key))}
    settings = {**dimensions, "requests": requests, "batch": (batch,)}
    if typed.chunk and not typed.batch:
        settings["chunk"] = (batch,)
    return Block(label=_label(typed, modes), client=(client.name,), mode=tuple(driven), **settings)


def _title(words: str, blocks: Sequence[Block]) -> str:
    """Return what was typed and holds for all rows, as in `httpx, 500 requests, 10 at once`."""
    counts = {count for block in blocks for count in block.requests}
    batches = {batch for block in blocks for batch in block.batch}
    same = [f"{count:,} requests" for count in counts if len(counts) == 1]
    if len(batches) == 1:
        (batch,) = batches
        same.append(f"{batch:,} at once" if batch > 1 else "one after the other")
    return ", ".join([words, *same])


def _label(typed: Typed, modes: list[Mode]) -> str:
    """Return a template that names what differs between rows."""
    label = "{client}" + " by {mode}" * bool(modes) + ", {reuse}" * (len(typed.reuse) > 1)
    for key in ("requests", "batch", "chunk", "body_bytes", "delay_ms", "http"):
        if len(getattr(typed, key)) > 1:
            label += f" {OPTIONS[key]} {{{key}{':g' * (key == 'delay_ms')}}}"
    return label
