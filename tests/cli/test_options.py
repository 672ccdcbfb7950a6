"""What may be typed for an option."""

from __future__ import annotations

import click
import pytest

from loadtest.cli.options import Share


@pytest.mark.parametrize(("typed", "expected"), [("5%", 0.05), ("0.05", 0.05), (" 0 % ", 0)])
def test_a_share(typed: str, expected: float) -> None:
    assert Share(zero=True).convert(typed, None, None) == expected


@pytest.mark.parametrize("typed", ["0", "100%", "-1%", "much", ""])
def test_no_share(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is no share between 0 and 1"):
        Share().convert(typed, None, None)
