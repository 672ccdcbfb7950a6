"""Control characters and what turns text round: none reaches a terminal or a report."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from builders import outcome, run
from command_line import Type
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from loadtest.measure.resume import refuse
from loadtest.plan.servers import proposal
from loadtest.records.errors import UserError
from loadtest.records.run_folder import Writer, create
from loadtest.records.text import MOST, UNSAFE, message, printable
from loadtest.report.clients.formats import rst
from loadtest.report.html import page as html
from loadtest.report.markdown import markup
from loadtest.report.servers import report
from loadtest.report.table import Column, Table, sheet
from loadtest.report.units import paragraph, signs

EVIL = "a\x1b]0;pwned\x07\x9b2J\0\u202eb\u2066\ufeff\x7f"

anything = st.text(st.characters(exclude_categories=[]), max_size=80)


def safe(text: str) -> bool:
    return not re.search(f"[{UNSAFE}]", text)


@given(anything)
def test_what_is_printable_stays_so_and_nothing_else_does(text: str) -> None:
    assert safe(printable(text))
    assert printable(printable(text)) == printable(text)
    if safe(text):
        assert printable(text) == text


@given(st.recursive(st.text(max_size=20), lambda each: st.lists(each) | st.dictionaries(
    st.text(max_size=9), each
)))  # fmt: skip
def test_json_means_the_same(value: object) -> None:
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value


@given(st.text(max_size=5_000))
def test_a_message_is_one_short_line(text: str) -> None:
    line = message(text)
    assert safe(line)
    assert not {"\n", "\t"} & set(line)
    assert len(line) <= MOST
    assert message(line) == line
    assert UserError(text).lines == (line,)


def test_the_ends_of_a_long_message_are_kept() -> None:
    line = message("x.toml: " + "x" * 5_000 + "; mend it")
    assert line.startswith("x.toml: xx")
    assert line.endswith("xx; mend it")


@pytest.mark.parametrize(
    "shown",
    [
        markup.escape(EVIL),
        markup.code(EVIL),
        markup.ticked(f"`{EVIL}` and {EVIL}"),
        markup.ticked(f"\x1c\x85\u2028{EVIL}\x1f\u2029"),
        markup.fence(EVIL),
        markup.folded(EVIL, ""),
        paragraph(EVIL, 20),
        signs(EVIL),
        str(html.ticked(f"`{EVIL}` and {EVIL}")),
        str(html.data_block({EVIL: EVIL})),
    ],
)
def test_no_format_lets_it_through(shown: str) -> None:
    assert safe(shown)
    assert "u001b" in shown


@pytest.mark.parametrize("begin", ["", "a;", "a\t", "a\n"])
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=cmd|"/c calc"!A1', "\uff1d1+1"])
def test_a_spreadsheet_computes_nothing(begin: str, text: str) -> None:
    column: Column[str] = Column("x", "x", lambda item: item, lambda item: item)
    _, row = csv.reader(io.StringIO(sheet([Table((column,), [begin + text])]), newline=""))
    assert row == [f"{begin}'{text}"]


EVIL_MARKDOWN = st.lists(
    st.sampled_from(["`", "``", "```", "<b>", "|", "\\", " ", "\n", "\u2028", "a", "_", "*", "]"]),
    max_size=12,
).map("".join)


@given(EVIL_MARKDOWN, EVIL_MARKDOWN)
@example("```<b>`", "")
@example("`<b>```", "")
@example("", "\\|<b>")
def test_markdown_has_no_tag_of_others(text: str, name: str) -> None:
    column: Column[str] = Column("x", "x", lambda item: item, lambda item: item, "name")
    table = markup.table(Table((column, column), [name]))
    for part in (markup.ticked(text), f"- {markup.ticked(text)}", table):
        page = MarkdownIt("commonmark").enable("table").render(f"before\n\n{part}\n\nafter\n")
        assert "<b>" not in page
        assert page.startswith("<p>before</p>")
        assert page.endswith("<p>after</p>\n")
    assert page.count("<td") == 2
    # GitHub's reader takes a bar behind two backslashes for the end of a cell.
    assert not re.search(r"(?<!\\)(\\\\)+\|.", table.splitlines()[2])


@pytest.mark.parametrize(
    "text",
    [
        ".. include:: /etc/passwd",
        ".. raw:: html",
        "- a",
        "1. a",
        "(a) b",
        ":a: b",
        ">>> a",
        "=====",
    ],
)
def test_no_text_is_a_directive(text: str) -> None:
    assert rst.escape(text) == f"\\{text}"
    assert rst.heading(text, "=").splitlines() == [f"\\{text}", "=" * (1 + len(text))]


@pytest.mark.parametrize("text", ["a", "-", "1.02x (1.02 to 1.03)", "440 \u00b1 2.57"])
def test_other_text_stays(text: str) -> None:
    assert rst.escape(text) == text


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("loadtest run seed --seed 1 --server a --budget 3s", "loadtest run seed --server a"),
        # Without what looks like an option the quotes around it would end elsewhere.
        (
            "loadtest run 'a --seed x' '; touch pwned #'",
            "loadtest run 'a --seed x' '; touch pwned #'",
        ),
    ],
)
def test_a_command_to_type_again_is_one(command: str, shown: str) -> None:
    assert report._without(command, "--seed", "--budget") == shown


def test_a_command_that_is_too_long_is_not_shown_in_part() -> None:
    """Its end may be outside of the quotes that its beginning, which is cut off, has."""
    long = f"loadtest run {'x' * 400} '; touch pwned #'"
    with pytest.raises(UserError) as error:
        refuse(["it differs"], long)
    assert error.value.lines[0].endswith(
        "it differs; begin another, with the command in its report"
    )
    with pytest.raises(UserError, match="it differs; begin another: loadtest run quick"):
        refuse(["it differs"], "loadtest run quick")


@given(anything.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
def test_a_file_that_is_proposed_is_shown_as_it_is_written(text: str) -> None:
    written = proposal.toml(text)
    assert safe(written)
    assert tomllib.loads(f"x = {written}") == {"x": text}


def test_a_log_of_a_server_is_shown_as_text(type_: Type, tmp_path: Path) -> None:
    folder = create(tmp_path, run())
    writer = Writer(folder)
    writer.append(outcome(status="failed", stage="launch", reason=EVIL, detail=f"{EVIL}\n{EVIL}"))
    writer.close()
    done = type_("report", folder)
    assert safe(done.out)
    assert safe(done.err)
    assert "pwned" in done.out
    for file in folder.iterdir():
        if file.suffix in (".md", ".html", ".csv", ".json", ".svg") and file.name != "run.json":
            assert safe(file.read_text(encoding="utf-8")), file
    assert safe(type_("report", folder, "--json").out)


@pytest.mark.parametrize(
    "part", ["1", "1,", "1.", "1 ", "x", "` ", "``", "_", "\\", "|", "\n", "=;"]
)
def test_a_text_without_end_is_shown(part: str) -> None:
    """What a pattern tries anew from each place would take hours here, and not a moment."""
    text = part * 100_000
    for show in (html.outcome, signs, html.ticked, markup.ticked, markup.code, rst.escape, message):
        show(text)
    paragraph(text, 100)
    column: Column[str] = Column("x", "x", lambda item: item, lambda item: item)
    sheet([Table((column,), [text])])


def test_a_mistake_is_a_short_line(type_: Type, tmp_path: Path) -> None:
    for word in (EVIL, "x" * 5_000, "a\nb"):
        done = type_("report", word.replace("\0", ""), "--out", tmp_path)
        assert done.status == 2
        (line,) = done.lines
        assert safe(line)
        assert len(line) <= MOST + len("loadtest: ")


def test_a_note_about_a_folder_is_a_short_line(type_: Type, tmp_path: Path) -> None:
    folder = create(tmp_path, run())
    facts = msgspec.json.decode((folder / "run.json").read_bytes())
    facts["\x1b]0;pwned\x07" + "x" * 5_000] = 1
    (folder / "run.json").write_bytes(msgspec.json.encode(facts))
    done = type_("report", folder)
    assert done.status == 2
    (line,) = done.lines
    assert safe(line)
    assert len(line) < 1_000
