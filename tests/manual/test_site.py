"""The manual as a site: builds without a warning, can be searched, and asks nobody else for anything."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading

import pytest
from newcomer import ROOT
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.xdist_group("site")
"""All of them by one process, which builds it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """What scripts/docs builds: strict, so that a dead link, a dead anchor or a forgotten page ends it."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_it_can_be_searched(site):
    """The index holds every page, and words of them."""
    entries = json.loads((site / "search/search_index.json").read_text())["docs"]
    places = {entry["location"].partition("#")[0] for entry in entries}
    assert {"tutorials/first-call.html", "parameters.html", "runbooks.html"} <= places
    assert any("Retry-After" in entry["text"] for entry in entries)


def test_it_loads_nothing_from_elsewhere(site):
    """No script, style, font or picture of another server: it works where nothing else can be reached."""
    loads = re.compile(
        r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=\"((?:https?:)?//[^\"]+)", re.IGNORECASE
    )
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    assert [] == [(page.name, url) for page in pages for url in loads.findall(page.read_text())]
    sheets = [
        (path.name, url)
        for path in site.rglob("*.css")
        for url in re.findall(r"url\([\"']?(https?:[^)]+)", path.read_text())
    ]
    assert [] == sheets


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, format, *args):
        pass


@pytest.fixture
def address(site):
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_browser_finds_a_word_and_asks_nobody_else(address):
    """In a real Chromium: no error of a script, no request to another server, and the search leads to the page."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not there: scripts/test manual installs it"
    errors, asked = [], []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="dark")
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/index.html")
        page.click("a:has-text('Search')")
        page.fill("#mkdocs-search-query", "telemarketing")
        # The index is built in a worker; a key that is let go before it is ready is not heard.
        page.wait_for_function(
            """() => {
                document.getElementById("mkdocs-search-query").dispatchEvent(new KeyboardEvent("keyup"));
                return document.querySelector("#mkdocs-search-results a[href*='telemarketing.html']");
            }""",
            polling=500,
        )
        assert "dark" == page.evaluate("document.documentElement.getAttribute('data-bs-theme')")
        browser.close()
    assert [] == errors
    assert [] == [url for url in asked if not url.startswith((address, "data:"))]
