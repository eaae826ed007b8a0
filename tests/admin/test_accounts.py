"""`/v1/accounts` against a real store."""

import asyncio

import pytest

from edge.alerts.events import event_of
from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Condition, look


async def test_a_lot_is_in_force_at_once(desk, admin):
    """The person on shift raises a CAPS lot and sees it."""
    await desk.account(caps_base=1, caps_lot_size=10)
    done = await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1", "reason": "asked by telephone"})
    assert (200, {"caps_lots": [0, 1]}) == (done.status_code, done.json()["changed"])
    shown = await admin.get("/v1/accounts/acme")
    assert (11, 2, '"2"') == (shown.json()["caps"], shown.json()["generation"], shown.headers["etag"])
    assert {"currency": "EUR", "before_micros": 0, "after_micros": 150_000_000} == done.json()["monthly"]


async def test_the_history_says_who_and_why(desk, admin):
    """What the API does stands in the account's own history, as what the command line does."""
    await desk.account()
    await admin.post("/v1/accounts/acme/call-lots", json={"lots": 2, "reason": "contract of May"})
    entry = (await admin.get("/v1/accounts/acme/history")).json()[0]
    assert ("token:admin", "contract of May") == (entry["by"], entry["why"])
    assert [{"name": "call_lots", "before": 0, "after": 2}] == entry["values"]


async def test_a_lot_returns_by_itself(desk, admin):
    """`until`: for two hours."""
    await desk.account()
    done = (await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1", "until": "2h"})).json()
    assert [{"name": "caps_lots", "at_ms": done["until_ms"], "to": 0}] == done["returns"]
    assert 1 == len((await admin.get("/v1/accounts/acme")).json()["reverts"])


async def test_a_dry_run_changes_nothing(desk, admin):
    """It tells what would be, with what it would cost."""
    await desk.account()
    done = await admin.post("/v1/accounts/acme/caps-lots?dry_run=true", json={"lots": "+3"})
    assert ({"caps_lots": [0, 3]}, 450_000_000) == (done.json()["changed"], done.json()["monthly"]["after_micros"])
    assert 1 == (await admin.get("/v1/accounts/acme")).json()["generation"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"lots": "+x"}, "/lots"),
        ({"lots": "-1"}, ""),
        ({"lots": "+1", "until": "yesterday"}, "/until"),
        ({"lots": "+1", "until": "2020-01-01T00:00Z"}, "/until"),
        ({"lots": "+1", "reason": "two\nlines"}, "/reason"),
        ({"lots": "+1", "resaon": "mistyped"}, "/resaon"),
        ({}, "/lots"),
    ],
)
async def test_the_field_that_is_wrong_is_named(desk, admin, body, pointer):
    """RFC 9457: 422 with a pointer to the field; nothing is changed."""
    await desk.account()
    answer = await admin.post("/v1/accounts/acme/caps-lots", json=body)
    problem = answer.json()
    assert (422, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "/problems/invalid" == problem["type"]
    assert pointer in [error["pointer"].removesuffix("/int") for error in problem["errors"]] + [
        error["pointer"].partition("/constrained-str")[0] for error in problem["errors"]
    ]
    assert 1 == (await admin.get("/v1/accounts/acme")).json()["generation"]


async def test_values_are_set_with_the_generation_they_were_read_at(desk, admin):
    """428 without If-Match, 412 with an old one, then done."""
    await desk.account()
    patch = {"caps_base": 5, "floor_micros": -1_000_000, "prefix_ceilings": [{"prefix": "+3389", "calls": 2}]}
    assert 428 == (await admin.patch("/v1/accounts/acme", json=patch)).status_code
    stale = await admin.patch("/v1/accounts/acme", json=patch, headers={"If-Match": '"7"'})
    assert (412, '"1"') == (stale.status_code, stale.headers["etag"])
    done = await admin.patch("/v1/accounts/acme", json=patch, headers={"If-Match": '"1"'})
    assert (200, '"2"') == (done.status_code, done.headers["etag"])
    values = (await admin.get("/v1/accounts/acme")).json()["values"]
    assert [{"prefix": "+3389", "calls": 2, "caps": None}] == values["prefix_ceilings"]
    assert (5, -1_000_000) == (values["caps_base"], values["floor_micros"])


async def test_of_two_editors_one_wins(desk):
    """Both read generation 1 and set at the same time: one 200, one 412."""
    await desk.account()
    one, two = await desk.client("engineer", name="one"), await desk.client("engineer", name="two")
    match = {"If-Match": '"1"'}
    answers = await asyncio.gather(
        *[
            client.patch("/v1/accounts/acme", json={"caps_base": base}, headers=match)
            for client, base in ((one, 5), (two, 6))
        ]
    )
    assert [200, 412] == sorted(answer.status_code for answer in answers)
    winner = next(base for answer, base in zip(answers, (5, 6), strict=True) if answer.status_code == 200)
    shown = (await one.get("/v1/accounts/acme")).json()
    assert (2, winner) == (shown["generation"], shown["values"]["caps_base"])


async def test_relative_changes_of_two_add_up(desk):
    """`+1` of two operators at once: two lots more."""
    await desk.account()
    one, two = await desk.client("operator", name="one"), await desk.client("operator", name="two")
    answers = await asyncio.gather(
        *[client.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"}) for client in (one, two)]
    )
    assert [200, 200] == [answer.status_code for answer in answers]
    assert 2 == (await one.get("/v1/accounts/acme")).json()["values"]["caps_lots"]


async def test_suspend_resume_close(desk, admin):
    """The life of an account; a closed one is opened on purpose only."""
    await desk.account()

    async def go(verb: str, **words: object) -> tuple[int, str]:
        answer = await admin.post(f"/v1/accounts/acme/{verb}", json=words)
        return answer.status_code, (await admin.get("/v1/accounts/acme")).json()["values"]["status"]

    assert (422, "active") == await go("suspend")
    assert (200, "suspended") == await go("suspend", reason="unpaid", cut=True)
    assert (await admin.get("/v1/accounts/acme")).json()["values"]["is_cut"]
    assert (200, "active") == await go("resume")
    assert (200, "closed") == await go("close", reason="contract ended")
    assert (409, "closed") == await go("resume")
    assert (200, "active") == await go("resume", reopen=True)


async def test_money_is_booked_once_for_each_reference(desk, admin):
    """The same reference again books nothing; another amount under it is refused."""
    await desk.account()
    paid = {"amount_micros": 20_000_000, "reference": "bank-1"}
    first = (await admin.post("/v1/accounts/acme/top-ups", json=paid)).json()
    again = (await admin.post("/v1/accounts/acme/top-ups", json=paid)).json()
    other = await admin.post("/v1/accounts/acme/top-ups", json={**paid, "amount_micros": 1})
    assert (False, True) == (first["already"], again["already"])
    assert (409, "/problems/used-reference") == (other.status_code, other.json()["type"])
    assert 20_000_000 == (await admin.get("/v1/accounts/acme")).json()["balance_micros"]


async def test_a_correction_is_an_engineers(desk):
    """Money is taken away by an engineer, who says why."""
    await desk.account()
    operator, engineer = await desk.client("operator"), await desk.client("engineer")
    back = {"amount_micros": -5, "reference": "c-1"}
    assert 403 == (await operator.post("/v1/accounts/acme/top-ups", json={**back, "reason": "x"})).status_code
    assert 422 == (await engineer.post("/v1/accounts/acme/top-ups", json=back)).status_code
    assert 200 == (await engineer.post("/v1/accounts/acme/top-ups", json={**back, "reason": "twice"})).status_code


async def test_a_list_is_read_page_by_page(desk, admin):
    """Every account once, in order; groups and trunks are lists of their own."""
    names = [f"acc{number:02}" for number in range(25)]
    for name in [*names, "group:g", "trunk:t"]:
        await desk.account(name)
    seen, cursor = [], None
    while True:
        page = (await admin.get("/v1/accounts", params={"limit": 10} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [row["account"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == seen
    groups = (await admin.get("/v1/accounts", params={"kind": "group"})).json()["items"]
    assert ["group:g"] == [row["account"] for row in groups]
    some = (await admin.get("/v1/accounts", params={"prefix": "acc1"})).json()["items"]
    assert names[10:20] == [row["account"] for row in some]


async def test_a_list_by_status(desk, admin):
    """Only those that are suspended, however many others there are."""
    for number in range(12):
        await desk.account(f"acc{number:02}", status="suspended" if number % 4 == 0 else "active")
    seen, cursor = [], None
    for _ in range(10):
        given = {"limit": 2, "status": "suspended"} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/v1/accounts", params=given)).json()
        seen += [row["account"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert ["acc00", "acc04", "acc08"] == seen


async def test_a_new_account(desk, admin):
    """201 with its place; a second one of that name is refused."""
    wanted = {"account": "neu", "caps_base": 3, "opening_micros": 1_000_000, "reason": "order 7"}
    made = await admin.post("/v1/accounts", json=wanted)
    assert (201, "/v1/accounts/neu", '"1"') == (
        made.status_code,
        made.headers["location"],
        made.headers["etag"],
    )
    assert 409 == (await admin.post("/v1/accounts", json=wanted)).status_code
    shown = (await admin.get("/v1/accounts/neu")).json()
    assert (3, 1_000_000) == (shown["values"]["caps_base"], shown["balance_micros"])


async def test_the_books_are_verified(desk, admin, store):
    """Damage by hand is found."""
    await desk.account()
    assert {"account": "acme", "is_sound": True, "broken": []} == (await admin.get("/v1/accounts/acme/verify")).json()
    store.hset("{acct:acme}", "balance_micros", "5")
    assert ["conservation_of_money"] == (await admin.get("/v1/accounts/acme/verify")).json()["broken"]


async def test_a_threshold_of_credit_is_set_and_taken_back(desk, admin):
    """As `edge alerts credit` does; the audit has what it was. Of an account that is there, and no group."""
    await desk.account()
    path = "/v1/accounts/acme/credit-alert"
    assert {"account": "acme", "below_micros": None} == (await admin.get(path)).json()
    for below in (25_000_000, None):
        done = await admin.put(path, json={"below_micros": below, "reason": "asked"})
        assert (200, {"account": "acme", "below_micros": below}) == (done.status_code, done.json())
        listed = [] if below is None else [{"account": "acme", "below_micros": below}]
        assert listed == (await admin.get("/v1/credit-alerts")).json()
    changes = [one["change"] for one in (await admin.get("/v1/audit")).json()["items"] if one["event"] == "done"]
    back, there = [(one["before"]["below_micros"], one["after"]["below_micros"]) for one in changes]
    assert ((None, 25_000_000), (25_000_000, None)) == (there, back)
    only = await desk.client("operator", accounts=("robo",), name="robo")
    assert 403 == (await only.get(path)).status_code
    for body, status in (({"below_micros": -1}, 422), ({}, 422), ({"below_micros": "1"}, 422)):
        assert status == (await admin.put(path, json=body)).status_code
    assert 404 == (await admin.put("/v1/accounts/nobody/credit-alert", json={"below_micros": 1})).status_code
    assert 422 == (await admin.put("/v1/accounts/group:a/credit-alert", json={"below_micros": 1})).status_code


async def test_alerts_that_stand_and_were_told_are_looked_at(desk, admin):
    """As `edge alerts list` and `history` show them; not for those who may see some accounts only."""
    assert ([], []) == ((await admin.get("/v1/alerts")).json(), (await admin.get("/v1/alerts/history")).json())
    seen = Condition(Kind.CREDIT, "acme", Level.WARNING, "account acme has 1.00 left, less than 5.00")
    move = look(None, seen, now_ms=1_000)
    assert move is not None
    event = event_of(move.told, move.to, seen, key=seen.key, node="n1", now_ms=1_000, id_="ab")
    alerts = desk.services.alerts
    assert await alerts.move(seen.key, expected="", state=move.to.to_text(), event=event.to_text())
    (row,) = (await admin.get("/v1/alerts")).json()
    assert ("credit:acme", "credit", "acme", "warning", "raised", 1_000) == tuple(row.values())[:6]
    (told,) = (await admin.get("/v1/alerts/history")).json()
    assert ("ab", "raised", "credit:acme", "n1") == (told["id"], told["event"], told["alert"], told["node"])
    assert [row] == (await admin.get("/v1/overview")).json()["alerts"]
    only = await desk.client("viewer", accounts=("acme",), name="acme")
    assert 403 == (await only.get("/v1/alerts")).status_code


async def test_what_is_not_there_is_404(admin):
    """With a problem that says which."""
    answer = await admin.get("/v1/accounts/nobody")
    assert (404, "/problems/not-found") == (answer.status_code, answer.json()["type"])
    assert "nobody" in answer.json()["detail"]
