"""The line that a run shows while it goes on, with a clock of its own."""

from __future__ import annotations

import io
import re
from itertools import product
from typing import Any

import pytest
from builders import loaded, outcome, plan, usage
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from loadtest.cli.plan import lasts
from loadtest.cli.progress import GAP, Part, Watcher, fitted
from loadtest.cli.run import between
from loadtest.measure.loop import Shown

SERVERS = ("gunicorn-gthread", "granian-wsgi")
ENDPOINTS = ("json_query-sync", "template_query-async")


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Shows:
    """A watcher of a console of this width, and what it has written."""

    def __init__(
        self, rounds: int, *, terminal: bool, width: int = 80, budget_s: float | None = None
    ) -> None:
        self.clock, self.file = Clock(), io.StringIO()
        console = Console(
            file=self.file,
            width=width,
            force_terminal=terminal,
            color_system=None,
            _environ={"TERM": "xterm"},
        )
        self.width, self.watcher = width, Watcher(rounds, console, self.clock, budget_s)

    def line(self) -> str:
        return fitted(self.watcher._parts(), self.width - 1)

    def measure(self, trial: Shown, *, fails: bool = False) -> str:
        """Measure something for 3 s, and return the line as it was meanwhile."""
        self.watcher.began(trial)
        line = self.line()
        self.clock.now_s += 3
        changes: dict[str, Any] = {"loaded": loaded(1000), "usage": {"server": usage(0.5)}}
        if fails:
            reason = f"it {'never ' * 60}answered"
            changes = {"status": "failed", "stage": "load", "reason": reason}
        self.watcher.ended(outcome(trial.name, trial.round, **changes))
        return line


def trials(rounds: int, first: int = 0, so_far: str = "") -> list[Shown]:
    return [
        Shown(f"{server}.{at}", round_, at, server, 3.0, so_far=so_far)
        for round_, at, server in product(range(first, rounds), ENDPOINTS, SERVERS)
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_the_terminal_the_most_important_first(width: int) -> None:
    shows = Shows(3, terminal=True, width=width)
    shows.watcher.add(trials(3))
    for trial in trials(2):
        line = shows.measure(trial)
        assert len(line) < width
    assert re.match(r" 58%  15 s left  ", line)
    if width >= 80:
        assert "cheapest so far: gunicorn-gthread  template_query-async" in line
    if width >= 120:
        assert line.endswith("template_query-async  granian-wsgi  round 2/3")


def test_it_counts_down_between_two_loads() -> None:
    shows = Shows(1, terminal=True)
    shows.watcher.add(trials(1))
    first, second = trials(1)[:2]
    assert " left" not in shows.measure(first)  # nobody knows yet
    shows.watcher.began(second)
    assert "  9 s left" in shows.line()
    shows.clock.now_s += 2
    assert "  7 s left" in shows.line()
    shows.clock.now_s += 60
    assert "  0 s left" in shows.line()


@pytest.mark.parametrize(("budget_s", "left"), [(None, 33), (15, 12), (8, 9), (60, 33)])
def test_no_more_time_is_left_than_the_budget_or_the_first_round_takes(
    budget_s: float | None, left: int
) -> None:
    """On a busy machine all that is planned would take longer, and is not measured."""
    shows = Shows(3, terminal=True, budget_s=budget_s)
    shows.watcher.add(trials(3))
    shows.measure(trials(3)[0])
    shows.watcher.began(trials(3)[1])
    assert f"  {left} s left" in shows.line()


def test_what_the_launches_took_is_time_as_well() -> None:
    """All of them are planned with what comes first: without them the rest took half as long."""
    shows = Shows(1, terminal=True)
    shows.watcher.add(trials(1))
    shows.clock.now_s += 3
    shows.measure(trials(1)[0])
    shows.watcher.began(trials(1)[1])
    assert "  18 s left" in shows.line()


def test_a_plan_for_a_busy_machine_takes_longer_than_it_says() -> None:
    assert "about 2 s on an idle machine, and longer on this one" in lasts(plan(), busy=True)
    assert "about 2 s on an idle machine." in lasts(plan())
    assert "idle" not in lasts(plan(), busy=False)


def test_a_log_tells_that_servers_start() -> None:
    shows = Shows(1, terminal=False)
    with shows.watcher.showing():
        for _ in range(12):
            shows.clock.now_s += 2
            shows.watcher.look()
        shows.watcher.add(trials(1))
        first, second = trials(1)[:2]
        shows.measure(first)
        shows.clock.now_s += 9
        shows.watcher.look()
        shows.measure(second)  # is of the same group
        shows.clock.now_s += 10
        shows.watcher.look()
    starting, still, group, more = shows.file.getvalue().splitlines()
    assert starting == "starting services and servers: 10 s so far"
    assert still == "starting services and servers: 20 s so far"
    assert "json_query-sync" in group
    assert "left" in more


def share(line: str) -> int | None:
    match = re.match(r" *(\d+)%", line)
    return None if match is None else int(match[1])


def test_it_never_goes_back_when_further_rounds_follow() -> None:
    shows = Shows(2, terminal=True)
    shows.watcher.add(trials(2))
    shares = [share(shows.measure(trial)) for trial in trials(2)]
    assert shares == [0, 12, 25, 38, 50, 62, 75, 88]
    shows.watcher.add(trials(3, first=2))
    lines = [shows.measure(trial) for trial in trials(3, first=2)]
    assert [line.split("  ")[0] for line in lines] == [
        "8 done in 24 s", "9 done in 27 s", "10 done in 30 s", "11 done in 33 s",
    ]  # fmt: skip
    assert not any("%" in line or " left" in line for line in lines)


def test_a_search_says_what_was_tried_and_what_it_knows() -> None:
    shows = Shows(0, terminal=True, width=100)
    known = ["", between(None, 300.0), between(200.0, 300.0)]
    counts = []
    for round_, so_far in enumerate(known):
        todo = trials(round_ + 1, round_, so_far)
        shows.watcher.add(todo)
        for trial in todo:
            line = shows.measure(trial)
            counts.append(int(line.split()[0]))
            assert so_far in line
            assert "%" not in line
            assert "cheapest" not in line  # each at another rate
    assert counts == list(range(12))
    assert "  200 to 300/s  template_query-async  granian-wsgi  round 3" in line


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (None, None, ""),
        (None, 50.5, "below 50.5/s"),
        (1234.0, None, "above 1,234/s"),
        (12340.0, 12950.0, "12,340 to 12,950/s"),
    ],
)
def test_where_a_rate_lies(low: float | None, high: float | None, words: str) -> None:
    assert between(low, high) == words


def test_a_log_has_a_line_for_each_group_and_failure_however_long() -> None:
    shows = Shows(1, terminal=False)
    shows.watcher.add(trials(1))
    with shows.watcher.showing():
        for number, trial in enumerate(trials(1)):
            shows.measure(trial, fails=number == 3)
    first, second, failed = shows.file.getvalue().splitlines()
    assert first == "  0%  json_query-sync  round 1/1"
    assert second == (
        " 50%  6 s left  cheapest so far: gunicorn-gthread  (0.5 cores per 1,000/s)"
        "  template_query-async  round 1/1"
    )
    assert failed.startswith("failed: granian-wsgi.template_query-async, round 1, at load: it n")
    assert failed.endswith("answered")


@pytest.mark.parametrize(
    ("cost_us", "words"),
    [(500, "0.5 cores"), (1000, "1 core"), (1010, "1 core"), (1200, "1.2 cores")],
)
def test_one_core_is_no_cores(cost_us: float, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shows = Shows(1, terminal=True, width=200)
    monkeypatch.setattr(shows.watcher, "_cheapest", lambda: ("alpha", cost_us))
    shows.watcher.add(trials(1))
    shows.watcher.began(trials(1)[0])
    assert f"({words} per 1,000/s)" in shows.line()


def test_a_terminal_keeps_nothing_of_it() -> None:
    shows = Shows(1, terminal=True)
    shows.watcher.add(trials(1))
    with shows.watcher.showing():
        for trial in trials(1):
            shows.measure(trial)
    assert "\x1b[2K" in shows.file.getvalue()  # erases the line


parts = st.lists(
    st.builds(Part, st.integers(0, 9), st.text("abc def", min_size=1, max_size=40)), max_size=8
)


@given(parts, st.integers(20, 120))
def test_a_line_is_never_too_long_and_keeps_what_matters(given_: list[Part], width: int) -> None:
    line = fitted(given_, width)
    assert len(line) <= width
    whole = GAP.join(part.text for part in given_)
    if len(whole) <= width:
        assert line == whole
    if given_ and len(first := min(given_, key=lambda part: part.rank).text) <= width:
        assert first in line
