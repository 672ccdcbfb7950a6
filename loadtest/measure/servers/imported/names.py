"""What a report's headings and URLs name: servers, endpoints, and the load of each block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, count
from typing import Any, get_args
from urllib.parse import urlsplit

from loadtest.measure.servers.imported.blocks import Block, Note
from loadtest.records.planned import Contract, Endpoint, Interface, Load, Record, Server, Style

_NAME_BYTES = 60


class Target(Record, frozen=True, kw_only=True):
    """What a block loaded, and how: blocks with the same are rounds of it."""

    path: str
    style: Style
    load: Load


def target_of(block: Block, notes: list[Note]) -> Target | None:
    """Return what a block loaded; None, with a note, where that cannot be told."""
    problem = None if block.under.server else "no `## server` heading above it"
    try:
        url = urlsplit(block.wrk.url)
    except ValueError:
        url, problem = urlsplit(""), "its URL cannot be read"
    headed = block.under.style
    in_path = [part for part in url.path.split("/") if part in ("sync", "async")]
    style = in_path[-1] if in_path else headed
    if not problem and style is None:
        problem = "neither its URL nor a heading says sync or async"
    if problem:
        notes.append(Note(line=block.line, text=f"{problem}; this block is not imported"))
        return None
    if headed and headed != style:
        text = f"its heading says {headed}, its URL {style}: taken as {style}"
        notes.append(Note(line=block.line, text=text))
    load = Load(connections=block.wrk.connections, duration_s=block.wrk.declared_s, warmup_s=0.0)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Target(path=path, style="sync" if style == "sync" else "async", load=load)


def servers_of(blocks: Sequence[Block], notes: list[Note]) -> dict[str, Server]:
    """Return a server for each heading above a block, by `key`.

    The word WSGI or ASGI is no part of its name, but where it alone tells two servers apart.
    """
    first = {key(block.under.server): block for block in reversed(blocks)}
    shorts = Counter(_short(block.under.server) for block in first.values())
    servers: dict[str, Server] = {}
    for block in sorted(first.values(), key=lambda block: block.line):
        heading = block.under.server
        interfaces = _interfaces(heading)
        if len(interfaces) != 1:
            why = "the heading doesn't say WSGI or ASGI: the interface is unknown"
            notes.append(Note(line=block.under.server_line, text=why))
        short = _short(heading)
        name = f"{short}-{interfaces[0]}" if interfaces and shorts[short] > 1 else short
        servers[key(heading)] = Server(
            name=_free((name,), {server.name for server in servers.values()}),
            summary=heading,
            interface=interfaces[0] if len(interfaces) == 1 else None,
            requires=(),
            argv=(),
            # The most that it can be: how many it really works on at once, the report doesn't say.
            in_flight="connections",
        )
    return servers


def _interfaces(heading: str) -> list[Interface]:
    words = re.findall(r"\w+", heading.casefold())
    return [interface for interface in get_args(Interface) if interface in words]


def _short(heading: str) -> str:
    name = slug(re.sub(r"\b[wa]sgi\b", " ", heading.casefold()))
    return name or slug(heading) or "server"


def endpoints_of(targets: Sequence[tuple[Block, Target]]) -> dict[Target, Endpoint]:
    """Return an endpoint for each target; the same path under another load is another one."""
    titles: dict[Target, Counter[str]] = {}
    for block, target in targets:
        counted = titles.setdefault(target, Counter())
        if block.under.title:
            counted[block.under.title] += 1
    unsaid: dict[str, Any] = dict.fromkeys(Contract.__struct_fields__)
    endpoints: dict[Target, Endpoint] = {}
    for target, counted in titles.items():
        base = _endpoint_name(target)
        load = f"{base}-c{target.load.connections}"
        same_path = any((e.path, e.style) == (target.path, target.style) for e in endpoints)
        taken = {e.name for e in endpoints.values() if e.style == target.style}
        name = _free((load, f"{load}-{target.load.duration_s:g}s") if same_path else (base,), taken)
        delay = re.fullmatch(r"gateway_(\d{1,6}(?:\.\d{1,6})?)s", base, re.ASCII)
        title = counted.most_common(1)[0][0] if counted else name
        endpoints[target] = Endpoint(
            name=name,
            style=target.style,
            path=target.path,
            title=title,
            kind="imported",
            summary=f"{title.rstrip('.')}.",
            isolated=False,
            note=f"The delay of {float(delay[1]):g} s is read from its name." if delay else None,
            unsupported={},
            contract=Contract(**unsaid | {"delay_s": float(delay[1]) if delay else 0.0}),
        )
    return endpoints


def _endpoint_name(target: Target) -> str:
    """Return what comes after the style in a path, or else all but the style."""
    before, _, after = f"{target.path}/".rpartition(f"/{target.style}/")
    return slug((after or before).strip("/")) or "root"


def _free(wanted: tuple[str, ...], taken: set[str]) -> str:
    """Return the first name that is not taken, numbered where all are."""

    names = chain(wanted, (f"{wanted[-1]}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def key(heading: str) -> str:
    """Return a heading without what doesn't tell it from another: letter case and spaces."""
    return " ".join(heading.casefold().split())


def slug(text: str) -> str:
    """Return text as a file's name may have it: letters, digits, `_` and `-`."""
    name = re.sub(r"\W+", "-", text.casefold()).encode()[:_NAME_BYTES]
    return name.decode(errors="ignore").strip("-_")
