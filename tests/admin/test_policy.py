"""`/v1/policy`, `/v1/trunks`, `/v1/do-not-originate` … : the policy in a real store."""

import asyncio
import base64

import pytest

POLICY = """# The policy of the tests; this comment must outlive every change.
rate_deck = "rates.csv"

[numbers]
cli_file = "numbers.csv"

[[accounts]]
id = "acme"   # a customer

[accounts.cli]
numbers = ["+33199001200"]

[[accounts]]
id = "b000..b009"

[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"

[[egress]]
id = "out"
uri = "sip:198.51.100.1:5060"

[[egress]]
id = "spare"
uri = "sip:198.51.100.2:5060"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out", "spare"]
"""
DECK = "prefix,zone,connect,rate,first,next,minimum\n+33,fr,0,0.01,1,1,0\n+331,paris,0.05,0.02,60,60,0\n"
NUMBERS = "account,first,last\nacme,+33199001300,+33199001309\nb001,+33199005000\nacme,+33199001400\n"


def body(policy: str = POLICY, **more: str) -> dict[str, object]:
    files = {"rates.csv": DECK, "numbers.csv": NUMBERS, **more}
    return {
        "document": policy,
        "files": {name: base64.b64encode(text.encode()).decode() for name, text in files.items()},
    }


async def brought(client, policy: str = POLICY, generation: int = 0, **more):
    return await client.put("/v1/policy", json=body(policy, **more), headers={"If-Match": f'"{generation}"'})


async def test_the_first_policy_is_brought_in(admin):
    """With its files; in force as generation 1, with who and why."""
    nothing = await admin.get("/v1/policy")
    assert (0, '"0"', None) == (nothing.json()["generation"], nothing.headers["etag"], nothing.json()["version"])
    done = await admin.put("/v1/policy", json={**body(), "reason": "first"}, headers={"If-Match": '"0"'})
    assert (200, 1, '"1"') == (done.status_code, done.json()["generation"], done.headers["etag"])
    version = (await admin.get("/v1/policy")).json()["version"]
    assert ("token:admin", "first", ["policy.toml", "rates.csv", "numbers.csv"]) == (
        version["by"],
        version["why"],
        [part["name"] for part in version["parts"]],
    )
    exported = (await admin.get("/v1/policy/document")).json()
    assert (POLICY, base64.b64encode(DECK.encode()).decode()) == (
        exported["document"],
        exported["files"]["rates.csv"],
    )
    assert b"" != (await admin.get("/v1/policy/files/rates.csv")).content == DECK.encode()


async def test_a_change_needs_the_generation_it_follows(admin):
    """428 without one, 412 with an old one."""
    await brought(admin)
    assert 428 == (await admin.put("/v1/policy", json=body())).status_code
    stale = await brought(admin, POLICY + "# more\n", generation=0)
    assert (412, '"1"') == (stale.status_code, stale.headers["etag"])


async def test_of_two_who_bring_one_in_at_once_one_wins(desk):
    """Compare-and-set in the store, not in this process."""
    one, two = await desk.client("engineer", name="one"), await desk.client("engineer", name="two")
    answers = await asyncio.gather(brought(one, POLICY + "# one\n"), brought(two, POLICY + "# two\n"))
    assert [200, 412] == sorted(answer.status_code for answer in answers)


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ('trunks = ["out", "spare"]', 'trunks = ["nowhere"]', "/document/routes/0/trunks/0"),
        ('id = "out"', 'id = "out"\nmaintenanc = true', "/document/egress/0/maintenanc"),
        ('sources = ["192.0.2.0/24"]', 'sources = ["192.0.2.0/240"]', "/document/ingress/0/sources/0"),
    ],
)
async def test_a_fault_is_told_with_its_place(admin, old, new, pointer):
    """Checked or brought in: 422 with a pointer into the document; nothing is in force."""
    wrong = body(POLICY.replace(old, new))
    checked = await admin.post("/v1/policy/check", json=wrong)
    tried = await admin.put("/v1/policy", json=wrong, headers={"If-Match": '"0"'})
    for answer in (checked, tried):
        assert 422 == answer.status_code
        assert [pointer] == [error["pointer"] for error in answer.json()["errors"]]
    assert 0 == (await admin.get("/v1/policy")).json()["generation"]


async def test_a_sound_document_is_said_to_be_sound(admin):
    """Counts, and nothing is brought in."""
    sound = (await admin.post("/v1/policy/check", json=body())).json()
    assert {"accounts": 11, "ingress_trunks": 1, "egress_trunks": 2, "route_prefixes": 1, "cli_rules": 0} == sound
    assert [] == (await admin.get("/v1/policy/versions")).json()


async def test_two_documents_are_compared_by_meaning(admin):
    """Generations, what is in force, one that is brought along."""
    await brought(admin)
    other = POLICY.replace('uri = "sip:198.51.100.2:5060"', 'uri = "sip:198.51.100.3:5060"')
    found = (await admin.post("/v1/policy/diff", json={"after": body(other)})).json()
    assert [("changed", "egress.spare.uri")] == [(one["kind"], one["path"]) for one in found]
    await brought(admin, other, generation=1)
    assert found == (await admin.post("/v1/policy/diff", json={"before": 1, "after": 2})).json()
    assert [] == (await admin.post("/v1/policy/diff", json={"before": 2})).json()


async def test_a_policy_is_rolled_back(admin):
    """As a new version that says which one it brings back."""
    await brought(admin)
    await brought(admin, POLICY.replace("198.51.100.2", "198.51.100.3"), generation=1)
    wanted = {"generation": 1, "reason": "calls failed"}
    tried = await admin.post("/v1/policy/rollback?dry_run=true", json=wanted, headers={"If-Match": '"2"'})
    assert (None, 1) == (tried.json()["generation"], len(tried.json()["differences"]))
    done = await admin.post("/v1/policy/rollback", json=wanted, headers={"If-Match": '"2"'})
    assert (200, 3) == (done.status_code, done.json()["generation"])
    newest = (await admin.get("/v1/policy/versions")).json()[0]
    assert (3, 1, "calls failed") == (newest["generation"], newest["rolled_back_to"], newest["why"])
    again = await admin.post("/v1/policy/rollback", json=wanted, headers={"If-Match": '"2"'})
    assert 412 == again.status_code
    nothing = await admin.post(
        "/v1/policy/rollback", json={"generation": 99, "reason": "x"}, headers={"If-Match": '"3"'}
    )
    assert 404 == nothing.status_code


async def test_a_rate_deck_is_replaced(admin):
    """As a new version of the whole; a deck that cannot be read is refused with its line."""
    await brought(admin)
    assert ("paris", 20_000) == next(
        (found["zone"], found["rate_micros"])
        for found in [(await admin.get("/v1/rates", params={"number": "+33140000000"})).json()]
    )
    new = DECK.replace("0.02", "0.03").encode()
    match = {"If-Match": '"1"', "Content-Type": "text/csv"}
    done = await admin.put("/v1/policy/files/rates.csv?reason=june", content=new, headers=match)
    assert (200, 2) == (done.status_code, done.json()["generation"])
    assert 30_000 == (await admin.get("/v1/rates", params={"number": "+33140000000"})).json()["rate_micros"]
    assert 404 == (await admin.get("/v1/rates", params={"number": "+4930"})).status_code
    match["If-Match"] = '"2"'
    wrong = await admin.put("/v1/policy/files/rates.csv", content=b"prefix\n", headers=match)
    assert 422 == wrong.status_code
    assert "/files/rates.csv" == wrong.json()["errors"][0]["pointer"]
    missing = await admin.put("/v1/policy/files/other.csv", content=b"x", headers=match)
    assert 422 == missing.status_code


async def test_a_trunk_is_taken_out_and_brought_back(admin):
    """Everything else in the document stays as it was written."""
    await brought(admin)
    out = await admin.post("/v1/trunks/spare/maintenance", json={"reason": "works"})
    assert (200, 2, ["egress.spare.maintenance"]) == (
        out.status_code,
        out.json()["generation"],
        [one["path"] for one in out.json()["differences"]],
    )
    assert [("out", False), ("spare", True)] == [
        (trunk["trunk"], trunk["maintenance"]) for trunk in (await admin.get("/v1/trunks")).json()
    ]
    document = (await admin.get("/v1/policy/document")).json()["document"]
    assert "# a customer" in document
    assert "this comment must outlive" in document
    back = await admin.post("/v1/trunks/spare/resume", json={})
    assert 3 == back.json()["generation"]
    assert POLICY == (await admin.get("/v1/policy/document")).json()["document"]
    assert 404 == (await admin.post("/v1/trunks/nowhere/maintenance", json={})).status_code
    assert 404 == (await admin.get("/v1/trunks/nowhere")).status_code


async def test_numbers_that_an_account_may_present(admin):
    """The document's own list is replaced; what the file has is told."""
    await brought(admin)
    shown = await admin.get("/v1/accounts/acme/cli-numbers")
    assert (True, ["+33199001200"], ["+33199001300..+33199001309", "+33199001400"], "numbers.csv") == (
        shown.json()["declared"],
        shown.json()["numbers"],
        shown.json()["in_file"],
        shown.json()["file"],
    )
    path, match = "/v1/accounts/acme/cli-numbers", {"If-Match": shown.headers["etag"]}
    done = await admin.put(path, json={"numbers": ["+33199001200", "+3319900*"]}, headers=match)
    assert (200, 2) == (done.status_code, done.json()["generation"])
    assert ["+33199001200", "+3319900*"] == (await admin.get(path)).json()["numbers"]
    wrong = await admin.put(path, json={"numbers": ["nonsense"]}, headers={"If-Match": '"2"'})
    assert 422 == wrong.status_code
    of_range = await admin.put("/v1/accounts/b001/cli-numbers", json={"numbers": []}, headers={"If-Match": '"2"'})
    assert 404 == of_range.status_code
    assert ["+33199005000"] == (await admin.get("/v1/accounts/b001/cli-numbers")).json()["in_file"]


async def test_numbers_that_never_call(admin):
    """The list of the whole network."""
    await brought(admin)
    assert [] == (await admin.get("/v1/do-not-originate")).json()["numbers"]
    wanted = {"numbers": ["+33800000000..+33800000099"], "reason": "banks"}
    done = await admin.put("/v1/do-not-originate", json=wanted, headers={"If-Match": '"1"'})
    assert 200 == done.status_code
    assert wanted["numbers"] == (await admin.get("/v1/do-not-originate")).json()["numbers"]


async def test_the_law_of_a_day(admin):
    """Without a policy, the law built in; a day that is none is refused."""
    law = (await admin.get("/v1/policy/law", params={"day": "2026-08-11"})).json()
    assert ("fr-arcep", "2026-08-11") == (law["ruleset"], law["day"])
    assert law["categories"]
    assert 422 == (await admin.get("/v1/policy/law", params={"day": "tomorrow"})).status_code


async def test_an_attempt_is_explained(desk, admin):
    """Stage by stage, with what the limits say now; nothing is taken and nothing is written in the audit."""
    await brought(admin)
    await desk.account("acme", credit="none")
    before = len((await admin.get("/v1/audit")).json()["items"])
    asked = {"cli": "+33199001200", "called": "+33140000000", "trunk": "in"}
    told = (await admin.post("/v1/explain", json=asked)).json()
    assert (None, "admitted", "") == (told["refused"], told["verdict"], told["unknown"])
    assert ["limits", "trunk"] == [step["stage"] for step in told["steps"]][-2:]
    assert any("CAPS" in line for line in told["limits_now"])
    suspended = await admin.post("/v1/accounts/acme/suspend", json={"reason": "unpaid"})
    assert 200 == suspended.status_code, suspended.text
    told = (await admin.post("/v1/explain", json=asked)).json()
    assert ("refused", "account_suspended", 403) == (told["verdict"], told["refused"], told["status"])
    assert "The account acme is suspended" in told["in_words"]
    refused = (await admin.post("/v1/explain", json={**asked, "trunk": "", "source": "203.0.113.9"})).json()
    assert ("unknown_source", 403) == (refused["refused"], refused["status"])
    for wrong, pointer in (({"trunk": "none"}, "/trunk"), ({"source": "1.2.3.4"}, "/source"), ({"at": "x"}, "/at")):
        answer = await admin.post("/v1/explain", json={**asked, **wrong})
        assert (422, [pointer]) == (answer.status_code, [error["pointer"] for error in answer.json()["errors"]])
    assert before + 2 == len((await admin.get("/v1/audit")).json()["items"])


async def test_a_document_is_not_kept_by_the_audit(admin, store):
    """What was changed is, by its meaning."""
    await brought(admin, POLICY.replace("a customer", "something private"))
    kept = str(store.xrange("{audit}"))
    assert "something private" not in kept
    assert "accounts.acme" in kept
