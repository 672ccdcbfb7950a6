"""The words that every report uses, explained once: pages show them, docs/glossary.md has them."""

from __future__ import annotations

from pathlib import Path

from loadtest.report.sentences import macros, states

PATH = "docs/glossary.md"
"""In this project's repository; its table of these words is made from `TERMS`."""

TERMS = states(macros(Path(__file__).with_suffix(".jinja")), "terms")
"""Each with its meaning; code in backticks."""
