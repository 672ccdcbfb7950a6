"""Local ports that ran short are found in the kernel's own table."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.measure import preflight
from loadtest.system import local_ports

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
