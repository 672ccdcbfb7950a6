"""A master and its agents over a network in memory: who takes part, and what becomes of a load."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import machine
from census import until
from net import net
from set_clock import set_clock

from benchmarks.open_loop import null_server
from loadtest.bench.load import wrk
from loadtest.bench.load.agents import agent as agent_module
from loadtest.bench.load.agents import master as master_module
from loadtest.bench.load.agents import signing
from loadtest.bench.load.agents.master import Master
from loadtest.bench.load.agents.shared import SharedLoad
from loadtest.records.errors import CellError
from loadtest.records.measured import Histogram
from loadtest.records.planned import Load
from loadtest.stats.latency import count, merge, pooled
from loadtest.system.clock import steady_us

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason=f"no wrk: {wrk.INSTALL}")

OTHER = signing.secret_of({signing.VARIABLE: "another of some length"})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody as long as in earnest."""
    monkeypatch.setattr(agent_module, "WELCOME_WITHIN_S", 1.0)
    monkeypatch.setattr(master_module, "BACK_WITHIN_S", 0.5)


def test_agents_join_and_are_told_when_the_run_is_over(tmp_path: Path) -> None:
    with net(tmp_path, 2) as network:
        network.agent("a")
        network.agent("b")
        members = network.master.await_all(30)
        records = [member.record for member in members]
        assert len({record.name for record in records}) == 2
        assert all(record.here for record in records)
        # On one machine there is one clock.
        assert all(abs(each.clock.offset_us) <= each.clock.within_us for each in records)
        assert sum(text.startswith("agent ") for text in network.notes) == 2
        network.master.close()
        until(lambda: len(network.why) == 2, "both to end")
    assert set(network.why.values()) == {"the run is over"}


def test_without_the_secret_nobody_takes_part_and_nobody_is_obeyed(tmp_path: Path) -> None:
    with net(tmp_path, 1) as network:
        network.agent("stranger", OTHER)
        until(lambda: "stranger" in network.why, "the stranger to give up")
        assert signing.VARIABLE in network.why["stranger"]
        assert network.master.places == []
        assert not [to for source, to, _ in network.wire.seen if source == "master"]
        network.agent("a")
        assert len(network.master.await_all(30)) == 1
    assert any("not signed" in text for text in network.notes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"version": "2"},
            "its loadtest is not that of this run (2 there, 1 here)",
        ),
        ({"machine": machine(versions={"wrk": "4.2.0"})}, "it has wrk 4.2.0"),
        ({}, "the run has its 1 agents"),
    ],
    ids=["version", "wrk", "full"],
)
def test_who_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with net(tmp_path, 1 if not changes else 2) as network:
        network.agent("a")
        until(lambda: network.master.places, "the first to join")
        network.agent("b", **changes)
        until(lambda: "b" in network.why, "the second to be refused")
        assert why in network.why["b"]
        assert len(network.master.places) == 1
        network.wire.carry("mallory", "master", "the last of all")
        until(lambda: "no message of ours" in network.notes[-1], "all to be read")
        assert not any("not signed" in text for text in network.notes)


def test_what_was_recorded_and_is_sent_again_changes_nothing(tmp_path: Path) -> None:
    with net(tmp_path, 1) as network:
        network.agent("a")
        network.master.await_all(30)
        before = list(network.master.places)
        sent = [text for source, _, text in network.wire.seen if source == "a"]
        for text in sent:
            network.wire.carry("mallory", "master", text)
            network.wire.carry("a", "master", text)
        until(lambda: network.wire.ends["master"].empty(), "all to be read")
        assert network.master.places == before
        assert network.master.await_all(5)


def test_hostile_bytes_end_in_one_line_each(tmp_path: Path) -> None:
    with net(tmp_path, 1) as network:
        for text in ("", "\x00", "{" * 10_000, "0" * 64 + " 1 {}", "\ud800"):
            network.wire.carry("mallory", "master", text)
        network.agent("a")
        assert network.master.await_all(30)
        for text in ("", "\x00", "{" * 10_000, "0" * 64 + " 1 {}"):
            network.wire.carry("master", "a", text)
        network.master.compare_clocks(network.master.places)
    assert all("\n" not in text for text in network.notes)


def load(connections: int = 4, **changes: Any) -> Load:
    return Load(**{"connections": connections, "duration_s": 1, "warmup_s": 0} | changes)


def test_a_wrk_whose_version_is_not_known_is_said_to_be_so(tmp_path: Path) -> None:
    with net(tmp_path, 1) as network:
        network.agent("a", machine=machine(versions={}))
        network.master.await_all(30)
        assert "wrk of an unknown version" in network.notes[-1]


@needs_wrk
@pytest.mark.real
def test_what_a_far_server_uses_is_sampled_before_its_load_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    (folder / "raw").mkdir(parents=True)
    far_us = 2_000_000
    monkeypatch.setattr(Master, "to_server_us", lambda _: far_us, raising=False)
    with null_server(tmp_path) as (_, port, _), net(tmp_path, 1) as network:
        network.agent("a")
        network.master.await_all(30)
        begun = SharedLoad(network.master, load(), f"http://127.0.0.1:{port}/", 0.0, folder, "x")
        assert begun._planned_us - steady_us() > far_us
        begun.stop()


@needs_wrk
@pytest.mark.real
@pytest.mark.parametrize("rate", [None, 200.0], ids=["closed", "at-rate"])
def test_a_load_that_two_made_is_the_sum_of_both(tmp_path: Path, rate: float | None) -> None:
    folder = tmp_path / "run"
    (folder / "raw").mkdir(parents=True)
    with null_server(tmp_path) as (_, port, log), net(tmp_path, 2) as network:
        network.agent("a")
        network.agent("b")
        network.master.await_all(30)
        asked = load(7, rate=rate)
        url = f"http://127.0.0.1:{port}/"
        printed = SharedLoad(network.master, asked, url, 0.0, folder, "x", 1).finish()
        came = len(log.read_text().split())
    parts = printed.parts
    assert [part.connections for part in parts] == [4, 3]
    assert printed.loaded.answers == sum(part.loaded.answers for part in parts)
    assert 0 <= came - printed.loaded.answers <= 7 + 2 * agent_module.network.TIMES
    # Both said when they began, and with one clock they began together.
    for part in parts:
        assert part.late_us is not None
        assert part.late_us >= -part.clock.within_us - 1
    stored = [
        msgspec.json.decode((folder / str(part.histogram)).read_bytes(), type=Histogram)
        for part in parts
    ]
    each = [
        pooled([(histogram, part.loaded)], part.connections)[0]
        for histogram, part in zip(stored, parts, strict=True)
    ]
    assert count(merge(each)) == printed.loaded.answers
    assert all((folder / part.raw).read_text().startswith("Running") for part in parts)
    if rate:
        sent = printed.loaded.sent
        assert sent is not None
        assert sent.rate == pytest.approx(rate, rel=0.1)


@needs_wrk
@pytest.mark.real
@pytest.mark.parametrize("message", ["order", "go"])
def test_a_clock_that_is_set_fails_the_load_and_not_the_next(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    (folder / "raw").mkdir(parents=True)

    def changed(source: str, target: str, text: str) -> list[str]:
        if f'{{"kind":"{message}"' in text:
            set_clock(monkeypatch, 0.5)
        return [text]

    with null_server(tmp_path) as (_, port, _), net(tmp_path, 1) as network:
        network.agent("a")
        network.master.await_all(30)
        url = f"http://127.0.0.1:{port}/"
        network.wire.changed = changed
        with pytest.raises(CellError, match=r"agent .*: the clock went ahead by 0.50 s"):
            SharedLoad(network.master, load(), url, 0.0, folder, "x").finish()
        (part,) = SharedLoad(network.master, load(), url, 0.0, folder, "x").finish().parts
        # Compared anew, by a machine that steers whose own clock is set as well.
        assert abs(part.clock.offset_us - 500_000) <= part.clock.within_us + 1


@needs_wrk
@pytest.mark.real
def test_an_agent_that_is_lost_fails_the_load_and_may_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_module, "LOST_AFTER_S", 2.0)
    monkeypatch.setattr(agent_module, "LOST_AFTER_S", 2.0)
    folder = tmp_path / "run"
    (folder / "raw").mkdir(parents=True)
    with null_server(tmp_path) as (_, port, _), net(tmp_path, 2) as network:
        network.agent("a")
        network.agent("b")
        network.master.await_all(30)
        url = f"http://127.0.0.1:{port}/"
        running = SharedLoad(network.master, load(duration_s=30), url, 0.0, folder, "x")
        network.end("b")
        with pytest.raises(CellError, match="nothing came from it for 2 s"):
            running.finish()
        with pytest.raises(CellError, match="1 of 2 agents are missing"):
            SharedLoad(network.master, load(), url, 0.0, folder, "x")
        network.agent("b2")
        network.master.await_all(30)
        printed = SharedLoad(network.master, load(), url, 0.0, folder, "x").finish()
        assert len(printed.parts) == 2


@needs_wrk
@pytest.mark.real
def test_a_master_that_is_gone_ends_what_its_agents_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "LOST_AFTER_S", 2.0)
    folder = tmp_path / "run"
    (folder / "raw").mkdir(parents=True)
    with null_server(tmp_path) as (_, port, _), net(tmp_path, 1) as network:
        started = network.agent("a")
        network.master.await_all(30)
        url = f"http://127.0.0.1:{port}/"
        SharedLoad(network.master, load(duration_s=30), url, 0.0, folder, "x")
        making = started._making
        assert making is not None
        generator = making.generator
        assert generator is not None
        assert generator.tree()
        network.wire.cut.add("master")
        until(lambda: "a" in network.why, "the agent to notice")
        assert "nothing came" in network.why["a"]
        assert not generator.tree()


@needs_wrk
@pytest.mark.real
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://8.8.8.8:80/", "neither this machine nor on a private network"),
        ("http://127.0.0.1:9/", "no way to 127.0.0.1:9"),
    ],
)
def test_an_agent_that_cannot_make_its_part_says_why(tmp_path: Path, url: str, why: str) -> None:
    (tmp_path / "raw").mkdir()
    with net(tmp_path, 1) as network:
        network.agent("a")
        network.master.await_all(30)
        with pytest.raises(CellError, match=why), contextlib.suppress(KeyError):
            SharedLoad(network.master, load(), url, 0.0, tmp_path, "x")
