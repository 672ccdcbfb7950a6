"""What tells blocks apart that have one server, path, style and load: what differs between them.

Only blocks between which nothing differs are rounds of each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import msgspec

from loadtest.measure.servers.imported.blocks import Note
from loadtest.measure.servers.imported.names import Placed, Target, server_key

ALIKE = 0.10
"""Of the bytes of a response: the same one may have another date or token in it."""

TOLD_BY: tuple[Callable[[Placed], str], ...] = (
    lambda place: place.host,
    lambda place: f"{place.block.reading.threads} threads" if place.block.reading.threads else "",
    lambda place: " ".join(place.block.reading.options),
)
"""Of where it went, by how many threads, and what else the command said."""


def told_apart(places: Sequence[Placed], notes: list[Note]) -> list[Placed]:
    """Return the blocks, each with what tells it from others as a part of its target.

    The words that tell the blocks of one server apart are those of the other servers' as well, so
    that what is alike stands in one table.
    """
    groups: dict[Target, dict[tuple[str, str], list[Placed]]] = {}
    for each in places:
        of = groups.setdefault(each.target, {})
        of.setdefault(server_key(each), []).append(each)
    variants: dict[int, tuple[str, ...]] = {}
    for by_server in groups.values():
        words: set[str] = set()
        for alike in by_server.values():
            for part, variant in _apart(alike):
                for each in part:
                    variants[id(each)] = variant
                words.update(variant)
        for each in (of[0] for of in by_server.values() if len(of) == 1):
            variants[id(each)] = tuple(word for word in each.words if word in words)
    told = []
    for each in places:
        variant = variants.get(id(each), ())
        if variant:
            text = f"told from others of {each.target.path} by {', '.join(variant)!r}"
            block = each.block
            notes.append(Note(line=block.line, text=text, file=block.file))
        target = msgspec.structs.replace(each.target, variant=variant)
        told.append(replace(each, target=target))
    return told


def _apart(alike: list[Placed]) -> Iterator[tuple[list[Placed], tuple[str, ...]]]:
    """Yield the parts of some blocks between which nothing differs, each with what is its own."""
    parts: list[tuple[list[Placed], tuple[str, ...]]] = [(alike, ())]
    for split in (_by_words, *map(_by, TOLD_BY), _by_size):
        parts = [
            (part, (*variant, *own)) for blocks, variant in parts for part, own in split(blocks)
        ]
    yield from parts


def _by(
    value: Callable[[Placed], str],
) -> Callable[[list[Placed]], Iterator[tuple[list[Placed], tuple[str, ...]]]]:
    def split(blocks: list[Placed]) -> Iterator[tuple[list[Placed], tuple[str, ...]]]:
        parts: dict[str, list[Placed]] = {}
        for each in blocks:
            parts.setdefault(value(each), []).append(each)
        for text, part in parts.items():
            yield part, (text,) if len(parts) > 1 and text else ()

    return split


def _by_words(blocks: list[Placed]) -> Iterator[tuple[list[Placed], tuple[str, ...]]]:
    """Yield the blocks by the words above them; those above all of them tell nothing."""
    common = Counter(word for each in blocks for word in {*each.words})
    parts: dict[tuple[str, ...], list[Placed]] = {}
    for each in blocks:
        own = tuple(word for word in each.words if common[word] < len(blocks))
        parts.setdefault(own, []).append(each)
    for own, part in parts.items():
        yield part, own


def _by_size(blocks: list[Placed]) -> Iterator[tuple[list[Placed], tuple[str, ...]]]:
    """Yield the blocks by how many bytes a response has, where all of them are right ones."""
    parts: list[tuple[float, list[Placed]]] = []
    for each in blocks:
        size = _size(each)
        for of, part in parts:
            if not size or not of or abs(size / of - 1) <= ALIKE:
                part.append(each)
                break
        else:
            parts.append((size, [each]))
    for size, part in parts:
        yield part, (f"{size:,.0f} bytes",) if len(parts) > 1 else ()


def _size(place: Placed) -> float:
    """Return the bytes of a response; 0 where errors may be among them, or few of them came."""
    loaded = place.block.reading.loaded
    if loaded is None or loaded.status_errors or loaded.answers < 100:
        return 0.0
    return loaded.received_bytes / loaded.answers
