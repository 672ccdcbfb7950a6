"""The figure of what each server costs: its table, and what a page draws and stores of it."""

from __future__ import annotations

import decisions
import msgspec
import pytest
from decisions import QUIET, cost, place, quiet

from loadtest.judge.servers.decision import Waiting
from loadtest.report.servers.cost import Figure, figure, narrow_table, parted, table

KINDS = {"cpu", "database", "template"}


def drawn(**changes: object) -> Figure:
    given = figure(quiet(**changes), KINDS)
    assert given
    return given


def test_a_row_for_each_server_the_cheapest_first() -> None:
    shown = table(quiet(["granian-wsgi"]))
    assert [column.title for column in shown.columns] == [
        "server",
        "cores",
        "cheapest to dearest endpoint",
        "times the cheapest (95 %)",
        "requests/s",
        "held at once",
        "memory, just launched",
        "in doubt",
    ]
    first, second, *_ = shown.texts()
    assert first == [
        "granian-wsgi", "0.476", "0.159 to 0.952", "1", "3,150", "8", "120 MB", "0 of 3",
    ]  # fmt: skip
    assert second[3] == "1.24x (1.13 to 1.36)"
    assert [row[0] for row in shown.texts()] == list(QUIET)


def test_what_a_site_runs_on_today_is_what_the_others_are_times_of() -> None:
    of = cost(QUIET, ["granian-wsgi"], today="uwsgi", mix="stated")
    places = [
        msgspec.structs.replace(each, versus_today=None if each.server == "uwsgi" else each.versus)
        for each in of.places
    ]
    places[0] = msgspec.structs.replace(places[0], versus_today=decisions.versus(0.81))
    site = quiet(cost=msgspec.structs.replace(of, places=tuple(places)))
    titles = [column.title for column in table(site).columns]
    assert titles[3] == "times today's (95 %)"
    assert [row[3] for row in table(site).texts()[:2]] == ["0.81x (0.74 to 0.89)", "1"]
    assert "x today's (95 %)" in [column.title for column in narrow_table(site).columns]


def test_what_no_server_has_is_no_column() -> None:
    of = cost(QUIET, ["uwsgi"])
    old = tuple(msgspec.structs.replace(each, memory_launched_bytes=None) for each in of.places)
    titles = [
        column.title
        for column in narrow_table(
            quiet(cost=msgspec.structs.replace(of, places=old), waiting=None)
        ).columns
    ]
    assert "held" not in titles
    assert titles[-2:] == ["memory", "in doubt"]
    assert table(quiet(cost=msgspec.structs.replace(of, places=old))).columns[-2].title == (
        "memory, at most"
    )


def test_what_a_server_held_is_not_what_its_configuration_would_allow() -> None:
    held = (decisions.holds("granian-wsgi", 60, 1_024), decisions.holds("uwsgi", 7, 8))
    shown = table(quiet(waiting=Waiting(endpoints=("g",), holds=held))).texts()
    assert [row[5] for row in shown[:2]] == ["60", "8"]


def test_80_columns_have_room_for_all_of_it() -> None:
    names = {f"hypercorn-asyncio{'' if n == 0 else n}"[:17]: 0.3 + n for n in range(14)}
    shown = narrow_table(quiet(cost=cost(names, []), waiting=decisions.WAITING))
    widths = [
        max(len(text) for text in column)
        for column in zip([c.title for c in shown.columns], *shown.texts(), strict=True)
    ]
    assert sum(widths) + len(widths) - 1 <= 80


def test_a_server_without_a_cost_has_a_row_and_a_reason() -> None:
    of = cost(QUIET, ["uwsgi"])
    broken = msgspec.structs.replace(of, places=(*of.places, place("daphne", None, None)))
    row = table(quiet(cost=broken)).texts()[-1]
    assert row[:2] == ["daphne", "-"]
    assert drawn(cost=broken).data()["servers"][-1] == "daphne"
    assert len(drawn(cost=broken).data()["costs"]["all-sync"]["places"]) == len(QUIET)


@pytest.mark.parametrize(
    ("servers", "first"),
    [
        (["a-wsgi", "b-wsgi", "c-asgi"], "c-asgi"),
        (["a-asgi", "b-wsgi"], "b-wsgi"),
        (["a-wsgi", "b-asgi", "c-wsgi"], None),
        (["a-wsgi"], None),
    ],
)
def test_a_line_stands_between_the_interfaces_where_they_do_not_mix(
    servers: list[str], first: str | None
) -> None:
    assert parted([place(server, 1.0, 1) for server in servers]) == first


def test_all_costs_have_room_on_the_axis() -> None:
    given = drawn(costs=(decisions.at_endpoint("brotli", {"uwsgi": 24.0}, []),))
    assert given.low < QUIET["granian-wsgi"] / 3 < 48 < given.high
    assert given.ticks == [0.2, 0.5, 1, 2, 5, 10, 20, 50]
    assert given.at(given.low) == "0.0%"
    assert given.at(given.high) == "100.0%"


def test_a_reader_can_choose_a_workload_an_endpoint_and_the_other_style() -> None:
    of = quiet()
    assert of.cost
    given = drawn(
        costs=(
            *of.costs,
            cost(QUIET, [], over="database"),
            # An endpoint may be called as a workload is.
            cost(QUIET, [], over="template"),
            msgspec.structs.replace(of.cost, style="async"),
        )
    )
    assert [
        (heading, [(choice.key, choice.text) for choice in choices])
        for heading, choices in given.groups
    ] == [
        (
            "",
            [
                ("all-sync", "all 3 endpoints that count, def views"),
                ("all-async", "all 3 endpoints that count, async def views"),
            ],
        ),
        (
            "A workload",
            [
                ("database-sync-workload", "Database, def views"),
                ("template-sync-workload", "Template, def views"),
            ],
        ),
        (
            "One endpoint",
            [
                ("json-sync", "json, def views"),
                ("json_query-sync", "json_query, def views"),
                ("template-sync", "template, def views"),
            ],
        ),
    ]
    assert set(given.data()["costs"]) == {
        choice.key for _, choices in given.groups for choice in choices
    }


def test_what_the_page_stores_is_short_and_has_both_sides_of_each_pair() -> None:
    data = drawn().data()
    of = data["costs"]["all-sync"]
    assert of["places"][1] == [1, 0.59, 0.885, 0.197, 1.18, 2540.0, "0 of 3"]
    assert of["pairs"][0] == [1, 0, 1.24, 1.13, 1.36]
    assert len(of["pairs"]) == len(QUIET) * (len(QUIET) - 1) / 2


def test_without_a_cost_there_is_no_figure() -> None:
    assert figure(quiet(cost=None), KINDS) is None
    assert table(quiet(cost=None)).items == ()
