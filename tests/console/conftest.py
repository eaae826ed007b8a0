"""The console in a real browser: headless Chromium over an edge under load."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))  # importlib mode: the laboratory of SIPp
sys.path.insert(0, str(Path(__file__).resolve().parent))

from scene import Scene

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 20_000


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One for all tests: none of them needs it untouched."""
    scene = Scene.__new__(Scene)
    try:
        Scene.__init__(scene, tmp_path_factory.mktemp("scene"))
        yield scene
    finally:
        scene.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a screen."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """What a page did that it must not do."""

    def __init__(self, page: Page, address: str) -> None:
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._said)
        page.on("request", lambda request: self._asked(request.url, address))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _said(self, message) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(f"{message.type}: {message.text}")

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.faults.append(f"went elsewhere: {url}")


@pytest.fixture
def open_page(scene: Scene, browser: Browser) -> Iterator:
    """Opens the console as somebody sees it; at the end no page has broken a rule of its own policy."""
    opened = []

    def open_(*, width: int = 1280, height: int = 900, scheme: str = "light", locale: str = "en-GB", token: str = ""):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale, reduced_motion="reduce"
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        opened.append((context, Watched(page, scene.address)))
        page.goto(scene.address)
        if token:
            page.locator("input[name=token]").fill(token)
            page.locator("button[type=submit]").click()
            page.locator("header.top").wait_for()
        return page

    yield open_
    faults = [fault for _, watched in opened for fault in watched.faults]
    for context, _ in opened:
        context.close()
    assert [] == faults


@pytest.fixture
def page(open_page, scene: Scene) -> Page:
    """The console, with everything that may be done."""
    return open_page(token=scene.token)
