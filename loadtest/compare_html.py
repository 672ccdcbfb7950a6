"""A comparison as a page: what got worse or better first, in the look of the reports."""

from __future__ import annotations

from loadtest.compare import Comparisons
from loadtest.compare_markdown import (
    ORDER,
    answered,
    changes_table,
    differences_table,
    method,
    together,
    verdict,
)
from loadtest.report.html_page import CHANGED, page


def render(made: Comparisons) -> str:
    """Return the page, one self-contained file."""
    counts = {answer: answered(made.changes, answer) for answer in ORDER}
    said = "".join(verdict(made))
    return page(
        "compare.jinja",
        None,
        made=made,
        counts={answer: len(of) for answer, of in counts.items()},
        classes=CHANGED,
        verdict=said[:1].upper() + said[1:],
        forbidding=[one.key for one in made.differences if one.forbids],
        together=together(made.changes),
        changed=changes_table([*counts["worse"], *counts["better"]]),
        rest=changes_table([*counts["same"], *counts["cannot tell"]]),
        differences=differences_table(made.differences),
        method=method(made),
    )
