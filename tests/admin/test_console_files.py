"""The console's files: whole, without anything from elsewhere, and in two languages."""

import re

import pytest

from edge.admin.problems import KINDS
from edge.admin.routes.console import assets
from edge.policy.pipeline import STAGES
from edge.policy.reasons import WORDS

FROM_ELSEWHERE = ("uplot.js", "uplot.css", "uplot-LICENSE.txt")
"""uPlot as it is published (MIT licence)."""
SCRIPTS = sorted(name for name in assets() if name.endswith(".js") and name not in FROM_ELSEWHERE)
SAID_BY_NAME = {
    "abandoned", "acd", "admin", "admitting", "answered", "asr", "cancelled", "cancelling", "cli", "complaint",
    "degraded", "down", "drain", "draining", "ended", "ending", "engineer", "failed", "judicial", "maintenance",
    "operator", "refused", "regulator", "setup", "short_calls", "silent", "starting", "stopping", "support",
    "tearing_down", "ticket_33700", "trial", "up", "viewer", "ACD", "ASR", "NER", "Short calls",
}  # fmt: skip
"""States, roles, kinds and titles, told by what the API names."""
STAGE_NAMES = {stage.__name__ for stage in STAGES} | {"limits", "group", "trunk"}
"""What explains a call, stage by stage."""


PROBLEMS = {kind.title for kind in KINDS.values()}
"""What went wrong, by the API."""


def text_of(name: str) -> str:
    return assets()[name].data.decode()


def said() -> set[str]:
    """Every English text of the console."""
    found = set()
    for name in SCRIPTS:
        found |= set(re.findall(r"""(?<![A-Za-z_.])t\(\s*"((?:[^"\\]|\\.)*)\"""", text_of(name)))
        found |= set(re.findall(r'title: "([^"]+)"', text_of(name))) if name == "app.js" else set()
        for choices in re.findall(r't\((?:[^()"]|\([^()]*\))*\?\s*"([^"]+)"\s*:\s*"([^"]+)"', text_of(name)):
            found |= set(choices)
    return found


def french() -> set[str]:
    return set(re.findall(r'^  "((?:[^"\\]|\\.)*)":', text_of("french.js"), re.MULTILINE))


def test_every_text_is_in_french_too():
    """What has no translation would be English in the middle of a French page."""
    assert set() == (said() | PROBLEMS | STAGE_NAMES) - french()


def test_no_translation_is_left_over():
    """A text that nobody says any more is gone from the list."""
    assert set() == french() - said() - SAID_BY_NAME - PROBLEMS - STAGE_NAMES


def test_translations_have_the_same_words_put_in():
    """`{n}` on one side is `{n}` on the other."""
    pairs = re.findall(r'^  "((?:[^"\\]|\\.)*)":\s*"((?:[^"\\]|\\.)*)",$', text_of("french.js"), re.MULTILINE)
    assert len(pairs) == len(french())
    for english, told in pairs:
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", told)), english


def test_every_refusal_has_its_sentence_in_french():
    """What the customer is told: one that is worded otherwise in English would be English on a French page."""
    pairs = dict(
        re.findall(r'^  "((?:[^"\\]|\\.)*)":\n    "((?:[^"\\]|\\.)*)",$', text_of("french-reasons.js"), re.MULTILINE)
    )
    assert set(WORDS.values()) == set(pairs)
    for english, told in pairs.items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", told)), english


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_ask_only_for_files_that_are_there(name):
    """And for nothing outside of this console."""
    for wanted in re.findall(r'from "([^"]+)"', text_of(name)):
        assert wanted.removeprefix("./") in assets(), wanted
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text_of(name))


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_markup_of_text(name):
    """What a caller sent must never be read as markup."""
    assert [] == re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text_of(name)
    )


def test_the_page_has_nothing_inline():
    """Its own policy (CSP) would stop it."""
    page = text_of("index.html")
    assert [] == re.findall(r"<style|style=|\son\w+=|<script(?![^>]*src=)", page)
    for wanted in re.findall(r'(?:href|src)="/console/([^"]+)"', page):
        assert wanted in assets()


async def test_the_page_comes_with_its_policy_and_is_asked_again_cheaply(desk):
    """A browser takes the headers of a 304 for the page's own: they must allow its scripts too."""
    client = await desk.stranger()
    first = await client.get("/")
    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (200, 304) == (first.status_code, again.status_code)
    for answer in (first, again):
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
    assert 404 == (await client.get("/console/nothing.js")).status_code
    assert 404 == (await client.get("/console/..%2Fapp.py")).status_code
