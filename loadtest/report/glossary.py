"""The words that every report uses, explained once: pages show them, docs/glossary.md has them."""

from __future__ import annotations

PATH = "docs/glossary.md"
"""In this project's repository."""

TERMS = (
    (
        "requests/s",
        "Correct (2xx) responses per second, the median over rounds. Errors do not count.",
    ),
    (
        "CPU per request",
        "Processor time of the server's processes for each request, whichever core it ran on.",
    ),
    ("endpoint", "One URL of the app with one style of view: `json-sync`, `json-async`."),
    ("workload", "What a group of endpoints does: database, cache, template, waiting."),
    ("cell", "One server at one endpoint: the unit that is measured, judged and ranked."),
    (
        "duplicate (A/A)",
        "A second copy of the same server or client, measured as if it were another. What the two"
        " differ by is noise.",
    ),
    (
        "noise floor",
        "The difference that two copies of the same server can show by noise alone; no smaller"
        " difference counts.",
    ),
    (
        "separated",
        "Two cells whose difference is beyond noise: statistically significant after correction"
        " for all comparisons, and larger than the noise floor.",
    ),
    (
        "tie",
        "Cells that this run cannot separate; they share a rank, as in `1=`. A tie does not mean"
        " equally fast.",
    ),
    (
        "closed loop",
        "Each connection sends its next request when the last one is answered, so the load runs"
        " the server at its limit.",
    ),
    ("concern", "A reason to mistrust a number, found in the facts recorded with it."),
    (
        "verdict",
        "What a number is worth. Valid: no concern. Suspect: ranked, with concerns beside it."
        " Invalid: shown nowhere and not ranked.",
    ),
)
"""Each with its meaning; code in backticks."""
