"""What `loadtest check` says of a server that is not as it is to be, and what to type then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import endpoint, server

from loadtest.cli.record import _problems, _wrong_everywhere
from loadtest.plan.servers.project import App, Project
from loadtest.records.errors import CellError

HOME, ORDER = endpoint("home"), endpoint("order")
DOWN = CellError("launch", "uvicorn exited with status 1", "Traceback\nImportError: no shop")


@pytest.mark.parametrize(
    ("declares", "result", "problems"),
    [
        (False, {"home-sync": None, "order-sync": None}, []),
        (
            False,
            {"home-sync": "/: another text", "order-sync": "/order/: status 500 instead of 200"},
            [
                "home /: another text",
                "order /order/: status 500 instead of 200",
                "`loadtest serve uvicorn` starts it; where it is to answer so from now on, type"
                " `loadtest record home order`",
            ],
        ),
        (
            True,
            {"home-sync": "/: another text", "order-sync": None},
            [
                "home-sync /: another text",
                "correct the view, or what is declared of it; `loadtest serve uvicorn` starts it",
            ],
        ),
        (
            False,
            DOWN,
            [
                "uvicorn exited with status 1: ImportError: no shop",
                "`loadtest serve uvicorn` shows all that it prints",
            ],
        ),
    ],
)
def test_what_to_type_next(declares: bool, result: Any, problems: list[str]) -> None:
    project = Project(Path(), "python", App(declares="endpoints" if declares else None))
    of = server("uvicorn-2", profile="uvicorn")  # in a shape, which `serve` knows nothing of
    assert _problems(project, of, [HOME, ORDER], result) == problems


def test_a_variant_is_served_by_its_name() -> None:
    project = Project(Path(), "python", App())
    of = server("uvicorn-2-pooled", profile="uvicorn", variant="pooled")
    line = "`loadtest serve uvicorn --variant pooled` shows all that it prints"
    assert line in _problems(project, of, [HOME], DOWN)


def test_what_no_server_answers_as_recorded() -> None:
    wrong, right = {"home-sync": "/: another text"}, {"home-sync": None, "order-sync": "/: late"}
    both = [HOME, ORDER]
    assert _wrong_everywhere([both, both, both], [wrong, DOWN, wrong]) == ["home"]
    assert _wrong_everywhere([both, both], [wrong, right]) == []
    assert _wrong_everywhere([both], [wrong]) == []  # of a single server it says nothing
