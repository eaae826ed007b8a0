"""Quality, penalties, bills, idle accounts, people called: over a real store."""

import csv
import io

import pytest

from edge.contacts.key import KEY_FILE

CASE = {"kind": "ticket_33700", "reference": "T-1", "reason": "spam report"}
PENALTIES = "/v1/accounts/acme/penalties"


async def test_a_case_is_entered_once(desk, admin):
    """With the policy's amount, under its reference, in a chain that is proved."""
    await desk.account()
    tried = (await admin.post(PENALTIES + "?dry_run=true", json=CASE)).json()
    assert (True, True) == (tried["is_new"], tried["dry_run"])
    first, again = [(await admin.post(PENALTIES, json=CASE)).json() for _ in range(2)]
    assert (True, False) == (first["is_new"], again["is_new"])
    assert tried["amount_micros"] == first["amount_micros"] > 0
    entries = (await admin.get(PENALTIES)).json()
    assert [(1, "ticket_33700", "token:admin")] == [(one["seq"], one["kind"], one["by"]) for one in entries]
    assert [("acme", 1, "")] == [
        (one["account"], one["entries"], one["fault"]) for one in (await admin.get("/v1/penalties/verify")).json()
    ]


async def test_an_entry_is_put_right_by_another(desk, admin):
    """Nothing is edited; to zero it is taken back."""
    await desk.account()
    entered = (await admin.post(PENALTIES, json=CASE)).json()
    done = (await admin.post(f"{PENALTIES}/1/correct", json={"to_micros": 0, "reason": "mistaken"})).json()
    assert (entered["amount_micros"], 0, -entered["amount_micros"]) == (
        done["before_micros"],
        done["after_micros"],
        done["entry"]["amount_micros"],
    )
    again = (await admin.post(f"{PENALTIES}/1/correct", json={"to_micros": 0, "reason": "mistaken"})).json()
    assert None is again["entry"]
    assert 404 == (await admin.post(f"{PENALTIES}/9/correct", json={"to_micros": 0, "reason": "x"})).status_code
    assert 409 == (await admin.post(f"{PENALTIES}/2/correct", json={"to_micros": 5, "reason": "x"})).status_code


async def test_a_month_of_penalties_is_exported(desk, admin, store):
    """As JSON with totals, or CSV; not where a chain is broken."""
    await desk.account()
    await admin.post(PENALTIES, json=CASE)
    month = (await admin.get(PENALTIES)).json()[0]["month"]
    data = (await admin.get("/v1/penalties/export", params={"month": month})).json()
    assert (["acme"], 1) == ([one["account"] for one in data["accounts"]], len(data["entries"]))
    answer = await admin.get("/v1/penalties/export", params={"format": "csv"})
    assert ["acme"] == [row["account"] for row in csv.DictReader(io.StringIO(answer.text))]
    assert answer.headers["content-type"].startswith("text/csv")
    (name,) = store.keys("{acct:acme}:ledger")
    (kept,) = store.xrange(name)
    store.delete(name)
    store.xadd(name, {**kept[1], "digest": "0" * 64}, id=kept[0])
    assert 409 == (await admin.get("/v1/penalties/export")).status_code
    assert "entry 1" in (await admin.get("/v1/penalties/verify")).json()[0]["fault"]


async def test_a_month_for_billing(desk, admin):
    """Lots and the monthly minimum; a month that is none is refused."""
    await desk.account(caps_lots=2)
    month = (await admin.post(PENALTIES, json=CASE)).json()["month"]
    found = (await admin.get(f"/v1/billing/{month}")).json()
    assert [("acme", 2, 300_000_000)] == [
        (bill["account"], bill["caps_lots"], bill["caps_lots_micros"]) for bill in found["bills"]
    ]
    rows = list(csv.DictReader(io.StringIO((await admin.get(f"/v1/billing/{month}?format=csv")).text)))
    assert ["2"] == [row["caps_lots"] for row in rows]
    assert 422 == (await admin.get("/v1/billing/2026-13")).status_code


async def test_quality_of_an_account_without_calls(desk, admin):
    """No hours; unknown accounts are 404."""
    await desk.account()
    found = (await admin.get("/v1/accounts/acme/quality")).json()
    assert ("acme", [], 0) == (found["account"], found["hours"], found["rolling"]["counts"]["attempts"])
    assert 404 == (await admin.get("/v1/accounts/nobody/quality")).status_code
    assert 200 == (await admin.get("/v1/accounts/trunk:out/quality")).status_code


async def test_idle_accounts_are_closed(desk, admin, store):
    """Those that had their last call long ago; the others stay."""
    await desk.account("old")
    await desk.account("new")
    store.hset("{acct:old}", "last_call_ms", "1000")
    idle = (await admin.get("/v1/idle-accounts")).json()
    assert ["old"] == [one["account"] for one in idle["accounts"]]
    tried = (await admin.post("/v1/idle-accounts/close?dry_run=true", json={})).json()
    assert [False] == [one["is_closed_now"] for one in tried["accounts"]]
    done = (await admin.post("/v1/idle-accounts/close", json={})).json()
    assert [True] == [one["is_closed_now"] for one in done["accounts"]]
    assert ["closed", "active"] == [
        (await admin.get(f"/v1/accounts/{name}")).json()["values"]["status"] for name in ("old", "new")
    ]


# -- people called -------------------------------------------------------------------------------------------------


@pytest.fixture
def key(desk) -> None:
    desk.services.state.mkdir()
    (desk.services.state / KEY_FILE).write_bytes(b"k" * 32)


CONTACTS = "/v1/accounts/acme/contacts"


async def test_a_refusal_is_recorded_under_a_digest(desk, admin, key, store):
    """Neither the store nor the audit has the number."""
    await desk.account()
    entries = [
        {"number": "01 99 00 12 34", "what": "refusal"},
        {"number": "+33199001235", "what": "consent", "proof": "form 7"},
    ]
    done = await admin.post(CONTACTS, json={"entries": entries})
    assert {"recorded": {"refusal": 1, "consent": 1}, "dry_run": False} == done.json()
    person = (await admin.post(f"{CONTACTS}/look", json={"number": "+33199001234"})).json()
    assert person["refused_ms"] > 0
    assert [("refusal", "token:admin")] == [(note["what"], note["by"]) for note in person["notes"]]
    everything = " ".join(store.keys("*")) + str(store.xrange("{audit}"))
    assert "199001234" not in everything
    assert "99 00 12 34" not in everything


async def test_all_of_them_or_none(desk, admin, key):
    """Each wrong entry is pointed at."""
    await desk.account()
    entries = [{"number": "+33199001234", "what": "refusal"}, {"number": "x", "what": "refusal"}]
    entries.append({"number": "+33199001234", "what": "consent"})
    answer = await admin.post(CONTACTS, json={"entries": entries})
    assert (422, ["/entries/1/number", "/entries/2/proof"]) == (
        answer.status_code,
        [error["pointer"] for error in answer.json()["errors"]],
    )
    person = (await admin.post(f"{CONTACTS}/look", json={"number": "+33199001234"})).json()
    assert (0, []) == (person["refused_ms"], person["notes"])


async def test_a_csv_file_of_refusals(desk, admin, key):
    """As the command takes it."""
    await desk.account()
    text = "number,what\n+33199001234,refusal\n+33199001236,refusal\n"
    headers = {"Content-Type": "text/csv"}
    done = await admin.post(f"{CONTACTS}/csv", content=text, headers=headers)
    assert {"refusal": 2} == done.json()["recorded"]
    wrong = await admin.post(f"{CONTACTS}/csv", content=text + "nonsense\n", headers=headers)
    assert (422, True) == (wrong.status_code, "line 4" in wrong.json()["errors"][0]["detail"])
    assert 422 == (await admin.post(f"{CONTACTS}/csv", content=b"\xff\xfe", headers=headers)).status_code


async def test_without_the_key_nothing_is_recorded(desk, admin):
    """Another key would hide what is recorded from the edges."""
    await desk.account()
    answer = await admin.post(CONTACTS, json={"entries": [{"number": "+33199001234", "what": "refusal"}]})
    assert (503, "/problems/not-here") == (answer.status_code, answer.json()["type"])
