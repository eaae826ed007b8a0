"""A shift at the console, in a real browser, over a real edge under load."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from scene import HOSTILE_CALL, edge_command

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
"""What the pages look like is kept here for whoever wants to see it."""
PATIENCE_MS = 20_000

expect.set_options(timeout=PATIENCE_MS)


def search(page, text: str) -> None:
    page.locator("header input[type=search]").fill(text)
    page.keyboard.press("Enter")


def until_admitted(page, test: str) -> None:
    """The page itself shows it: nothing is asked beside it."""
    page.wait_for_function(
        f"() => {{ const v = parseFloat(document.querySelector('#admitted-rate').textContent); return {test}; }}"
    )


def test_a_lot_is_added_live_a_refusal_explained_and_a_policy_taken_back(page, scene):
    """The whole of a shift: find an account under load, add a CAPS lot, see the admitted rate rise on the page, find a
    refused call and read why, take a policy back."""
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.locator("tbody a", has_text="acme").first.wait_for()
    expect(page.locator(".bars")).to_contain_text("caps")
    page.screenshot(path=PICTURES / "overview.png", full_page=True)

    search(page, "acme")
    page.locator("main a", has_text="acme").first.click()
    expect(page.get_by_role("heading", name="acme")).to_be_visible()
    until_admitted(page, "v >= 8 && v <= 12")
    page.get_by_role("button", name="CAPS lots: +").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".preview")).to_contain_text("caps_lots")
    expect(dialog.locator(".preview")).to_contain_text("0 → 1")
    dialog.get_by_label("Reason").fill("asked by telephone")
    page.screenshot(path=PICTURES / "raise.png")
    dialog.get_by_role("button", name="Raise").click()
    expect(page.locator(".toast")).to_contain_text("0 → 1")
    until_admitted(page, "v >= 17")
    expect(page.get_by_text("20 = 10 + 1 lots of 10")).to_be_visible()
    expect(page.locator("table").last).to_contain_text("asked by telephone")
    page.screenshot(path=PICTURES / "account.png", full_page=True)
    assert "20 = 10 + 1 x 10" in edge_command("account", "show", "acme", "--redis", scene.store.url)

    search(page, "+33145000002")
    page.get_by_label("What became of it").select_option("refused")
    refused = page.locator("tbody tr", has_text="cli_refused").first
    refused.get_by_role("link", name="Look").click()
    expect(page.locator("main")).to_contain_text("Rests on: ")
    expect(page.locator("main")).to_contain_text("fr-arcep")
    expect(page.locator("svg.ladder")).to_contain_text("INVITE")
    page.screenshot(path=PICTURES / "refused-call.png", full_page=True)

    page.get_by_role("link", name="Policy").click()
    expect(page.get_by_text("generation 2", exact=True)).to_be_visible()
    page.get_by_role("row", name=re.compile("first")).get_by_role("button", name="Roll back to it").click()
    expect(dialog.locator(".preview")).to_contain_text("calls_base")
    dialog.get_by_label("Reason").fill("too many calls")
    page.screenshot(path=PICTURES / "rollback.png")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("generation 3", exact=True)).to_be_visible()
    assert 3 == scene.generation()


def test_the_audit_knows_who_did_it_and_is_whole(page):
    """Every change of this console stands there, with its reason."""
    page.get_by_role("link", name="Audit").click()
    expect(page.locator("tbody tr").first).to_contain_text("token:night")
    page.get_by_role("button", name="Is it whole?").click()
    expect(page.locator(".toast")).to_contain_text("The audit is whole")
    page.screenshot(path=PICTURES / "audit.png")


def test_a_running_call_is_hung_up(page):
    """It is gone from the list, and its record says that an operator ended it."""
    page.get_by_role("link", name="Calls").click()
    page.locator("tbody a code").first.wait_for()
    page.screenshot(path=PICTURES / "calls.png", full_page=True)
    page.get_by_role("button", name="Hang up").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Hang up").click()
    assert dialog.is_visible(), "a reason is needed"
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)


def test_a_trunk_is_drained_and_brought_back(page, scene):
    """With a reason, asked first; every node follows, and the page says who ordered it and why."""
    page.get_by_role("link", name="Trunks").click()
    page.locator("tbody a", has_text="carrier-b").click()
    page.get_by_role("button", name="Drain").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Drain").click()
    assert dialog.is_visible(), "a reason is needed"
    dialog.get_by_label("Reason").fill("their maintenance")
    dialog.get_by_role("button", name="Drain").click()
    expect(page.locator(".toast")).to_contain_text("carrier-b is drained")
    expect(page.locator("dl.facts")).to_contain_text("night")
    expect(page.locator("dl.facts")).to_contain_text("their maintenance")
    page.screenshot(path=PICTURES / "trunk.png")
    shown = json.loads(edge_command("trunk", "show", "carrier-b", "--redis", scene.store.url, "--json"))
    assert ["drain"] == [row["ordered"] for row in shown["nodes"]]
    page.get_by_role("button", name="Take the order back").click()
    dialog.get_by_label("Reason").fill("they are back")
    dialog.get_by_role("button", name="Take the order back").click()
    expect(page.get_by_role("button", name="Drain")).to_be_visible()
    shown = json.loads(edge_command("trunk", "show", "carrier-b", "--redis", scene.store.url, "--json"))
    assert [""] == [row["ordered"] for row in shown["nodes"]]


def test_what_a_caller_writes_is_text(page):
    """A Call-ID that is markup is shown as it is, and makes no element."""
    search(page, HOSTILE_CALL)
    search(page, "+33199000003")
    page.locator("tbody tr").first.get_by_role("link", name="Look").click()
    expect(page.get_by_text(HOSTILE_CALL).first).to_be_visible()
    assert 0 == page.locator("main b", has_text="hostile").count()


def test_everything_is_reached_by_keyboard(page):
    """`/` searches, g and a letter go to a page, Tab enters the content."""
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Accounts", exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("header input[type=search]")).to_be_focused()
    page.keyboard.type("beta")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Search: beta")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("name", ["overview", "account"])
def test_it_is_readable_on_a_telephone_in_the_dark_and_in_french(open_page, scene, name):
    """Nothing is wider than the screen, the paper is dark, and no English word is left in the frame."""
    page = open_page(width=390, height=844, scheme="dark", locale="fr-FR", token=scene.token)
    if name == "account":
        page.goto(f"{scene.address}/#/accounts/acme")
        page.get_by_role("heading", name="acme").wait_for()
        expect(page.get_by_text("Appels en cours").first).to_be_visible()
    else:
        expect(page.get_by_role("heading", name=re.compile("Vue d.ensemble"))).to_be_visible()
        page.locator("tbody a", has_text="acme").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    red, green, blue = map(
        int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
    )
    assert max(red, green, blue) < 64
    page.screenshot(path=PICTURES / f"{name}-telephone.png", full_page=True)


def test_in_french_errors_and_refusals_are_told_in_french(open_page, scene):
    """What was wrong with an entry, and why a call was refused."""
    page = open_page(locale="fr-FR", token=scene.token)
    page.goto(f"{scene.address}/#/accounts/beta")
    page.get_by_role("button", name=re.compile(r"^Lots de CAPS.*\+$")).click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[name=until]").fill("2 lunes")
    expect(dialog.locator(".fault")).to_contain_text("il faut une durée, 45m, 2h ou 3d")
    dialog.get_by_role("button", name="Annuler").click()
    search(page, "+33145000002")
    page.locator("tbody tr", has_text="cli_refused").first.get_by_role("link", name="Voir").click()
    expect(page.locator("main")).to_contain_text("ne peut pas être présenté sur cet appel")
    expect(page.locator("main")).to_contain_text(re.compile(r"Jugé selon la génération \d de la base"))
    page.screenshot(path=PICTURES / "refused-call-french.png", full_page=True)


def test_a_viewer_sees_no_button_that_is_not_theirs(open_page, scene):
    """What a role may not do is not offered; and the API would refuse it all the same."""
    token = edge_command("token", "create", "eye", "--role", "viewer", "--redis", scene.store.url).split()[-1]
    page = open_page(token=token)
    page.goto(f"{scene.address}/#/accounts/acme")
    expect(page.get_by_role("heading", name="acme")).to_be_visible()
    assert 0 == page.get_by_role("button", name="CAPS lots: +").count()
    assert 0 == page.get_by_role("link", name="Audit").count()


def test_a_wrong_token_is_told_so(open_page):
    """And nothing of the console is shown."""
    page = open_page()
    page.locator("input[name=token]").fill("tg_000000000000_wrong")
    page.locator("button[type=submit]").click()
    expect(page.locator(".fault")).not_to_be_empty()
    page.screenshot(path=PICTURES / "login.png")
    assert 0 == page.locator("header.top").count()


def test_logged_out_is_logged_out(page, scene):
    """The cookie is good for nothing afterwards."""
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("input[name=token]")).to_be_visible()
    page.reload()
    expect(page.locator("input[name=token]")).to_be_visible()
    assert 401 == page.request.get(f"{scene.address}/v1/accounts").status
