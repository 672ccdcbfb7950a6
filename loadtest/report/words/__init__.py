"""The answer in words: the same sentences in every format, which only decorates the names."""

from loadtest.report.words.claims import claim, control, kind
from loadtest.report.words.headline import headline
from loadtest.report.words.phrases import Name, Said, Words, title

__all__ = ["Name", "Said", "Words", "claim", "control", "headline", "kind", "title"]
