"""Runs over several hosts, which are network namespaces here: `make test-machines`."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import census
import own_shop
import psutil
import pytest
from census import Census
from namespaces import Hosts, hosts, obstacle
from paths import ROOT

from loadtest.judge.servers.concerns.agents import TOGETHER_US, _spread_us
from loadtest.records.measured import Outcome
from loadtest.records.run_folder import SERVERS, read

ASKED = os.environ.get("LOADTEST_MACHINES")

PATIENCE_S = 600.0
"""Of a machine that may be busy: a run takes a minute where it is not."""

until = partial(census.until, patience_s=PATIENCE_S)


def why_not() -> str | None:
    if not ASKED:
        return "takes minutes: `make test-machines`"
    if importlib.util.find_spec("locust") is None:
        return "needs Locust: `make test-machines`"
    return "needs wrk" if shutil.which("wrk") is None else obstacle()


REASON = why_not()
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.usefixtures("no_addresses"),
]

MATRIX = """
summary = "The smallest that is real."
rounds = 1
servers = ["granian-wsgi", "gunicorn-gthread"]
endpoints = ["json"]
styles = ["sync"]
observe_release = false
[[loads]]
connections = 8
duration_s = 2
warmup_s = 0.1
"""
CELLS = 3


@dataclass
class Site:
    """Three hosts, and what runs on them."""

    hosts: Hosts
    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, at: int, name: str, *words: str, module: str = "loadtest", **env: str
    ) -> subprocess.Popen[bytes]:
        """Start `loadtest` or another module on a host; what it says goes to a file."""
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [*self.hosts.within(at), sys.executable, "-m", module, *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LOADTEST_SECRET": "of these tests and of nobody else", **env},
            )
        self.running.append(process)
        return process

    def agent(self, at: int) -> subprocess.Popen[bytes]:
        return self.start(at, f"agent-{at}", "agent", "--master", self.hosts.address(0))

    def serves(self, at: int, *more: str) -> subprocess.Popen[bytes]:
        words = ("agent", "--serves", "--master", self.hosts.address(0))
        return self.start(at, f"serves-{at}", *words, *more)

    def run(self, *words: str, **env: str) -> subprocess.Popen[bytes]:
        matrix = self.folder / "small.toml"
        matrix.write_text(MATRIX)
        out = ["--out", str(self.folder / "results"), "--listen", self.hosts.address(0)]
        asked = words or (str(matrix), "--agents", "2")
        return self.start(0, "run", "run", *asked, *out, **env)

    def said(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    @property
    def results(self) -> Path:
        (folder,) = (self.folder / "results").iterdir()
        return folder

    def outcomes(self) -> Sequence[Outcome]:
        return read(self.results, SERVERS).outcomes


@pytest.fixture
def site(tmp_path: Path, census: Census) -> Iterator[Site]:
    with hosts(3) as made:
        site = Site(made, tmp_path)
        try:
            yield site
        finally:
            for process in site.running:
                process.send_signal(signal.SIGTERM)
            for process in site.running:
                process.wait(PATIENCE_S)
    until(lambda: not census.alive(), f"all to end: {census.names()}")


def concerns(site: Site) -> set[str]:
    summary = json.loads((site.results / "summary.json").read_text())
    rows: list[dict[str, Any]] = [row for each in summary["rankings"] for row in each["rows"]]
    return {raised["concern"] for row in rows for raised in row["concerns"]}


@pytest.mark.parametrize("delay_ms", [0, 1, 10, 50])
def test_two_hosts_load_a_third(site: Site, delay_ms: int) -> None:
    if delay_ms:
        site.hosts.delay(delay_ms)
    site.agent(1)
    site.agent(2)
    assert site.run().wait(PATIENCE_S) == 0, site.said("run")
    stored = read(site.results, SERVERS)
    assert len(stored.run.agents) == 2
    assert all(agent.clock.within_us * 2 >= delay_ms * 1_000 for agent in stored.run.agents)
    assert len(stored.outcomes) >= CELLS
    apart: list[int] = []
    for outcome in stored.outcomes:
        assert (outcome.status, len(outcome.parts)) == ("measured", 2)
        assert [part.connections for part in outcome.parts] == [4, 4]
        assert all(part.late_us is not None for part in outcome.parts)
        # One clock, so what they say of each other is off by no more than they know.
        assert all(abs(part.clock.offset_us) <= part.clock.within_us for part in outcome.parts)
        apart.append(_spread_us(outcome.parts) or 0)
        # A veth's is a number that its kernel made up, as is a TUN's, which is passed over.
        assert {part.network.link_mbit for part in outcome.parts} == {None if delay_ms else 10_000}
        least_us = min(part.network.round_trips_us[0] for part in outcome.parts)
        assert least_us >= delay_ms * 1_000
        assert least_us < delay_ms * 1_000 + 10_000
    if delay_ms != 1:  # which may be most of what a fast server takes, or not
        assert ("mostly-network" in concerns(site)) == (delay_ms >= 10)
    # Where this machine has other things to do, they may not begin together.
    assert "not-together" not in concerns(site) or max(apart) > TOGETHER_US


@pytest.mark.parametrize("arrivals", ["even", "poisson"])
def test_two_hosts_keep_a_rate_together(site: Site, arrivals: str) -> None:
    site.agent(1)
    site.agent(2)
    words = (str(matrix(site, 4)), "--agents", "2", "--rate", "100", "--arrivals", arrivals)
    assert site.run(*words).wait(PATIENCE_S) == 0, site.said("run")
    for outcome in site.outcomes():
        assert outcome.loaded is not None
        for part in outcome.parts:
            assert part.loaded.sent is not None
            # Each has half of the slots, until its window ends; random ones within 7 deviations.
            due = 50 * part.loaded.sent.window_us / 1e6
            slots = sum(part.loaded.sent.late.counts)
            assert abs(slots - due) <= (2 if arrivals == "even" else 7 * due**0.5)
        assert outcome.loaded.answers == sum(part.loaded.answers for part in outcome.parts)


def test_two_hosts_load_a_server_that_somebody_started_on_another(site: Site) -> None:
    at = site.hosts.address(2)
    words = ("--interface", "wsgi", "--host", at, "--port", "8000", "myproject.wsgi:application")
    site.start(2, "server", *words, module="granian", ALLOWED_HOSTS="*", DJANGO_SECRET_KEY="a key")
    until(lambda: "Started worker" in site.said("server"), "the server")
    site.agent(1)
    site.start(0, "agent-0", "agent", "--master", site.hosts.address(0))
    asked = (*("--launcher", "running", "--server", "granian-wsgi"), "--agents", "2")
    run = site.run(str(matrix(site, 2)), *asked, TARGET_URL=f"http://{at}:8000")
    assert run.wait(PATIENCE_S) == 0, site.said("run")
    for outcome in site.outcomes():
        assert [part.connections for part in outcome.parts] == [4, 4]
    assert "network" in (site.results / "report.md").read_text()


def test_a_link_that_is_down_for_five_seconds_costs_a_cell_and_no_more(site: Site) -> None:
    site.agent(1)
    site.agent(2)
    run = site.run(str(matrix(site, 8)), "--agents", "2")
    until(lambda: loading(site, 2), "a load")
    site.hosts.link(2, "down")
    until(lambda: "is lost" in site.said("run"), "the run to notice")
    site.hosts.link(2, "up")
    failed = the_failed(site, run)
    assert failed.stage == "load"
    assert "nothing came from it" in str(failed.reason)
    again = site.run("--resume", str(site.results))
    assert again.wait(PATIENCE_S) == 0, site.said("run")


def test_an_agent_that_is_killed_and_comes_back(site: Site) -> None:
    site.agent(1)
    doomed = site.agent(2)
    run = site.run(str(matrix(site, 10)), "--agents", "2")
    until(lambda: loading(site, 2), "a load")
    for process in [psutil.Process(doomed.pid), *psutil.Process(doomed.pid).children()]:
        process.kill()
    until(lambda: not wrk_running(site, 2), "its wrk to end")
    site.agent(2)
    the_failed(site, run)
    assert "measured" in [each.status for each in site.outcomes()]


def test_an_agent_that_hangs_and_goes_on(site: Site) -> None:
    site.agent(1)
    hung = site.agent(2)
    run = site.run(str(matrix(site, 10)), "--agents", "2")
    until(lambda: loading(site, 2), "a load")
    hung.send_signal(signal.SIGSTOP)
    until(lambda: "is lost" in site.said("run"), "the run to notice")
    hung.send_signal(signal.SIGCONT)
    the_failed(site, run)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs `cc`")
@pytest.mark.parametrize("seconds", [5, -5])
def test_a_clock_that_is_set_costs_a_load_and_no_more(
    site: Site, seconds: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    set_ahead = site.hosts.clock(2, tmp_path_factory.mktemp("clock"))
    site.agent(1)
    site.agent(2)
    run = site.run(str(matrix(site, 4)), "--agents", "2")
    until(lambda: loading(site, 2), "a load")
    set_ahead(seconds)
    failed = the_failed(site, run)
    way = "ahead" if seconds > 0 else "back"
    assert f"the clock went {way} by 5.00 s" in str(failed.reason)
    assert len(measured(site)) == CELLS - 1
    *_, last = site.outcomes()
    assert sorted(abs(round(part.clock.offset_us / 1e6)) for part in last.parts) == [0, 5]


def test_a_lossy_link_is_measured_as_it_is(site: Site) -> None:
    site.hosts.delay(1, loss=0.02)
    site.agent(1)
    site.agent(2)
    assert site.run().wait(PATIENCE_S) == 0, site.said("run")
    assert all(len(each.parts) == 2 for each in site.outcomes())


def test_agents_may_come_late_and_one_more_is_refused(site: Site) -> None:
    run = site.run()
    until(lambda: "waiting for 2 agents" in site.said("run"), "the run to wait")
    site.agent(1)
    until(lambda: "takes part" in site.said("agent-1"), "the first")
    site.agent(2)
    until(lambda: loading(site, 2), "a load")
    site.start(1, "third", "agent", "--master", site.hosts.address(0))
    until(lambda: "the run has its 2 agents" in site.said("third"), "the third to be refused")
    assert run.wait(PATIENCE_S) == 0, site.said("run")


def test_a_run_that_is_killed_leaves_nothing_running_and_agents_that_wait(site: Site) -> None:
    site.agent(1)
    site.agent(2)
    run = site.run(str(matrix(site, 30)), "--agents", "2")
    until(lambda: loading(site, 2) and loading(site, 1), "a load")
    run.kill()
    until(lambda: not wrk_running(site, 1) and not wrk_running(site, 2), "wrk to end")
    again = site.run("--resume", str(site.results))
    until(lambda: wrk_running(site, 2), "the next load")
    again.send_signal(signal.SIGINT)
    assert again.wait(PATIENCE_S) == 130, site.said("run")


SERVED = ("--launcher", "agent", "--agents", "1")


def test_an_agent_serves_what_another_loads(site: Site) -> None:
    site.agent(1)
    site.serves(2)
    two = site.folder / "two.toml"
    two.write_text(MATRIX.replace('["json"]', '["json", "template_query"]', 1))
    assert site.run(str(two), *SERVED).wait(PATIENCE_S) == 0, site.said("run")
    stored = read(site.results, SERVERS)
    served_by = stored.run.served_by
    assert served_by is not None
    assert stored.run.machine.versions["gunicorn"] == served_by.machine.versions["gunicorn"]
    assert stored.run.machine.versions.keys() > {"wrk", "PostgreSQL"}
    for outcome in stored.outcomes:
        assert outcome.status == "measured", outcome.reason
        assert {"server", "postgres", "valkey", "generator"} <= outcome.usage.keys()
        assert outcome.usage["server"].cpu_s > 0
        assert outcome.usage["server"].rss_peak_bytes > 20_000_000
        assert outcome.host is not None
        assert [part.connections for part in outcome.parts] == [8]
    weighed = [launch.memory_bytes or 0 for launch in stored.launches]
    assert len(weighed) == CELLS
    assert min(weighed) > 20_000_000
    assert {each.work.postgres is not None for each in stored.afterwards if each.work} == {True}
    assert "others use" not in site.said("run")
    report = (site.results / "report.md").read_text()
    assert f"Servers and services ran as processes on {served_by.name}" in report
    until(lambda: not serving(site, 2), "servers and services to end")


def test_an_agent_serves_a_project_whose_pages_ask_for_a_login(site: Site) -> None:
    here = own_shop.recorded(site.folder / "here")
    there = shutil.copytree(here, site.folder / "there")
    site.agent(1)
    site.serves(2, "--project", str(there))
    asked = ("--project", str(here), "--server", "gunicorn-gthread", "--endpoint", "account")
    short = ("--rounds", "1", "--duration", "2", "--connections", "4")
    run = site.run("quick", *asked, *short, *SERVED)
    assert run.wait(PATIENCE_S) == 0, site.said("run")
    stored = read(site.results, SERVERS)
    assert stored.outcomes
    for outcome in stored.outcomes:
        assert outcome.status == "measured", outcome.reason
        assert outcome.loaded is not None
        assert (outcome.loaded.answers > 0, outcome.loaded.errors) == (True, 0)
        assert outcome.work is not None
        assert (outcome.work.statements or 0) >= outcome.work.answers
    kept = b"".join(path.read_bytes() for path in site.results.rglob("*") if path.is_file())
    assert b"sessionid=" not in kept
    assert str(there).encode() not in kept


def test_a_run_that_is_killed_ends_what_is_served_and_can_be_resumed(site: Site) -> None:
    site.agent(1)
    site.serves(2)
    run = site.run(str(matrix(site, 10)), *SERVED)
    until(lambda: loading(site, 1), "a load")
    assert serving(site, 2)
    run.kill()
    until(lambda: not serving(site, 2), "servers to end")
    again = site.run("--resume", str(site.results))
    assert again.wait(PATIENCE_S) == 0, site.said("run")
    assert {each.status for each in site.outcomes()} == {"measured"}


def test_an_agent_that_serves_is_killed_and_another_takes_its_place(site: Site) -> None:
    site.agent(1)
    doomed = site.serves(2)
    run = site.run(str(matrix(site, 10)), *SERVED)
    until(lambda: "takes part" in site.said("serves-2"), "the first to join")
    site.serves(1)
    until(lambda: "starts the servers of this run" in site.said("serves-1"), "it to be refused")
    until(lambda: loading(site, 1), "a load")
    for process in [psutil.Process(doomed.pid), *psutil.Process(doomed.pid).children()]:
        process.kill()
    until(lambda: not serving(site, 2), "servers to end")
    run.wait(PATIENCE_S)  # of a duplicate that has no number it says nothing
    failed = [each for each in site.outcomes() if each.status == "failed"]
    assert [each.stage for each in failed] == ["services"], site.said("run")
    assert "was lost, and all servers are started anew" in str(failed[0].reason)
    assert len(measured(site)) == CELLS - 1
    again = site.run("--resume", str(site.results))
    assert again.wait(PATIENCE_S) == 0, site.said("run")
    assert len(measured(site)) == CELLS


def measured(site: Site) -> set[str]:
    """Return the cells that have a number."""
    return {each.cell for each in site.outcomes() if each.status == "measured"}


def test_an_agent_without_the_secret_takes_no_part(site: Site) -> None:
    site.run()
    until(lambda: "waiting for 2 agents" in site.said("run"), "the run to wait")
    words = ("agent", "--master", site.hosts.address(0))
    site.start(1, "stranger", *words, LOADTEST_SECRET="of somebody else altogether")
    until(lambda: "not signed" in site.said("run"), "it to be refused")
    until(lambda: "LOADTEST_SECRET" in site.said("stranger"), "it to be told why")
    assert "agent " not in site.said("run").replace("loadtest agent", "")


def the_failed(site: Site, run: subprocess.Popen[bytes]) -> Outcome:
    """Return the one load that failed, once a run has said so; the duplicate's is no loss of it."""
    status = run.wait(PATIENCE_S)
    (failed,) = (each for each in site.outcomes() if each.status == "failed")
    assert status == (0 if "-again." in failed.cell else 1), site.said("run")
    return failed


def matrix(site: Site, seconds: int) -> Path:
    path = site.folder / "long.toml"
    path.write_text(MATRIX.replace("duration_s = 2", f"duration_s = {seconds}"))
    return path


def loading(site: Site, at: int) -> bool:
    """Say whether a host loads a server; before that it loads one that does nothing."""
    return "round 1/1" in site.said("run") and wrk_running(site, at)


def wrk_running(site: Site, at: int) -> bool:
    """Say whether wrk runs on a host."""
    return any(words and Path(words[0]).name == "wrk" for words in commands(site, at))


def serving(site: Site, at: int) -> bool:
    """Say whether servers or services, or their wardens, run on a host."""
    names = {"gunicorn", "granian", "postgres"}
    return any(names & {Path(word).name for word in words} for words in commands(site, at))


def commands(site: Site, at: int) -> list[list[str]]:
    """Return the command lines of a host."""
    pids = subprocess.run(
        ["ip", "netns", "pids", site.hosts.namespace(at)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    lines = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            lines.append(psutil.Process(int(pid)).cmdline())
    return lines
