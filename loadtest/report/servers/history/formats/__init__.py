"""A history of runs: a module a format, with `files(history)`; the folder is the list."""

from loadtest.judge.servers.history import History
from loadtest.report.formats import Formats, formats_in


def formats() -> Formats[History]:
    """Return what makes the files of each format, by the format's name."""
    return formats_in(__name__, __path__)
