"""From what people write to a plan: expansion and loads."""

from __future__ import annotations

import msgspec
import pytest
from builders import endpoint, server
from demo import DEMO
from hypothesis import given
from hypothesis import strategies as st
from small_matrix import ENDPOINTS, RULES, SERVERS, arms, expand, ids

from loadtest.plan.servers import matrix, schedule
from loadtest.plan.servers.matrix import Duplicate, LoadRule, Matrix
from loadtest.records.errors import UserError
from loadtest.records.planned import Choice, Load

# Expansion ---------------------------------------------------------------------------------------


def test_everything_times_everything() -> None:
    of = expand()
    assert len(ids(of)) == len(SERVERS) * len(ENDPOINTS)
    assert len({cell.id for cell in of.cells}) == len(of.cells)
    assert (of.rounds, of.matrix, of.servers[: len(SERVERS)]) == (3, "test", SERVERS)


def test_one_server_is_there_twice() -> None:
    of = expand(duplicate=Duplicate(server="uvicorn"))
    twin = of.servers[-1]
    assert (of.reference, twin.name, twin.duplicate_of) == ("uvicorn", "uvicorn-again", "uvicorn")
    assert twin.argv == SERVERS[2].argv
    assert len(arms(of)) == len(ENDPOINTS)
    # Where the reference is not among the chosen, or cannot start, it is the first that can.
    assert (
        expand(Choice(servers=("gevent",)), duplicate=Duplicate(server="uvicorn")).reference
        == "gevent"
    )
    missing = {"uvicorn": "not installed", "granian-asgi": "not installed"}
    assert (
        expand(missing=missing, duplicate=Duplicate(server="uvicorn")).reference == "granian-wsgi"
    )


def test_the_second_arm_can_be_narrowed() -> None:
    few = Duplicate(server="uvicorn", endpoints=("json", "raw"), styles=("sync", "control"))
    assert arms(expand(duplicate=few)) == [
        "uvicorn-again.json-sync",
        "uvicorn-again.raw-control",
    ]
    # If none of its endpoints is chosen it is at all of them: no run is without an arm.
    other = expand(Choice(endpoints=("aiohttp",)), duplicate=few)
    assert arms(other) == ["uvicorn-again.aiohttp-async"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        # Its endpoints, but in no style of its own: in the one that is chosen.
        (Choice(styles=("async",)), ["uvicorn-again.json-async"]),
        (Choice(styles=("control",)), ["uvicorn-again.raw-control"]),
        (Choice(endpoints=("json",), styles=("async",)), ["uvicorn-again.json-async"]),
        # The reference has nothing to do there: it is another server.
        (
            Choice(servers=("granian-*", "gevent"), endpoints=("aiohttp",)),
            ["granian-asgi-again.aiohttp-async"],
        ),
        (Choice(servers=("gevent",), styles=("async",)), []),
    ],
)
def test_no_choice_drops_the_second_arm(choice: Choice, expected: list[str]) -> None:
    """But for one that leaves nothing to measure: all of that is skipped."""
    few = Duplicate(server="uvicorn", endpoints=("json", "json_query"), styles=("sync",))
    of = expand(choice, duplicate=few)
    assert arms(of) == expected
    assert bool(expected) == any(cell.skip is None for cell in of.cells)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (
            Choice(servers=("uvicorn",), endpoints=("json",)),
            ["uvicorn.json-sync", "uvicorn.json-async"],
        ),
        (
            Choice(servers=("granian-*",), endpoints=("raw",)),
            ["granian-asgi.raw-control", "granian-wsgi.raw-control"],
        ),
        (
            Choice(servers=("uvicorn",), endpoints=("json*",), styles=("sync",)),
            ["uvicorn.json-sync", "uvicorn.json_query-sync"],
        ),
        (Choice(servers=("uvicorn", "u*"), styles=("c*",)), ["uvicorn.raw-control"]),
    ],
)
def test_a_choice_narrows(choice: Choice, expected: list[str]) -> None:
    assert ids(expand(choice)) == expected


def test_a_choice_replaces_what_the_matrix_names() -> None:
    narrow = {"servers": ("uvicorn",), "endpoints": ("json",), "styles": ("sync",)}
    assert ids(expand(**narrow)) == ["uvicorn.json-sync"]
    assert ids(expand(Choice(servers=("gevent",)), **narrow)) == ["gevent.json-sync"]


def test_every_wrong_name_and_number_at_once() -> None:
    with pytest.raises(UserError) as caught:
        expand(
            Choice(
                servers=("uvicron", "uvicorn"),
                endpoints=("jsno",),
                styles=("asinc",),
                rounds=0,
                workers=-1,
                duration_s=0,
            ),
            loads=(*RULES, LoadRule(endpoints=("gatway_10s",))),
        )
    lines = caught.value.lines
    assert lines[0] == "unknown server 'uvicron'; did you mean uvicorn?"
    assert lines[1].startswith("unknown endpoint 'jsno'; did you mean json")
    assert lines[2] == "unknown style 'asinc'; did you mean async or sync?"
    assert (
        lines[3] == "loads of matrix test: unknown endpoint 'gatway_10s'; did you mean gateway_10s?"
    )
    assert lines[4:] == (
        "--rounds 0: at least 1, as in --rounds 3",
        "--workers -1: at least 1, as in --workers 2",
        "--duration 0: at least 1, as in --duration 3",
    )


def test_every_number_beyond_its_limit() -> None:
    many = 10**30
    with pytest.raises(UserError) as caught:
        expand(Choice(rounds=many, workers=many, threads=many, connections=many, duration_s=many))
    assert caught.value.lines == (
        f"--rounds {many}: at most 1000, as in --rounds 3",
        f"--workers {many}: at most 1000, as in --workers 2",
        f"--threads {many}: at most 10000, as in --threads 4",
        f"--connections {many}: at most 65535, as in --connections 64",
        f"--duration {many}: at most 3600, as in --duration 3",
    )


def test_a_run_that_would_never_end() -> None:
    with pytest.raises(UserError, match=r"loads, and a run has 50,000 at most; choose fewer"):
        expand(Choice(rounds=1000), turns=100)
    assert expand(Choice(rounds=1000)).rounds == 1000


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(UserError, match="cannot be the name of a file; rename it"):
        matrix.expand(
            Matrix(name="test", summary="A test.", rounds=1, loads=RULES),
            SERVERS,
            [endpoint("x" * 250)],
            Choice(),
            {},
        )


def test_a_name_like_nothing_lists_what_there_is() -> None:
    with pytest.raises(UserError, match="known: gevent, granian-asgi, granian-wsgi, uvicorn"):
        expand(Choice(servers=("xyzzy",)))


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(UserError, match="nothing to measure"):
        expand(Choice(endpoints=("raw",), styles=("sync",)))


def test_what_cannot_work_is_in_the_plan_with_its_reason() -> None:
    of = expand(missing={"uvicorn": "not installed: uvicorn"})
    reasons = {cell.id: cell.skip for cell in of.cells}
    assert reasons["gevent.json-async"] == "No loop runs in it."
    assert reasons["granian-wsgi.aiohttp-async"] == "Its session needs a loop that stays."
    assert reasons["granian-asgi.aiohttp-async"] is None
    assert {skip for id_, skip in reasons.items() if id_.startswith("uvicorn")} == {
        "not installed: uvicorn"
    }


def test_the_shape_is_the_matrix_s_but_for_the_choice() -> None:
    assert expand(Choice(workers=7)).shape.workers == 7
    assert expand(Choice(workers=7)).shape.threads == expand().shape.threads
    assert expand(Choice(rounds=9, seed=5)).rounds == 9
    assert expand(Choice(seed=0)).seed == 0


def test_two_cells_with_one_name_are_refused() -> None:
    twice = (endpoint("json", "sync"), endpoint("json", "sync", path="/elsewhere"))
    test = Matrix(name="test", summary="A test.", rounds=1, loads=RULES)
    with pytest.raises(UserError, match=r"two cells are called uvicorn\.json-sync"):
        matrix.expand(test, (server("uvicorn"),), twice, Choice(), {})


# Loads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "delay_s", "choice", "expected"),
    [
        ("json", 0.0, Choice(), Load(connections=64, duration_s=3, warmup_s=1.0)),
        ("json", 0.0, Choice(duration_s=1), Load(connections=64, duration_s=1, warmup_s=1.0)),
        ("json", 0.0, Choice(connections=5), Load(connections=5, duration_s=3, warmup_s=1.0)),
        ("gateway_1s", 1.0, Choice(), Load(connections=500, duration_s=4, warmup_s=1.0)),
        ("gateway_10s", 10.0, Choice(), Load(connections=500, duration_s=31, warmup_s=1.0)),
        # Not even on request: such a load would measure nothing.
        (
            "gateway_10s",
            10.0,
            Choice(duration_s=1),
            Load(connections=500, duration_s=31, warmup_s=1.0),
        ),
    ],
)
def test_loads(name: str, delay_s: float, choice: Choice, expected: Load) -> None:
    rules = (*RULES, LoadRule(endpoints=("gateway_*",), connections=500))
    assert matrix.fit(endpoint(name, delay_s=delay_s), rules, choice) == expected


@pytest.mark.parametrize(
    ("cost_s", "workers", "connections", "duration_s"),
    [
        (None, 1, 16, 3),
        (0.001, 1, 16, 3),
        (0.02, 1, 16, 6),  # 1.5 x 200 x 0.02
        (0.02, 1, 64, 20),  # 1.5 x 10 x 64 x 0.02 = 19.2
        (0.02, 2, 64, 10),
        (0.02, 1_000, 64, 5),  # as many as there are processors
        (1.0, 1, 16, 30),
    ],
)
def test_a_load_lasts_for_many_answers(
    monkeypatch: pytest.MonkeyPatch,
    cost_s: float | None,
    workers: int,
    connections: int,
    duration_s: int,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    costly, rules = endpoint("json", cost_s=cost_s), (LoadRule(connections=connections),)
    assert matrix.fit(costly, rules, Choice(), workers).duration_s == duration_s
    assert matrix.fit(costly, rules, Choice(duration_s=1), workers).duration_s == 1


optional = st.none() | st.integers(1, 60)
rules = st.builds(
    LoadRule,
    endpoints=st.sampled_from([("*",), ("json",), ("j*", "x"), ("other",)]),
    connections=optional,
    duration_s=optional,
    warmup_s=st.none() | st.floats(0, 5),
    waves=st.none() | st.floats(0.5, 5),
)


@given(st.lists(rules, max_size=4), st.floats(0, 20), optional, optional)
def test_a_load_outlasts_the_delay_and_has_whole_seconds(
    written: list[LoadRule], delay_s: float, duration_s: int | None, connections: int | None
) -> None:
    choice = Choice(duration_s=duration_s, connections=connections)
    load = matrix.fit(endpoint("json", delay_s=delay_s), written, choice)
    named = [rule for rule in written if rule.endpoints in (("*",), ("json",), ("j*", "x"))]
    waves = next((rule.waves for rule in reversed(named) if rule.waves is not None), 3.5)
    assert load.duration_s >= waves * delay_s
    assert load.duration_s == int(load.duration_s)
    asked = next((rule.duration_s for rule in reversed(named) if rule.duration_s), 3)
    assert load.duration_s >= (duration_s or asked)
    if connections is not None:
        assert load.connections == connections


def test_what_waits_can_be_left_out_of_later_rounds() -> None:
    once = (*RULES, LoadRule(endpoints=("gateway_*",), rounds=1))
    of = expand(loads=once)
    planned = {
        (turn.cell.endpoint.name, turn.round) for turn in schedule.turns(schedule.batches(of))
    }
    assert {round_ for name, round_ in planned if name.startswith("gateway")} == {0}
    assert {round_ for name, round_ in planned if name == "json"} == {0, 1, 2}
    # Fewer rounds than the matrix's three never measure more of anything; more are meant for all.
    for rounds, waiting in ((1, {None}), (2, {1}), (3, {1}), (4, {None})):
        asked = expand(Choice(rounds=rounds), loads=once)
        assert {
            cell.rounds for cell in asked.cells if cell.endpoint.name.startswith("gateway")
        } == waiting


def test_workers_are_replaced_only_where_a_matrix_says_so_and_a_server_can() -> None:
    recycling = matrix.load_matrix("recycling", DEMO.matrices)
    assert recycling.shape.max_requests
    names = ("quick", "standard", "seed")
    others = [matrix.load_matrix(name, DEMO.matrices).shape.max_requests for name in names]
    assert others == [None, None, None]
    able = server("alpha", recycled=("--max-requests", "{max_requests}"))
    of = matrix.expand(
        msgspec.structs.replace(recycling, servers=("*",), endpoints=("*",)),
        [able, server("beta")],
        [endpoint("json", "sync")],
        Choice(),
        {},
    )
    assert {cell.server: cell.skip for cell in of.cells} == {
        "alpha": None,
        "beta": "it cannot replace a worker after so many responses",
        "alpha-again": None,
    }
