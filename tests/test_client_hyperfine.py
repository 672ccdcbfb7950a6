"""Cold figures against hyperfine's, timing the very same command against the same upstream."""

from __future__ import annotations

import json
import math
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from client_facts import group, plan, row, run
from scipy import stats

from loadtest.clientbench import catalogue, driver, interpreters, job, upstream
from loadtest.clientbench import report as reports
from loadtest.clientbench.driver import Bench
from loadtest.clientbench.model import Outcome, Row
from loadtest.clientbench.report import hyperfine
from loadtest.clientbench.store import Stored

HYPERFINE = shutil.which("hyperfine")
RUNS = 12
ATTEMPTS = 3
"""Of two 95 % intervals: on a busy machine the one tool may meet what the other does not."""

pytestmark = pytest.mark.skipif(
    HYPERFINE is None, reason="hyperfine is not installed (Debian: apt-get install hyperfine)"
)


def interval(times: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean (Student)."""
    reach = stats.t.ppf(0.975, len(times) - 1) * stdev(times) / math.sqrt(len(times))
    return fmean(times) - reach, fmean(times) + reach


def theirs(argv: list[str], folder: Path) -> dict[str, Any]:
    """Return what hyperfine exports of a command, run without a shell between."""
    assert HYPERFINE is not None
    path = folder / "theirs.json"
    subprocess.run(
        [HYPERFINE, "-N", "--warmup", "1", "--runs", str(RUNS), "--style", "none"]
        + ["--export-json", str(path), shlex.join(argv)],
        check=True,
        timeout=120,
    )
    result: dict[str, Any] = json.loads(path.read_text())["results"][0]
    return result


def measured(of: Row, folder: Path) -> tuple[list[Outcome], dict[str, Any]]:
    """Return our rounds and hyperfine's result: half of ours before it and half after."""
    clients = catalogue.clients()
    found = interpreters.look(sys.executable, clients[of.client].requires)
    with upstream.running({of.answer}, folder / "upstream.log") as running:
        bench = Bench(plan([of]), clients, {"here": found}, running, None)
        driver.prime(bench)
        ours = [driver.measure(bench, of, "cold", number) for number in range(RUNS // 2)]
        argv = job.argv(of, clients[of.client], found.path, driver.expected(running, of), 0, 30.0)
        result = theirs(argv, folder)
        ours += [driver.measure(bench, of, "cold", number) for number in range(RUNS // 2, RUNS)]
    assert {one.status for one in ours} == {"measured"}, ours[0].reason
    return ours, result


@pytest.mark.parametrize(
    "of",
    [
        row("urllib3", mode="sequential", requests=200, batch=1, chunk=None, python="here"),
        row("aiohttp", mode="async-for", requests=200, batch=10, chunk=None, python="here"),
    ],
    ids=lambda one: one.client,
)
def test_both_tools_tell_the_same_time(of: Row, tmp_path: Path) -> None:
    said = []
    for attempt in range(ATTEMPTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        ours, result = measured(of, folder)
        times = [one.cold.wall_s for one in ours if one.cold]
        (low, high), (least, most) = interval(times), interval(result["times"])
        said.append(f"ours {low:.4f} to {high:.4f} s, hyperfine's {least:.4f} to {most:.4f} s")
        if low <= most and least <= high:
            cpu_s = fmean(one.cold.user_s + one.cold.system_s for one in ours if one.cold)
            assert cpu_s == pytest.approx(result["user"] + result["system"], rel=0.25)
            return
    pytest.fail("; ".join(said))


def test_our_export_has_all_that_hyperfine_writes(tmp_path: Path) -> None:
    """By its own words, not by what we think that it writes."""
    of = row("urllib3", mode="sequential", requests=1, batch=1, chunk=None, python="here")
    ours, result = measured(of, tmp_path)
    stored = Stored(
        folder=tmp_path,
        run=run(plan([of], [group(measures=("cold",))], rounds=RUNS)),
        outcomes=tuple(ours),
        ceilings=(),
        notes=(),
    )
    exported = json.loads(hyperfine.render(reports.make(stored)))["results"][0]
    assert result.keys() <= exported.keys()
    same = {key for key in result if type(exported[key]) is type(result[key])}
    assert same == set(result)
