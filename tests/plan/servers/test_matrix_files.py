"""Servers and matrices as files: strict, every mistake one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo import DEMO

from loadtest.plan.servers import matrix, profile
from loadtest.records.errors import UserError

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
        (GOOD.replace("argv", "#"), "'argv' is missing: a list in brackets"),
        (
            GOOD + "limits = 3",
            "limits must be a list in brackets, each a text in quotes, a sentence or two of at"
            " most 1,000 characters, 10 at most, not 3",
        ),
        (GOOD.replace('"it"', "1"), "requires[0] must be the name of a distribution in"),
        (GOOD.replace('"wsgi"', '"cgi"'), 'interface must be one of "asgi", "wsgi", not "cgi"'),
        (GOOD + "env = { A = 1 }", "env.A must be a text in quotes, not 1"),
        (GOOD + "processes_seen = 3", "processes_seen must be numbers and `workers`, as in"),
        (GOOD + "processes_seen = '99999999999999999999'", "processes_seen must be numbers and"),
        (GOOD.replace('["it"]', "[]"), "requires must be a list in brackets that is not empty"),
        (GOOD + 'limits = ["\\u001b"]', "limits[0] has a character that cannot be seen"),
        (GOOD + "processes_seen = 'x'", 'as in "3" or "workers + 1", not "x"'),
        (
            GOOD + "unsupported = { asinc = 'x' }",
            "[unsupported]: unknown key 'asinc'; did you mean async or sync?",
        ),
    ],
)
def test_a_broken_server_file_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "one.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        profile.load_servers(tmp_path)
    (line,) = caught.value.lines
    assert line.startswith((f"{path}: ", f"{path} ["))
    assert expected in line


def test_every_broken_file_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("summary = ")
    (tmp_path / "b.toml").write_text(GOOD)
    (tmp_path / "c.toml").write_text(GOOD + "sumary = 1")
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError) as caught:
        profile.load_servers(tmp_path)
    assert [line.partition(":")[0] for line in caught.value.lines] == [
        str(tmp_path / name) for name in ("a.toml", "c.toml", "d.toml")
    ]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "one.toml").mkdir()
    with pytest.raises(UserError, match=r"one\.toml: cannot be read: it is no regular file"):
        profile.load_servers(tmp_path)


def test_a_folder_without_servers_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no server there"):
        profile.load_servers(tmp_path / "nowhere")


def test_a_good_server_file(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(GOOD.replace("--bind", "{{literal}}"))
    (server,) = profile.load_servers(tmp_path)
    assert (server.name, server.processes, server.limits) == ("one", "one", ())


@pytest.mark.parametrize(
    "path", [*matrix.MATRICES.glob("*.toml"), *DEMO.matrices.glob("*.toml")], ids=str
)
def test_the_shipped_matrices_load(path: Path) -> None:
    loaded = matrix.load_matrix(path.stem, path.parent)
    assert loaded.name == path.stem
    assert loaded.loads[0].endpoints == ("*",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[[loads]]\nconections = 3",
            "[loads[0]]: unknown key 'conections'; did you mean connections or",
        ),
        ("[shape]\nwokers = 3\n[[loads]]", "[shape]: unknown key 'wokers'; did you mean workers?"),
        (
            "[[loads]]\nconnections = 0",
            "loads[0].connections must be a whole number from 1 to 65535, not 0",
        ),
        (
            "[[loads]]\nduration_s = 0",
            "loads[0].duration_s must be a whole number from 1 to 3600, not 0",
        ),
        (
            "[[loads]]\nduration_s = 1.5",
            "loads[0].duration_s must be a whole number from 1 to 3600, not 1.5",
        ),
        ("[[loads]]\nwaves = -1", "waves must be a number above 0 and of at most 1000, not -1"),
        (
            "[[loads]]\nrate = 0",
            "loads[0].rate must be a number above 0 and of at most 100000, not 0",
        ),
        (
            "[[loads]]\nrate = [200, 0]",
            "loads[0].rate[1] must be a number above 0 and of at most 100000, not 0",
        ),
        ("[[loads]]\nrate = '200'", 'rate must be a number above 0 and of at most 100000, not "2'),
        ("[[loads]]\nsteps = [0.5, 20]", "loads[0].steps[1] must be a number above 0 and of at"),
        (
            "[[loads]]\narrivals = 'burst'",
            'loads[0].arrivals must be one of "even", "poisson", not "burst"',
        ),
        ("[[loads]]\nwaves = inf", "loads[0].waves must be a finite number, not inf"),
        ("budget_s = nan\n[[loads]]", "budget_s must be a finite number, not nan"),
        (f"budget_s = 1{'0' * 30}\n[[loads]]", "budget_s must be a number of fewer digits"),
        (f"budget_s = 1{'0' * 5000}\n[[loads]]", "a number of too many digits"),
        ("budget_s = 1e9\n[[loads]]", "budget_s must be a number above 0 and of at most 2592000"),
        (f"loads = {'[' * 3000}{']' * 3000}", "nested too deeply"),
        (f"[a{'.a' * 20}]\n[[loads]]", "is nested too deeply"),
        (f"[a{'.a' * 3000}]\n[[loads]]", "nested too deeply, or a number of"),
        ('servers = ["\\u0000"]\n[[loads]]', "servers[0] has a character that cannot be seen"),
        ('"\\u0000" = 1\n[[loads]]', r"the key '\x00' has a character that cannot be seen"),
        ("[shape]\nknown = false\n[[loads]]", "[shape]: unknown key 'known'"),
        ("[shape]\nbacklog = -1\n[[loads]]", "shape.backlog must be a whole number from 1 to"),
        ("", "'loads' is missing: a list in brackets, each a table of keys"),
    ],
    ids=lambda text: text[:40],
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
