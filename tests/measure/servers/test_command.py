"""The command that a run says it was begun with, and those of its servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import plan

from loadtest.measure.servers.new_run import OPTIONS, _argv, command_of
from loadtest.plan.servers import own
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.profile import load_servers
from loadtest.records.planned import Choice, Goal, Server


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, "loadtest run quick"),
        ({"rates": (0.5, 200.0, 1_500.0)}, "loadtest run quick --rate 0.5 --rate 200 --rate 1500"),
        (
            {"rates": (5.0,), "arrivals": "poisson"},
            "loadtest run quick --rate 5 --arrivals poisson",
        ),
        ({"within": Goal(p99_us=300_000)}, "loadtest run quick --within p99=300ms"),
        (
            {"within": Goal(p90_us=1_500, p99_us=2_000_000, error_share=0.02)},
            "loadtest run quick --within p90=1.5ms --within p99=2000ms --within errors=2%",
        ),
    ],
)
def test_loads_at_a_rate_are_typed_as_they_were(choice: dict[str, Any], expected: str) -> None:
    assert command_of(Choice(**choice), "local") == expected


def test_every_choice_is_typed() -> None:
    assert OPTIONS.keys() | {"matrix"} == set(Choice.__struct_fields__)


@pytest.mark.parametrize("server", load_servers(own.SERVERS), ids=lambda server: server.name)
def test_a_report_prints_what_can_be_deployed(server: Server) -> None:
    """Nothing of it is of a run: neither its configuration nor the modules that it makes."""
    where = own.Where(python="python", settings="config.settings.live", wsgi="shop.wsgi:app")
    file = own.File(format=1, project=where, database=own.Database(kind="none"))
    offered = Inventory(own.project(Path("/shop"), file), (server,), (), {})
    (argv,) = _argv(offered, plan([server])).values()
    assert argv[0] == "python"
    application = {"wsgi": "shop.wsgi:app", "asgi": "config.asgi:application"}
    root = "/" * server.name.startswith("granian")  # which imports it from there
    assert root + application[server.interface or ""] in argv
    assert not any("loadtest" in word for word in argv)
