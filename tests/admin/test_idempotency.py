"""`Idempotency-Key`: sent twice, done once."""

import asyncio

LOTS = "/v1/accounts/acme/caps-lots"


async def lots(client) -> int:
    return (await client.get("/v1/accounts/acme")).json()["values"]["caps_lots"]


async def test_sent_twice_it_is_done_once(desk, admin):
    """The second answer is the first one, and says so."""
    await desk.account()
    key = {"Idempotency-Key": "k1"}
    first = await admin.post(LOTS, json={"lots": "+1"}, headers=key)
    again = await admin.post(LOTS, json={"lots": "+1"}, headers=key)
    assert first.content == again.content
    assert (None, "true") == (
        first.headers.get("idempotent-replayed"),
        again.headers.get("idempotent-replayed"),
    )
    assert first.headers["etag"] == again.headers["etag"]
    assert 1 == await lots(admin)


async def test_another_body_under_the_same_key_is_refused(desk, admin):
    """It is most likely a mistake of whoever sends it."""
    await desk.account()
    key = {"Idempotency-Key": "k1"}
    await admin.post(LOTS, json={"lots": "+1"}, headers=key)
    other = await admin.post(LOTS, json={"lots": "+2"}, headers=key)
    assert (422, "/problems/key-reused") == (other.status_code, other.json()["type"])
    elsewhere = await admin.post("/v1/accounts/acme/call-lots", json={"lots": "+1"}, headers=key)
    assert 422 == elsewhere.status_code
    assert 1 == await lots(admin)


async def test_a_key_is_its_senders_own(desk, admin):
    """Two who choose the same key do not know of each other."""
    await desk.account()
    operator = await desk.client("operator")
    for client in (admin, operator):
        await client.post(LOTS, json={"lots": "+1"}, headers={"Idempotency-Key": "k1"})
    assert 2 == await lots(admin)


async def test_sent_ten_times_at_once_it_is_done_once(desk, admin):
    """Those that come while the first is under way are told so."""
    await desk.account()
    answers = await asyncio.gather(
        *[admin.post(LOTS, json={"lots": "+1"}, headers={"Idempotency-Key": "k1"}) for _ in range(10)]
    )
    assert {200, 409} >= {answer.status_code for answer in answers}
    assert 200 in [answer.status_code for answer in answers]
    assert 1 == await lots(admin)


async def test_a_refusal_is_kept_as_well(desk, admin):
    """The same question has the same answer, whatever has changed meanwhile."""
    key = {"Idempotency-Key": "k1"}
    assert 404 == (await admin.post(LOTS, json={"lots": "+1"}, headers=key)).status_code
    await desk.account()
    assert 404 == (await admin.post(LOTS, json={"lots": "+1"}, headers=key)).status_code


async def test_a_fault_may_be_sent_again(desk, admin, store):
    """What failed for want of the store is not kept."""
    await desk.account()
    key = {"Idempotency-Key": "k1"}
    store.set("{audit}", "spoilt by hand")
    assert 500 <= (await admin.post(LOTS, json={"lots": "+1"}, headers=key)).status_code
    store.delete("{audit}")
    assert 200 == (await admin.post(LOTS, json={"lots": "+1"}, headers=key)).status_code


async def test_a_secret_is_kept_nowhere(admin, store):
    """A token is made anew for each request: its text must not lie about."""
    key = {"Idempotency-Key": "k1"}
    made = [(await admin.post("/v1/tokens", json={"name": "a", "role": "viewer"}, headers=key)).json() for _ in "ab"]
    assert made[0]["id"] != made[1]["id"]
    assert [] == store.keys("{admin}:reply:*")


async def test_what_is_no_key_is_refused(desk, admin):
    """Too long, or not printable."""
    await desk.account()
    answer = await admin.post(LOTS, json={"lots": "+1"}, headers={"Idempotency-Key": "k" * 129})
    assert 422 == answer.status_code
