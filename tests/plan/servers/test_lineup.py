"""Which servers a run has: in several shapes, under variants, and what a project runs on today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import endpoint, server

from loadtest.plan.servers import inventory, lineup, own, profile
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.own import File, Varied
from loadtest.plan.servers.project import App, Project, Variant
from loadtest.records.errors import UserError
from loadtest.records.planned import Choice, Plan, Server, Sizes

THREADED = server("gthread", argv=("gthread", "{workers}", "{threads}"))
PROCESSES = server("sync", argv=("sync", "{workers}"))
ASGI = server("uvicorn", interface="asgi", argv=("uvicorn", "{workers}"))
SERVERS = (THREADED, PROCESSES, ASGI)
POOLED = Variant(requires=("pooler",), unsupported={"asgi": "threads without end"})


def names(shapes: list[str], choice: Choice = Choice(), **changes: Any) -> list[str]:  # noqa: B008
    sized = [lineup.sized(Sizes(), typed) for typed in shapes]
    return [each.name for each in lineup.lineup(SERVERS, sized, App(**changes), choice)]


@pytest.mark.parametrize(
    ("shapes", "today", "expected"),
    [
        (["2x4"], None, ["gthread", "sync", "uvicorn"]),
        # What has no threads is the same server with more of them.
        (["2x1", "2x4"], None, ["gthread-2x1", "gthread-2x4", "sync-2", "uvicorn-2"]),
        (["2x4", "4x4"], None,
         ["gthread-2x4", "gthread-4x4", "sync-2", "sync-4", "uvicorn-2", "uvicorn-4"]),
        # What runs today is there in its own shape, and no other server for its sake.
        (["2x4"], "3x2", ["gthread-2x4", "gthread-3x2", "sync-2", "uvicorn-2"]),
        (["2x4", "3x2"], "3x2",
         ["gthread-2x4", "gthread-3x2", "sync-2", "sync-3", "uvicorn-2", "uvicorn-3"]),
        (["3x2"], "3x2", ["gthread", "sync", "uvicorn"]),
    ],
)  # fmt: skip
def test_a_server_in_several_shapes_is_several_servers(
    shapes: list[str], today: str | None, expected: list[str]
) -> None:
    assert names(shapes, reference="gthread", reference_shape=today) == expected


def test_each_server_is_measured_under_each_variant() -> None:
    variants = {"pooled": POOLED, "plain": Variant()}
    ends = ("", "-pooled", "-plain")
    assert names(["2x4"], variants=variants) == [
        f"{name}{end}" for name in ("gthread", "sync", "uvicorn") for end in ends
    ]
    only = Choice(variants=("as-deployed", "poo*"))
    assert names(["2x1", "2x4"], only, variants=variants)[:4] == [
        "gthread-2x1", "gthread-2x1-pooled", "gthread-2x4", "gthread-2x4-pooled",
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"unknown variant 'pool'; .*pooled"):
        names(["2x4"], Choice(variants=("pool",)), variants=variants)


def test_a_variant_says_what_it_needs_and_where_it_cannot_be() -> None:
    servers = {
        each.name: each
        for each in lineup.lineup(SERVERS, [Sizes()], App(variants={"pooled": POOLED}), Choice())
    }
    assert servers["sync-pooled"].requires == ("sync", "pooler")
    assert servers["sync-pooled"].unsupported == {}
    assert servers["uvicorn-pooled"].unsupported["sync"] == "threads without end"
    assert (servers["sync-pooled"].profile, servers["sync-pooled"].variant) == ("sync", "pooled")
    assert servers["sync"] == PROCESSES


@pytest.mark.parametrize(
    ("reference", "shape", "expected"),
    [
        ("gthread", "2x1", "gthread-2x1"),
        ("gthread", None, "gthread-2x1"),
        ("sync", "2x9", "sync-2"),
        ("waitress", None, None),
    ],
)
def test_what_runs_today_is_told_from_its_other_shapes(
    reference: str, shape: str | None, expected: str | None
) -> None:
    shapes = [lineup.sized(Sizes(), typed) for typed in ("2x1", "2x4")]
    of = App(reference=reference, reference_shape=shape, variants={"pooled": Variant()})
    today = lineup.reference(lineup.lineup(SERVERS, shapes, of, Choice()), shapes[0], of)
    assert (today and today.name) == expected


def test_nobody_says_what_runs_today() -> None:
    """Profiles have no second name, which is no reason to take the first of them for it."""
    servers = lineup.lineup(SERVERS, [Sizes()], App(), Choice())
    assert lineup.reference(servers, Sizes(), App()) is None


# From a project's file to a plan ------------------------------------------------------------------

ASKED = (own.Asked(name="home", path="/", share=0.9), own.Asked(name="list", path="/list/"))
LEAST: dict[str, Any] = {
    "format": 1,
    "project": own.Where(python="python", settings="s", reference="gunicorn-gthread"),
    "database": own.Database(kind="none"),
    "endpoint": ASKED,
}


def planned(choice: Choice = Choice(), **changes: Any) -> Plan:  # noqa: B008
    file = File(**LEAST | changes)
    project = Project(Path("/nowhere"), "python", own.app(file))
    servers = profile.load_servers(project.app.servers)
    needed = inventory.distributions(servers, project.app)
    offered = Inventory(project, servers, project.endpoints(), dict.fromkeys(needed, "1"))
    return inventory.make_plan(offered, choice)


def shape_of(plan: Plan, name: str) -> str:
    (of,) = (each for each in plan.servers if each.name == name)
    return of.sized(plan.shape).typed


def test_a_project_is_measured_as_it_runs_today() -> None:
    where = own.Where(
        python="python", settings="s", reference="gunicorn-gthread", reference_shape="3x2"
    )
    of = planned(project=where)
    assert (of.today, of.reference, of.shape.typed) == ("gunicorn-gthread",) * 2 + ("3x2",)
    several = planned(project=where, shapes=("2x4", "4x4"))
    assert (several.today, several.reference) == ("gunicorn-gthread-3x2",) * 2
    assert shape_of(several, "gunicorn-gthread-3x2") == "3x2"
    assert shape_of(several, "gunicorn-gthread-3x2-again") == "3x2"
    assert shape_of(several, "granian-wsgi-4x4") == "4x4"
    assert several.most_workers == 4
    # Whoever chooses others has no base that was not measured.
    assert planned(Choice(servers=("granian-wsgi",))).today is None


def test_a_choice_of_shapes_and_variants_narrows_what_the_file_has() -> None:
    variants = {"pooled": Varied(env={"AGE": "60"})}
    typed = planned(Choice(shapes=("4x4",)), shapes=("2x1", "2x4"), variants=variants)
    assert typed.shape.typed == "4x4"
    assert {each.shape for each in typed.servers} == {None}
    assert {each.variant for each in typed.servers} == {None, "pooled"}
    workers = planned(Choice(workers=5), shapes=("2x1", "2x4"))
    assert workers.shape.typed == "5x4"
    bare = planned(Choice(variants=("as-deployed",)), variants=variants)
    assert {each.variant for each in bare.servers} == {None}
    # The base of all ratios stays.
    pooled = planned(Choice(variants=("pooled",)), shapes=("2x1", "2x4"), variants=variants)
    plain = [each.name for each in pooled.servers if not each.variant]
    assert plain == ["gunicorn-gthread-2x1", "gunicorn-gthread-2x1-again"]
    assert pooled.today == pooled.reference == plain[0]
    by_row = planned(Choice(servers=("granian-wsgi-2x1",)), shapes=("2x1", "2x4"))
    assert {each.profile for each in by_row.servers} == {"granian-wsgi"}
    with pytest.raises(UserError, match="leave out --workers and --threads"):
        planned(Choice(shapes=("4x4",), workers=2))


def test_too_many_servers_to_compare_are_refused() -> None:
    shapes = tuple(f"{workers}x4" for workers in range(1, 11))
    variants = {f"v{number}": Varied() for number in range(5)}
    with pytest.raises(UserError, match="choose some with --server, --shape, --variant"):
        planned(shapes=shapes, variants=variants)


@pytest.mark.parametrize(
    ("told", "mix", "shares"),
    [
        ((0.5, 0.5), "stated", [0.5, 0.5]),
        ((None, None), "equal", [0.5, 0.5]),
        ((0.9, None, None), "rest", [0.9, 0.05, 0.05]),
    ],
)
def test_endpoints_without_a_share_divide_what_is_left(
    told: tuple[float | None, ...], mix: str, shares: list[float]
) -> None:
    asked = tuple(own.Asked(name=f"e{at}", path="/", share=share) for at, share in enumerate(told))
    of = planned(endpoint=asked)
    assert of.mix == mix
    by_name = {cell.endpoint.name: cell.endpoint.share for cell in of.cells}
    assert list(by_name.values()) == pytest.approx(shares)


def test_a_row_has_the_command_of_its_own_shape() -> None:
    of = planned(shapes=("2x1", "4x2"))
    project = Project(Path("/nowhere"), "python", own.app(File(**LEAST)))

    def argv(name: str) -> str:
        (row,) = (each for each in of.servers if each.name == name)
        return " ".join(profile.command(row, of.shape, project, 8000).argv)

    assert "--workers 4 --threads 2" in argv("gunicorn-gthread-4x2")
    assert "--workers 2 --threads 1" in argv("gunicorn-gthread-2x1")
    assert "--workers 4" in argv("uvicorn-4")


def test_a_matrix_may_have_several_shapes(tmp_path: Path) -> None:
    matrix = tmp_path / "mine.toml"
    matrix.write_text('summary = ""\nrounds = 1\nshapes = ["1x1", "2x2"]\n[[loads]]\n')
    versions = {name: "1" for each in SERVERS for name in each.requires}
    offered = Inventory(Project(tmp_path, "python", App()), SERVERS, (endpoint(),), versions)
    of = inventory.make_plan(offered, Choice(matrix=str(matrix)))
    assert (of.today, of.mix) == (None, None)
    assert [each.typed for each in of.shapes] == ["1x1", "2x2"]
    matrix.write_text(matrix.read_text().replace("2x2", "2 x 2"))
    with pytest.raises(UserError, match='workers x threads in quotes, as in "2x4"'):
        inventory.make_plan(offered, Choice(matrix=str(matrix)))


def test_a_server_is_what_its_profile_and_its_variant_say() -> None:
    of = App(variants={"pooled": POOLED}, reference="gthread")
    shapes = [lineup.sized(Sizes(), typed) for typed in ("2x1", "2x4")]
    servers = lineup.lineup(SERVERS, shapes, of, Choice())
    profiles = {each.name: each for each in SERVERS}

    def declared(server: Server, app_: App = of) -> bool:
        return lineup.is_declared(server, profiles, app_, recycles=False)

    assert all(map(declared, servers))
    pooled = next(each for each in servers if each.variant)
    assert not declared(pooled, App())
    assert not declared(msgspec.structs.replace(pooled, argv=("rm",)))
    assert not declared(msgspec.structs.replace(servers[0], variant="other"))
