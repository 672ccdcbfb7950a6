"""`loadtest clients` as it is typed: a run from end to end, and each mistake in one line."""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from census import until
from client_bench import answers, closed_port, resets, serving, stalls
from command_line import Type, typing

from loadtest.plan.clients import environments
from loadtest.records import run_folder
from loadtest.records.run_folder import OUTCOMES

pytestmark = pytest.mark.real


@pytest.fixture
def type_(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Type:
    return typing(monkeypatch, capfd)


def test_a_run_from_end_to_end(type_: Type, tmp_path: Path) -> None:
    done = type_("clients", "aiohttp", "urllib3", "--count", "30", "--batch", "3",
                 "--rounds", "2", "--out", tmp_path)  # fmt: skip
    assert done.status == 0, done.err
    (folder,) = tmp_path.iterdir()
    assert str(folder) in done.out
    stored = run_folder.read(folder, run_folder.CLIENTS)
    assert not stored.notes
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}
    # Two rows and the second arm of the first, by two measures, in two rounds.
    assert len(stored.outcomes) == 3 * 2 * 2
    assert [(ceiling.connections, ceiling.tool) for ceiling in stored.ceilings] == [(3, "wrk")]
    assert stored.run.upstream is not None
    assert stored.run.command.startswith("loadtest clients aiohttp urllib3 --count 30")
    assert stored.run.interpreters[f"{platform.python_version()}-clients"].versions["aiohttp"]
    assert (folder / "report.md").exists()
    second = type_("report", folder)
    assert second.status == 0
    assert second.out == done.out


def test_a_server_of_ones_own(type_: Type, tmp_path: Path) -> None:
    with serving(answers) as port:
        done = type_("clients", "requests", "--url", f"http://127.0.0.1:{port}/", "--rounds", "1",
                     "--count", "10", "--out", tmp_path, "--json")  # fmt: skip
    assert done.status == 0, done.err
    stored = run_folder.read(Path(json.loads(done.out)["folder"]), run_folder.CLIENTS)
    assert {outcome.answers for outcome in stored.outcomes} == {10}
    assert {outcome.seen for outcome in stored.outcomes} == {None}
    assert stored.run.plan.rows[0].answer.body_bytes == 5


def test_a_client_that_is_missing_is_skipped_and_the_rest_goes_on(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path)  # where none was made
    done = type_("clients", "niquests", "urllib3", "--count", "5", "--batch", "1", "--rounds", "1",
                 "--measure", "cold", "--out", tmp_path / "out")  # fmt: skip
    assert done.status == 0, done.err
    assert "skipped: niquests and urllib3-future not installed for " in done.err
    assert "; `loadtest clients --make-environments`" in done.err
    (folder,) = (tmp_path / "out").iterdir()
    ends = {
        outcome.row: outcome.status
        for outcome in run_folder.read(folder, run_folder.CLIENTS).outcomes
    }
    assert ends == {
        "choice: niquests": "skipped",
        "choice: urllib3": "measured",
        "choice: urllib3 (again)": "measured",
    }


def test_a_row_that_fails_is_said_and_stored(type_: Type, tmp_path: Path) -> None:
    asked = 0

    def later(connection, number):  # type: ignore[no-untyped-def]
        nonlocal asked
        asked += 1
        (answers if asked <= 5 else stalls)(connection, number)

    with serving(later) as port:
        done = type_("clients", "urllib3", "--url", f"http://127.0.0.1:{port}/", "--rounds", "1",
                     "--count", "5", "--timeout", "0.2", "--out", tmp_path)  # fmt: skip
    assert done.status == 1
    assert "failed: " in done.err
    (folder,) = tmp_path.iterdir()
    failed = [
        outcome
        for outcome in run_folder.read(folder, run_folder.CLIENTS).outcomes
        if outcome.status == "failed"
    ]
    assert failed
    assert all(outcome.reason for outcome in failed)


def test_a_token_in_a_url_is_kept_nowhere(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def later(connection, number):  # type: ignore[no-untyped-def]
        nonlocal asked
        asked += 1
        # Clients repeat the URL of a request that fails.
        (answers if asked <= 10 else resets)(connection, number)

    monkeypatch.chdir(tmp_path)
    with serving(later) as port:
        done = type_("clients", "requests", "urllib3", "aiohttp", "--rounds", "2", "--count", "5",
                     "--url", f"http://127.0.0.1:{port}/page?token=t0p-secret",
                     "--out", tmp_path / "out")  # fmt: skip
    assert done.status == 1
    (folder,) = (tmp_path / "out").iterdir()
    files = [path for path in folder.rglob("*") if path.is_file()]
    texts = [done.out, done.err, *(path.read_text(encoding="utf-8") for path in files)]
    assert any("/page?..." in text for text in texts)
    assert not any("t0p-secret" in text for text in texts)
    facts = (folder / run_folder.CLIENTS.file).read_text(encoding="utf-8")
    assert str(tmp_path) not in facts
    assert sys.prefix not in facts or not sys.prefix.startswith(os.path.expanduser("~"))
    done = type_("clients", "--resume", folder)
    assert done.status == 2
    assert done.lines == [
        f"loadtest: of http://127.0.0.1:{port}/page?... the end is not kept; type it in full with"
        " --url"
    ]


def lost(folder: Path) -> list[str]:
    """Take what was measured last out of a run, and tear the line before."""
    path = folder / OUTCOMES
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-3]) + lines[-3][:40])
    return lines


def test_a_run_goes_on(type_: Type, tmp_path: Path) -> None:
    done = type_("clients", "urllib3", "--reuse", "kept", "--reuse", "each-call", "--rounds", "2",
                 "--count", "20", "--batch", "2", "--out", tmp_path)  # fmt: skip
    assert done.status == 0, done.err
    (folder,) = tmp_path.iterdir()
    before = run_folder.read(folder, run_folder.CLIENTS)
    assert {(ceiling.answer.keep_alive, ceiling.connections) for ceiling in before.ceilings} == {
        (True, 2),
        (False, 8),
    }
    whole = lost(folder)
    torn = (folder / OUTCOMES).read_bytes()
    with run_folder.alone(folder):
        done = type_("clients", "--resume", folder)
    assert done.status == 2
    assert "another loadtest" in done.lines[-1]
    assert (folder / OUTCOMES).read_bytes() == torn
    done = type_("clients", "--resume", folder.name, "--out", tmp_path)
    assert done.status == 0, done.err
    assert "`loadtest clients --resume` measures its row again" in done.err
    after = run_folder.read(folder, run_folder.CLIENTS)
    assert not after.notes
    assert after.run == before.run
    assert after.ceilings == before.ceilings
    # And the beginning and the end of a stretch.
    assert len(after.outcomes) + len(after.ceilings) + 2 == len(whole)
    assert len(after.segments) == 2
    measured = [(outcome.row, outcome.measure, outcome.round) for outcome in after.outcomes]
    # Each once, and in the order of the seed: as if nothing had happened.
    assert measured == [
        (outcome.row, outcome.measure, outcome.round) for outcome in before.outcomes
    ]
    done = type_("clients", "--resume", folder)
    assert done.status == 0
    assert len(run_folder.read(folder, run_folder.CLIENTS).outcomes) == len(measured)


def test_a_run_that_cannot_go_on(type_: Type, tmp_path: Path) -> None:
    assert type_("clients", "urllib3", "--rounds", "1", "--count", "5", "--batch", "1",
                 "--measure", "cold", "--out", tmp_path).status == 0  # fmt: skip
    (folder,) = tmp_path.iterdir()
    facts = (folder / run_folder.CLIENTS.file).read_text()
    (folder / run_folder.CLIENTS.file).write_text(facts.replace('"urllib3": "', '"urllib3": "0.'))
    done = type_("clients", "--resume", folder)
    assert done.status == 2
    (line,) = done.lines
    assert "it would mix two things: urllib3 0." in line
    assert "begin another: loadtest clients urllib3 --rounds 1" in line
    for words, message in (
        (["aiohttp", "--rounds", "3"], "leave out --rounds, aiohttp"),
        (["--url", "http://127.0.0.1/"], "leave out --url"),
        (["--ca", "ca.pem"], "leave out --ca"),
    ):
        done = type_("clients", *words, "--resume", folder)
        assert done.status == 2
        assert message in done.lines[0]
    done = type_("clients", "--resume", tmp_path)
    assert done.status == 2
    assert "not a run of HTTP clients" in done.lines[0]
    done = type_("run", "--resume", folder)
    assert done.status == 2
    assert f"a run of HTTP clients; type loadtest clients --resume {folder}" in done.lines[0]
    done = type_("compare", folder, tmp_path)
    assert done.status == 2
    assert "a run of HTTP clients, which compare does not take; name two" in done.lines[0]


@pytest.mark.parametrize("version", [0, run_folder.FORMAT + 1])
def test_a_run_of_another_format(type_: Type, version: int, tmp_path: Path) -> None:
    (tmp_path / run_folder.CLIENTS.file).write_text(f'{{"format": {version}, "unheard_of": 1}}')
    done = type_("report", tmp_path)
    assert done.status == 2
    (line,) = done.lines
    assert f"format {version}" in line
    assert ("update loadtest" in line) == (version > 0)


def test_the_newest_report_is_of_servers_or_of_clients(type_: Type, tmp_path: Path) -> None:
    older = tmp_path / "2026-11-20T10-00-00-quick"
    older.mkdir()
    (older / run_folder.SERVERS.file).write_text("no run")
    os.utime(older / run_folder.SERVERS.file, (1, 1))
    assert type_("clients", "urllib3", "--rounds", "1", "--count", "5", "--batch", "1",
                 "--measure", "cold", "--out", tmp_path).status == 0  # fmt: skip
    done = type_("report", "--out", tmp_path)
    assert done.status == 0
    assert "clients-choice" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["aiohtp"], "did you mean aiohttp?"),
        (["reuse", "--batch", "2"], "leave out --batch"),
        (["aiohttp", "--count", "0"], "0: at least 1, as in --count 1000"),
        (["aiohttp", "--batch", "0"], "0: at least 1, as in --batch 10"),
        (["aiohttp", "--chunk", "0"], "0: at least 1, as in --chunk 100"),
        (["aiohttp", "--count", "5", "--batch", "6"], "ask for --batch 5 or less"),
        (["aiohttp", "--delay", "7"], "'7' is not one of '0', '1', '10', '100'"),
        (["aiohttp", "--url", "http://8.8.8.8/"], "--i-may-load-this-host"),
        (["aiohttp", "--url", "http://127.0.0.1/", "--tls"], "leave out --tls"),
        (["aiohttp", "--ca", "ca.pem"], "--ca goes with --url; add that, or leave it out"),
        (["aiohttp", "--port", "9000"], "--port goes with --serve; add that, or leave it out"),
        (["aiohttp", "--url", "http://127.0.0.1:{closed}/"], "is it running?"),
        (["aiohttp", "--python", "/nowhere/python"], "name a Python 3.11 or newer"),
        (["niquests"], "`loadtest clients --make-environments`"),
        (["requests", "--http", "2"], "does not speak HTTP/2; httpx and niquests do"),
        (["threads-vs-asyncio", "--count", "3"], "leave out --count"),
        (["--serve", "--resume", "run"], "--serve measures nothing; leave out --resume"),
        (["aiohttp", "--out", "/proc/nowhere"], "name another folder with --out"),
    ],
)
def test_a_mistake_is_one_line(
    type_: Type, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path)  # where none was made
    typed = [word.replace("{closed}", str(closed_port())) for word in arguments]
    done = type_("clients", *typed)
    assert done.status == 2
    (line,) = done.lines
    assert line.startswith("loadtest: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_too_few_open_files_for_the_batch(type_: Type, tmp_path: Path) -> None:
    """In a process of its own: a limit that was lowered stays so."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512));"
        f"sys.argv = ['loadtest', 'clients', 'aiohttp', '--count', '2000', '--batch', '2000',"
        f" '--out', {str(tmp_path / 'out')!r}];"
        "from loadtest.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "2000 connections need 2256 open files and the limit is 512" in line
    assert "ask for fewer with --batch" in line
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512


def test_an_interruption_keeps_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = [sys.executable, "-m", "loadtest", "clients", "urllib3", "--count", "20",
            "--rounds", "500", "--out", str(out)]  # fmt: skip
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:

        def some() -> bool:
            return any(path.stat().st_size > 5000 for path in out.glob(f"*/{OUTCOMES}"))

        until(some, "the first outcomes")
        os.kill(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    (folder,) = out.iterdir()
    assert "interrupted; what was measured is kept; to go on: " in err
    assert f" -m loadtest clients --resume {folder}" in err
    stored = run_folder.read(folder, run_folder.CLIENTS)
    assert stored.outcomes
    assert not stored.notes


def test_the_upstream_alone(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "loadtest", "clients", "--serve"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(17)]
        done = subprocess.run(
            [sys.executable, "-c",
             "import sys, urllib.request; print(len(urllib.request.urlopen(sys.argv[1]).read()))",
             lines[0].split()[0]],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        os.kill(run.pid, signal.SIGINT)
        assert run.wait(60) == 0
    assert done.stdout == "1024\n"
    assert "verifies those over TLS" in lines[-1]
