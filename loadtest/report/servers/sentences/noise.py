"""What noise alone does in a run, and of how many rounds its numbers are, which lessen it."""

from __future__ import annotations

from loadtest.judge.servers.rows import Ranking
from loadtest.judge.servers.summary import Summary
from loadtest.report import sentences
from loadtest.report.servers.sentences.phrases import workload
from loadtest.report.units import plural, share

SHOWN_OPEN = 6

TOO_NOISY = 0.5
"""A noise floor, as a share, with which hardly any servers can be separated."""


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to count."""
    text = sentences.unknown_noise("server")
    floors = [each.noise_floor for each in summary.rankings if each.noise_floor is not None]
    if summary.rounds == 1 and summary.counts.measured:
        text = (
            f"{sentences.capital(sentences.ONE_ROUND)}, so no server has a rank: their order is"
            " what was measured once, and may reverse."
        )
    elif summary.twins and sentences.unsure_of_noise(floors):
        text = sentences.noise_of_too_few("Servers")
    elif floors:
        by = sentences.between(floors, share) or ""
        by += ", depending on workload" if " to " in by else ""
        text = sentences.noise(summary.reference or "one server", by, "Servers")
        borrowed = dict.fromkeys(
            each.endpoint.kind for each in summary.rankings if each.noise_borrowed
        )
        if borrowed:
            kinds = sentences.listed(map(workload, borrowed), len(borrowed))
            largest = "the largest of these values" if " to " in by else "this value"
            text += (
                f" For {kinds}, no server was measured twice: {largest} is used there, and noise"
                " may be larger still."
            )
        if min(floors) > TOO_NOISY:
            text += " That is too much to separate servers: measure more `--rounds`."
    if summary.left_open:
        more = len(summary.left_open) > SHOWN_OPEN
        text += (
            f" Asked for more precision, {plural(len(summary.left_open), 'cell')} stayed open:"
            f" {sentences.first_few(summary.left_open, SHOWN_OPEN)}"
            f"{', see summary.json' if more else ''}."
        )
    return text


def without_rank(ranking: Ranking) -> str:
    """Return why some servers with a number have no rank; empty where all have one, or none."""
    if ranking.unranked or all(row.rank for row in ranking.rows if row.reportable):
        return ""
    return (
        "Servers without a rank are neither separated from those above them nor tied with them:"
        " too few or too variable rounds to rank them."
    )
