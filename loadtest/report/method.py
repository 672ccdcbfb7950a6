"""How a run was made and how to read it, as a section of a page."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.report.glossary import PATH, TERMS
from loadtest.report.page import BOTH, Block, Bullets, Code, Listed, Section
from loadtest.report.sentences import Facts, capital
from loadtest.report.units import plural


def chapter(
    facts: Facts, reading: Facts, command: str, notes: Sequence[str] = (), *, imported: bool = False
) -> Section:
    """Return the facts, the command, what an import had to assume, and the words explained."""
    blocks: list[Block] = [Listed(facts)]
    blocks.append(Section(f"To {'read' if imported else 'run'} it again", [Code(command)]))
    if notes:
        title = "What the import could not read or had to assume"
        lines = [Bullets([capital(note) for note in notes])]
        gist = plural(len(notes), "line")
        blocks.append(Section(title, lines, gist=gist, folded=("html",)))
    terms: list[Block] = [Listed(TERMS), f"The same in `{PATH}` of this project."]
    blocks.append(Section("How to read the figures", [Listed(reading)], folded=BOTH))
    blocks.append(Section("The words used here (glossary)", terms, id="glossary", folded=BOTH))
    return Section("Method and machine", blocks, id="method")
