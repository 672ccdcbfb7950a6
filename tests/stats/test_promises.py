"""The promises of the statistics, measured by simulation: coverage, false alarms, power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judged_table import findings
from scipy import special
from simulated import CV, KINDS, claims, noise, pairs, rates

from loadtest.judge.servers.cost import mean_of
from loadtest.judge.servers.tables import cost_pairs
from loadtest.stats.noise_floor import floors
from loadtest.stats.pairs import all_pairs
from loadtest.stats.ratios import moderated, paired, unpaired
from loadtest.stats.significance import LOOKS, finding, level, margin

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_a_paired_interval_holds_the_truth_19_times_in_20(kind: str, rounds: int) -> None:
    intervals = pairs(kind, 2_000, rounds, np.random.default_rng(1))
    held = np.mean([pair.low <= 1 <= pair.high for pair in intervals if pair.low and pair.high])
    assert 0.935 <= held <= 0.985
    within = [pair.low <= pair.ratio <= pair.high for pair in intervals if pair.low]  # type: ignore[operator]
    assert np.mean(within) > 0.999


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_so_does_a_moderated_one(kind: str, rounds: int) -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(20):
        noises = rng.uniform(0.25, 2.25, (60, 1))
        logs = CV * noises * noise(kind, (60, rounds), rng)
        table = moderated([paired([1.0] * rounds, row) for row in rates(logs)])
        held += [
            interval.low <= 1 <= interval.high
            for interval in table
            if interval.low and interval.high
        ]
    assert 0.93 <= np.mean(held) <= 0.985


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rounds", "least"), [(3, 0.93), (5, 0.90), (10, 0.91)])
def test_an_unpaired_interval_holds_the_truth(kind: str, rounds: int, least: float) -> None:
    """Resampling 5 rounds costs some of the 95 %; below 5 nothing is resampled."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(150):
        base, new = rates(CV * noise(kind, (2, rounds), rng))
        interval = unpaired(base, new)
        assert interval.method == ("t" if rounds < 5 else "bootstrap")
        assert interval.low is not None
        assert interval.high is not None
        held.append(interval.low <= 1 <= interval.high)
    assert np.mean(held) >= least


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_at_most_one_table_in_twenty_has_a_false_alarm(kind: str, rounds: int) -> None:
    """Twelve servers against the same reference at six endpoints, each with a noise of its own.

    Without a margin, to measure the test alone; noise that a launch shares spans the endpoints.
    """
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(100):
        own = noise(kind, (13, 6, rounds), rng) * rng.uniform(0.01, 0.09, (13, 6, 1))
        logs = own + 0.02 * rng.standard_normal((13, 1, rounds))
        ratios = rates((logs[1:] - logs[:1]).reshape(-1, rounds))
        table = [paired([1.0] * rounds, row) for row in ratios]
        alarms += claims(findings(table, margin=0)) > 0
    assert alarms <= 8  # 5 of 100, and luck


@pytest.mark.parametrize(
    ("kind", "least"), [("normal", (0.97, 0.95)), ("t3", (0.95, 0.95)), ("stalls", (0.94, 0.92))]
)
def test_five_rounds_find_20_percent_and_ten_rounds_10(
    kind: str, least: tuple[float, float]
) -> None:
    """Of a single comparison, with the margin of 5 %."""
    rng = np.random.default_rng(5)
    for rounds, by, needed in ((5, 0.20, least[0]), (10, 0.10, least[1])):
        intervals = pairs(kind, 1_000, rounds, rng, by)
        assert (
            np.mean([finding(interval, margin(None)) == "higher" for interval in intervals])
            >= needed
        )
        alike = [finding(pair, margin(None)) for pair in pairs(kind, 1_000, rounds, rng)]
        assert claims(tuple(alike)) <= 0.03 * len(alike)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_twelve_finds_as_much(kind: str) -> None:
    """One server of twelve differs from the reference: Holm costs little, once noise is shared."""
    rng = np.random.default_rng(6)
    for rounds, by in ((5, 0.20), (10, 0.10)):
        higher = 0
        for _ in range(100):
            logs = CV * noise(kind, (13, rounds), rng)
            logs[1] += math.log1p(by)
            base, *others = rates(logs)
            higher += findings([paired(base, row) for row in others], 0.05)[0] == "higher"
        assert higher >= 88


@pytest.mark.parametrize("interim_looks", [1, 13])
def test_looking_again_after_each_round_needs_a_stricter_level(interim_looks: int) -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(60):
        base, new = (CV * rng.standard_normal((6, 15)) for _ in range(2))
        for rounds in range(3, 16):
            ratios = rates((new - base)[:, :rounds])
            verdicts = findings(
                [paired([1.0] * rounds, row) for row in ratios], 0.05, interim_looks
            )
            if claims(verdicts) or "inconclusive" not in verdicts:
                alarms += claims(verdicts) > 0
                break
    assert alarms <= 3 if interim_looks > 1 else alarms >= 5


@pytest.mark.parametrize("interim_looks", [2, 5, 10, 20])
def test_the_levels_of_several_looks(interim_looks: int) -> None:
    steps = np.random.default_rng(9).standard_normal((40_000, interim_looks))
    reached = (
        np.abs(steps.cumsum(axis=1)) / np.sqrt(np.arange(1, interim_looks + 1))
        > LOOKS[interim_looks]
    )
    assert reached.any(axis=1).mean() == pytest.approx(0.05, abs=0.004)


def test_a_level_for_any_number_of_looks() -> None:
    levels = [level(interim_looks) for interim_looks in range(1, 40)]
    assert levels[0] == 0.05
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("servers", [3, 13])
def test_identical_servers_share_a_rank(kind: str, servers: int) -> None:
    rng = np.random.default_rng(10)
    split = 0
    for _ in range(100):
        own = noise(kind, (servers, 3), rng) * rng.uniform(0.01, 0.09, (servers, 1))
        named = {str(number): row for number, row in enumerate(rates(own))}
        split += max(all_pairs(named, 0.05).ranks.values(), default=1) > 1
    assert split <= 9


@pytest.mark.parametrize("rounds", [3, 10])
def test_a_run_of_fourteen_servers_has_few_false_ranks(rounds: int) -> None:
    """Of the tables of eight endpoints, each in its run's own floor, at most one in twenty.

    Half of the runs have servers whose noise differs ninefold, with a part that a launch shares.
    """
    rng = np.random.default_rng(11)
    split = tables = 0
    for at in range(10):
        for kind in KINDS:
            own = CV if at % 2 else rng.uniform(0.01, 0.09, (15, 1, 1))
            logs = own * noise(kind, (15, 8, rounds), rng)
            logs += (0.02 if at % 2 == 0 else 0.0) * noise(kind, (15, 1, rounds), rng)
            first, second = rates(logs[0]), rates(logs[-1])
            # As in the quick matrix: three kinds of work have arms, the others borrow.
            floor_of = floors({str(of): [(first[of], second[of])] for of in range(3)})
            for of in range(8):
                named = {str(number): row for number, row in enumerate(rates(logs[:-1, of]))}
                split += max(all_pairs(named, floor_of.of(str(of))).ranks.values(), default=1) > 1
                tables += 1
    assert split <= 0.05 * tables


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("differs", "spread"), [(0.052, 0.04), (0.08, 0.04), (0.08, 0.08)])
def test_a_rank_is_not_closed_by_noise(kind: str, differs: float, spread: float) -> None:
    """A run that goes on until it knows ends with a tie of two that differ in at most 5 of 100."""
    rng = np.random.default_rng(12)
    tied = 0
    for _ in range(100):
        logs = spread * noise(kind, (4, 22), rng)
        logs[2:] -= np.log1p([[differs], [1.0]])
        for rounds in range(3, 23):
            first, second, less, half = rates(logs[:, :rounds])
            floor = floors({"cpu": [(first, second)]}).of("cpu")
            named = {"first": first, "less": less, "half": half}
            judged = all_pairs(named, floor, max(LOOKS))
            if not judged.undecided:
                tied += judged.ranks["less"] == 1
                break
    assert tied <= 5


def test_one_round_cannot_be_judged_by_the_arms() -> None:
    """Why one round tells nothing: the noise of the arms is of one server, see `Pairs.ranks`."""
    rng = np.random.default_rng(13)
    pairs_of = np.triu_indices(14, 1)
    separated = {}
    for arms in (1, 8):
        separations = 0
        for _ in range(400):
            spread = rng.uniform(0.01, 0.09, (14, 1))
            logs = spread * rng.standard_normal((14, 1 + arms))
            second = spread[0] * rng.standard_normal(arms)
            variance = float(((second - logs[0, 1:]) ** 2).mean())
            apart = np.abs(logs[:, None, 0] - logs[None, :, 0])[pairs_of]
            p = 2 * special.stdtr(arms, -apart.max() / math.sqrt(variance))
            separations += p * apart.size < 0.05
        separated[arms] = separations / 400
    assert separated[1] < 0.01
    assert separated[8] > 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_claims_no_difference_in_cost_between_equals_at_any_look(kind: str) -> None:
    """Six servers that cost the same at six endpoints, two rounds and then up to five.

    Half of the runs have servers whose noise differs eightfold; the machine's speed and what a
    launch shares span the endpoints. A run ends when nothing is open.
    """
    rng = np.random.default_rng(14)
    names, alarms = [str(number) for number in range(6)], 0
    for at in range(100):
        own = 0.08 if at % 2 else rng.uniform(0.02, 0.16, (7, 1, 1))
        logs = own * noise(kind, (7, 6, 5), rng) + 0.03 * noise(kind, (7, 1, 5), rng)
        costs = np.exp(logs + 0.3 * rng.standard_normal((1, 1, 5)))
        for rounds in range(2, 6):
            pooled = [mean_of(rates(np.log(of[:, :rounds]))) for of in costs]
            floor = floors({"cost": [(pooled[0], pooled[-1])]}).of("cost")
            table = cost_pairs(dict(zip(names, pooled, strict=False)), floor, interim_looks=4)
            if claims(tuple(pair.finding for pair in table.judged.values())):
                alarms += 1
                break
            if not table.undecided:
                break
    assert alarms <= 9  # 5 of 100, and luck


def test_five_rounds_find_half_as_much_again_between_six_servers() -> None:
    """Of a noisy run: one endpoint's cost varies by 20 % from round to round, a launch's by 5 %."""
    rng = np.random.default_rng(15)
    decided = 0
    for _ in range(60):
        logs = 0.2 * noise("stalls", (6, 6, 5), rng) + 0.05 * rng.standard_normal((6, 1, 5))
        logs += np.log([1, 1.5, 1.5, 1.6, 5, 5])[:, None, None]
        pooled = [mean_of(rates(of)) for of in logs]
        table = cost_pairs(dict(zip("abcdef", pooled, strict=True)), None, interim_looks=4)
        decided += all(table.finding(other, "a") == "lower" for other in "bcdef")
    assert decided >= 54
