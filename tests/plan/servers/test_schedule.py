"""From a plan to an order: shuffled by the seed, the poisonous alone, nothing lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from builders import endpoint, plan, server
from hypothesis import given
from hypothesis import strategies as st
from small_matrix import RULES, ids

from loadtest.plan.servers import matrix, schedule
from loadtest.plan.servers.matrix import Matrix
from loadtest.records.planned import Cell, Choice, Endpoint, Plan, Server

names = st.text("abc-_0", min_size=1, max_size=6)
some_servers = st.lists(
    st.builds(
        server,
        names,
        unsupported=st.sampled_from([{}, {"async": "Cannot."}]),
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
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each.id,
)
plans = st.builds(plan, some_servers, some_endpoints, st.integers(1, 4), seed=st.integers(0, 2**31))


def never(cell: Cell, round_: int) -> bool:
    return False


@given(some_servers, some_endpoints)
def test_two_cells_never_share_an_id(servers: list[Server], endpoints: list[Endpoint]) -> None:
    test = Matrix(name="test", summary="A test.", rounds=1, loads=RULES)
    of = matrix.expand(test, servers, endpoints, Choice(), {})
    assert len(set(ids(of))) == len(servers) * len(endpoints)


@given(plans)
def test_every_cell_that_can_run_is_there_once_a_round(of: Plan) -> None:
    times = Counter(
        (cell.id, batch.round) for batch in schedule.batches(of, never) for cell in batch.cells
    )
    wanted = {(cell.id, at) for cell in of.cells if cell.skip is None for at in range(of.rounds)}
    assert set(times) == wanted
    assert set(times.values()) <= {1}


@given(plans)
def test_rounds_come_one_after_the_other(of: Plan) -> None:
    rounds = [batch.round for batch in schedule.batches(of, never)]
    assert rounds == sorted(rounds)


@given(plans)
def test_the_order_follows_from_the_seed(of: Plan) -> None:
    assert schedule.batches(of, never) == schedule.batches(of, never)


@given(plans)
def test_a_batch_is_one_server_and_the_poisonous_are_alone(of: Plan) -> None:
    for batch in schedule.batches(of, never):
        assert batch.cells
        assert {cell.server for cell in batch.cells} == {batch.server}
        if any(cell.endpoint.isolated for cell in batch.cells):
            assert len(batch.cells) == 1


@given(plans)
def test_all_servers_meet_the_endpoints_in_the_same_order(of: Plan) -> None:
    for at in range(of.rounds):
        for isolated in (False, True):
            orders = [
                [
                    cell.endpoint.id
                    for batch in schedule.batches(of, never)
                    for cell in batch.cells
                    if batch.round == at
                    and batch.server == server.name
                    and cell.endpoint.isolated == isolated
                ]
                for server in of.servers
            ]
            longest = max(orders, key=len)
            for order in orders:
                assert order == [id_ for id_ in longest if id_ in order]


@given(plans, st.randoms())
def test_what_is_left_keeps_its_order(of: Plan, random: Any) -> None:
    """A resumed run goes on as the whole would have."""
    whole = [
        (cell.id, batch.round) for batch in schedule.batches(of, never) for cell in batch.cells
    ]
    done = {key for key in whole if random.random() < 0.5}
    left = schedule.batches(of, lambda cell, at: (cell.id, at) in done)
    assert [(cell.id, batch.round) for batch in left for cell in batch.cells] == [
        key for key in whole if key not in done
    ]


def test_servers_and_endpoints_are_shuffled() -> None:
    of = plan(
        [server(name) for name in "abcdefgh"], [endpoint(name) for name in "stuvwxyz"], rounds=3
    )
    firsts, seconds = [], []
    for at in range(3):
        batches = [batch for batch in schedule.batches(of, never) if batch.round == at]
        firsts.append(tuple(batch.server for batch in batches))
        seconds.append(tuple(cell.endpoint.name for cell in batches[0].cells))
    assert len(set(firsts)) == len(set(seconds)) == 3
    other = plan(of.servers, [cell.endpoint for cell in of.cells[:8]], seed=2)
    assert [batch.server for batch in schedule.batches(other, never)] != list(firsts[0])
