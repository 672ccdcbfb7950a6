"""A load at a rate is the same whoever started the server: wrk gets its arguments, and the seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import endpoint

from loadtest.bench.load import wrk
from loadtest.bench.servers.compose.attached import _RunningServer
from loadtest.bench.servers.compose.bench import ComposeServer
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.records.measured import Placement
from loadtest.records.planned import Cell, Load

LOAD = Load(connections=100, duration_s=2, warmup_s=0.1, rate=200.0, arrivals="poisson")
CELL = Cell(server="alpha", endpoint=endpoint("json"), load=LOAD)


class StartedError(Exception):
    """The generator was to be started, which is as far as this goes."""


@pytest.mark.parametrize(
    ("kind", "more"),
    [(LoadedServer, {}), (ComposeServer, {"containers": dict}), (_RunningServer, {})],
    ids=["local", "compose", "running"],
)
def test_wrk_is_asked_for_the_rate(
    tmp_path: Path, kind: type[LoadedServer], more: dict[str, Any]
) -> None:
    argv: list[str] = []

    def start(
        load: Load,
        url: str,
        delay_s: float,
        folder: Path,
        name: str,
        placement: Placement | None,
        seed: int,
        requests: Sequence[bytes],
    ) -> None:
        argv.extend(wrk.argv(load, url, delay_s, seed))
        raise StartedError

    nothing: Any = None
    server = kind(
        launched=nothing,
        host="server",
        port=8000,
        launch_s=0.1,
        groups=dict,
        counters=nothing,
        folder=tmp_path,
        placement=None,
        generators=start,
        **more,
    )
    with pytest.raises(StartedError):
        server.load(CELL, "alpha.json-sync@200.r0", 7)
    assert argv[-5:] == ["http://server:8000/myapp/sync/json", "--", "200", "poisson", "7"]
    assert "-c100" in argv
    script = next(word for word in argv if word.startswith("--script="))
    assert Path(script.removeprefix("--script=")).is_file()
