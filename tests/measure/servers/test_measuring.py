"""The loop, on a fake machine: what is recorded, in which order, whatever goes wrong."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from builders import endpoint, plan, run, server
from fakes import MEMORY_BYTES, FakeBench, measured
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.servers.summary import summarise_stored
from loadtest.judge.servers.turns import merged
from loadtest.measure.servers import fleet, measuring
from loadtest.measure.servers.session import ServerTrials
from loadtest.plan.servers import schedule
from loadtest.plan.servers.schedule import Batch
from loadtest.records.measured import Afterwards, Launch, Outcome
from loadtest.records.planned import SETTLED_S, Cell, Plan
from loadtest.records.run_folder import SERVERS, Writer, create, read
from loadtest.report.formats import formats_in, write_each
from loadtest.report.servers import formats, report

JSON, QUERY = endpoint("json"), endpoint("json_query")
SLOW = endpoint("slow", isolated=True, delay_s=2.0)
TWO = plan([server("alpha"), server("beta")], [JSON, QUERY])


def unwatched(cell: Cell, round_: int, turn: int) -> None:
    pass


def facts_of(of: Plan, bench: FakeBench) -> list[Any]:
    facts: list[Any] = []
    measuring.run(of, schedule.batches(of), bench, facts.append, unwatched)
    return facts


def measure(of: Plan, bench: FakeBench) -> list[Outcome]:
    return [fact for fact in facts_of(of, bench) if isinstance(fact, Outcome)]


def cells_of(batch: Batch) -> list[Cell]:
    return [turn.cell for turn in schedule.turns([batch])]


def by_cell(outcomes: list[Outcome]) -> dict[str, Outcome]:
    recorded = {f"{outcome.cell}.r{outcome.round}": outcome for outcome in outcomes}
    assert len(recorded) == len(outcomes), "a cell was recorded twice in a round"
    return recorded


def test_all_is_well(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path)
    outcomes = measure(TWO, bench)
    assert {(outcome.cell, outcome.status) for outcome in outcomes} == {
        (cell.id, "measured") for cell in TWO.cells
    }
    for outcome in outcomes:
        assert outcome.loaded is not None
        assert outcome.loaded.answers == 1000
        assert outcome.load_s == 1.0
        assert outcome.verified is not None
        assert outcome.verified.after is not None
        assert outcome.raw == f"raw/{outcome.cell}.r0.txt"
        assert outcome.usage["server"].cpu_s == 1.0
        assert outcome.reason is None
        assert outcome.started_at is not None
    # One process for all cells of a server: only the first of them waited for it.
    assert [outcome.launch_s is not None for outcome in outcomes] == [True, False, True, False]
    assert sum(event.startswith("launch") for event in bench.events) == 2
    assert sum(event.startswith("stop") for event in bench.events) == 2


def test_an_outcome_is_recorded_before_the_next_cell_begins(tmp_path: Path) -> None:
    happened: list[str] = []
    measuring.run(
        TWO,
        schedule.batches(TWO),
        FakeBench(tmp_path),
        lambda fact: isinstance(fact, Outcome) and happened.append(f"recorded {fact.cell}"),
        lambda cell, round_, turn: happened.append(f"begun {cell.id}"),
    )
    begun, recorded = happened[::2], happened[1::2]
    assert [line.removeprefix("begun ") for line in begun] == [
        line.removeprefix("recorded ") for line in recorded
    ]


@pytest.mark.parametrize(
    ("fault", "stage", "reason", "detail"),
    [
        ("verify", "verify", "status 500 instead of 200", "end of the log of alpha"),
        ("load", "load", "unable to connect", "end of the log of alpha"),
        ("silent", "load", "not one request was answered", "end of the log of alpha"),
        ("dies", "verify-after", "alpha was ended by SIGKILL (", "end of the log of alpha"),
        ("verify-after", "verify-after", "status 500 instead of 200", "end of the log of alpha"),
        ("service", "services", "PostgreSQL was ended by SIGKILL (", "end of its log"),
    ],
)
def test_a_failure_has_its_stage_and_reason(
    tmp_path: Path, fault: str, stage: str, reason: str, detail: str
) -> None:
    outcomes = by_cell(measure(TWO, FakeBench(tmp_path, {"alpha.json-sync.r0": fault})))  # type: ignore[dict-item]
    failed = outcomes.pop("alpha.json-sync.r0")
    assert (failed.status, failed.stage) == ("failed", stage)
    assert reason in (failed.reason or "")
    assert "\n" not in (failed.reason or "")
    assert detail in (failed.detail or "")
    assert {outcome.status for outcome in outcomes.values()} == {"measured"}


@pytest.mark.parametrize("fault", ["dies", "silent", "verify", "load", "verify-after", "service"])
def test_after_a_failure_a_fresh_server_takes_over(tmp_path: Path, fault: str) -> None:
    first = schedule.batches(TWO)[0]
    bench = FakeBench(tmp_path, {f"{cells_of(first)[0].id}.r0": fault})  # type: ignore[dict-item]
    outcomes = measure(TWO, bench)
    assert [outcome.launch_s is not None for outcome in outcomes] == [True, True, True, False]
    name = first.servers[0]
    lifes = [event for event in bench.events if event in (f"launch {name}", f"stop {name}")]
    assert lifes == [f"launch {name}", f"stop {name}"] * 2


def test_a_server_that_never_comes_up_is_not_tried_for_each_cell(tmp_path: Path) -> None:
    """Beside the others, which makes it slow, and then alone; after that all of a round say why."""
    bench = FakeBench(tmp_path, {"alpha.*": "launch"})
    outcomes = by_cell(measure(msgspec.structs.replace(TWO, rounds=2), bench))
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        f"{server}.{name}-sync.r{round_}": status
        for server, status in (("alpha", "failed"), ("beta", "measured"))
        for name in ("json", "json_query")
        for round_ in (0, 1)
    }
    failed = [outcome for outcome in outcomes.values() if outcome.status == "failed"]
    why = ("launch", "alpha exited with status 3 before it answered", "the end of its log")
    assert {(each.stage, each.reason, each.detail) for each in failed} == {why}
    assert {each.launch_s for each in failed} == {None}
    assert bench.events.count("launch alpha") == 4
    assert "stop alpha" not in bench.events


def test_a_server_that_was_up_is_tried_again(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path, {"alpha.*.r1": "launch"})
    outcomes = by_cell(measure(msgspec.structs.replace(TWO, rounds=3), bench))
    failed = {name for name, outcome in outcomes.items() if outcome.status == "failed"}
    assert failed == {"alpha.json-sync.r1", "alpha.json_query-sync.r1"}


@pytest.mark.parametrize("died", [True, False])
def test_a_launch_that_failed_is_tried_again_in_the_next_round(tmp_path: Path, died: bool) -> None:
    bench = FakeBench(tmp_path, {"alpha.*.r0": "launch"}, died="PostgreSQL" if died else None)
    outcomes = by_cell(measure(plan([server("alpha")], [JSON], rounds=2), bench))
    first = "services" if died else "launch"
    stages = {"alpha.json-sync.r0": first, "alpha.json-sync.r1": None}
    assert {name: outcome.stage for name, outcome in outcomes.items()} == stages


def test_a_launch_that_failed_with_its_services_is_tried_again_at_once(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path, {"alpha.json-*": "launch"}, died="PostgreSQL")
    outcomes = by_cell(measure(plan([server("alpha")], [JSON, QUERY]), bench))
    assert {outcome.stage for outcome in outcomes.values()} == {"services", None}


def test_what_can_poison_the_next_has_a_server_of_its_own(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path)
    measure(plan([server("alpha")], [JSON, SLOW, QUERY]), bench)
    slow = bench.events.index("load alpha.slow-sync.r0")
    assert bench.events[slow - 2 : slow + 2] == [
        "launch alpha",
        "verify alpha.slow-sync.r0",
        "load alpha.slow-sync.r0",
        "stop alpha",
    ]


def test_what_waits_on_shared_processes_is_waited_for_and_looked_back_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(time=lambda: 0.0, monotonic=lambda: 0.0, sleep=slept.append)
    monkeypatch.setattr(measuring, "time", clock)
    monkeypatch.setattr(fleet, "time", clock)
    of = plan(
        [server("free"), server("few", in_flight="workers")],
        [endpoint(f"slow_{n}", isolated=True, delay_s=1.0) for n in range(2)],
        at_once=2,
        observe_release=True,
    )
    bench = FakeBench(tmp_path)
    looked = Counter(fact.cell for fact in facts_of(of, bench) if isinstance(fact, Afterwards))
    # What is queued at few would last: it is launched anew. What free has let in is over in 1.5 s.
    assert Counter(event for event in bench.events if event.startswith("launch")) == {
        "launch free": 1,
        "launch few": 2,
    }
    assert looked == {cell.id: 1 for cell in of.cells}
    assert Counter(filter(None, slept)) == {SETTLED_S: 4, 1.5: 1}


def test_what_waits_is_neither_asked_again_nor_repeated(tmp_path: Path) -> None:
    """The response would stand behind those that wait, and so would those of the repeat."""

    class Disturbed(FakeBench):
        def other_cpu_s(self, name: str) -> float:
            return 0.5

    of = plan([server("alpha", in_flight="workers")], [SLOW])
    bench = Disturbed(tmp_path)
    (outcome,) = measure(of, bench)
    assert outcome.status == "measured"
    assert outcome.verified is not None
    assert outcome.verified.after is None
    assert not any(event.startswith("verify-after") for event in bench.events)


def test_a_service_that_this_cell_does_not_need_costs_a_launch_only(tmp_path: Path) -> None:
    first = schedule.batches(TWO)[0]
    bench = FakeBench(tmp_path, {f"{cells_of(first)[0].id}.r0": "service-unnoticed"})
    outcomes = measure(TWO, bench)
    assert {outcome.status for outcome in outcomes} == {"measured"}
    # The next cell of the same server may need it, at its new address.
    assert [outcome.launch_s is not None for outcome in outcomes] == [True, True, True, False]


def test_ctrl_c_stops_the_server_and_keeps_the_outcomes(tmp_path: Path) -> None:
    first = schedule.batches(TWO)[0]
    bench = FakeBench(tmp_path, {f"{cells_of(first)[1].id}.r0": "interrupt"})
    outcomes: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        measuring.run(TWO, schedule.batches(TWO), bench, outcomes.append, unwatched)
    assert [fact.cell for fact in outcomes if isinstance(fact, Outcome)] == [cells_of(first)[0].id]
    assert bench.events[-1] == f"stop {first.servers[0]}"


def test_a_full_disk_stops_the_server_too(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path)

    def refuse(fact: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        measuring.run(TWO, schedule.batches(TWO), bench, refuse, unwatched)
    assert [event.split()[0] for event in bench.events][-1] == "stop"
    assert len(measured(bench.events)) == 1


def test_skips_are_recorded_once_a_round() -> None:
    of = plan(
        [server("alpha", unsupported={"async": "No event loop."})], [JSON, endpoint(style="async")]
    )
    of = plan(of.servers, (JSON, endpoint(style="async")), rounds=2)
    outcomes: list[Outcome] = []

    def known(cell: Cell, round_: int, turn: int) -> bool:
        return (cell.id, round_) in {(outcome.cell, outcome.round) for outcome in outcomes}

    trials = ServerTrials(of, lambda outcomes: ())
    for _ in range(2):
        outcomes += trials.skipped({trials.key(outcome) for outcome in outcomes})
    assert [
        (outcome.cell, outcome.round, outcome.status, outcome.reason) for outcome in outcomes
    ] == [
        ("alpha.json-async", 0, "skipped", "No event loop."),
        ("alpha.json-async", 1, "skipped", "No event loop."),
    ]
    assert [turn.cell.id for turn in schedule.turns(schedule.batches(of, known))] == [
        "alpha.json-sync",
        "alpha.json-sync",
    ]


def names(todo: list[Batch]) -> list[str]:
    return [f"{turn.cell.id}.r{turn.round}" for turn in schedule.turns(todo)]


THREE_ROUNDS = plan([server("alpha"), server("beta")], [JSON, QUERY, SLOW], rounds=3)
TOTAL = len(THREE_ROUNDS.cells) * 3


@given(st.lists(st.integers(0, TOTAL), max_size=4), st.sets(st.integers(0, TOTAL - 1), max_size=5))
def test_resume_measures_exactly_what_is_missing(stops: list[int], failing: set[int]) -> None:
    """Interrupted anywhere, any number of times: in the end all is there, and nothing twice."""
    order = names(schedule.batches(THREE_ROUNDS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded: list[str] = []
        facts: list[Any] = []
        for stretch, stop in enumerate([*stops, None]):
            kept = {
                (fact.cell, fact.round, fact.turn)
                for fact in facts
                if isinstance(fact, Outcome) and fact.status in ("measured", "skipped")
            }
            todo = schedule.batches(
                THREE_ROUNDS,
                lambda cell, at, turn, kept=kept: (cell.id, at, turn) in kept,  # type: ignore[misc]
            )
            left = names(todo)
            faults = {order[index]: "silent" for index in failing if stretch == 0}
            if stop is not None and stop < len(left):
                faults[left[stop]] = "interrupt"
            bench = FakeBench(folder, faults)  # type: ignore[arg-type]
            try:
                measuring.run(THREE_ROUNDS, todo, bench, facts.append, unwatched)
                assert stop is None or stop >= len(left)
            except KeyboardInterrupt:
                assert measured(bench.events)[-1] == left[stop]  # type: ignore[index]
            loaded += [name for name in measured(bench.events) if bench.fault(name) is None]
        if failing and not stops:
            # Failed in the last stretch: measured by the next one.
            assert sorted(set(order) - set(loaded)) == sorted(order[index] for index in failing)
        else:
            assert sorted(loaded) == sorted(order)
        recorded = {f"{f.cell}.r{f.round}" for f in facts if isinstance(f, Outcome)}
        assert sorted(recorded) == sorted(order)


def test_a_whole_run_with_its_reports(tmp_path: Path) -> None:
    of = plan(
        [
            server("alpha", unsupported={"async": "No event loop."}),
            server("beta", interface="asgi"),
        ],
        [JSON, QUERY, SLOW, endpoint("json", "async")],
        rounds=3,
    )
    folder = create(tmp_path, run(of))
    writer = Writer(folder)
    bench = FakeBench(
        folder, {"alpha.json-sync.r1": "dies", "beta.json_query-*": "verify"}, {"beta": 3000.0}
    )
    for skipped in ServerTrials(of, lambda outcomes: ()).skipped(()):
        writer.append(skipped)
    measuring.run(of, schedule.batches(of), bench, writer.append, unwatched)
    writer.close()

    stored = read(folder, SERVERS)
    summary = summarise_stored(stored)
    files = write_each(formats_in(formats), report.Report(summary, stored.run), folder)
    assert {"report.md", "summary.csv", "summary.json"} <= {path.name for path in files}
    assert all(path.stat().st_size for path in files)
    rows = {row.cell: row for ranking in summary.rankings for row in ranking.rows}
    assert rows["alpha.json-sync"].rounds_failed == 1
    assert rows["alpha.json-sync"].status == "measured"
    assert rows["beta.json_query-sync"].status == "failed"
    assert rows["alpha.json-async"].status == "skipped"
    assert rows["beta.json-sync"].rank == 1
    assert not stored.notes


def takes_s(of: Plan) -> float:
    return sum(turn.planned_s for turn in schedule.turns(schedule.batches(of)))


def test_the_planned_time_grows_with_the_delay_and_each_launch() -> None:
    quick, slow = plan([server()], [JSON]), plan([server()], [SLOW])
    assert takes_s(slow) == pytest.approx(takes_s(quick) + SLOW.contract.delay_s - 0.1)
    both = plan([server()], [JSON, QUERY])
    assert takes_s(both) < 2 * takes_s(quick)  # one launch
    settling = plan([server()], [JSON], observe_release=True)
    assert takes_s(settling) == pytest.approx(takes_s(quick) + 2)


SIDE_BY_SIDE = plan(
    [server("alpha"), server("beta"), server("gamma")], [JSON, QUERY], turns=3, at_once=3
)


def test_servers_side_by_side_take_turns(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path)
    outcomes = measure(SIDE_BY_SIDE, bench)
    servers = [outcome.cell.partition(".")[0] for outcome in outcomes]
    sweeps = [servers[at : at + 3] for at in range(0, len(servers), 3)]
    assert all(sorted(sweep) == ["alpha", "beta", "gamma"] for sweep in sweeps)
    assert len({tuple(sweep) for sweep in sweeps}) > 1, "the order is shuffled for each sweep"
    assert [outcome.turn for outcome in outcomes] == [0] * 3 + [1] * 3 + [2] * 3 + [0] * 3 + [
        1
    ] * 3 + [2] * 3
    # All turns of an endpoint come before those of the next, and all are of one launch.
    endpoints = [outcome.cell.partition(".")[2] for outcome in outcomes]
    assert endpoints == sorted(endpoints, key=endpoints.index)
    assert sorted(e for e in bench.events if e.startswith("launch")) == [
        *("launch alpha", "launch beta", "launch gamma")
    ]
    # Warm-up and check belong to the first turn of an endpoint alone.
    assert sum(event.startswith("verify ") for event in bench.events) == 6
    assert len({outcome.raw for outcome in outcomes}) == len(outcomes)


def test_the_memory_of_a_launch_is_recorded_once(tmp_path: Path) -> None:
    launches = [f for f in facts_of(SIDE_BY_SIDE, FakeBench(tmp_path)) if isinstance(f, Launch)]
    assert sorted(launch.server for launch in launches) == ["alpha", "beta", "gamma"]
    assert {launch.memory_launched_bytes for launch in launches} == {MEMORY_BYTES}


def test_what_others_disturbed_is_measured_again(tmp_path: Path) -> None:
    class Disturbed(FakeBench):
        def other_cpu_s(self, name: str) -> float:
            return 0.5 if name in ("beta.json-sync.r0", "beta.json-sync.r0.again1") else 0.0

    outcomes = measure(plan(SIDE_BY_SIDE.servers, [JSON], at_once=3), Disturbed(tmp_path))
    beta = [outcome for outcome in outcomes if outcome.cell == "beta.json-sync"]
    assert [outcome.repeat for outcome in beta] == [0, 1, 2]
    assert len(outcomes) == 5, "the others are measured once"
    # Others have their turn before: what lasts for a moment is over by then.
    assert outcomes[-2:] == beta[1:]
    (together,) = [o for o in merged(outcomes) if o.cell == "beta.json-sync"]
    assert together.repeat == 2


def test_a_machine_that_is_busy_all_the_time_is_not_waited_for(tmp_path: Path) -> None:
    class Busy(FakeBench):
        def other_cpu_s(self, name: str) -> float:
            return 0.5

    outcomes = measure(SIDE_BY_SIDE, Busy(tmp_path))
    repeated = sum(outcome.repeat > 0 for outcome in outcomes)
    assert 0 < repeated < 12
    assert sum(outcome.repeat == 0 for outcome in outcomes) == 18


def test_after_a_failed_turn_the_cell_is_left_and_the_others_go_on(tmp_path: Path) -> None:
    bench = FakeBench(tmp_path, {"beta.json-sync.r0.t1": "dies"})
    outcomes = measure(SIDE_BY_SIDE, bench)
    beta = [o for o in outcomes if o.cell == "beta.json-sync"]
    assert [(outcome.turn, outcome.status) for outcome in beta] == [(0, "measured"), (1, "failed")]
    assert len(outcomes) == 17
    rows = {outcome.cell: outcome.status for outcome in merged(outcomes)}
    assert rows.pop("beta.json-sync") == "failed"
    assert set(rows.values()) == {"measured"}
