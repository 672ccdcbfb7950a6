"""What the page is made of, without a browser: its data as script, its anchors."""

from __future__ import annotations

import json

from sample_run import HOSTILE

from loadtest.report.html import page
from loadtest.report.html.anchors import anchors


def test_data_cannot_end_its_element() -> None:
    block = page.data_block({"name": HOSTILE, "comment": "<!-- <script>"})
    assert not set(block) & set("<>&\u2028\u2029")
    assert json.loads(block) == {"name": HOSTILE, "comment": "<!-- <script>"}


def test_names_that_look_alike_as_anchors_are_told_apart() -> None:
    by_name = anchors("server", ["a b", "a-b", "a/b", "é", "", "a b"])
    assert len(set(by_name.values())) == len(by_name) == 5
    assert by_name["a b"] == "server-a-b"
