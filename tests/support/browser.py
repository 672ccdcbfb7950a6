"""A real Chromium for the tests of pages: the system's, or the one that Playwright installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# As root its sandbox does not start; the page is ours and no other is ever opened.
ARGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")

# Five seconds are its own choice; a page that is right gets there, however busy the machine is.
expect.set_options(timeout=60_000)


def executable(playwright: Playwright) -> str | None:
    """Return the browser to start; None where there is none."""
    chosen = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chosen:
        return chosen
    own = Path(playwright.chromium.executable_path)
    return next((str(path) for path in (MAC, own) if path.exists()), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser; without one the test is skipped, and fails where `CI` is set."""
    with sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            reason = "no Chromium here; `make test` installs one, or name it: CHROMIUM=/path"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page that is open, and all that it complained of or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Let the page be drawn twice: by then its script has seen to the size of what is in it."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


@contextmanager
def visit(
    browser: Browser,
    file: Path,
    anchor: str = "",
    *,
    width: int = 1280,
    dark: bool = False,
    script: bool = True,
    policy: bool = True,
) -> Iterator[Visit]:
    """Open a file with every request but its own aborted and written down."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        bypass_csp=not policy,
    )
    page = context.new_page()
    seen = Visit(page)
    url = file.as_uri()

    def answer(route: Route) -> None:
        if route.request.url.partition("#")[0] == url:
            route.continue_()
        else:
            seen.requests.append(route.request.url)
            route.abort()

    page.route("**/*", answer)
    page.on(
        "console",
        lambda message: (
            seen.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}"))
    try:
        page.goto(url + anchor)
        yield seen
    finally:
        context.close()


if __name__ == "__main__":
    # For scripts/setup: is there one?
    with sync_playwright() as asked:
        sys.exit(executable(asked) is None)
