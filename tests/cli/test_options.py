"""What may be typed for an option."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from demo import DEMO

from loadtest.cli.clients import clients_command
from loadtest.cli.compare import compare_command
from loadtest.cli.options import TIME, TITLES, Titled, location, share, whole
from loadtest.cli.plan import plan_command
from loadtest.cli.run import run_command
from loadtest.judge.servers.compare import THRESHOLD
from loadtest.plan.clients import catalogue, presets, typed_rows
from loadtest.plan.servers.matrix import MATRICES
from loadtest.records.clients import MODES


@pytest.mark.parametrize(("typed", "expected"), [("5%", 0.05), ("0.05", 0.05), (" 0 % ", 0)])
def test_a_share(typed: str, expected: float) -> None:
    assert share(zero=True).convert(typed, None, None) == expected


def test_a_share_of_more_than_everything_is_taken_for_a_percentage() -> None:
    with pytest.raises(click.BadParameter, match=r"did you mean 3\.5%\?"):
        share().convert("3.5", None, None)


def test_a_whole_number() -> None:
    number = whole("--rounds 3", 1, 1000)
    assert number.convert("12", None, None) == 12
    for typed, line in {
        "3.5": "'3.5' is not a whole number, as in --rounds 3",
        "0": "0: at least 1, as in --rounds 3",
        "1001": "1001: at most 1000, as in --rounds 3",
    }.items():
        with pytest.raises(click.BadParameter, match=re.escape(line)):
            number.convert(typed, None, None)


def helps(command: click.Command) -> dict[str | None, str]:
    return {
        param.name: param.help
        for param in command.params
        if isinstance(param, click.Option) and param.help is not None
    }


TITLED = (run_command, plan_command, clients_command)


@pytest.mark.parametrize("command", TITLED, ids=lambda command: command.name)
def test_every_option_stands_below_a_title(command: click.Command) -> None:
    assert isinstance(command, Titled)
    with click.Context(command, info_name="loadtest run", terminal_width=80) as context:
        text = command.get_help(context)
    assert "\nMore:\n" not in text, "give it a title, in TITLES"
    titles = re.findall(r"^(\w[^:\n]*):$", text, re.MULTILINE)
    assert titles == [title for title in TITLES if title in titles]
    assert len(titles) >= 4
    assert max(map(len, text.splitlines())) <= 80
    for param in command.params:
        if isinstance(param, click.Option):
            assert len(re.findall(rf"^  .*{param.opts[-1]}\b", text, re.MULTILINE)) >= 1


def test_every_titled_option_is_one_of_a_command() -> None:
    known = {str(param.name) for command in TITLED for param in command.params}
    titled = " ".join(TITLES.values()).split()
    assert set(titled) - {"help"} <= known
    assert len(set(titled)) == len(titled)


@pytest.mark.parametrize("command", TITLED, ids=lambda command: command.name)
def test_every_option_with_a_value_says_its_default(command: click.Command) -> None:
    for param in command.params:
        if isinstance(param, click.Option) and not param.is_flag and param.name != "resume":
            assert "Default: " in str(param.help), param.name


def test_the_help_of_run_names_the_matrices_that_every_project_has() -> None:
    text = str(run_command.help)
    named = set(re.findall(r"^ +([a-z]+)  ", text, re.MULTILINE))
    assert named == {path.stem for path in MATRICES.glob("*.toml")}
    assert named < {path.stem for path in DEMO.matrices.glob("*.toml")}
    # What each has is another thing in each project.
    told = " ".join([text, *helps(run_command).values()])
    assert not re.search(r"in (quick|standard)|six servers|minutes, 90", told)


def test_the_help_of_clients_names_all_that_may_be_typed() -> None:
    text = str(clients_command.help)
    files = [presets.read(name) for name in presets.names()]
    assert {*presets.names(), *catalogue.clients(), *MODES} - {presets.DEFAULT} <= set(
        re.findall(r"[\w-]+", text)
    )
    texts = helps(clients_command)
    for key, option in (("rounds", "rounds"), ("warmup_requests", "warmup")):
        numbers = [getattr(file, key) for file in files]
        assert f"the preset's, {min(numbers)} to {max(numbers)};" in texts[option]
    assert f"Default: {typed_rows.REQUESTS}." in texts["requests"]
    assert f"Default: {typed_rows.BATCH}, and 1" in texts["batch"]


def test_compare_takes_the_threshold_of_the_judge() -> None:
    (default,) = (param.default for param in compare_command.params if param.name == "threshold")
    assert share().convert(default, None, None) == THRESHOLD


@pytest.mark.parametrize("typed", ["0", "100%", "-1%", "much", ""])
def test_no_share(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is no share between 0 and 1"):
        share().convert(typed, None, None)


@pytest.mark.parametrize(("typed", "expected"), [("90s", 90), ("20m", 1200), (" 2h ", 7200)])
def test_a_time(typed: str, expected: float) -> None:
    assert TIME.convert(typed, None, None) == expected


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        *((text, "is no time; write it as in 90s") for text in ("0s", "-1m", "nans", "5", "")),
        *((text, "at most 720h, as in 20m or 2h") for text in ("infh", "1e300s", "721h")),
    ],
)
def test_no_time(typed: str, line: str) -> None:
    with pytest.raises(click.BadParameter, match=re.escape(line)):
        TIME.convert(typed, None, None)


def test_a_path() -> None:
    long = "/".join(["a" * 255] * 15)
    for typed in (long, "results", "", "\u00e9" * 127):
        assert location().convert(typed, None, None) == Path(typed)
    for typed in (f"{long}/{long}", "a" * 256, "\u00e9" * 128):
        with pytest.raises(click.BadParameter, match="is longer than a path can be; shorten it"):
            location().convert(typed, None, None)
