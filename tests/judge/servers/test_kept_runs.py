"""What real runs decide: two on busy machines, once told the wrong server, and a quiet one."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from builders import LOAD, endpoint, loaded, outcome, plan, run, server, usage
from paths import DATA, ROOT

from loadtest.judge.rows import Versus
from loadtest.judge.servers.summary import Summary, summarise, summarise_stored
from loadtest.records import run_folder
from loadtest.records.measured import Histogram, Host
from loadtest.records.planned import Cell

KINDS = {"json": "cpu", "json_query": "database", "httpx": "outbound", "aiohttp": "outbound"}
KINDS |= {"brotli_q4": "compression", "cache_hit": "cache", "cache_set": "cache", "raw": "control"}


def unread(path: str) -> Histogram:
    raise AssertionError(path)


def busy(name: str) -> Summary:
    """Return a quick run of 3 rounds of 1 s: responses, CPU time and what others took are real."""
    facts = json.loads((DATA / "busy_runs.json").read_text())[name]
    names = {cell.partition(".")[0]: None for cell in facts}
    servers = [
        server(
            name,
            interface="asgi" if "asgi" in name or name == "uvicorn" else "wsgi",
            duplicate_of=name.removesuffix("-again") if name.endswith("-again") else None,
        )
        for name in names
    ]
    cells = []
    for id_ in facts:
        name, _, at = id_.partition(".")
        of, _, style = at.rpartition("-")
        cells.append(Cell(server=name, endpoint=endpoint(of, style, kind=KINDS[of]), load=LOAD))
    outcomes = [
        outcome(
            cell,
            number,
            load_s=1.0,
            loaded=loaded(answers),
            usage={"server": usage(cpu_s)},
            host=Host(
                window_s=1.0,
                processors=2,
                busy_cpu_s=2.0,
                other_cpu_s=2 * taken,
                steal_cpu_s=0.0,
                throttled_s=0.0,
            ),
        )
        for cell, rounds in facts.items()
        for number, (answers, cpu_s, taken) in enumerate(rounds)
    ]
    of_servers = plan(servers, rounds=3, cells=tuple(cells), reference="gunicorn-gthread")
    return summarise(run(of_servers), outcomes, unread)


@pytest.mark.parametrize(
    ("name", "cores", "least"), [("noisy", 1.054, 3.14), ("stolen", 1.187, 3.19)]
)
def test_a_busy_run_names_no_server_but_what_is_safe(name: str, cores: float, least: float) -> None:
    decision = busy(name).decision
    assert decision.cost
    assert decision.sure.busy_machine
    assert (decision.chosen, decision.likely) == ("interface", ("granian-wsgi",))
    assert decision.gap
    assert (decision.gap.cheaper, decision.gap.dearer) == ("wsgi", "asgi")
    assert decision.gap.least == pytest.approx(least, abs=0.01)
    assert decision.cost.places[0].cores == pytest.approx(cores, abs=0.001)
    assert len(dict(decision.within)["wsgi"]) == 4


@pytest.fixture(scope="module")
def quiet() -> Summary:
    folder = ROOT / "results" / "2026-11-30T22-09-29-standard"
    return summarise_stored(run_folder.read(folder, run_folder.SERVERS))


def test_the_quiet_run_starts_with_the_cheapest(quiet: Summary) -> None:
    cost = quiet.decision.cost
    assert cost
    assert quiet.decision.chosen == "server"
    assert cost.first == ("granian-wsgi",)
    first, *others = cost.places
    assert (first.server, first.rank) == ("granian-wsgi", 1)
    assert first.cores == pytest.approx(0.688, abs=0.001)
    times = {place.server: place.versus.ratio for place in others if place.versus}
    assert [*times] == [place.server for place in others]
    assert times["uwsgi"] == pytest.approx(1.12, abs=0.01)
    assert times["gunicorn-gthread"] == pytest.approx(1.37, abs=0.01)
    assert min(times[name] for name in times if "asgi" in name) > 4.3


def test_nine_servers_hold_all_requests_that_wait_and_others_what_was_configured(
    quiet: Summary,
) -> None:
    """A load of 35 s has room for three answers of 10 s: rates of such a view are no order."""
    assert quiet.decision.waiting
    held = {holds.server: holds for holds in quiet.decision.waiting.holds}
    assert sum(holds.measured == holds.connections == 500 for holds in held.values()) == 9
    limited = {name: (of.measured, of.configured) for name, of in held.items() if of.configured}
    assert limited == {
        "granian-wsgi": (8, 8),
        "gunicorn-gthread": (8, 8),
        "gunicorn-sync": (2, 2),
        "uwsgi": (8, 8),
        "waitress": (8, 8),
    }


def test_twelve_of_500_answered_have_no_percentile(quiet: Summary) -> None:
    rows = {row.cell: row for ranking in quiet.rankings for row in ranking.rows}
    for name in ("granian-wsgi", "gunicorn-sync"):
        figures = rows[f"{name}.gateway_10s-sync"].figures
        assert figures
        assert (figures.p50_us, rows[f"{name}.gateway_10s-sync"].curve) == (None, None)


def test_no_tie_group_spans_disjoint_intervals(quiet: Summary) -> None:
    for ranking in (*quiet.rankings, *busy("noisy").rankings, *busy("stolen").rankings):
        of_group: dict[int, list[Versus]] = {}
        for row in ranking.rows:
            versus = row.versus_cpu if ranking.by == "cost" else row.versus
            if row.rank and versus and versus.low and versus.high:
                of_group.setdefault(row.rank, []).append(versus)
        for group in of_group.values():
            for first, second in combinations(group, 2):
                assert (first.low or 0) <= (second.high or 0)
                assert (second.low or 0) <= (first.high or 0)


def test_one_round_ranks_nobody(quiet: Summary) -> None:
    """122 requests/s and 2.17 once shared rank 1, at a view of 3 s."""
    ranking = next(each for each in quiet.rankings if each.endpoint.id == "gateway_3s-async")
    rates = [row.figures.goodput for row in ranking.rows if row.figures]
    assert max(rates) > 50 * min(rates)
    assert {row.rank for row in ranking.rows} == {None}
