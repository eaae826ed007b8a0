"""The audit: what it says, and that nobody alters it unseen."""

import json

from edge.admin.audit import prove_export


async def entries(client, **given):
    return (await client.get("/v1/audit", params=given)).json()["items"]


async def test_a_change_is_two_entries(desk, admin):
    """Asked, with who, what, why and from where; done, with its outcome, before and after."""
    await desk.account()
    await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1", "reason": "asked by telephone"})
    done, asked = await entries(admin)
    assert ("asked", "token:admin", "admin", "192.0.2.1", "asked by telephone") == (
        asked["event"],
        asked["who"],
        asked["role"],
        asked["address"],
        asked["why"],
    )
    assert ("POST /v1/accounts/{account}/caps-lots", "/v1/accounts/acme/caps-lots") == (
        asked["operation"],
        asked["path"],
    )
    assert ("done", 200, asked["seq"]) == (done["event"], done["status"], done["asked"])
    assert {"caps_lots": [0, 1]} == done["change"]["after"]["changed"]
    assert {"lots": "+1", "reason": "asked by telephone"} == asked["body"]


async def test_what_is_refused_is_there_too(desk, admin):
    """A change that was tried and did not happen: its status says so."""
    await admin.post("/v1/accounts/nobody/caps-lots", json={"lots": "+1"})
    assert [404, None] == [entry["status"] for entry in await entries(admin)]


async def test_a_whole_audit_is_proved(desk, admin):
    """From the first entry to the last."""
    await desk.account()
    for _ in range(5):
        await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"})
    proof = (await admin.get("/v1/audit/verify")).json()
    assert (True, 10, 1, 10, []) == (
        proof["is_whole"],
        proof["entries"],
        proof["first_seq"],
        proof["last_seq"],
        proof["unfinished"],
    )


async def test_an_altered_entry_is_found(desk, admin, store):
    """Whoever may write to the store cannot change what somebody did: the digest would be another."""
    await desk.account()
    for _ in range(3):
        await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"})
    kept = store.xrange("{audit}")
    store.delete("{audit}")
    for number, (name, words) in enumerate(kept, 1):
        words = {**words, "entry": words["entry"].replace("token:admin", "token:other")} if number == 3 else words
        store.xadd("{audit}", words, id=name)
    proof = (await admin.get("/v1/audit/verify")).json()
    assert (False, "entry 3 is not what was entered, or what stood before it is not") == (
        proof["is_whole"],
        proof["fault"],
    )


async def test_an_entry_taken_out_is_found(desk, admin, store):
    """A number is missing."""
    await desk.account()
    for _ in range(3):
        await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"})
    store.xdel("{audit}", "2-0")
    assert "entry 2 is missing" == (await admin.get("/v1/audit/verify")).json()["fault"]


async def test_an_export_is_proved_without_the_store(desk, admin):
    """Line by line; an altered line is found, a part of it is proved too."""
    await desk.account()
    for _ in range(3):
        await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"})
    lines = (await admin.get("/v1/audit/export")).content.splitlines()
    assert (6, "") == (prove_export(lines).entries, prove_export(lines).fault)
    assert (4, "") == (prove_export(lines[2:]).entries, prove_export(lines[2:]).fault)
    words = json.loads(lines[3])
    words["entry"] = words["entry"].replace('"status":200', '"status":500')
    assert "entry 4 is not what" in prove_export([*lines[:3], json.dumps(words), *lines[4:]]).fault


async def test_the_oldest_go_and_the_rest_is_proved(store_url, store):
    """Beyond what is kept: the chain begins behind what went."""
    from edge.admin.audit import Audit, From, prove
    from limits.audit import AuditLog

    async with AuditLog(store_url, kept=5) as log:
        audit = Audit(log, node="n1")
        for _ in range(12):
            await audit.enter("test", From("me", "admin", "192.0.2.1", "r"))
        proof = await prove(log)
    assert (5, 8, 12, "") == (proof.entries, proof.first_seq, proof.last_seq, proof.fault)
    assert 5 == store.xlen("{audit}")


async def test_no_change_without_its_entry(desk, admin, store):
    """Where the audit cannot be written, nothing is changed."""
    await desk.account()
    store.set("{audit}", "spoilt by hand")
    answer = await admin.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"})
    assert answer.status_code >= 500
    assert 1 == (await admin.get("/v1/accounts/acme")).json()["generation"]


async def test_a_list_of_one_person(desk, admin):
    """Filtered, page by page."""
    await desk.account()
    operator = await desk.client("operator")
    for client in (admin, operator, admin, operator):
        await client.post("/v1/accounts/acme/caps-lots", json={"lots": "+1"})
    seen, cursor = [], None
    while True:
        given = {"who": "token:operator", "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/v1/audit", params=given)).json()
        seen += [entry["seq"] for entry in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert [8, 7, 4, 3] == seen
