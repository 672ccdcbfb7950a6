"""Local ports that ran short are found in the kernel's own table."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from builders import endpoint, plan

from loadtest.measure import preflight
from loadtest.measure.servers import preflight as servers
from loadtest.records.planned import Cell, Goal, Load
from loadtest.records.values import MOST_TRIED
from loadtest.system import local_ports, machine

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
ENDED = "   {n}: 010011AC:9C40 020011AC:1F40 06 00000000:00000000 03:0000176A 00000000 0 0 0 3 0\n"
OPEN = ENDED.replace(" 06 ", " 01 ")
ELSEWHERE = ENDED.replace("1F40", "1F41")


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(local_ports, "SETTINGS", tmp_path)
    monkeypatch.setattr(local_ports, "CONNECTIONS", tmp_path / "tcp")
    (tmp_path / "tcp_tw_reuse").write_text("2\n")
    (tmp_path / "ip_local_port_range").write_text("32768\t32867\n")
    monkeypatch.setattr(local_ports, "COUNTERS", tmp_path / "snmp")
    (tmp_path / "snmp").write_text("Ip: A\nIp: 1\nTcp: MaxConn ActiveOpens\nTcp: -1 1192\n")
    table(tmp_path, ended=50)
    return tmp_path


def table(folder: Path, ended: int) -> None:
    (folder / "tcp").write_text(HEAD + ENDED * ended + OPEN * 64 + ELSEWHERE * 64)


def test_a_load_needs_a_port_for_each_connection(system: Path) -> None:
    """It failed in the middle of a run: 65,535 connections were planned, and 28,232 ports are."""
    (system / "ip_local_port_range").write_text("10000 20000\n")
    assert local_ports.most() == 9_745
    assert preflight.ports(9_745, "--connections").advice is None
    check = preflight.ports(9_746, "a lower --rate")
    assert check.fatal
    assert check.advice == (
        "9,746 connections need a local port each and only 9,745 are available; widen"
        " net.ipv4.ip_local_port_range (`sysctl`) or ask for fewer with a lower --rate"
    )
    (system / "ip_local_port_range").unlink()  # another system
    assert local_ports.most() is None
    assert preflight.ports(60_000, "--connections").advice is None


@pytest.mark.parametrize(("files", "rate"), [(None, 19_490), (1_000, 2_000)])
def test_how_high_a_rate_can_be(
    system: Path, monkeypatch: pytest.MonkeyPatch, files: int | None, rate: int
) -> None:
    (system / "ip_local_port_range").write_text("10000 20000\n")
    monkeypatch.setattr(machine, "most_connections", lambda: files)
    assert f"connections for up to {rate:,} requests/s" in preflight.rates().state


LOOP = Load(connections=64, duration_s=2, warmup_s=0.1)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (LOOP, (64, "--connections")),
        (LOOP.at_rate(5_000.0, 1.0, 0.5, 400), (7_500, "a lower --rate")),
        (msgspec.structs.replace(LOOP, within=Goal(p99_us=1)), (MOST_TRIED, "a rate of your own")),
        (msgspec.structs.replace(LOOP, steps=(1.0,)), (MOST_TRIED, "a rate of your own")),
    ],
)
def test_a_run_needs_the_connections_of_its_highest_rate(
    load: Load, expected: tuple[int, str]
) -> None:
    cells = tuple(
        Cell(server="alpha", endpoint=endpoint(f"json{number}"), load=each)
        for number, each in enumerate([LOOP, load])
    )
    connections, option = servers._connections(plan(cells=cells))
    assert connections == expected[0]
    assert option.startswith(expected[1])


def test_ports_that_ran_short() -> None:
    problem = local_ports.short("172.17.0.2", 8000, 64, 1000)
    assert problem is not None
    assert "connections to the server that have ended hold 50 of 100" in problem


def test_a_load_that_kept_its_connections_did_not_need_them() -> None:
    assert local_ports.short("172.17.0.2", 8000, 64, 1001) is None


def test_a_load_before_which_the_system_did_not_tell() -> None:
    assert local_ports.short("172.17.0.2", 8000, 64, None) is None


def test_ports_that_did_not(system: Path) -> None:
    table(system, ended=47)
    assert local_ports.short("172.17.0.2", 8000, 64, 1000) is None


@pytest.mark.parametrize("reuse", ["1", "2"])
def test_the_loopback_has_them_back_at_once(system: Path, reuse: str) -> None:
    (system / "tcp").write_text(HEAD + ENDED.replace("020011AC", "0100007F") * 50)
    (system / "tcp_tw_reuse").write_text(reuse)
    assert local_ports.short("127.0.0.1", 8000, 64, 1000) is None
    (system / "tcp_tw_reuse").write_text("0")
    assert local_ports.short("127.0.0.1", 8000, 64, 1000) is not None


def test_a_system_that_gives_them_to_the_next(system: Path) -> None:
    assert "sysctl net.ipv4.tcp_tw_reuse=1" in str(preflight.local_ports().advice)
    (system / "tcp_tw_reuse").write_text("1\n")
    assert local_ports.short("172.17.0.2", 8000, 64, 1000) is None
    assert preflight.local_ports().advice is None


def test_a_system_that_does_not_tell(system: Path) -> None:
    (system / "snmp").unlink()
    assert local_ports.begun() is None
    assert local_ports.short("172.17.0.2", 8000, 64, 1000) is None
    (system / "tcp_tw_reuse").unlink()
    assert local_ports.short("172.17.0.2", 8000, 64, 1000) is None
    assert preflight.local_ports().advice is None
