"""The manual as a site: builds without a warning, can be searched, and asks nobody else for anything."""

import json
import re
import subprocess
import sys

import pytest
from newcomer import ROOT


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
