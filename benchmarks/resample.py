"""From the rounds of the power run to how often an experiment of fewer rounds finds a difference.

An experiment of n rounds is n of the real ones, drawn with replacement (Efron, 1979), so that it
varies as new rounds would: of 15 drawn from 20 without, the mean varies half as much, and two runs
share most of their rounds. In each drawn round the identical arms are given out at random: one is
the reference, one its second arm, from which the noise floor is taken, and one is the server that
does not differ. Being identical, they may be exchanged; what chance has left in one of them would
otherwise enter every experiment alike.

Two runs, as `compare` has them, are two such drawings that know nothing of each other. Both are of
the same hour: what the machine does otherwise on another day is in none of these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadtest.records.planned import Record
from loadtest.stats.noise_floor import floors
from loadtest.stats.ratios import Comparison, paired, unpaired_t
from loadtest.stats.significance import LEAST_CPU_MARGIN, finding, margin

Floats = NDArray[np.float64]
SIZES = (3, 5, 10, 15)
"""Rounds of the experiments."""
LEVEL = 0.05
ARM = "of one kind"


class Rounds(Record, frozen=True, kw_only=True):
    """What the power run measured, by arm and round; None where a round has no number."""

    server: str
    base_cpu_us: float
    """Server CPU time a request when the additions were chosen."""
    identical: tuple[str, ...]
    added_us: dict[str, float]
    """CPU time added to each request, by arm; the identical ones are not here."""
    goodput: dict[str, tuple[float | None, ...]]
    cpu_us: dict[str, tuple[float | None, ...]]
    """Of the server's processes, for an answer."""
    evened_us: dict[str, tuple[float | None, ...]]
    """Likewise, at even speed of the processors; see `loadtest.stats.cpu_drift`."""


class Figure(NamedTuple):
    """A figure by which servers may be told apart."""

    name: str
    short: str
    values: Callable[[Rounds], dict[str, tuple[float | None, ...]]]
    slower: str
    """What is found where the new one is slower."""
    least: float
    """The margin that the tool asks for however steady the run is, as a share."""
    two_runs: bool = False
    """Compared as `compare` does it, and not within the rounds of one run."""


FIGURES = (
    # As ranks are found, and as `Row.versus_cpu` is.
    Figure("goodput", "goodput", lambda rounds: rounds.goodput, "lower", 0.0),
    Figure("CPU time a request", "CPU", lambda rounds: rounds.cpu_us, "higher", LEAST_CPU_MARGIN),
    # As `loadtest compare --threshold 2%` does.
    Figure(
        "evened CPU time a request, of two runs",
        "CPU by `compare`",
        lambda rounds: rounds.evened_us,
        "higher",
        LEAST_CPU_MARGIN,
        two_runs=True,
    ),
)


class Claims(NamedTuple):
    """Shares of experiments in which a difference is claimed."""

    tool: float
    """By the tool's rule: the test, and a ratio beyond the margin and the rounds' noise floor."""
    test: float
    """By the test alone."""


Shares = Mapping[tuple[str, str | None, bool, int], Claims | None]
"""By figure, arm (None: an identical one), whether identical arms are exchanged, and rounds."""


def tables(rounds: Rounds, resamples: int, seed: int = 1) -> str:
    """Return all results as Markdown, what the tool finds first."""
    shares = {
        (figure.name, arm, exchanged, size): claims(
            rounds, figure, arm, size, resamples, seed, exchanged
        )
        for figure in FIGURES
        for arm in (None, *rounds.added_us)
        for exchanged in ((True, False) if arm is None else (True,))
        for size in SIZES
    }
    of = f"{resamples:,} experiments"
    parts = [curve(rounds, shares, of), effects(rounds)]
    parts += [power(rounds, figure, shares, of) for figure in FIGURES]
    parts.append(false_alarms(shares, of))
    return "\n\n".join(parts) + "\n"


def curve(rounds: Rounds, shares: Shares, of: str) -> str:
    """Return how often the tool, by all its rules, calls each addition a difference."""
    lines = [
        f"Found in so many of {of}, by rounds:",
        "",
        "| CPU time added | "
        + " | ".join(
            f"{figure.short + ': ' if size == SIZES[0] else ''}{size}"
            for figure in FIGURES
            for size in SIZES
        )
        + " |",
        "| --- |" + " --: |" * len(SIZES) * len(FIGURES),
    ]
    for arm in (None, *rounds.added_us):
        cells = []
        for figure in FIGURES:
            for size in SIZES:
                claims = shares[figure.name, arm, True, size]
                cells.append("-" if claims is None else percent(claims.tool))
        share = rounds.added_us[arm] / rounds.base_cpu_us if arm else 0.0
        lines.append(f"| {percent(share) if arm else 'none'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def effects(rounds: Rounds) -> str:
    """Return what was added and what all rounds together show of it."""
    count = len(complete(rounds, rounds.goodput))
    lines = [
        f"{rounds.server}, {count} rounds, {rounds.base_cpu_us:.0f} us of CPU time a request"
        " before anything is added. Ratios to the first of the identical arms, with 95 %"
        " intervals, and the standard deviation of the logarithm of one round's ratio.",
        "",
        "| arm | added | CPU time a request | in one round | evened | in one round | goodput"
        " | in one round |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    base, *others = rounds.identical
    for arm in (*others, *rounds.added_us):
        added = rounds.added_us.get(arm, 0.0)
        separated = [
            paired(values[base], values[arm])
            for values in (rounds.cpu_us, rounds.evened_us, rounds.goodput)
        ]
        cells = " | ".join(_ratio(share) for share in separated)
        lines.append(
            f"| {arm} | {added:.1f} us ({percent(added / rounds.base_cpu_us)}) | {cells} |"
        )
    return "\n".join(lines)


def _ratio(pair: Comparison) -> str:
    if pair.ratio is None or pair.low is None or pair.high is None or pair.estimate is None:
        return "- | -"
    return (
        f"{pair.ratio:.3f} ({pair.low:.3f} to {pair.high:.3f}) | {percent(pair.estimate.spread, 1)}"
    )


def power(rounds: Rounds, figure: Figure, shares: Shares, of: str) -> str:
    """Return how often each addition is found."""
    lines = [
        f"Found by {figure.name}, as a share of {of} (by the test alone):",
        "",
        *_head("CPU time added"),
    ]
    for arm, added in rounds.added_us.items():
        cells = []
        for size in SIZES:
            share = shares[figure.name, arm, True, size]
            cells.append("-" if share is None else f"{percent(share.tool)} ({percent(share.test)})")
        lines.append(f"| {percent(added / rounds.base_cpu_us)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def false_alarms(shares: Shares, of: str) -> str:
    """Return how often a difference is claimed between arms that are identical."""
    lines = [
        f"Claimed between identical servers, as a share of {of} (by the test"
        " alone); 5 % is what the test promises:",
        "",
        *_head("by"),
    ]
    for figure in FIGURES:
        for exchanged, how in ((True, ""), (False, ", arms not exchanged")):
            cells = []
            for size in SIZES:
                share = shares[figure.name, None, exchanged, size]
                cells.append(
                    "-" if share is None else f"{percent(share.tool, 1)} ({percent(share.test, 1)})"
                )
            lines.append(f"| {figure.name}{how} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _head(first: str) -> tuple[str, str]:
    sizes = " | ".join(f"{size} rounds" for size in SIZES)
    return f"| {first} | {sizes} |", "| --- |" + " --: |" * len(SIZES)


def percent(share: float, digits: int = 0) -> str:
    """Return a share as `5 %`."""
    return f"{100 * share:.{digits}f} %"


def complete(rounds: Rounds, values: dict[str, tuple[float | None, ...]]) -> list[int]:
    """Return the numbers of the rounds in which every arm has a number."""
    arms = [values[arm] for arm in (*rounds.identical, *rounds.added_us)]
    return [number for number, row in enumerate(zip(*arms, strict=True)) if None not in row]


def claims(
    rounds: Rounds,
    figure: Figure,
    arm: str | None,
    size: int,
    resamples: int,
    seed: int,
    exchanged: bool,
) -> Claims | None:
    """Return how often an arm is found slower; without one, how often identical arms differ.

    None where there are fewer real rounds than an experiment needs.
    """
    values = figure.values(rounds)
    usable = complete(rounds, values)
    if size > len(usable):
        return None
    same: Floats = np.array([[values[arm][at] for at in usable] for arm in rounds.identical])
    slowed = None if arm is None else np.array([values[arm][at] for at in usable])
    rng = np.random.default_rng(seed)
    tool = test = 0

    def draw() -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
        drawn = rng.choice(len(usable), size)
        # Who is who among the identical arms: anew in each round, or once an experiment.
        roles = rng.permuted(np.tile(np.arange(len(same)), (size, 1)), axis=1)
        if not exchanged:
            roles = np.tile(roles[:1], (size, 1))
        first, second, third = (same[roles[:, role], drawn] for role in range(3))
        return first, second, third, drawn

    for _ in range(resamples):
        base, duplicate, other, drawn = draw()
        arms = [(base.tolist(), duplicate.tolist())]
        if figure.two_runs:
            # The other run has rounds, and two arms, of its own.
            _, *second, drawn = draw()
            other = second[0]
            arms.append((second[0].tolist(), second[1].tolist()))
        new = other if slowed is None else slowed[drawn]
        comparison = (unpaired_t if figure.two_runs else paired)(base.tolist(), new.tolist())
        floor = max(floors({ARM: [arm]}).at(ARM, size) or 0.0 for arm in arms)
        separated = finding(comparison, margin(floor, figure.least))
        assert comparison.p is not None
        assert comparison.ratio is not None
        if slowed is None:
            tool += separated in ("higher", "lower")
            test += comparison.p < LEVEL
        else:
            tool += separated == figure.slower
            test += comparison.p < LEVEL and (comparison.ratio > 1) == (figure.slower == "higher")
    return Claims(tool / resamples, test / resamples)
