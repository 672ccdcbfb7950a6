"""What a table of differences shows: adjusted p values, margins, ranks."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from judged_table import findings

from loadtest.stats.pairs import all_pairs
from loadtest.stats.ratios import paired
from loadtest.stats.significance import adjust, finding, margin


@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_holm(ps: list[float | None]) -> None:
    adjusted = adjust(ps)
    known = sorted(
        (p, a) for p, a in zip(ps, adjusted, strict=True) if p is not None and a is not None
    )
    assert [a is None for a in adjusted] == [p is None for p in ps]
    assert all(p <= a <= min(1, p * len(known)) for p, a in known)
    assert [a for _, a in known] == sorted(a for _, a in known)
    if known:
        assert known[0][1] == min(1, known[0][0] * len(known))


def test_a_margin_is_at_least_what_matters() -> None:
    assert margin(None) == margin(0.01) == 0.05
    assert margin(0.08) == 0.08


FAST, ALIKE, SLOW = [100.0, 103, 98, 101, 99], [99.0, 101, 100, 97, 102], [60.0, 62, 59, 61, 58]


def test_who_cannot_be_told_apart_shares_a_rank() -> None:
    named = {"slow": SLOW, "alike": ALIKE, "fast": FAST}
    assert all_pairs(named, 0.05).ranks == {"fast": 1, "alike": 1, "slow": 3}
    assert all_pairs(named, None).ranks == all_pairs(named, 0.05).ranks
    assert all_pairs(named, 0.9).ranks == {"fast": 1, "alike": 1, "slow": 1}


def test_a_pair_that_shares_fewer_rounds_needs_more_of_a_difference() -> None:
    """What two rounds show is less sure than what five do, whatever the others were measured in."""

    def floor(rounds: int) -> float:
        return {2: 0.9, 5: 0.05}[rounds]

    named = {"fast": FAST, "few": [60.0, 62.0, None, None, None], "slow": SLOW}
    assert all_pairs(named, floor).ranks["few"] == 1
    assert all_pairs(named, 0.05).ranks["few"] > 1
    base = paired(FAST, SLOW)
    few = paired(FAST, named["few"])
    assert findings([base, few], floor, near=0.05) == ("lower", "inconclusive")


def test_what_was_not_measured_has_no_rank() -> None:
    assert all_pairs({"fast": FAST, "none": [None] * 5}, None).ranks == {"fast": 1}
    assert all_pairs({}, None).ranks == {}
    assert all_pairs({"once": [5.0, *[None] * 4], "fast": FAST}, None).ranks == {}


def test_a_rank_is_open_until_it_is_equivalent_or_told_apart() -> None:
    assert all_pairs({"fast": FAST, "alike": ALIKE, "slow": SLOW}, 0.05).undecided == frozenset()
    wild = [80.0, 112, 95, 120, 84]
    assert all_pairs({"fast": FAST, "wild": wild, "slow": SLOW}, 0.05).undecided == {"fast", "wild"}
    assert all_pairs({"fast": FAST[:1], "slow": SLOW[:1]}, 0.05).undecided == {"fast", "slow"}


HELD = {
    "uvicorn-h11": [101.9929, 105.0479],
    "hypercorn-asyncio": [91.6292, 94.8188],
    "granian-wsgi": [2.167, 2.179],
    "uvicorn": [135.5682, 92.196],
    "gunicorn-uvicorn": [133.15, 110.8119],
    "gunicorn-sync": [0.5424, 0.5429],
    "hypercorn-uvloop": [111.8197, 111.1911],
    "gunicorn-asgi": [107.4607, 92.7004],
    "gunicorn-gthread": [2.1677, 2.168],
    "granian-asgi": [90.2192, 135.5227],
    "uwsgi": [2.168, 2.1691],
    "daphne": [108.009, 101.3137],
    "waitress": [2.1683, 2.169],
}
"""Requests/s at a view of 3 s in a run of two rounds, where so many pairs have little power."""


def test_no_tie_goes_over_a_factor_of_56() -> None:
    ranks = all_pairs(HELD, 0.14).ranks
    assert [name for name in HELD if name not in ranks] == [
        "granian-wsgi",
        "gunicorn-gthread",
        "uwsgi",
        "waitress",
    ]
    assert (ranks["hypercorn-asyncio"], ranks["gunicorn-sync"]) == (1, 13)


def test_noise_closes_no_rank() -> None:
    """A floor of 30 % hides a difference of 10 %, and shows no likeness: more rounds may tell."""
    less = [rate / 1.1 for rate in reversed(FAST)]
    assert all_pairs({"fast": FAST, "less": less}, 0.3).ranks == {}
    assert all_pairs({"fast": FAST, "less": less}, 0.3).undecided == {"fast", "less"}


@example([[None, None, 10.5, None], [None, None, 10.5, None], *[[10.5, None, 10.0, None]] * 2])
@given(
    st.lists(
        st.lists(st.none() | st.sampled_from([10.0, 10.5, 11, 20, 21]), min_size=4, max_size=4),
        max_size=6,
    )
)
def test_ranks_do_not_hang_on_names_or_their_order(given_rates: list[list[float | None]]) -> None:
    named = dict(zip("abcdef", given_rates, strict=False))
    renamed = dict(reversed([(f"x{ord('z') - ord(key)}", row) for key, row in named.items()]))
    ranks, second = all_pairs(named, 0.02).ranks, all_pairs(renamed, 0.02).ranks
    assert {f"x{ord('z') - ord(key)}": rank for key, rank in ranks.items()} == second
    order = [*all_pairs(named, 0.02).rates]
    for rank in set(ranks.values()):
        # Who shares a rank has that of the first of its group.
        assert ranks[order[rank - 1]] == rank


def test_noise_shows_no_likeness() -> None:
    """A run so noisy that half the rate is within its margin has not shown that nothing changed."""
    halved = paired([100.0, 101.0, 99.0, 100.0], [50.0, 60.0, 45.0, 52.0])
    assert finding(halved, margin=40.0) == "equivalent"
    assert finding(halved, margin=40.0, near=0.05) == "inconclusive"


def test_who_looks_often_needs_more_to_call_two_alike() -> None:
    alike = paired([100.0, 101.0, 99.0, 100.0, 100.0], [100.0, 97.0, 103.5, 98.0, 103.0])
    assert finding(alike, 0.05) == "equivalent"
    assert finding(alike, 0.05, interim_looks=20) == "inconclusive"
