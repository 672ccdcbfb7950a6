"""What a comparison of two runs says in sentences, the same in every format."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from loadtest.judge.servers.compare import BETTER, Change, Comparisons
from loadtest.report import units
from loadtest.report.servers.comparison.tables import TITLES, answered

FEWEST_TOGETHER = 3
"""Cells for which it makes sense to say how all of them moved."""


def verdict(compared: Comparisons) -> tuple[str, str]:
    """Return whether anything got worse, and of how much nobody can tell, which may be empty."""
    beyond = f"beyond {_margins(compared)}"
    if compared.regressed and not answered(compared.changes, "worse"):
        text = f"no figure got worse {beyond}, but what had a number has none any more."
    else:
        text = (
            f"a regression {beyond}."
            if compared.regressed
            else f"no regression {beyond} was found."
        )
    unknown = len(answered(compared.changes, "cannot tell"))
    if not unknown:
        return text, ""
    of = f"{unknown} of {units.plural(len(compared.changes), 'figure')}"
    return text, f" For {of} the runs cannot tell; more rounds may."


def _margins(compared: Comparisons) -> str:
    """Return the threshold, and where noise made it wider, by which figures and how far."""
    wider = [
        f"{TITLES[figure]} {units.share(widest)}"
        for figure, widest in compared.margins.items()
        if widest > compared.threshold
    ]
    least = units.share(compared.threshold)
    return f"{least} (up to {', '.join(wider)}, which noise alone can show)" if wider else least


def together(changes: Sequence[Change]) -> str:
    """Return how the median cell moved: what all of them share may be the machine's doing."""
    controls = [change for change in changes if change.cell.endswith("-control")]
    parts = []
    if moved := _median_change(changes, FEWEST_TOGETHER):
        parts.append(f"All cells together: {moved}.")
    if moved := _median_change(controls, 1):
        parts.append(f"Those that bypass the app (control): {moved}.")
    return " ".join(parts)


def _median_change(changes: Sequence[Change], fewest: int) -> str:
    medians = []
    for figure in BETTER:
        ratios = [
            change.comparison.ratio
            for change in changes
            if change.figure == figure and change.comparison.ratio
        ]
        if len(ratios) >= fewest:
            medians.append(f"{TITLES[figure]} {units.ratio(median(ratios))}")
    return ", ".join(medians)


def method(compared: Comparisons) -> str:
    """Return how the two runs were compared."""
    pairing = (
        "The two share their rounds: the ratio is the median of each round's, the interval that of"
        " a t test on their logarithms."
        if compared.same_rounds
        else "Two runs share no rounds: the ratio is that of the medians, the interval is"
        " bootstrapped (from 5 rounds up) or that of a t test on the logarithms. What differed"
        " between the runs as a whole, such as a busier neighbour, is in neither; a shift that all"
        " cells share, the controls too, points to it. To be surer, measure both as two servers of"
        " one run."
    )
    return (
        f"{pairing} Better or worse: p below 0.05 after Holm's adjustment for all"
        f" {units.plural(len(compared.changes), 'figure')}, and a difference beyond the margin of"
        " its row, which is the threshold or the noise that identical servers showed at that"
        f" workload in either run. Same: the whole interval is within the threshold."
        f"{_drift_corrected(compared)}"
    )


def _drift_corrected(compared: Comparisons) -> str:
    if not any(change.drift_corrected for change in compared.changes):
        return ""
    return (
        " CPU time is *drift-corrected* where a response is as long in both runs: the speed of"
        " processors drifts, and what the generator's own CPU time per request varied by in the"
        " same loads is taken out of the server's."
    )
