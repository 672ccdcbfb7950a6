"""What an access log says of a site's traffic."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.servers import access_log, proposal
from loadtest.plan.servers.facts import Facts, Probed
from loadtest.records.errors import UserError

LINES = """\
203.0.113.9 - alice [01/Jan/2026:00:00:00 +0000] "GET /products/7/?token=x HTTP/1.1" 200 12 "-" "-"
203.0.113.9 - - [01/Jan/2026:00:00:00 +0000] "GET /products/8/ HTTP/1.1" 304 0
10.0.0.1 - - [01/Jan/2026:00:00:01 +0000] "GET /products/9/ HTTP/2.0" 404 9 "-" "curl"
10.0.0.1 - - [01/Jan/2026:00:00:01 +0000] "POST /products/ HTTP/1.1" 201 9 "-" "curl"
[pid: 9|app: 0|req: 1/1] 10.0.0.1 () {40 vars} [x] GET / => generated 5 bytes in 3 msecs
10.0.0.1:1234 - "GET / HTTP/1.1" 200
INFO started
"""


def test_what_is_asked_for_is_counted_by_what_paths_have_in_common(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(LINES)
    traffic = access_log.read(tmp_path / "access.log")
    assert traffic.total == 5
    assert dict(traffic.counts) == {"/products/0/": 2, "/": 1}
    assert traffic.shares({"/products/123/?page=2": "", "/products/": "products/"}) == {
        "/products/123/?page=2": 0.4,
        "/products/": 0.0,
    }


def test_whoever_asks_a_site_writes_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that is no URL, one without end, and more of them than fit into memory."""
    monkeypatch.setattr(access_log, "MOST_PATHS", 3)
    paths = ["//[x", "/" + "a" * 100_000, "//evil.example/x", "/a", "/b", "/a", "/\x1b]0;x"]
    lines = [f'- - "GET {path} HTTP/1.1" 200 1\n' for path in paths]
    (tmp_path / "access.log").write_text("".join(lines))
    traffic = access_log.read(tmp_path / "access.log")
    assert dict(traffic.counts) == {"//[x": 1, "//evil.example/x": 1, "/a": 2}
    assert traffic.total == len(paths) - 1
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UserError, match="cannot be read: it is no regular file"):
        access_log.read(tmp_path / "fifo")


def test_long_paths_are_kept_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is held against each route, which takes as long as they are together."""
    monkeypatch.setattr(access_log, "MOST_KEPT", 10)
    lines = [f'- - "GET /{path} HTTP/1.1" 200 1\n' for path in ("aaaa", "bbbbb", "ccc", "aaaa")]
    (tmp_path / "access.log").write_text("".join(lines))
    traffic = access_log.read(tmp_path / "access.log")
    assert dict(traffic.counts) == {"/aaaa": 2, "/ccc": 1}
    assert traffic.total == 4


def test_a_request_is_of_one_route() -> None:
    counts = {"/about/": 10, "/blue-shirt/": 20, "/red/": 20, "/a/b/": 50}
    traffic = access_log.Traffic(Counter(counts), 100)
    routes = {"/red/": "<slug:name>/", "/about/": "about/", "/old/": "^old/(\\d+)/$"}
    assert traffic.shares(routes) == {"/about/": 0.1, "/red/": 0.4, "/old/": 0.0}


PARTS = st.lists(st.sampled_from(["", "-", "/", "a", "a/", "-/", ".a"]), min_size=2, max_size=4)


@given(PARTS, st.text("a-/.", max_size=9))
def test_a_path_is_of_a_route_wherever_its_arguments_may_end(parts: list[str], path: str) -> None:
    route = "<x>".join(parts)
    anywhere = re.escape("/") + access_log.ANY.join(map(re.escape, parts))
    shares = access_log.Traffic(Counter({f"/{path}": 1}), 1).shares({"/page/": route})
    assert shares == {"/page/": float(bool(re.fullmatch(anywhere, f"/{path}")))}


def test_a_path_that_somebody_made_takes_no_time() -> None:
    """Whoever asks a site for it: each way to part it among the arguments was tried."""
    route = "<a>-<b>-<c>-<d>-<e>/"
    counts = Counter({"/" + "-" * access_log.MOST_PATH_BYTES: 1})
    assert access_log.Traffic(counts, 1).shares({"/page/": route}) == {"/page/": 0.0}


@pytest.mark.parametrize("text", ["", "INFO started\n", "\x1f\x8b\x08"])
def test_what_is_no_access_log_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.log").write_text(text)
    with pytest.raises(UserError, match="name an access log"):
        access_log.read(tmp_path / "a.log")
    with pytest.raises(UserError, match="cannot be read"):
        access_log.read(tmp_path)


def test_what_is_asked_for_most_is_proposed_first() -> None:
    traffic = access_log.Traffic(Counter({"/api/0/": 900, "/": 90, "/gone/": 5}), 1_000)
    probed = [
        Probed(path=path, status=200, type="text/html", again_ms=ms, route=path)
        for path, ms in (("/quick/", 1), ("/", 5), ("/api/7/", 9))
    ]
    proposed, left = proposal.endpoints(Facts(stage="end"), probed, None, traffic=traffic)
    assert [(asked.path, asked.share) for asked, _ in proposed] == [
        ("/api/7/", 0.9),
        ("/", 0.09),
    ]
    assert left == [proposal.Left("/quick/", "not in the access log")]


def test_a_page_that_is_hardly_asked_for_keeps_a_share() -> None:
    """Without one it would get all that the others leave."""
    traffic = access_log.Traffic(Counter({"/": 3}), 1_000_000)
    probed = [Probed(path="/", status=200, type="text/html")]
    ((asked, _),), _ = proposal.endpoints(Facts(stage="end"), probed, None, traffic=traffic)
    assert asked.share == proposal.LEAST_SHARE
