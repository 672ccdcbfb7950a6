"""From a plan to an order: shuffled by the seed, the poisonous last, nothing lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from builders import endpoint, plan, server
from hypothesis import given
from hypothesis import strategies as st
from small_matrix import RULES, ids

from loadtest.plan.servers import matrix, schedule
from loadtest.plan.servers.matrix import Matrix
from loadtest.plan.servers.schedule import Batch
from loadtest.records.planned import Cell, Choice, Endpoint, Plan, Server

names = st.text("abc-_0", min_size=1, max_size=6)
some_servers = st.lists(
    st.builds(
        server,
        names,
        unsupported=st.sampled_from([{}, {"async": "Cannot."}]),
        in_flight=st.sampled_from(["workers", "connections"]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.name,
)
some_endpoints = st.lists(
    st.builds(
        endpoint,
        names,
        st.sampled_from(["sync", "async", "control"]),
        isolated=st.booleans(),
        delay_s=st.sampled_from([0.0, 1.0]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each.id,
)
plans = st.builds(
    plan,
    some_servers,
    some_endpoints,
    st.integers(1, 4),
    seed=st.integers(0, 2**31),
    turns=st.integers(1, 3),
    at_once=st.integers(1, 6),
)


def order(of: Plan, batches: list[Batch] | None = None) -> list[tuple[str, int, int]]:
    todo = schedule.batches(of) if batches is None else batches
    return [(turn.cell.id, turn.round, turn.turn) for turn in schedule.turns(todo)]


@given(some_servers, some_endpoints)
def test_two_cells_never_share_an_id(servers: list[Server], endpoints: list[Endpoint]) -> None:
    test = Matrix(name="test", summary="A test.", rounds=1, loads=RULES)
    of = matrix.expand(test, servers, endpoints, Choice(), {})
    assert len(set(ids(of))) == len(servers) * len(endpoints)


@given(plans)
def test_every_cell_that_can_run_has_its_turns_in_each_round(of: Plan) -> None:
    times = Counter((cell, round_) for cell, round_, _ in order(of))
    assert times == {
        # What waits has several waves in one.
        (cell.id, at): 1 if cell.endpoint.contract.delay_s else of.turns
        for cell in of.cells
        if cell.skip is None
        for at in range(of.rounds)
    }
    assert len(set(order(of))) == len(order(of))


@given(plans)
def test_rounds_come_one_after_the_other(of: Plan) -> None:
    rounds = [batch.round for batch in schedule.batches(of)]
    assert rounds == sorted(rounds)


@given(plans)
def test_the_order_follows_from_the_seed(of: Plan) -> None:
    assert schedule.batches(of) == schedule.batches(of)


@given(plans)
def test_no_more_servers_are_up_than_can_be(of: Plan) -> None:
    for batch in schedule.batches(of):
        assert 1 <= len(batch.servers) <= of.at_once
        cells = [cell for sweep in batch.sweeps for cell in sweep.cells]
        assert {cell.server for cell in cells} == set(batch.servers)


def poisons(of: Plan, cell: Cell) -> bool:
    """Say whether a server is left with a queue that lasts: two workers, eight connections."""
    (at_once,) = {each.in_flight for each in of.servers if each.name == cell.server}
    waits = cell.endpoint.contract.delay_s > 0
    return cell.endpoint.isolated and (not waits or at_once == "workers")


@given(plans)
def test_what_poisons_comes_last_on_its_processes(of: Plan) -> None:
    for batch in schedule.batches(of):
        isolated = [sweep.cells[0].endpoint.isolated for sweep in batch.sweeps]
        assert isolated == sorted(isolated)
        for name in batch.servers:
            cells = [cell for sweep in batch.sweeps for cell in sweep.cells if cell.server == name]
            poisoned = [poisons(of, cell) for cell in cells]
            assert poisoned == sorted(poisoned)
            assert len({cell.id for cell in cells if poisons(of, cell)}) <= 1


@given(plans)
def test_the_turns_of_an_endpoint_follow_each_other(of: Plan) -> None:
    for batch in schedule.batches(of):
        endpoints = [sweep.cells[0].endpoint.id for sweep in batch.sweeps]
        assert endpoints == sorted(endpoints, key=endpoints.index)


@given(plans, st.randoms())
def test_what_is_left_keeps_its_order(of: Plan, random: Any) -> None:
    """A resumed run goes on as the whole would have."""
    whole = order(of)
    done = {key for key in whole if random.random() < 0.5}
    left = schedule.batches(of, lambda cell, at, turn: (cell.id, at, turn) in done)
    assert order(of, left) == [key for key in whole if key not in done]


def test_servers_and_endpoints_are_shuffled() -> None:
    of = plan(
        [server(name) for name in "abcdefgh"], [endpoint(name) for name in "stuvwxyz"], rounds=3
    )
    firsts, seconds = [], []
    for at in range(3):
        batches = [batch for batch in schedule.batches(of) if batch.round == at]
        firsts.append(tuple(batch.servers for batch in batches))
        seconds.append(tuple(sweep.cells[0].endpoint.name for sweep in batches[0].sweeps))
    assert len(set(firsts)) == len(set(seconds)) == 3
    other = plan(of.servers, [cell.endpoint for cell in of.cells[:8]], seed=2)
    assert [batch.servers for batch in schedule.batches(other)] != list(firsts[0])


def test_groups_that_are_up_one_after_the_other_share_the_reference() -> None:
    of = plan([server(name) for name in "abcdefg"], turns=2, at_once=4, reference="a")
    batches = schedule.batches(of)
    assert [len(batch.servers) for batch in batches] == [4, 4]
    assert all("a" in batch.servers for batch in batches)
    turns = Counter(cell.partition(".")[0] for cell, _, _ in order(of))
    assert turns == {"a": 4} | dict.fromkeys("bcdefg", 2)


def test_a_launch_serves_all_that_poisons_nothing() -> None:
    of = plan(
        [server("free"), server("few", in_flight="workers")],
        [
            endpoint("json"),
            endpoint("blocking", isolated=True),
            *(endpoint(f"slow_{n}", isolated=True, delay_s=1.0) for n in range(3)),
        ],
        at_once=2,
    )
    batches = schedule.batches(of)
    assert [sorted(batch.servers) for batch in batches] == [["few", "free"]] * 2 + [["few"]] * 2
    first, second, *_ = ([sweep.cells[0].endpoint.name for sweep in b.sweeps] for b in batches)
    assert first == ["json", "blocking"]
    assert len(second) == 3
    alone = schedule.batches(plan(of.servers[:1], [cell.endpoint for cell in of.cells[:5]]))
    assert [len(batch.sweeps) for batch in alone] == [1, 4]


def test_endpoints_that_postgres_counts_are_spread() -> None:
    """PostgreSQL tells of its scans seconds later: meanwhile others have their turns."""
    of = plan(
        [server("a"), server("b")],
        [
            *(endpoint(f"p{n}", postgres=1) for n in range(3)),
            *(endpoint(f"q{n}") for n in range(6)),
        ],
        at_once=2,
    )
    (batch,) = schedule.batches(of)
    kinds = [sweep.cells[0].endpoint.name[0] for sweep in batch.sweeps]
    assert "".join(kinds) == "qqpqqpqqp"
    alone = schedule.batches(plan([server("a")], [c.endpoint for c in of.cells[:9]]))
    assert [len(batch.sweeps) for batch in alone] == [6, 1, 1, 1]
