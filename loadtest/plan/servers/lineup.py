"""Servers in several shapes and under variants of a project: each a server with its own name.

What a project runs on today, as it runs it, is among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import get_args

from msgspec.structs import asdict, replace

from loadtest.plan.servers.project import App, Variant
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import Choice, Server, Shape, Sizes, Style

AS_DEPLOYED = "as-deployed"
"""The project without a variant, as a choice calls it."""


def lineup(
    servers: Sequence[Server], shapes: Sequence[Sizes], app: App, choice: Choice
) -> tuple[Server, ...]:
    """Return each server in each of the shapes and under each variant that was chosen.

    What has no threads is no other server with more of them. What a project runs on today is among
    them whatever was chosen, as the base of all ratios. Names say what tells them apart: with one
    shape and no variant, they are those of the profiles. Raises UserError for an unknown variant.
    """
    variants = _chosen(app.variants, choice.variants)
    today = _today(shapes, app)
    several = len({size.typed for size in (*map(_shape, shapes), *today)}) > 1
    all_: list[Server] = []
    for server in servers:
        own = {_label(server, shape): shape for shape in reversed(list(map(_shape, shapes)))}
        only_today = {
            _label(server, shape): shape for shape in today if server.name == app.reference
        }
        rows = sorted((only_today | own).items(), key=lambda item: _order(item[1]))
        base = next(iter(only_today), rows[0][0]) if server.name == app.reference else None
        for label, shape in rows:
            chosen = variants if label in own else []
            for variant in dict.fromkeys([*([None] if label == base else []), *chosen]):
                name = "-".join(filter(None, [server.name, label if several else "", variant]))
                each = varied(server, shape if several else None, variant, app)
                all_.append(replace(each, name=name))
    return tuple(all_)


def varied(server: Server, shape: Shape | None, variant: str | None, app: App) -> Server:
    """Return a server in a shape of its own and under a variant, its name as it was.

    Raises KeyError where the project has no such variant.
    """
    if shape is None and variant is None:
        return server
    of = app.variants[variant] if variant else Variant()
    why = of.unsupported.get(server.interface) if server.interface else None
    return replace(
        server,
        summary=f"{server.summary} {of.summary}".strip(),
        requires=(*server.requires, *of.requires),
        unsupported=server.unsupported | (dict.fromkeys(get_args(Style), why) if why else {}),
        profile=server.name,
        shape=shape,
        variant=variant,
    )


def is_declared(
    server: Server, profiles: Mapping[str, Server], app: App, *, recycles: bool
) -> bool:
    """Say whether a server is what its profile and its variant say, but for what makes it a copy.

    How workers are replaced counts in a run that `recycles` them: an older one did not note it.
    """
    profile = profiles.get(server.profile or server.duplicate_of or server.name)
    if profile is None or not {server.variant} <= {None, *app.variants}:
        return False
    declared = varied(profile, server.shape, server.variant, app)
    keys = ("name", "summary", "duplicate_of", *(() if recycles else ("recycled",)))
    own = {key: getattr(server, key) for key in keys}
    return replace(declared, **own) == server


def reference(of: Sequence[Server], shape: Sizes, app: App) -> Server | None:
    """Return what a project runs on today, as it runs it; None where that is not known.

    `shape` is that of servers that have none of their own.
    """
    known = [
        server
        for server in of
        if app.reference
        and app.reference in (server.name, server.profile)
        and server.variant is None
    ]
    if not app.reference_shape:
        return next(iter(known), None)
    wanted = sized(shape, app.reference_shape)
    return next((s for s in known if _label(s, s.sized(_shape(shape))) == _label(s, wanted)), None)


def sized(shape: Sizes, typed: str) -> Shape:
    """Return a shape with workers and threads as they are typed: `2x4`."""
    workers, threads = map(int, typed.split("x"))
    return replace(_shape(shape), workers=workers, threads=threads)


def _shape(of: Sizes) -> Shape:
    return of if isinstance(of, Shape) else Shape(**asdict(of))


def _today(shapes: Sequence[Sizes], app: App) -> list[Shape]:
    """Return the shape that a project has today, in a list; empty where it is not known."""
    return [sized(shapes[0], app.reference_shape)] if app.reference_shape else []


def _label(server: Server, shape: Shape) -> str:
    """Return what of a shape makes another server of one: `2x4`, or `2` of what has no threads."""
    words = (*server.argv, *server.recycled, *server.env.values())
    threaded = any("threads}" in word for word in words)
    return shape.typed if threaded else str(shape.workers)


def _order(shape: Shape) -> tuple[int, int]:
    return shape.workers, shape.threads


def _chosen(variants: Mapping[str, Variant], globs: Sequence[str]) -> list[str | None]:
    """Return the variants that were chosen, all without a choice; None is the project as it is."""
    known = [AS_DEPLOYED, *variants]
    if wrong := [glob for glob in globs if not any(fnmatchcase(name, glob) for name in known)]:
        raise UserError(*(unknown("variant", glob, known) for glob in wrong))
    names = [name for name in known if any(fnmatchcase(name, glob) for glob in globs or ("*",))]
    return [None if name == AS_DEPLOYED else name for name in names]
