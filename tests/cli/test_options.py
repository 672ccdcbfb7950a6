"""What may be typed for an option."""

from __future__ import annotations

import re

import click
import pytest

from loadtest.cli.compare import compare_command
from loadtest.cli.options import Share, Whole
from loadtest.judge.servers.compare import THRESHOLD


@pytest.mark.parametrize(("typed", "expected"), [("5%", 0.05), ("0.05", 0.05), (" 0 % ", 0)])
def test_a_share(typed: str, expected: float) -> None:
    assert Share(zero=True).convert(typed, None, None) == expected


def test_a_share_of_more_than_everything_is_taken_for_a_percentage() -> None:
    with pytest.raises(click.BadParameter, match=r"did you mean 3\.5%\?"):
        Share().convert("3.5", None, None)


def test_a_whole_number() -> None:
    number = Whole("--rounds 3", 1, 1000)
    assert number.convert("12", None, None) == 12
    for typed, line in {
        "3.5": "'3.5' is not a whole number, as in --rounds 3",
        "0": "0: at least 1, as in --rounds 3",
        "1001": "1001: at most 1000, as in --rounds 3",
    }.items():
        with pytest.raises(click.BadParameter, match=re.escape(line)):
            number.convert(typed, None, None)


def test_compare_takes_the_threshold_of_the_judge() -> None:
    (default,) = (param.default for param in compare_command.params if param.name == "threshold")
    assert Share().convert(default, None, None) == THRESHOLD


@pytest.mark.parametrize("typed", ["0", "100%", "-1%", "much", ""])
def test_no_share(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is no share between 0 and 1"):
        Share().convert(typed, None, None)
