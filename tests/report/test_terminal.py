"""Paragraphs in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from loadtest.report.sentences import Paragraph
from loadtest.report.terminal import Writer

COMMAND = "loadtest run standard --duration 2 --rounds 9"


def written(width: int, text: str) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    to = Writer(console, lambda text: text.replace("loadtest", ".venv/bin/loadtest"))
    to.paragraph(Paragraph("How sure?", text))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("blanks", range(0, 40, 3))
def test_a_command_is_copied_whole(blanks: int) -> None:
    text = written(70, f"{'word ' * blanks}To try to break the tie: `{COMMAND}`. It takes long.")
    assert f".venv/bin/{COMMAND}" in text
    assert max(map(len, text.splitlines())) <= 70


def test_one_that_is_longer_than_a_line_has_a_line_of_its_own() -> None:
    text = written(40, f"To try to break the tie: `{COMMAND}`. It takes long.")
    assert text.splitlines() == [
        "How sure? To try to break the tie:",
        f".venv/bin/{COMMAND}.",
        "It takes long.",
        "",
    ]
