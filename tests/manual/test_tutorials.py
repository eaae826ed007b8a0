"""The tutorials, as they stand: every block of commands of each page, in order, by nobody who knows better."""

import json
from pathlib import Path

from newcomer import PAGES, blocks


def records(clone, page: str) -> list[dict]:
    """The CDRs that the page's edge has written."""
    paths = sorted((clone / "tutorial" / page / "state" / "cdr").glob("*.jsonl"))
    lines = [line for path in paths if path.name != "chain.jsonl" for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def account(terminal, name: str) -> dict:
    """As it stands in the store, once its calls are settled."""
    while (found := json.loads(terminal(f"edge account show {name} --json")))["in_use"]:
        pass  # the fixture's bound ends what never settles
    return found


def test_the_first_account_has_a_rated_call_and_a_raised_lot(clone, terminal):
    """From an empty clone to a call that cost what the balance fell by, and a ceiling that was raised."""
    _install, policy, start, show, call, burst, raised, stop = blocks("first-call")
    for block in (policy, start, show):
        terminal(block)
    before = account(terminal, "shop")
    terminal(call)
    after = account(terminal, "shop")
    (rated,) = records(clone, "first-call")
    assert ("answered", "+33199001234", "France") == (rated["outcome"], rated["called"], rated["zone"])
    assert rated["cost_micros"] == 10_000 + 1_000 * rated["billed_s"] > 10_000
    assert before["balance_micros"] - after["balance_micros"] == rated["cost_micros"]

    terminal(burst)
    refused = [record for record in records(clone, "first-call") if record["outcome"] == "refused"]
    assert {("caps", 503, 1)} == {(record["reason"], record["status"], record["ceiling"]) for record in refused}

    already = len(records(clone, "first-call"))
    terminal(raised)
    shop = account(terminal, "shop")
    assert (11, 1) == (shop["caps"], shop["values"]["caps_lots"])
    passed = records(clone, "first-call")[already:]
    assert [("answered", 11)] * 5 == [(record["outcome"], record["caps_in_force"]) for record in passed]

    assert "edge.stopped" in terminal(stop)


def test_the_first_trunk_is_dead_then_back_then_drained(clone, terminal):
    """Each call goes where the page says."""
    *steps, stop = blocks("first-trunk")
    for block in steps:
        terminal(block)
    dead, back, drained = records(clone, "first-trunk")
    assert [["carrier-a", 408], ["carrier-b", 200]] == dead["candidates"]
    assert ([["carrier-a", 200]], "0199001234") == (back["candidates"], back["called_rewritten"])
    assert [["carrier-b", 200]] == drained["candidates"]
    terminal(stop)


def test_prepaid_money_runs_out_is_refused_and_comes_in_time(clone, terminal):
    """Cut at the last paid instant, refused without money, and never cut where a payment came before its end."""
    start, cut, refused, in_time, stop = blocks("prepaid")
    terminal(start)
    assert "hung up by the edge" in terminal(cut)
    assert 0 == account(terminal, "shop")["balance_micros"]
    terminal(refused)
    assert 1_000_000 == account(terminal, "shop")["balance_micros"]
    assert "1 books add up" in terminal(in_time)
    ends = [(r["outcome"], r["reason"], r["cost_micros"]) for r in records(clone, "prepaid")]
    assert [("answered", "credit", 150_000), ("refused", "credit", 0)] == ends[:2]
    ((outcome, reason, cost),) = ends[2:]
    assert ("answered", "answered") == (outcome, reason)
    assert cost >= 24 * 50_000
    assert 6_000_000 - cost == account(terminal, "shop")["balance_micros"]
    terminal(stop)


def test_a_robocaller_shows_its_own_verified_number_only(clone, terminal):
    """Law, list, and ping calls; and why, by the record."""
    policy, asked, called, why, pings, stop = blocks("robocaller")
    terminal(policy)
    explained = terminal(asked)
    assert 2 == explained.count("\nrefused: 403 Forbidden") == explained.count("\nin words ")
    assert 1 == explained.count("\npolicy lets it pass")
    terminal(called)
    mobile, verified = records(clone, "robocaller")
    assert ("refused", "cli_refused") == (mobile["outcome"], mobile["reason"])
    assert ("answered", "+33948001000") == (verified["outcome"], verified["cli_presented"])
    assert mobile["uid"] in terminal(why)
    terminal(pings)
    after = records(clone, "robocaller")[2:]
    assert ("answered", ["ping_call"]) == (after[0]["outcome"], after[0]["tags"])
    assert ("refused", "ping_calls") == (after[-1]["outcome"], after[-1]["reason"])
    terminal(stop)


def test_telemarketing_keeps_hours_refusals_and_four_attempts(clone, terminal):
    """By the clock of the one who is called; and by what is recorded of them."""
    policy, hours, attempts, refusal, imported, stop = blocks("telemarketing")
    terminal(policy)
    explained = terminal(hours)
    assert 1 == explained.count("\npolicy lets it pass")
    assert 2 == explained.count("calling_hours, Q.850")
    terminal(attempts)
    assert ["answered"] * 4 + ["contact_attempts"] == [r["reason"] for r in records(clone, "telemarketing")]
    terminal(refusal)
    assert "contact_refused" == records(clone, "telemarketing")[-1]["reason"]
    assert "club: recorded 2 consent, 1 refusal" in terminal(imported)
    terminal(stop)


def test_every_tutorial_is_tried():
    """A page that no test copies may say anything."""
    text = Path(__file__).read_text()
    assert [] == [page.stem for page in PAGES.glob("*.md") if f'blocks("{page.stem}")' not in text]
