"""A preset as it is at a server of the user's own (`--url`), which answers in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

import msgspec

from loadtest.clientbench.job import Expected
from loadtest.clientbench.preset import Preset, Table


def elsewhere(
    asked: Preset, expected: Expected, *, all_tables: bool, say: Callable[[str], None]
) -> Preset:
    """Return the rows as they are at a server that answers so.

    Of a preset's tables only those are left whose titles are then true, unless `all_tables`.
    """
    tls = urlsplit(expected.url).scheme == "https"
    tables = asked.group if all_tables else tuple(true_of(asked.group, tls, say))
    group = tuple(
        msgspec.structs.replace(
            table,
            rows=tuple(
                msgspec.structs.replace(
                    block,
                    body_bytes=(expected.body_bytes,),
                    delay_ms=(0.0,),
                    keep_alive=(True,),
                    tls=(tls,),
                )
                for block in table.rows
            ),
        )
        for table in tables
    )
    return msgspec.structs.replace(asked, group=group)


def true_of(tables: Iterable[Table], tls: bool, say: Callable[[str], None]) -> Iterator[Table]:
    """Yield a preset's tables whose titles are true of a server that answers in its own way."""
    found = {table: {over for block in table.rows for over in block.tls} for table in tables}
    over_tls = tls and {True} in found.values()
    for table, asked in found.items():
        late = any(delay for block in table.rows for delay in block.delay_ms)
        if late or (True in asked) != over_tls:
            say(f"left out, as your server answers in its own way: {table.title}")
        else:
            yield table
