"""The generator's ceiling: for each size, with as many connections as the loads have."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from builders import endpoint, plan, server

from loadtest.bench.load import ceiling
from loadtest.records.errors import CellError
from loadtest.records.measured import Ceiling
from loadtest.records.planned import Cell, Load


def cell(name: str, connections: int, body_bytes: int | None = 30, delay_s: float = 0.0) -> Cell:
    return Cell(
        server="alpha",
        endpoint=endpoint(name, body_bytes=body_bytes, delay_s=delay_s),
        load=Load(connections=connections, duration_s=1, warmup_s=0.1),
    )


def test_each_size_is_asked_with_the_connections_of_its_loads() -> None:
    cells = (
        cell("json", 64),
        cell("rows", 512, 900),
        cell("cached", 64, 900),
        cell("twice", 64, 900),
        cell("gateway", 500, 40, delay_s=1.0),
        cell("streamed", 64, None),
    )
    planned = plan([server()], cells=cells)
    assert ceiling.asked(planned) == {(64, 30), (64, 900), (512, 900)}


@pytest.mark.real
def test_it_is_measured_with_each(tmp_path: Path) -> None:
    for name in ("raw", "logs"):
        (tmp_path / name).mkdir()
    few, many = ceiling.ceilings({(32, 30), (4, 30)}, tmp_path, None)
    assert [(measured.connections, measured.body_bytes) for measured in (few, many)] == [
        (4, 30),
        (32, 30),
    ]
    assert min(few.goodput, many.goodput) > 1_000
    assert len(list((tmp_path / "raw").glob("null-server.*"))) >= 2


def test_an_earlier_run_measured_it_with_64() -> None:
    line = b'{"kind":"ceiling","body_bytes":30,"goodput":60000.0,"generator_cpu_us":7.0}'
    assert msgspec.json.decode(line, type=Ceiling).connections == 64


def test_root_in_a_group_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is run with `--user 0:12345678`."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.getegid", lambda: 12_345_678)
    with pytest.raises(CellError, match="group 12345678 has no name"):
        list(ceiling.ceilings({(4, 30)}, tmp_path, None))
