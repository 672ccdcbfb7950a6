"""`index.html`: one self-contained page, the answer first and each claim linked to its rows."""

from __future__ import annotations

from collections import Counter
from functools import cache

from loadtest.judge.servers.rows import state
from loadtest.report.html.page import document
from loadtest.report.servers.leader_table import shares
from loadtest.report.servers.page import page
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.claims import control, kind
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.sentences.phrases import title

FILE = "index.html"

LIMITS = {
    "no-number": "no server has a number",
    "alone": "no other has a number",
    "one-round": "one round cannot separate a real difference from noise",
    "tied": "all are tied",
    "no-noise-floor": "the noise was not measured",
    "connection-limited": "they show how many requests were let in",
    "suspect": "there are concerns about it",
}
"""Why nothing can be said of a lead."""


def render(report: Report) -> str:
    """Return the page; its first screen is `answer.jinja` among the templates."""
    answer = report.summary.answer
    states = Counter(state(row) for _, row in report.rows)
    return document(
        page(report),
        "run.jinja",
        run=report.run,
        answer=answer,
        headline=headline(answer),
        workload_sentences=cache(kind),
        control=control(answer),
        shares=shares(answer),
        limits=LIMITS,
        workload=title,
        states=states,
        total=states.total(),
        noise=report.caveats.noise,
    )
