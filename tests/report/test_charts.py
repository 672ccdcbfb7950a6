"""What charts share: ticks have room, names are apart and in order, text is text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_run import HOSTILE

from loadtest.report.charts.chart import (
    APART,
    HEIGHT,
    Key,
    Line,
    Lines,
    Mark,
    Rows,
    Strip,
    chart,
    stem,
    style,
    svg,
    thousands,
    tick,
)
from loadtest.report.charts.scale import ROOM, Scale, from_zero, logarithmic

POSITIVE = st.floats(1e-3, 1e6)


@given(st.lists(POSITIVE, min_size=1, max_size=20), st.sampled_from([None, 1.0]))
def test_ticks_never_overlap_and_there_are_always_some(
    marks: list[float], around: float | None
) -> None:
    scale = logarithmic(marks, [], thousands, around)
    for each in (scale, from_zero(max(marks), thousands)):
        places = [each.at(value) for value, _ in each.ticks]
        assert len(places) >= 2
        assert all(0 <= place <= 1 for place in places)
        assert all(b - a >= ROOM for a, b in pairwise(places))
        assert len({text for _, text in each.ticks}) == len(places)
    assert all(scale.low <= mark <= scale.high for mark in marks)


def test_one_wide_interval_hides_no_mark() -> None:
    scale = logarithmic([0.8, 1.1], [0.1, 90.0], thousands, around=1.0)
    assert 1.25 < scale.high < 2
    assert scale.low == pytest.approx(1 / scale.high)
    wide = Rows("", "", scale, [Strip("a", [Mark(1.1, low=0.1, high=90.0)])])
    assert "cut off" in chart("x", "X", [], [wide]).description
    narrow = Rows("", "", scale, [Strip("a", [Mark(1.1, low=1.0, high=1.2)])])
    assert chart("x", "X", ["A finding.", False], [narrow]).description == "A finding."


@given(st.lists(POSITIVE, min_size=1, max_size=20))
def test_names_of_lines_are_apart_and_in_the_order_in_which_the_lines_end(
    ends: list[float],
) -> None:
    upright = logarithmic(ends, [], thousands)
    lines = [Line(f"s{at}", "wsgi", [(0.0, ends[0]), (1.0, end)]) for at, end in enumerate(ends)]
    panel = Lines("", "", Scale(0.0, 1.0, (), linear=True), upright, lines)
    placed = panel.ends()
    assert [line.points[-1][1] for line, _ in placed] == sorted(ends, reverse=True)
    heights = [height for _, height in placed]
    assert all(b - a >= APART for a, b in pairwise(heights))
    assert heights[0] >= 0
    assert heights[-1] <= HEIGHT


def test_text_from_outside_is_text() -> None:
    rows = [Strip(HOSTILE, [Mark(1.0, name=HOSTILE, tip=HOSTILE)], name=HOSTILE, tip=HOSTILE)]
    panel = Rows(HOSTILE, HOSTILE, logarithmic([1.0], [], str), rows)
    drawn = chart(stem(HOSTILE), HOSTILE, [HOSTILE], [panel], [Key(HOSTILE)])
    for text in (drawn.inline, svg(drawn)):
        assert "<script" not in text
        assert "<img" not in text
    assert re.fullmatch(r"[A-Za-z0-9._-]+", drawn.name)


def test_a_file_asks_for_nothing_and_has_its_colours_in_it() -> None:
    panel = Rows("", "", logarithmic([1.0], [], str), [Strip("a", [Mark(1.0)])])
    text = svg(chart("x", "X", [], [panel]))
    assert text.startswith("<svg")
    assert set(re.findall("https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"var\(|light-dark", style(literal=True))


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("1.00 ms", "1 ms"),
        ("2.50 s", "2.5 s"),
        ("100 ms", "100 ms"),
        ("0.50x", "0.5x"),
        ("10", "10"),
    ],
)
def test_a_tick_has_no_zeros_at_its_end(text: str, short: str) -> None:
    assert tick(text) == short


def test_the_width_beside_a_panel_is_looked_for_once() -> None:
    """For each of 5,000 rows it took a comparison ten seconds."""
    looked: list[int] = []

    class Counted(list[Strip]):
        def __iter__(self) -> Iterator[Strip]:
            looked.append(len(self))
            return super().__iter__()

    scale = logarithmic([1.0], [], thousands)
    rows = Counted(Strip(f"s{n}", [Mark(1.0)]) for n in range(50))
    svg(chart("x", "x", [], [Rows("x", "", scale, rows)]))
    assert len(looked) < 10
