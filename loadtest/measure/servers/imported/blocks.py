"""Finds what load generators printed in a report: each block with the words and commands around it.

Every line that is not empty is accounted for: it belongs to a block, says where a block belongs,
or is noted with its number.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import groupby
from types import ModuleType
from typing import Any, Literal

import msgspec

from loadtest.measure.servers.imported import tools
from loadtest.measure.servers.imported.commands import Command, command_of, server_of
from loadtest.measure.servers.imported.lines import LONGEST, bare
from loadtest.measure.servers.imported.text import Text, TextError, Typed
from loadtest.measure.servers.imported.tools.wrk import START, is_wrk
from loadtest.records.planned import Record
from loadtest.records.text import message

TOOLS: tuple[Any, ...] = tuple(
    import_module(f"{tools.__name__}.{module.name}")
    # wrk2 prints wrk's lines and oha hey's, with some of their own: they are asked first.
    for module in sorted(pkgutil.iter_modules(tools.__path__), key=lambda of: of.name, reverse=True)
)

_READ = ", ".join(sorted(tool.NAME for tool in TOOLS))

UNREAD = {
    "autocannon": r"\d+ connections(?: with \d+ pipelining factor)?",
    "ghz": r"Count:\s+\d+",
    "h2load": r"starting benchmark\.\.\.|finished in \S+, \S+ req/s, .*",
    "k6": r"(?:.* )?http_req_duration\W.*|█ TOTAL RESULTS.*",
    "locust": r"Type\s+Name(?:\s.*)?",
    "rewrk": r"Benchmarking \d+ connections @ .*",
    "siege": r"Transactions:\s+\d+ hits.*|\*\* SIEGE .*",
    "vegeta": r"Requests\s+\[total, rate(?:, throughput)?\].*",
}
"""Load generators whose text is known and not read, by a line of it."""

_UNREAD = {tool: re.compile(pattern) for tool, pattern in UNREAD.items()}

_MAYBE = re.compile(
    r"Running |Thread |threads and|Latency|Req/Sec|\d%|requests in |errors: |Non-2xx|/sec:|unable"
    r"|Summary:|Bombarding|Bench|Server |Document |Concurrency|Percent|Initialised|calibration"
    r"|req/s|connections|http_req|TOTAL|Type|Transactions|SIEGE|\[total|starting|Value |\[M|\[B"
)
"""In every line that a tool's text may begin with: most lines of a report have none of it."""

_HEADING = re.compile(r" {0,3}(?:>\s*)*(#{1,6})\s+(.*)")
_TAG = re.compile(r"\s*<(h[1-6]|summary)[^>]*>(.*?)</\1>\s*", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*]+)\*\*:?|__([^_]+)__:?")

_SIGNS = "=*-"
"""Between three or more of them on either side a line stands for a heading."""

MOST_LABEL = 200
"""Characters of what stands above a block: names and what tells it apart are in the first."""

_UNDERLINE = re.compile(r"(=+|-{3,})\s*")
_FENCE = re.compile(r"\s*(?:[>*-]\s+)*(`{3,}|~{3,})(.*)")

FILE, ALONE, ABOVE, WORDS = 0, 7, 8, 9
"""Levels of what is no numbered heading, see `Label`."""

LINES_ABOVE = 3


class Note(Record, frozen=True, kw_only=True):
    """Something to know about a line of the report, counted from 1."""

    line: int
    text: str
    file: str = ""
    """Where there are several."""
    weight: Literal[0, 1, 2] = 1
    """2: a block is not in the run; 1: something was assumed; 0: lines that say nothing."""

    def __str__(self) -> str:
        """Return it as it is shown: a line of a length to be read, whatever the report holds."""
        where = f"{self.file}, line" if self.file else "line"
        return message(f"{where} {self.line}: {self.text}")


class Label(Record, frozen=True, kw_only=True):
    """A heading, or other words, above a block."""

    level: int
    """Of a heading, 1 to 6; `ALONE` of a line that stands for one, `WORDS` of the line directly
    above and of that above its code, `ABOVE` of those before it, `FILE` of the file's name."""
    text: str
    line: int


class Block(Record, frozen=True, kw_only=True):
    """One run of a load generator, and where the report puts it."""

    line: int
    """Of its first line."""
    text: str
    """As it stands there."""
    reading: Text
    labels: tuple[Label, ...]
    """The outermost first."""
    command: Label | None = None
    """The server's command in the same section: what it names."""
    elsewhere: Label | None = None
    """The only one that the report had shown by then."""
    file: str = ""


class Contents(Record, frozen=True, kw_only=True):
    """What there is in a report."""

    blocks: tuple[Block, ...]
    unread: int
    """Blocks that cannot be read; each has its note."""
    notes: tuple[Note, ...]


class _Context:
    """What has been read so far and holds for the next block."""

    def __init__(self, file: Label) -> None:
        self.headings: list[Label] = [file]
        self.words: list[Label] = []
        """Lines above, the last ones."""
        self.inside: Label | None = None
        """The last in the code that is open."""
        self.near: Command | None = None
        """Of a load generator, in this section."""
        self.commands: dict[tuple[str, str | None], Command] = {}
        """The last of each tool and URL, and of each tool."""
        self.server: Label | None = None
        self.servers: dict[str, Label] = {}

    def know(self, command: Command) -> None:
        """Keep a command of a load generator."""
        self.near = self.commands[command.tool, None] = command
        if command.url and command.connections and command.threads:
            self.commands[command.tool, command.url] = command

    def enter(self, label: Label) -> None:
        """Begin a section."""
        while self.headings[-1].level >= label.level:
            self.headings.pop()
        self.headings.append(label)
        self.forget()
        self.near = self.server = None

    def say(self, label: Label, inside: bool) -> None:
        """Keep a line of words."""
        if inside:
            self.inside = label
            return
        before = [msgspec.structs.replace(each, level=ABOVE) for each in self.words]
        self.words = [*before, label][-LINES_ABOVE:]

    def forget(self) -> None:
        """Forget the words: they were of something else."""
        self.words, self.inside = [], None

    @property
    def labels(self) -> tuple[Label, ...]:
        return (*self.headings, *self.words, *([self.inside] if self.inside else []))

    def command_for(self, tool: ModuleType, url: str | None) -> Command | None:
        """Return the command of a block: that of its section, or the nearest that names its URL.

        Where the text has no URL, the nearest of its tool.
        """
        # wrk2's binary may be called wrk.
        if self.near and self.near.tool in (tool.NAME, tool.NAME.removesuffix("2")):
            return self.near
        return self.commands.get((tool.NAME, url))

    def block(self, line: int, text: str, reading: Text, file: str) -> Block:
        """Return a block that stands here."""
        return Block(
            line=line,
            text=text,
            reading=reading,
            labels=self.labels,
            command=self.server,
            elsewhere=next(iter(self.servers.values())) if len(self.servers) == 1 else None,
            file=file,
        )


def find(lines: Sequence[str], file: str = "", typed: Typed | None = None) -> Contents:
    """Return the blocks of a report in their order, and what cannot be read."""
    typed = typed or Typed()
    bares = [bare(line) for line in lines]
    fences = _Fences(lines, bares)
    stops, code_stops = _stops(lines, bares, fences)
    context = _Context(Label(level=FILE, text=file.rpartition("/")[2].partition(".")[0], line=0))
    blocks: list[Block] = []
    notes: list[Note] = []
    stray: list[int] = []
    unread = at = 0
    while at < len(lines):
        line, start = lines[at], at
        at += 1
        stop = (code_stops if _is_comment(line) else stops)[start]
        tool, end = _tool_at(bares, start, stop, context.near)
        if tool is None:
            if end > start:
                unread += 1
                why = (
                    f"{_named(bares[start:end])}'s text, and only that of {_READ} is read; this"
                    " block is not imported"
                )
                notes.append(Note(line=start + 1, text=why, weight=2))
                at = end
            elif fences.is_one(start):
                if fences.closes(start):
                    context.forget()
            elif label := _heading(lines, start, fences):
                context.enter(label)
                at += _setext(lines, start, fences)
            elif _is_context(line, start, context) or not line.strip():
                pass
            else:
                stray.append(start)
                words = bares[start][:LONGEST].strip().rstrip(":").strip()
                if words and start not in fences.listings and not line.lstrip().startswith("|"):
                    context.say(_label(WORDS, words, start), start in fences.inside)
            continue
        at = end
        own = [START.fullmatch(each) for each in bares[start:end]]
        url = next((match["url"] for match in own if match), None)
        command = context.command_for(tool, url)
        try:
            reading = tool.parse(_uncommented(lines, bares, start, end), command, typed)
        except TextError as error:
            unread += 1
            where = f" (the block of line {start + 1})" if error.at else ""
            why = f"{error.why}{where}; this block is not imported"
            notes.append(Note(line=start + 1 + error.at, text=why, weight=2))
        else:
            notes += (Note(line=start + 1, text=text) for text in reading.notes)
            text = "\n".join(lines[start:end]).rstrip() + "\n"
            blocks.append(context.block(start + 1, text, reading, file))
        context.forget()
    notes += _strays(lines, stray)
    return Contents(blocks=tuple(blocks), unread=unread, notes=tuple(notes))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _uncommented(lines: Sequence[str], bares: Sequence[str], start: int, end: int) -> Sequence[str]:
    """Return a block without what somebody wrote between its lines to explain them."""
    if _is_comment(lines[start]):
        return bares[start:end]
    return [
        "" if _is_comment(lines[at]) and not is_wrk(bares[at]) else bares[at]
        for at in range(start, end)
    ]


def _tool_at(
    bares: Sequence[str], start: int, stop: int, near: Command | None
) -> tuple[ModuleType | None, int]:
    """Return the tool whose text begins at a line, and where it ends.

    No tool and a later line: text of one that is not read; no tool and that line: no such text.
    """
    if not _MAYBE.search(bares[start]):
        return None, start
    stop = max(stop, start + 1)
    begins = START.fullmatch(bares[start]) or bares[start] == "Summary:"
    if _named(bares[start : min(stop, start + 3 if begins else start + 1)]):
        return None, stop
    for tool in TOOLS:
        end = tool.end(bares, start, stop, near)
        if end is not None:
            return tool, end
    return None, start


def _named(bares: Sequence[str]) -> str | None:
    """Return the load generator that is not read, if one of these lines is of it."""
    return next(
        (tool for line in bares for tool, own in _UNREAD.items() if own.fullmatch(line.strip())),
        None,
    )


def _is_context(line: str, at: int, context: _Context) -> bool:
    """Say whether a line is a command, and keep it for the blocks below."""
    if len(line) > LONGEST:
        return False
    if command := command_of(line, at + 1):
        context.know(command)
    if named := server_of(line):
        context.server = Label(level=WORDS, text=named, line=at + 1)
        context.servers.setdefault(named, context.server)
    return bool(command or named)


def _heading(lines: Sequence[str], at: int, fences: _Fences) -> Label | None:
    """Return the heading that a line is, or that it has become by the line below it."""
    line = lines[at]
    if at in fences.listings or len(line) > LONGEST:
        return None
    if heading := _HEADING.fullmatch(line):
        # In code, a single one begins a comment.
        if at in fences.inside and len(heading[1]) == 1:
            return None
        return _label(len(heading[1]), _title(heading[2]), at)
    if tag := _TAG.fullmatch(line):
        level = int(tag[1][1]) if tag[1][1].isdigit() else ALONE
        return _label(level, _title(tag[2]), at)
    if _setext(lines, at, fences):
        level = 1 if lines[at + 1][0] == "=" else 2
        return _label(level, line.strip(), at)
    if alone := _alone(line):
        return _label(ALONE, alone, at)
    return None


def _label(level: int, text: str, at: int) -> Label:
    return Label(level=level, text=text[:MOST_LABEL], line=at + 1)


def _alone(line: str) -> str:
    """Return what a line says that stands for a heading, bold or between signs; empty if none."""
    text = line.strip()
    if bold := _BOLD.fullmatch(text):
        return bold[1] or bold[2]
    inner = text.lstrip(_SIGNS)
    before, inner = len(text) - len(inner), inner.rstrip(_SIGNS)
    behind = len(text) - before - len(inner)
    if not inner.strip():  # a rule, which parts what it stands between
        return text[:1] if before > 6 else ""
    return inner.strip() if min(before, behind) >= 3 and "=" not in inner else ""


def _setext(lines: Sequence[str], at: int, fences: _Fences) -> int:
    """Return 1 where the next line makes a heading of a line, else 0."""
    following = lines[at + 1] if at + 1 < len(lines) else ""
    plain = at not in fences.inside and lines[at].strip() and not lines[at].startswith(("|", "#"))
    return int(bool(plain and _UNDERLINE.fullmatch(following) and not _alone(lines[at])))


def _title(text: str) -> str:
    """Return a heading without the hashes that may close it."""
    words = text.split()
    return " ".join(words[:-1] if words and not words[-1].strip("#") else words)


class _Fences:
    """The fences of a report, and what they enclose.

    A fence that was lost turns code and prose around. It shows: a tool's text stands outside, or a
    fence stays open, or one opens inside another; then every heading counts.
    """

    def __init__(self, lines: Sequence[str], bares: Sequence[str]) -> None:
        self._at: dict[int, bool] = {}
        """Whether it closes."""
        self.inside: set[int] = set()
        """Lines between two fences."""
        self.listings: set[int] = set()
        """Those of code that is no tool's text: a `##` there is a comment, no heading."""
        opened: tuple[int, str] | None = None
        sound = True
        for at, line in enumerate(lines):
            fence = _FENCE.fullmatch(line)
            if opened is None:
                if fence:
                    opened = (at, fence[1])
                    self._at[at] = False
                elif START.fullmatch(line):
                    sound = False
            elif fence and fence[1].startswith(opened[1]):
                sound = sound and not fence[2].strip()
                self._at[at] = True
                span = range(opened[0] + 1, at)
                self.inside.update(span)
                if not any(_MAYBE.search(bares[n]) and is_wrk(bares[n]) for n in span):
                    self.listings.update(span)
                opened = None
            elif fence:
                self._at[at] = False
        if not sound or opened is not None:
            self.inside = self.listings = set()

    def is_one(self, at: int) -> bool:
        """Say whether a line is a fence."""
        return at in self._at

    def closes(self, at: int) -> bool:
        """Say whether it closes code."""
        return self._at[at]


def _stops(
    lines: Sequence[str], bares: Sequence[str], fences: _Fences
) -> tuple[list[int], list[int]]:
    """Return for each line where a block that begins there ends at the latest.

    Secondly that of a block in comments, whose sign is that of a heading of level 1.
    """
    stops, code_stops = [len(lines)] * len(lines), [len(lines)] * len(lines)
    stop = code_stop = len(lines)
    for at in range(len(lines) - 1, -1, -1):
        stops[at], code_stops[at] = stop, code_stop
        heading = _HEADING.fullmatch(lines[at])
        if fences.is_one(at) or (heading and len(heading[1]) > 1):
            stop = code_stop = at
        elif heading and at not in fences.inside and not is_wrk(bares[at]):
            stop = at
    return stops, code_stops


def _strays(lines: Sequence[str], stray: Sequence[int]) -> Iterator[Note]:
    """Yield a note for each stretch of lines that were not read."""
    for _, stretch in groupby(enumerate(stray), lambda numbered: numbered[1] - numbered[0]):
        at, *others = (at for _, at in stretch)
        many = f"{len(others) + 1} lines that are" if others else "a line that is"
        text = f"{many} not of a tool's text, not read: {lines[at].strip()[:60]!r}"
        yield Note(line=at + 1, text=text, weight=0)
