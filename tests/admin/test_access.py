"""Tokens, sessions, the first run, wrong tries, limits of pace and size."""

import asyncio

import pytest

from edge.admin import first, tokens
from edge.admin.gate import read_body
from edge.admin.problems import Refusal


async def test_a_token_is_told_once_and_kept_as_a_hash(admin, store):
    """The store has nothing to log in with."""
    made = (await admin.post("/v1/tokens", json={"name": "noc", "role": "operator", "days": 1})).json()
    secret = made["token"].split("_", 2)[2]  # which may hold a _ itself
    kept = "".join(store.hgetall("{admin}:tokens").values()) + "".join(map(str, store.xrange("{audit}")))
    assert secret not in kept
    listed = (await admin.get("/v1/tokens")).json()
    assert {"noc", "admin"} == {one["name"] for one in listed}
    assert all("digest" not in one and "token" not in one for one in listed)


async def test_a_revoked_token_is_good_for_nothing(desk, admin):
    """At the next request, though it was right a moment ago."""
    made = (await admin.post("/v1/tokens", json={"name": "noc", "role": "viewer"})).json()
    client = await desk.stranger({"Authorization": f"Bearer {made['token']}"})
    assert 200 == (await client.get("/v1/me")).status_code
    assert 204 == (await admin.delete(f"/v1/tokens/{made['id']}")).status_code
    assert 401 == (await client.get("/v1/me")).status_code
    assert 404 == (await admin.delete(f"/v1/tokens/{made['id']}")).status_code


async def test_a_token_expires(desk):
    """Its time over, it is as wrong as any."""
    now = desk.services.wall_ms()
    made, text = tokens.make("old", "viewer", now_ms=now - 2_000, expires_ms=now - 1_000, by="test")
    await desk.services.store.put_token(made.id, made.to_text())
    client = await desk.stranger({"Authorization": f"Bearer {text}"})
    assert 401 == (await client.get("/v1/me")).status_code


@pytest.mark.parametrize("text", ["", "x", "tg_", "tg_0123456789ab_" + "A" * 43, "a.b.c", "Bearer Bearer", "\xff" * 20])
async def test_what_is_no_token_is_401(desk, text):
    """Whatever stands there."""
    client = await desk.stranger({"Authorization": f"Bearer {text}".encode("latin-1")})
    answer = await client.get("/v1/me")
    assert (401, 'Bearer realm="trunkgate"') == (answer.status_code, answer.headers["www-authenticate"])


async def test_ten_wrong_tries_lock_an_address_out(desk):
    """Also for a right token; other addresses go on."""
    right = await desk.token("viewer")
    bad = await desk.stranger({"Authorization": "Bearer tg_0123456789ab_" + "A" * 43})
    assert [401] * 10 == [(await bad.get("/v1/me")).status_code for _ in range(10)]
    locked = await bad.get("/v1/me", headers={"Authorization": f"Bearer {right}"})
    assert (429, "/problems/locked-out") == (locked.status_code, locked.json()["type"])
    assert 0 < int(locked.headers["retry-after"]) <= 61
    other = await desk.stranger({"Authorization": f"Bearer {right}"}, address="192.0.2.2")
    assert 200 == (await other.get("/v1/me")).status_code
    assert 1 == [fact.name for fact in desk.facts].count("admin.locked_out")
    assert not any("AAAA" in str(fact) for fact in desk.facts)


async def test_the_first_run_has_one_token_that_works_once(desk):
    """It makes the first token, an admin's, and nothing else; then there is none like it any more."""
    text = await first.token_of_first_run(desk.services)
    once = await desk.stranger({"Authorization": f"Bearer {text}"})
    assert 403 == (await once.get("/v1/accounts")).status_code
    assert 403 == (await once.post("/v1/tokens", json={"name": "a", "role": "viewer"})).status_code
    made = await once.post("/v1/tokens", json={"name": "a", "role": "admin"})
    assert 201 == made.status_code
    assert 401 == (await once.post("/v1/tokens", json={"name": "b", "role": "admin"})).status_code
    client = await desk.stranger({"Authorization": f"Bearer {made.json()['token']}"})
    assert ["a"] == [one["name"] for one in (await client.get("/v1/tokens")).json()]
    assert "" == await first.token_of_first_run(desk.services)


async def test_of_two_who_use_the_one_time_token_at_once_one_gets_a_token(desk):
    """Spent is spent."""
    text = await first.token_of_first_run(desk.services)
    clients = [await desk.stranger({"Authorization": f"Bearer {text}"}) for _ in range(4)]
    wanted = {"name": "a", "role": "admin"}
    answers = await asyncio.gather(*[client.post("/v1/tokens", json=wanted) for client in clients])
    assert 1 == [answer.status_code for answer in answers].count(201)
    assert {201, 401, 403} >= {answer.status_code for answer in answers}


async def test_a_first_run_that_nobody_used_is_said_again(desk, store):
    """At the next start, with another token; the one before is void."""
    old = await first.token_of_first_run(desk.services)
    store.delete("{admin}:turn:first-run")
    new = await first.token_of_first_run(desk.services)
    assert old != new
    client = await desk.stranger({"Authorization": f"Bearer {old}"})
    assert 401 == (await client.post("/v1/tokens", json={"name": "a", "role": "admin"})).status_code


# -- sessions ------------------------------------------------------------------------------------------------------


async def test_a_session_is_a_cookie_that_no_script_reads(desk):
    """HttpOnly and SameSite=Strict; changes need its word besides."""
    await desk.account()
    logging_in = await desk.client("operator")
    begun = await logging_in.post("/v1/session")
    cookie = begun.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    browser = await desk.stranger({"Cookie": cookie.partition(";")[0]})
    me = (await browser.get("/v1/me")).json()
    assert ("token:operator", "operator", begun.json()["csrf"]) == (me["name"], me["role"], me["csrf"])
    lots = "/v1/accounts/acme/caps-lots"
    without = await browser.post(lots, json={"lots": "+1"})
    assert (403, "/problems/csrf") == (without.status_code, without.json()["type"])
    word = {"X-CSRF-Token": me["csrf"]}
    elsewhere = await browser.post(lots, json={"lots": "+1"}, headers={**word, "Sec-Fetch-Site": "cross-site"})
    assert 403 == elsewhere.status_code
    assert 200 == (await browser.post(lots, json={"lots": "+1"}, headers=word)).status_code
    assert 204 == (await browser.delete("/v1/session", headers=word)).status_code
    assert 401 == (await browser.get("/v1/me")).status_code


async def test_a_session_ends_with_its_token(desk, admin):
    """Who revokes a token ends what began with it."""
    made = (await admin.post("/v1/tokens", json={"name": "noc", "role": "viewer"})).json()
    client = await desk.stranger({"Authorization": f"Bearer {made['token']}"})
    cookie = (await client.post("/v1/session")).headers["set-cookie"].partition(";")[0]
    browser = await desk.stranger({"Cookie": cookie})
    assert 200 == (await browser.get("/v1/me")).status_code
    await admin.delete(f"/v1/tokens/{made['id']}")
    assert 401 == (await browser.get("/v1/me")).status_code


async def test_the_store_has_no_session_to_log_in_with(desk, store):
    """Its key is the digest of what the cookie holds."""
    client = await desk.client("viewer")
    cookie = (await client.post("/v1/session")).headers["set-cookie"].partition(";")[0].partition("=")[2]
    kept = [*store.keys("*"), *[store.get(key) for key in store.keys("{admin}:session:*")]]
    assert 1 == len(store.keys("{admin}:session:*"))
    assert not any(cookie in text for text in kept)


# -- pace and size -------------------------------------------------------------------------------------------------


async def test_who_asks_too_fast_is_told_to_wait(desk, viewer):
    """429 with Retry-After; the burst passes."""
    answers = [await viewer.get("/v1/me") for _ in range(160)]
    slow = [answer for answer in answers if answer.status_code == 429]
    assert slow
    assert {200} == {answer.status_code for answer in answers[:100]}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in slow)
    assert {"/problems/rate-limited"} == {answer.json()["type"] for answer in slow}


async def test_a_body_that_is_too_large_is_not_read(desk, admin):
    """By its length where that is said; else as soon as it is passed."""
    answer = await admin.post("/v1/tokens", content=b" " * 300_000)
    assert (413, "/problems/too-large") == (answer.status_code, answer.json()["type"])
    asked = 0

    async def receive():
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b" " * 1_000, "more_body": True}

    with pytest.raises(Refusal) as refused:
        await read_body(receive, 5_500)
    assert ("too-large", 6) == (refused.value.kind, asked)


async def test_every_answer_has_its_headers(desk, admin):
    """No sniffing, no framing, nothing from elsewhere, nothing kept; a request id."""
    stranger = await desk.stranger()
    answers = [await stranger.get("/healthz"), await stranger.get("/nowhere"), await admin.get("/v1/tokens")]
    for answer in answers:
        assert "nosniff" == answer.headers["x-content-type-options"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "no-store" == answer.headers["cache-control"]
        assert 16 == len(answer.headers["x-request-id"])
    assert answers[1].json()["instance"] == answers[1].headers["x-request-id"]


async def test_health_needs_nobody_and_says_whether_the_store_is_there(desk):
    """/healthz of the process, /readyz of its work."""
    stranger = await desk.stranger()
    assert ("ok", "n1") == ((await stranger.get("/healthz")).json()["status"], desk.services.orders.node)
    assert 200 == (await stranger.get("/readyz")).status_code


async def test_metrics_count_what_was_asked(desk, viewer):
    """For whoever may look."""
    await viewer.get("/v1/me")
    page = (await viewer.get("/metrics")).text
    assert 'edge_admin_requests_total{operation="GET /v1/me",status="200"} 1.0' in page
