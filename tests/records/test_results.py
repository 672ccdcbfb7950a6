"""A run's folder: what was written is read back, whatever happened in between."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import endpoint, outcome, plan, run, server
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from loadtest.records import files, run_folder
from loadtest.records.errors import UserError
from loadtest.records.measured import Begun, Loaded, Outcome, Segment, Usage, Verified
from loadtest.records.privacy import conceal_place, public_path, publish
from loadtest.records.run_folder import (
    FORMAT,
    OUTCOMES,
    SERVERS,
    Writer,
    alone,
    check_room,
    check_writable,
    create,
    kept,
    newest,
    read,
    replan,
    writing,
)

PLAN = plan([server(name) for name in ("a", "alpha", "b", "the")], [endpoint(), endpoint("next")])
CELLS = [cell.id for cell in PLAN.cells]
counts = st.integers(0, 2**40)
seconds = st.just(0.0) | st.floats(1e-6, 1e6)
texts = st.none() | st.text(max_size=40)
outcomes = st.builds(
    Outcome,
    cell=st.sampled_from(CELLS),
    round=st.integers(0, 100),
    status=st.sampled_from(["measured", "failed", "skipped"]),
    stage=st.none() | st.sampled_from(["services", "launch", "verify", "load", "verify-after"]),
    reason=texts,
    detail=texts,
    started_at=st.none() | seconds,
    launch_s=st.none() | seconds,
    load_s=seconds,
    loaded=st.none() | st.builds(Loaded, generator=st.just("wrk"), **dict.fromkeys(
        (
            "answers",
            "received_bytes",
            "connect_errors",
            "read_errors",
            "write_errors",
            "timeouts",
        ),
        counts,
    ), duration_us=st.integers(1, 10**9), status_errors=st.just(0)),
    verified=st.none()
    | st.builds(Verified, before=counts, after=st.none() | counts),
    usage=st.dictionaries(
        st.sampled_from(["server", "postgres"]),
        st.builds(
            Usage,
            cpu_s=seconds,
            rss_peak_bytes=counts,
            pss_peak_bytes=st.none() | counts,
            processes=counts,
            threads=counts,
        ),
    ),
)  # fmt: skip


def write(folder: Path, *records: Outcome | Begun | Segment) -> None:
    writer = Writer(folder)
    for record in records:
        writer.append(record)
    writer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create(tmp_path, run(PLAN))


def test_a_new_run(tmp_path: Path) -> None:
    folder = create(tmp_path / "not" / "there", run())
    assert folder.name == "2026-01-02T03-04-05-test"
    stored = read(folder, SERVERS)
    assert stored.run == run()
    assert (stored.outcomes, stored.segments, stored.notes) == ((), (), ())
    assert (folder / "raw").is_dir()
    assert (folder / "logs").is_dir()


def test_two_runs_in_one_second_have_two_folders(tmp_path: Path) -> None:
    names = [create(tmp_path, run()).name for _ in range(3)]
    assert names == [
        "2026-01-02T03-04-05-test",
        "2026-01-02T03-04-05-test-2",
        "2026-01-02T03-04-05-test-3",
    ]


@given(st.lists(outcomes, max_size=5))
def test_what_is_written_is_read(written: list[Outcome]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = create(Path(name), run(PLAN))
        write(folder, *written)
        assert read(folder, SERVERS).outcomes == tuple(written)


def test_it_is_there_before_the_writer_is_closed(folder: Path) -> None:
    writer = Writer(folder)
    writer.append(outcome())
    assert read(folder, SERVERS).outcomes == (outcome(),)
    writer.close()


@given(st.lists(outcomes, min_size=1, max_size=4), st.data())
def test_torn_anywhere_only_the_torn_line_is_lost(written: list[Outcome], data: Any) -> None:
    """Cut at any byte, read and written on: all whole lines are there, and the new one."""
    with tempfile.TemporaryDirectory() as name:
        folder = create(Path(name), run(PLAN))
        write(folder, *written)
        path = folder / OUTCOMES
        whole = path.read_bytes()
        # Most likely to go wrong: all of a line but its end.
        size = data.draw(st.just(len(whole) - 1) | st.integers(0, len(whole)))
        os.truncate(path, size)
        kept = whole[:size].count(b"\n")
        torn = size > 0 and whole[size - 1 : size] != b"\n"

        stored = read(folder, SERVERS)
        assert stored.outcomes == tuple(written[:kept])
        assert len(stored.notes) == torn
        assert all("torn when the run ended, dropped" in note for note in stored.notes)

        write(folder, outcome("the.next-sync"))
        stored = read(folder, SERVERS)
        assert stored.outcomes == (*written[:kept], outcome("the.next-sync"))
        assert not stored.notes


@pytest.mark.parametrize("damage", [b"{", b"\xff\xfe", b"null", b'{"kind":"outcome"}', b"\0\0\0"])
def test_a_damaged_line_in_the_middle_is_noted(folder: Path, damage: bytes) -> None:
    write(folder, outcome("a.json-sync"))
    with open(folder / OUTCOMES, "ab") as file:
        file.write(damage + b"\n")
    write(folder, outcome("b.json-sync"))
    stored = read(folder, SERVERS)
    assert [outcome.cell for outcome in stored.outcomes] == ["a.json-sync", "b.json-sync"]
    (note,) = stored.notes
    assert note.startswith("outcomes.jsonl, line 2: damaged, dropped; ")
    assert "--resume" in note


@pytest.mark.parametrize(("version", "known"), [(1, True), (2, True), (3, False)])
def test_what_older_outcomes_say_besides_is_passed_over(
    tmp_path: Path, version: int, known: bool
) -> None:
    folder = create(tmp_path, run(PLAN, format=version))
    facts = msgspec.to_builtins(outcome(CELLS[0])) | {"after_note": "nobody read it"}
    (folder / OUTCOMES).write_bytes(msgspec.json.encode(facts) + b"\n")
    stored = read(folder, SERVERS)
    assert [bool(stored.outcomes), bool(stored.notes)] == [known, not known]


@pytest.mark.parametrize(("version", "word"), [(3, "told"), (FORMAT, "stated")])
def test_the_shares_of_a_site_that_were_told_are_stated(
    tmp_path: Path, version: int, word: str
) -> None:
    of = plan(endpoints=[endpoint(share=1.0)], mix="stated")
    folder = create(tmp_path, run(of, format=version))
    file = folder / SERVERS.file
    file.write_text(file.read_text().replace('"mix": "stated"', f'"mix": "{word}"'))
    assert word in file.read_text()
    assert read(folder, SERVERS).run.plan.mix == "stated"


def test_a_run_without_outcomes_is_one(folder: Path) -> None:
    (folder / OUTCOMES).unlink(missing_ok=True)
    assert read(folder, SERVERS).outcomes == ()


# What is refused ---------------------------------------------------------------------------------


def test_a_newer_format_is_refused_kindly(folder: Path) -> None:
    data = msgspec.json.decode((folder / SERVERS.file).read_bytes())
    data |= {"format": FORMAT + 1, "new": "things"}
    (folder / SERVERS.file).write_bytes(msgspec.json.encode(data))
    with pytest.raises(UserError, match=r"newer loadtest \(format 5, .*; update loadtest") as error:
        read(folder, SERVERS)
    assert len(error.value.lines) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x"}', '{"format": 1}', "\xff"])
def test_a_damaged_description_is_named(folder: Path, text: str) -> None:
    (folder / SERVERS.file).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"run\.json: damaged") as error:
        read(folder, SERVERS)
    assert len(error.value.lines) == 1


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a run of servers, it has no run\.json"):
        read(tmp_path, SERVERS)
    with pytest.raises(UserError, match="no such folder; make a run with `loadtest run quick`"):
        read(tmp_path / "nowhere", SERVERS)


def test_a_folder_that_may_not_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    for look in (lambda: read(tmp_path, SERVERS), lambda: newest(tmp_path)):
        with pytest.raises(UserError, match="cannot be read: Permission denied; make it readable"):
            look()


def test_a_run_that_cannot_go_on_is_not_sent_to_another_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, data: bytes) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("loadtest.records.files.write", refused)
    (line,) = check_writable(folder)
    assert line.endswith(": cannot be written: Permission denied; make it writable, then try again")


def test_the_newest_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run there; make one with `loadtest run quick`"):
        newest(tmp_path)
    first, second = create(tmp_path, run()), create(tmp_path, run())
    os.utime(second / SERVERS.file, (1, 1))
    assert newest(tmp_path) == first


# Disks -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(folder: Path) -> None:
    writer = Writer(folder)
    writer.close()
    writer._file = io.FileIO("/dev/full", "w")
    with pytest.raises(
        UserError, match=r"No space left on device; make room, then go on with `--resume`"
    ):
        writer.append(outcome())
    writer.close()


def test_a_folder_of_runs_names_the_newest(tmp_path: Path) -> None:
    for name, at in (("b", 100), ("c", 50), ("a-new-one", 200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / SERVERS.file).write_text("{}")
        os.utime(tmp_path / name / SERVERS.file, (at, at))
    with pytest.raises(UserError, match=f"no run.json; its newest run is {tmp_path}/a-new-one$"):
        read(tmp_path, SERVERS)
    with pytest.raises(UserError, match=f"no such folder; the newest run is {tmp_path}/a-new-one$"):
        read(tmp_path / "nowhere", SERVERS)


def test_a_disk_that_takes_half_a_line_says_so(folder: Path) -> None:
    """A write of less than was asked is no error to the system, so it must be to us."""
    write(folder, outcome("a.json-sync"))
    size = (folder / OUTCOMES).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = Writer(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        with pytest.raises(UserError, match="cannot be written"):
            writer.append(outcome("b.json-sync"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
        writer.close()
    assert [outcome.cell for outcome in read(folder, SERVERS).outcomes] == ["a.json-sync"]
    write(folder, outcome("b.json-sync"))
    assert len(read(folder, SERVERS).outcomes) == 2


def unwritable(tmp_path: Path) -> list[Path]:
    """Return folders that not even root can write below."""
    (tmp_path / "file").write_text("in the way")
    folders = [tmp_path / "file" / "results"]
    return folders + [Path("/proc/results")] if sys.platform == "linux" else folders


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    for parent in unwritable(tmp_path):
        (line,) = check_writable(parent)
        assert line.startswith(f"{parent}: cannot be written: ")
        assert line.endswith("; name another folder with --out")
        with pytest.raises(UserError, match="cannot be written"):
            create(parent, run())


@pytest.mark.parametrize(
    ("why", "measuring", "advice"),
    [
        (errno.ENOSPC, True, "make room, then go on with `--resume`: what was measured is kept"),
        (errno.ENOSPC, False, "make room, then try again"),
        (errno.EROFS, True, "make it writable, then go on with `--resume`: what was measured"),
        (errno.EACCES, False, "make it writable, then try again"),
        (errno.ENOENT, False, "make its folder, then try again"),
        (errno.EEXIST, False, "move what is there, then try again"),
        (errno.ENOENT, True, "put it back, then go on with `--resume`: what was measured is kept"),
        (errno.ENAMETOOLONG, False, "shorten its name, then try again"),
    ],
)
def test_what_a_disk_refuses_is_one_line(why: int, measuring: bool, advice: str) -> None:
    with (
        pytest.raises(UserError) as caught,
        writing(Path("run.json"), measuring=measuring),
    ):
        raise OSError(why, os.strerror(why))
    (line,) = caught.value.lines
    assert line.startswith(f"run.json: cannot be written: {os.strerror(why)}; {advice}")


def test_a_folder_that_can_be_written_is_left_clean(tmp_path: Path) -> None:
    assert list(check_writable(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said(folder: Path) -> None:
    before = list(folder.iterdir())
    check_room(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match="make room, then go on with `--resume`"):
            check_room(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(folder.iterdir()) == before


def test_a_file_of_the_run_that_cannot_be_opened_is_one_line(folder: Path, tmp_path: Path) -> None:
    (folder / "logs").rmdir()
    message = r"/logs/x\.log: cannot be written: No such file or directory; put it back"
    with pytest.raises(UserError, match=message), kept(folder):
        (folder / "logs" / "x.log").touch()
    # What is no file of the run is a fault of ours.
    with pytest.raises(FileNotFoundError), kept(folder):
        (tmp_path / "nowhere" / "x").touch()
    with pytest.raises(TimeoutError), kept(folder):
        raise TimeoutError


# Two at once -------------------------------------------------------------------------------------


def test_only_one_measures_into_a_folder(folder: Path) -> None:
    with alone(folder):
        with pytest.raises(UserError) as caught, alone(folder):
            pass
        (line,) = caught.value.lines
        assert line.startswith(f"{folder}: another loadtest")
        assert line.endswith("wait for its end, or interrupt it, then type this again")
        if Path("/proc/locks").exists():
            assert f"another loadtest (process {os.getpid()}) is" in line
        before = (folder / SERVERS.file).read_bytes()
        with pytest.raises(UserError, match="another loadtest"):
            replan(folder, run(command="loadtest run another"))
        assert (folder / SERVERS.file).read_bytes() == before
        assert read(folder, SERVERS).run == run(PLAN)  # to look is no harm
    with alone(folder):
        pass


def test_a_folder_is_free_once_its_process_is_killed(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from loadtest.records.run_folder import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('there', flush=True); time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        with pytest.raises(UserError), alone(folder):
            pass
        other.kill()
    with alone(folder):
        pass


# What is nobody's business -----------------------------------------------------------------------


def test_what_failed_does_not_say_where_things_lie(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "home" / "work"
    here.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    log = f'File "{here}/x.py", {home}/.venv/lib, {home}-other/x, {here}: {tmp_path}/y'
    write(folder, outcome(status="failed", reason=f"{here}/x", detail=log))
    (stored,) = read(folder, SERVERS).outcomes
    assert stored.reason == "./x"
    assert stored.detail == f'File "./x.py", ~/.venv/lib, {home}-other/x, .: {tmp_path}/y'
    for path, expected in (
        (f"{here}/m.toml", "./m.toml"),
        (f"{home}/m.toml", "~/m.toml"),
        (f"{tmp_path}/m.toml", "m.toml"),
        ("../m.toml", "../m.toml"),
        ("quick", "quick"),
    ):
        assert public_path(path) == expected


def test_what_failed_names_neither_the_machine_nor_where_a_project_lies(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uWSGI begins its log with the one, and a traceback has the other in each line."""
    monkeypatch.setattr("socket.gethostname", lambda: "pc-of-alice.example.org")
    monkeypatch.setattr("loadtest.records.privacy._folders", {})
    conceal_place(tmp_path / "shop")
    log = f'nodename: pc-of-alice.example.org.\nFile "{tmp_path}/shop/views.py", {tmp_path}/shop2'
    write(folder, outcome(status="failed", reason="at pc-of-alice.lan:80.", detail=log))
    (stored,) = read(folder, SERVERS).outcomes
    assert stored.reason == "at host:80."
    assert stored.detail == f'nodename: host.\nFile "./views.py", {tmp_path}/shop2'


def test_logs_do_not_name_the_machine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "pc-of-alice")
    monkeypatch.setenv("HOME", str(tmp_path / "alice"))
    logs = folder / "logs"
    (logs / "a.log").write_bytes(b"\xff nodename: pc-of-alice\r\npc-of-alice2, pc-of-alice.\n")
    (logs / "b.log").write_text(f"cwd: {tmp_path}/alice/x\n")
    (logs / "c.log").symlink_to(tmp_path / "c")
    (tmp_path / "c").write_text("pc-of-alice\n")
    (logs / "of.guard").write_text("pc-of-alice\n")
    publish(logs)
    assert (logs / "a.log").read_bytes() == b"\xff nodename: host\r\npc-of-alice2, host.\n"
    assert (logs / "b.log").read_text() == "cwd: ~/x\n"
    assert (tmp_path / "c").read_text() == (logs / "of.guard").read_text() == "pc-of-alice\n"
    assert sorted(path.name for path in logs.iterdir()) == ["a.log", "b.log", "c.log", "of.guard"]


def test_logs_behind_a_link_are_not_rewritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    theirs = tmp_path / "theirs" / "x.log"
    theirs.write_text(f"on {socket.gethostname()}\n")
    (folder / "logs").rmdir()
    (folder / "logs").symlink_to(tmp_path / "theirs")
    publish(folder / "logs")
    assert theirs.read_text() == f"on {socket.gethostname()}\n"


# Stretches ---------------------------------------------------------------------------------------


def at(started_at: float, wall_s: float) -> Outcome:
    return outcome(started_at=started_at, wall_s=wall_s)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], []),
        ([Begun(started_at=100), at(101, 5), Segment(started_at=100, wall_s=7)], [(100, 7)]),
        # Killed: it ends with its last outcome, the time until the next stretch is not its own.
        ([Begun(started_at=100), at(101, 5), at(106, 4)], [(100, 10)]),
        ([Begun(started_at=100)], [(100, 0)]),
        (
            [
                Begun(started_at=100),
                at(101, 5),
                Begun(started_at=500),
                at(501, 3),
                Segment(started_at=500, wall_s=6),
            ],
            [(100, 6), (500, 6)],
        ),
        ([Begun(started_at=100), Begun(started_at=200), at(201, 1)], [(100, 0), (200, 2)]),
    ],
)
def test_stretches(folder: Path, records: list[Any], expected: list[tuple[float, float]]) -> None:
    write(folder, *records)
    segments = read(folder, SERVERS).segments
    assert [(segment.started_at, segment.wall_s) for segment in segments] == expected
    ended = {record.started_at for record in records if isinstance(record, Segment)}
    for segment in segments:
        # Of a stretch with an end, what that says: here nothing.
        assert segment.interrupted is (None if segment.started_at in ended else True)


def test_a_run_goes_on_without_the_folders_that_were_empty(tmp_path: Path) -> None:
    """As from a repository, which keeps no empty folder and whose owner may not keep logs."""
    folder = create(tmp_path, run())
    for name in ("raw", "logs"):
        (folder / name).rmdir()
    Writer(folder).close()
    assert (folder / "raw").is_dir()
    assert (folder / "logs").is_dir()


def test_a_reason_without_an_end_is_cut(folder: Path) -> None:
    write(folder, outcome(status="failed", reason="x" * 10**6, detail="y" * 10**6))
    (kept,) = read(folder, SERVERS).outcomes
    assert (len(kept.reason or ""), len(kept.detail or "")) == (10_000, 100_000)


@pytest.mark.skipif(sys.platform != "linux", reason="a name is text there")
def test_a_run_whose_name_is_no_text_is_left_out(tmp_path: Path) -> None:
    folder = create(tmp_path, run())
    folder.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(UserError, match="no run there"):
        newest(tmp_path)


# What is written is read back --------------------------------------------------------------------


def test_a_small_file_takes_no_more_memory_than_it_has_bytes(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 1_000)
    tracemalloc.start()
    try:
        assert len(files.read(tmp_path / "small", 64 * 2**20)) == 1_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20


def test_a_description_that_is_too_long_to_be_read_back_is_not_begun(tmp_path: Path) -> None:
    long = plan([server(summary="x" * files.MOST_BYTES)])
    with pytest.raises(
        UserError, match=r"run\.json would be larger than the 8 MB that a report reads"
    ):
        create(tmp_path / "runs", run(long))
    assert not (tmp_path / "runs").exists()


def test_no_more_outcomes_are_written_than_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = msgspec.json.encode(outcome(CELLS[0])) + b"\n"
    monkeypatch.setattr(run_folder, "MOST_OUTCOMES_BYTES", 3 * len(line) + 1)
    write(folder, outcome(CELLS[0]))
    writer = Writer(folder)
    writer.append(outcome(CELLS[0]))
    writer.append(outcome(CELLS[0]))
    with pytest.raises(
        UserError, match=r"outcomes\.jsonl: full: a report .*; type `loadtest report "
    ):
        writer.append(outcome(CELLS[0]))
    writer.close()
    assert len(read(folder, SERVERS).outcomes) == 3
