"""What was typed, or written into TOML files, to make the command line fail; as it was."""

from __future__ import annotations

import ast
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from attack import seeds
from command_line import Type
from hypothesis import given
from hypothesis import strategies as st
from paths import TESTS
from small_matrix import ENDPOINTS, SERVERS

from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.names import Target, _endpoint_name
from loadtest.plan import toml_file
from loadtest.plan.servers import matrix, profile
from loadtest.plan.servers.matrix import Matrix
from loadtest.records.errors import UserError
from loadtest.records.planned import Choice, Load
from loadtest.records.text import MOST, message
from loadtest.records.values import MOST_BUDGET_S, MOST_LOADS

INPUTS = TESTS / "attack" / "inputs"


def inputs(reader: str) -> Any:
    return pytest.mark.parametrize("path", sorted(INPUTS.glob(f"{reader}-*")), ids=lambda p: p.name)


def clean(line: str) -> bool:
    """Say whether a line is one that a terminal shows and a person reads."""
    return line == message(line) and len(line) <= MOST


@inputs("cli")
def test_what_is_typed_ends_in_clean_lines(path: Path, type_: Type) -> None:
    done = type_(*ast.literal_eval(path.read_text(encoding="utf-8")))
    assert done.status == 2
    assert done.out == ""
    assert done.lines
    for line in done.lines:
        assert line.startswith("loadtest: ")
        assert clean(line.removeprefix("loadtest: "))


# The keys of a matrix have other names now, and for an unknown key alone each would be refused.
NAMES = ((b"[again]", b"[duplicate]"), (b"settle", b"observe_release"))


@inputs("matrix-toml")
@pytest.mark.parametrize("names", [(), NAMES], ids=["as it was", "under the names of today"])
def test_a_matrix_is_refused(path: Path, names: Any, tmp_path: Path) -> None:
    text = path.read_bytes()
    for old, new in names:
        text = text.replace(old, new)
    file = tmp_path / "mine.toml"
    file.write_bytes(text)
    with pytest.raises(UserError) as caught:
        matrix.expand(matrix.load_matrix(str(file)), SERVERS, ENDPOINTS, Choice(), {})
    assert all(map(clean, caught.value.lines))


@inputs("server-toml")
def test_a_server_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(path.read_bytes())
    with pytest.raises(UserError) as caught:
        profile.load_servers(tmp_path)
    (line,) = caught.value.lines
    assert line.startswith(str(tmp_path / "mine.toml"))
    assert clean(line)


def test_a_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.toml")
    with pytest.raises(UserError, match="cannot be read: it is no regular file"):
        matrix.load_matrix(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("path", ["fifo", "/dev/zero"])
def test_a_report_that_is_none_is_not_waited_for(path: str, type_: Type, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = type_("import", tmp_path / path, "--out", tmp_path)
    assert done.status == 2
    (line,) = done.lines
    assert ": cannot be read: it is no regular file; name a report" in line


def test_a_report_has_so_many_blocks_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_BLOCKS", 2)
    with pytest.raises(UserError, match=r"x\.md: \d+ blocks of .* and 2 are read at most"):
        report.convert(seeds.wrk_report(), "x.md", "2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    "line",
    [
        "wrk" + "_a" * 400 + "!",
        "wrk" + "-" * 900 + " ",
        "-" * 990 + "x",
        "=" * 400 + " x " + "-" * 400 + "y",
        "x" + " " * 990 + "y |",
        "x" + "<>" * 400 + "y>",
        "gunicorn " * 110,
        "gunicorn" + "&" * 990,
        "# gunicorn" + " a" * 490,
        "# " + "](" * 490,
        "> " * 490 + "x",
        "<h1>" + "</h1>x" * 160,
    ],
    ids=lambda line: line[:12],
)
def test_no_line_of_a_report_takes_long(line: str) -> None:
    """Tried at each place anew, of a thousand such lines each takes seconds, or has no end."""
    plain = report.convert(seeds.wrk_report(), "x.md", "2026-01-02T03:04:05+00:00")
    data = (line + "\n\n").encode() * 1_000 + seeds.wrk_report()
    read = report.convert(data, "x.md", "2026-01-02T03:04:05+00:00")
    assert len(read.outcomes) == len(plain.outcomes)


def test_blank_lines_of_a_report_take_no_time() -> None:
    *lines, last = seeds.wrk_report().split(b"Transfer/sec", 1)
    data = lines[0] + b"\n" * 190_000 + b"Transfer/sec" + last
    read = report.convert(data, "x.md", "2026-01-02T03:04:05+00:00")
    assert read.outcomes


def test_no_line_within_wrk2_s_text_takes_long() -> None:
    """Its heads were looked for at each place of each line: of 8,000 lines that takes a minute."""
    head = b"$ wrk2 -t2 -c100 -R100 http://h/\nRunning 10s test @ http://h/\n"
    head += b"  Value   Percentile   TotalCount 1/(1-Percentile)\n"
    data = head + (b"x" + b" " * 990 + b"y\n") * 8_000
    assert report.convert(data, "x.md", "2026-01-02T03:04:05+00:00").left_out == 1


def test_servers_and_blocks_of_any_number_take_no_time() -> None:
    """All servers that were named so far were copied for each block."""
    servers = b"".join(b"gunicorn -k w%d\n" % number for number in range(100_000))
    _, _, block = seeds.wrk_report().partition(b"Running")
    blocks = (b"Running" + block.partition(b"Running")[0].partition(b"```")[0] + b"\n") * 9_000
    with pytest.raises(UserError, match=r"9,000 blocks of .* and 5,000 are read at most"):
        report.convert(servers + blocks, "x.md", "2026-01-02T03:04:05+00:00")


def test_names_of_any_number_that_are_alike_take_no_time() -> None:
    """Each was tried with all numbers that others had."""
    taken: dict[str, Iterator[str]] = {}
    load = Load(connections=1, duration_s=1, warmup_s=0)
    target = Target(path="/", style="sync", load=load)
    tried = (
        _endpoint_name(
            msgspec.structs.replace(target, variant=("x" * 200, str(number))), "root", taken, set()
        )
        for number in range(20_000)
    )
    assert len(set(tried)) == 20_000


def test_reports_of_any_number_are_one_in_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = seeds.wrk_report()
    paths = [tmp_path / name for name in ("a.md", "b.md")]
    for path in paths:
        path.write_bytes(data)
    monkeypatch.setattr(report, "MOST_BYTES", len(data) * 3 // 2)
    with pytest.raises(
        UserError, match=r"b\.md: with this file there are more than \d+ MB; import fewer"
    ):
        report.read(paths, "2026-01-02T03:04:05+00:00")
    monkeypatch.undo()
    monkeypatch.setattr(report, "MOST_LINES", len(data.splitlines()) * 3 // 2)
    with pytest.raises(UserError, match=r"b\.md: with this file there are [\d,]+ lines"):
        report.read(paths, "2026-01-02T03:04:05+00:00")


def test_lines_between_blank_ones_take_no_time() -> None:
    """After each, all that came behind it was copied to find the next."""
    head = seeds.wrk_report().split(b"Transfer/sec", 1)[0]
    read = report.convert(head + b"\n  50%    1.00ms\n" * 90_000, "x.md", "2026-01-02T03:04:05Z")
    assert read.left_out == 1


def test_a_report_of_more_lines_than_are_read_is_refused() -> None:
    data = seeds.wrk_report() + b"a\n\n" * report.MOST_LINES
    with pytest.raises(
        UserError,
        match=r"x\.md: with this file there are \d+,\d+ lines, and 200,000 are read at most",
    ):
        report.convert(data, "x.md", "2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    "key", ["a.{}b = 1", "[loads]\na.{}b = 1", "x = {{ a.{}b = 1 }}", "[a.{}b]"]
)
def test_a_key_of_more_parts_than_any_has_is_refused(key: str, tmp_path: Path) -> None:
    """To read it takes the square of their number."""
    for part in ("a.", '"a" . ', "'a'."):
        (tmp_path / "mine.toml").write_text(key.format(part * 100_000))
        with pytest.raises(UserError, match="not valid TOML: nested too deeply"):
            matrix.load_matrix(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("text", ["summary = 'x'{}\n", "{}\n", "rounds = [1,{}]\n"])
def test_blanks_without_end_take_no_time(text: str, tmp_path: Path) -> None:
    """Tried in every division, those of a file as large as is read take hours."""
    (tmp_path / "mine.toml").write_text(text.format(" " * 1_000_000))
    with pytest.raises(UserError, match=r"mine\.toml"):
        matrix.load_matrix(str(tmp_path / "mine.toml"))


def test_a_report_of_more_servers_than_a_run_has_is_refused() -> None:
    _, _, block = seeds.wrk_report().partition(b"Running")
    block = b"Running" + block.partition(b"Running")[0].rpartition(b"Transfer/sec")[0]
    blocks = (b"## server%d gunicorn%d\n\n%s\n\n" % (at, at, block) for at in range(200))
    with pytest.raises(UserError, match=r"cannot be one run .* import a part"):
        report.convert(b"".join(blocks), "x.md", "2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize("time", ["9" * 400 + "s", "0." + "9" * 400 + "s", "1e999s", "0us"])
def test_a_goal_is_a_number_that_ends(time: str, type_: Type) -> None:
    done = type_("plan", "quick", "--within", f"p99={time}")
    assert done.status == 2
    (line,) = done.lines
    assert clean(line.removeprefix("loadtest: "))


# What is like them -------------------------------------------------------------------------------

NUMBERS = (
    "rounds",
    "most_rounds",
    "budget_s",
    "turns",
    *(f"shape.{key}" for key in ("workers", "threads", "backlog", "keep_alive_s", "time_limit_s")),
    "shape.database_pool",
    "shape.known",
    *(f"load.{key}" for key in ("connections", "duration_s", "warmup_s", "waves", "rounds")),
)

values = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.sampled_from(["true", "[]", "{}", '""', '"\\u0000"', "1" * 5000, "0x" + "f" * 5000]),
    st.sampled_from(["[" * 2000 + "]" * 2000, "1979-05-27", "inf", "nan", "-inf", "1e308"]),
)


@given(st.sampled_from(NUMBERS), values)
def test_a_number_is_in_range_or_refused(key: str, value: object) -> None:
    table, _, name = key.rpartition(".")
    given_rounds = "" if key == "rounds" else "rounds = 2\n"
    lines = {"": "", "shape": "[shape]\n", "load": "[[loads]]\n"}
    text = f"summary = 'Mine.'\n{given_rounds}"
    text += f"{lines[table]}{name} = {value}\n" + ("" if table == "load" else "[[loads]]\n")
    refused: tuple[str, ...] = ()
    try:
        loaded = _read(text)
    except UserError as error:
        refused = error.lines
    if refused:
        assert all(map(clean, refused))
        return
    number = {"": loaded, "shape": loaded.shape, "load": loaded.loads[0]}[table]
    assert 0 <= getattr(number, name) <= MOST_BUDGET_S
    plan = matrix.expand(loaded, SERVERS, ENDPOINTS, Choice(), {})
    assert len(plan.cells) * plan.rounds * plan.turns <= MOST_LOADS


def _read(text: str) -> Matrix:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mine.toml")
        file.write_text(text, encoding="utf-8")
        return toml_file.read(file, Matrix, name="mine")


def test_a_name_is_no_markup(copy: Path, type_: Type) -> None:
    names = ["[red]x", "[link=x]y", "[", "a[bold"]
    for name in names:
        shutil.copy(copy / "servers" / "uvicorn.toml", copy / "servers" / f"{name}.toml")
    mine = copy / "mine.toml"
    mine.write_text("summary = 'Mine.'\nrounds = 1\nendpoints = ['json-sync']\n[[loads]]\n")
    done = type_("plan", mine, "--project", copy)
    assert done.status == 0
    assert [name for name in names if f"{name} " not in done.out] == []
