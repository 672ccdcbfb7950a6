"""From what people write to a plan, and from a plan to an order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from builders import endpoint, plan, server
from hypothesis import given
from hypothesis import strategies as st

from loadtest import matrix
from loadtest.errors import UserError
from loadtest.matrix import Again, Choice, LoadRule, Matrix
from loadtest.model import Cell, Endpoint, Load, Plan, Server

RULES = (LoadRule(connections=64, duration_s=3, warmup_s=1.0, waves=3.1),)
SERVERS = (
    server("granian-asgi", interface="asgi"),
    server("granian-wsgi", in_flight="workers * threads"),
    server("uvicorn", interface="asgi"),
    server("gevent", unsupported={"async": "No loop runs in it."}),
)
ENDPOINTS = (
    endpoint("json", "sync"),
    endpoint("json", "async"),
    endpoint("json_query", "sync"),
    endpoint("gateway_10s", "sync", delay_s=10.0, isolated=True),
    endpoint("aiohttp", "async", unsupported={"wsgi": "Its session needs a loop that stays."}),
    endpoint("raw", "control"),
)


def expand(choice: Choice = Choice(), missing: Any = None, **changes: Any) -> Plan:  # noqa: B008
    fields: dict[str, Any] = {"name": "test", "summary": "A test.", "rounds": 3, "loads": RULES}
    return matrix.expand(Matrix(**fields | changes), SERVERS, ENDPOINTS, choice, missing or {})


def ids(of: Plan) -> list[str]:
    """Of the cells of the first arms."""
    again = {one.name for one in of.servers if one.again}
    return [cell.id for cell in of.cells if cell.server not in again]


def arms(of: Plan) -> list[str]:
    return [cell.id for cell in of.cells if cell.id not in ids(of)]


# Expansion ---------------------------------------------------------------------------------------


def test_everything_times_everything() -> None:
    of = expand()
    assert len(ids(of)) == len(SERVERS) * len(ENDPOINTS)
    assert len({cell.id for cell in of.cells}) == len(of.cells)
    assert (of.rounds, of.matrix, of.servers[: len(SERVERS)]) == (3, "test", SERVERS)


def test_one_server_is_there_twice() -> None:
    of = expand(again=Again(server="uvicorn"))
    twin = of.servers[-1]
    assert (of.reference, twin.name, twin.again) == ("uvicorn", "uvicorn-again", "uvicorn")
    assert twin.argv == SERVERS[2].argv
    assert len(arms(of)) == len(ENDPOINTS)
    # Where the reference is not among the chosen, or cannot start, it is the first that can.
    assert expand(Choice(servers=("gevent",)), again=Again(server="uvicorn")).reference == "gevent"
    missing = {"uvicorn": "not installed", "granian-asgi": "not installed"}
    assert expand(missing=missing, again=Again(server="uvicorn")).reference == "granian-wsgi"


def test_the_second_arm_can_be_narrowed() -> None:
    few = Again(server="uvicorn", endpoints=("json", "raw"), styles=("sync", "control"))
    assert arms(expand(again=few)) == ["uvicorn-again.json-sync", "uvicorn-again.raw-control"]
    # If none of its endpoints is chosen it is at all of them: no run is without an arm.
    other = expand(Choice(endpoints=("aiohttp",)), again=few)
    assert arms(other) == ["uvicorn-again.aiohttp-async"]


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
        "--rounds 0: at least 1",
        "--workers -1: at least 1",
        "--duration 0: at least 1",
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


# Order -------------------------------------------------------------------------------------------

names = st.text("abc-_0", min_size=1, max_size=6)
some_servers = st.lists(
    st.builds(
        server,
        names,
        unsupported=st.sampled_from([{}, {"async": "Cannot."}]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.name,
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
    unique_by=lambda one: one.id,
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
    found = Counter(
        (cell.id, batch.round) for batch in matrix.batches(of, never) for cell in batch.cells
    )
    wanted = {(cell.id, at) for cell in of.cells if cell.skip is None for at in range(of.rounds)}
    assert set(found) == wanted
    assert set(found.values()) <= {1}


@given(plans)
def test_rounds_come_one_after_the_other(of: Plan) -> None:
    rounds = [batch.round for batch in matrix.batches(of, never)]
    assert rounds == sorted(rounds)


@given(plans)
def test_the_order_follows_from_the_seed(of: Plan) -> None:
    assert matrix.batches(of, never) == matrix.batches(of, never)


@given(plans)
def test_a_batch_is_one_server_and_the_poisonous_are_alone(of: Plan) -> None:
    for batch in matrix.batches(of, never):
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
                    for batch in matrix.batches(of, never)
                    for cell in batch.cells
                    if batch.round == at
                    and batch.server == one.name
                    and cell.endpoint.isolated == isolated
                ]
                for one in of.servers
            ]
            longest = max(orders, key=len)
            for order in orders:
                assert order == [id_ for id_ in longest if id_ in order]


@given(plans, st.randoms())
def test_what_is_left_keeps_its_order(of: Plan, random: Any) -> None:
    """A resumed run goes on as the whole would have."""
    whole = [(cell.id, batch.round) for batch in matrix.batches(of, never) for cell in batch.cells]
    done = {key for key in whole if random.random() < 0.5}
    left = matrix.batches(of, lambda cell, at: (cell.id, at) in done)
    assert [(cell.id, batch.round) for batch in left for cell in batch.cells] == [
        key for key in whole if key not in done
    ]


def test_servers_and_endpoints_are_shuffled() -> None:
    of = plan(
        [server(name) for name in "abcdefgh"], [endpoint(name) for name in "stuvwxyz"], rounds=3
    )
    firsts, seconds = [], []
    for at in range(3):
        batches = [batch for batch in matrix.batches(of, never) if batch.round == at]
        firsts.append(tuple(batch.server for batch in batches))
        seconds.append(tuple(cell.endpoint.name for cell in batches[0].cells))
    assert len(set(firsts)) == len(set(seconds)) == 3
    other = plan(of.servers, [cell.endpoint for cell in of.cells[:8]], seed=2)
    assert [batch.server for batch in matrix.batches(other, never)] != list(firsts[0])


# Files -------------------------------------------------------------------------------------------

GOOD = """
summary = "A server."
interface = "wsgi"
requires = ["it"]
in_flight = "workers"
argv = ["{python}", "--bind", "{host}:{port}"]
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("summary = ", "not valid TOML: Invalid value (at end of document)"),
        (GOOD + "sumary = 'x'", "unknown key 'sumary'; did you mean summary?"),
        (GOOD + "xyzzy = 1", "unknown key 'xyzzy'; known: argv, env, in_flight, interface, limits"),
        (GOOD + "name = 'x'", "'name' is not set here, it is 'one'"),
        (
            GOOD.replace("{port}", "{prot}"),
            "unknown placeholder 'prot'; did you mean port or host?",
        ),
        (GOOD + "env = { A = '{wrokers}' }", "unknown placeholder 'wrokers'; did you mean workers"),
        (GOOD.replace("{port}", "{port"), "expected '}' before end of string; write {{ for a"),
        (GOOD.replace("argv", "#"), "Object missing required field `argv`"),
        (GOOD + "limits = 3", "Expected `array`, got `int` - at `limits`"),
        (GOOD.replace('"it"', "1"), "Expected `str`, got `int` - at `requires[0]`"),
        (GOOD.replace('"wsgi"', '"cgi"'), "Invalid enum value 'cgi' - at `interface`"),
        (GOOD + "unsupported = { asinc = 'x' }", "Invalid enum value 'asinc'"),
    ],
)
def test_a_broken_server_file_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "one.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        matrix.load_servers(tmp_path)
    (line,) = caught.value.lines
    assert line.startswith(f"{path}: ")
    assert expected in line


def test_every_broken_file_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("summary = ")
    (tmp_path / "b.toml").write_text(GOOD)
    (tmp_path / "c.toml").write_text(GOOD + "sumary = 1")
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError) as caught:
        matrix.load_servers(tmp_path)
    assert [line.partition(":")[0] for line in caught.value.lines] == [
        str(tmp_path / name) for name in ("a.toml", "c.toml", "d.toml")
    ]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "one.toml").mkdir()
    with pytest.raises(UserError, match=r"one\.toml: cannot be read: Is a directory"):
        matrix.load_servers(tmp_path)


def test_a_folder_without_servers_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no server there"):
        matrix.load_servers(tmp_path / "nowhere")


def test_a_good_server_file(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(GOOD.replace("--bind", "{{literal}}"))
    (found,) = matrix.load_servers(tmp_path)
    assert (found.name, found.processes, found.limits) == ("one", "one", ())


@pytest.mark.parametrize("name", ["quick", "standard", "seed"])
def test_the_shipped_matrices_load(name: str) -> None:
    found = matrix.load_matrix(name)
    assert found.name == name
    assert found.loads[0].endpoints == ("*",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[[loads]]\nconections = 3",
            "[loads[0]]: unknown key 'conections'; did you mean connections or",
        ),
        ("[shape]\nwokers = 3\n[[loads]]", "[shape]: unknown key 'wokers'; did you mean workers?"),
        ("[[loads]]\nconnections = 0", "Expected `int` >= 1 - at `loads[0].connections`"),
        ("[[loads]]\nduration_s = 0", "Expected `int` >= 1 - at `loads[0].duration_s`"),
        ("[[loads]]\nduration_s = 1.5", "Expected `int | null`, got `float`"),
        ("[[loads]]\nwaves = -1", "at `loads[0].waves`"),
        ("", "Object missing required field `loads`"),
    ],
)
def test_a_broken_matrix_file_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"summary = 'Mine.'\nrounds = 1\n{text}\n")
    with pytest.raises(UserError) as caught:
        matrix.load_matrix(str(path))
    (line,) = caught.value.lines
    assert line.startswith(str(path))
    assert expected in line


def test_an_unknown_matrix_names_what_is_close() -> None:
    with pytest.raises(UserError, match="unknown matrix 'quik'; did you mean quick"):
        matrix.load_matrix("quik")


def test_a_matrix_of_one_s_own_is_named_after_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("summary = 'Mine.'\nrounds = 2\n[[loads]]\n")
    assert matrix.load_matrix(str(tmp_path / "mine.toml")).name == "mine"
