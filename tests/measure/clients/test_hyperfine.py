"""Cold figures against hyperfine's, timing the very same command against the same upstream."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from client_facts import group, plan, row, stored
from scipy import stats

from loadtest.bench.clients import job, upstream
from loadtest.measure.clients.measuring import Bench, measure, prime
from loadtest.measure.clients.measuring import expected as expected_of
from loadtest.plan import interpreters
from loadtest.plan.clients import catalogue
from loadtest.records.clients import Outcome, Row
from loadtest.report.clients import report
from loadtest.report.clients.formats import hyperfine

HYPERFINE = shutil.which("hyperfine")
ROUNDS = 15
CONFIDENCE = 0.99
"""Of each tool's interval. Two of one truth miss each other in one of a thousand tests; with rounds
that vary by 4 %, tools that differ by 10 % are told apart in 98 of 100."""
TOO_WIDE = 0.10
"""Of the mean, half an interval: from there on their overlap would say nothing."""

needs_hyperfine = pytest.mark.skipif(
    HYPERFINE is None, reason="hyperfine is not installed (Debian: apt-get install hyperfine)"
)


def interval(times: Sequence[float]) -> tuple[float, float]:
    """Return the interval of a mean (Student)."""
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(times) - 1) * stdev(times) / math.sqrt(len(times))
    return fmean(times) - reach, fmean(times) + reach


def agree(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Say whether the intervals of the two tools overlap."""
    (low, high), (least, most) = interval(ours), interval(theirs)
    return low <= most and least <= high


def theirs(argv: list[str], folder: Path, runs: int) -> dict[str, Any]:
    """Return what hyperfine exports of a command, run without a shell between."""
    assert HYPERFINE is not None
    path = folder / "theirs.json"
    subprocess.run(
        [HYPERFINE, "-N", "--runs", str(runs), "--style", "none"]
        + ["--export-json", str(path), shlex.join(argv)],
        check=True,
        timeout=120,
    )
    result: dict[str, Any] = json.loads(path.read_text())["results"][0]
    return result


@contextlib.contextmanager
def measuring(of: Row, folder: Path) -> Iterator[tuple[Bench, list[str]]]:
    """Give what measures a row, and the command that it runs."""
    clients = catalogue.clients()
    interpreter = interpreters.look(sys.executable, clients[of.client].requires)
    with upstream.running({of.answer}, folder / "upstream.log") as running:
        bench = Bench(plan([of]), clients, {"here": interpreter}, running, None)
        prime(bench, [of])
        expected = expected_of(running, of)
        yield bench, job.argv(of, clients[of.client], interpreter.path, expected, 0, 30.0)


def one_of(bench: Bench, of: Row, number: int) -> Outcome:
    outcome = measure(bench, of, "cold", number)
    assert outcome.status == "measured", outcome.reason
    return outcome


@pytest.mark.real
@needs_hyperfine
@pytest.mark.parametrize(
    "of",
    [
        row("urllib3", mode="sequential", requests=200, batch=1, chunk=None, python="here"),
        row("aiohttp", mode="async-for", requests=200, batch=10, chunk=None, python="here"),
    ],
    ids=lambda row: row.client,
)
def test_both_tools_tell_the_same_time(of: Row, tmp_path: Path) -> None:
    """One after the other in each round, now ours first and now theirs: both meet the same."""
    ours: list[Outcome] = []
    separated: list[dict[str, Any]] = []
    with measuring(of, tmp_path) as (bench, argv):
        for number in range(ROUNDS):
            if number % 2:
                ours.append(one_of(bench, of, number))
            separated.append(theirs(argv, tmp_path, 1))
            if not number % 2:
                ours.append(one_of(bench, of, number))
    times = [outcome.cold.wall_s for outcome in ours if outcome.cold]
    others = [result["mean"] for result in separated]
    for each in (times, others):
        low, high = interval(each)
        if high - low > 2 * TOO_WIDE * fmean(each):
            pytest.skip(f"the machine is too busy to tell: {low:.3f} to {high:.3f} s")
    message = f"ours {interval(times)} s, hyperfine's {interval(others)} s"
    assert agree(times, others), message
    cpu_s = fmean(outcome.cold.user_s + outcome.cold.system_s for outcome in ours if outcome.cold)
    assert cpu_s == pytest.approx(
        fmean(result["user"] + result["system"] for result in separated), rel=0.15
    )


@pytest.mark.slow
def test_tools_that_differ_do_not_agree() -> None:
    """By simulation: what the rule lets pass, and what it finds."""
    chance = np.random.default_rng(1)
    ours = chance.normal(1.0, 0.04, (2_000, ROUNDS))
    same = chance.normal(1.0, 0.04, (2_000, ROUNDS))
    assert sum(not agree(a, b) for a, b in zip(ours, same, strict=True)) <= 4
    assert sum(not agree(a, 1.1 * b) for a, b in zip(ours, same, strict=True)) >= 1_900


@pytest.mark.real
@needs_hyperfine
def test_our_export_has_all_that_hyperfine_writes(tmp_path: Path) -> None:
    """By its own words, not by what we think that it writes."""
    of = row("urllib3", mode="sequential", requests=1, batch=1, chunk=None, python="here")
    with measuring(of, tmp_path) as (bench, argv):
        ours = [one_of(bench, of, number) for number in range(2)]
        result = theirs(argv, tmp_path, 2)
    measured = stored(plan([of], [group(measures=("cold",))], rounds=2), ours, folder=tmp_path)
    exported = json.loads(hyperfine.render(report.make(measured)))["results"][0]
    assert result.keys() <= exported.keys()
    same = {key for key in result if type(exported[key]) is type(result[key])}
    assert same == set(result)
