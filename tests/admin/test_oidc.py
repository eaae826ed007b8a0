"""Logins and access tokens of an OpenID provider: one of another hand, really served."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from desk import open_desk
from oidc_provider_mock import User, run_server_in_thread

from edge.config.access import OidcSettings

ROLES = {"noc": "operator", "architects": "engineer", "bosses": "viewer"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    users = [
        User(sub="alice", claims={"groups": ["bosses", "noc", "choir"]}),
        User(sub="mallory", claims={"groups": ["choir"]}),
        User(sub="bob", claims={}),
    ]
    with run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
async def desk(store, store_url, tmp_path, issuer):
    (tmp_path / "secret").write_text("ours\n")
    settings = OidcSettings(issuer=issuer, roles=ROLES, client_secret_file=str(tmp_path / "secret"))
    async with open_desk(store_url, tmp_path / "state", oidc=settings) as desk:
        yield desk


async def sent_back(location: str, sub: str) -> str:
    """The provider's form, filled in: where it sends the browser."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(location, data={"sub": sub})
        assert 302 == answer.status_code, answer.text
        return answer.headers["location"]


async def begun(browser: httpx.AsyncClient) -> str:
    answer = await browser.get("/v1/session/oidc")
    assert 302 == answer.status_code, answer.text
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    return answer.headers["location"]


async def test_a_browser_logs_in(desk):
    """By way of the provider; the best of the user's words counts; the audit has it."""
    browser = await desk.stranger()
    location = await begun(browser)
    back = await sent_back(location, "alice")
    done = await browser.get(back)
    assert 200 == done.status_code, done.text
    assert "trunkgate=" in done.headers["set-cookie"]
    me = (await browser.get("/v1/me")).json()
    assert ("oidc:alice", "operator", True) == (me["name"], me["role"], bool(me["csrf"]))
    assert 401 == (await browser.get(back)).status_code  # a code is good once
    entries = (await (await desk.client("admin")).get("/v1/audit")).json()["items"]
    assert [("login", "oidc:alice")] == [(entry["event"], entry["who"]) for entry in entries]


async def test_the_code_is_bound_to_us(desk, issuer):
    """PKCE: the challenge is the digest of a verifier that only the token request shows; state and nonce are new."""
    browser = await desk.stranger()
    queries = [parse_qs(urlsplit(await begun(browser)).query) for _ in range(2)]
    assert all(query["code_challenge_method"] == ["S256"] for query in queries)
    for name in ("state", "nonce", "code_challenge"):
        assert queries[0][name] != queries[1][name]
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        await request.aread()
        sent.append(request)

    desk.services.provider._client.event_hooks["request"].append(note)
    location = await begun(browser)
    await browser.get(await sent_back(location, "alice"))
    form = next(parse_qs(request.content.decode()) for request in sent if request.method == "POST")
    digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
    assert parse_qs(urlsplit(location).query)["code_challenge"] == [
        base64.urlsafe_b64encode(digest).decode().rstrip("=")
    ]


async def test_another_browser_cannot_finish_a_login(desk):
    """Whoever is led to somebody else's answer is not logged in as them."""
    one, two = await desk.stranger(), await desk.stranger()
    back = await sent_back(await begun(one), "alice")
    assert 401 == (await two.get(back)).status_code


async def test_a_token_of_another_login_is_refused(desk, store):
    """The nonce in it must be the one that this login began with."""
    browser = await desk.stranger()
    back = await sent_back(await begun(browser), "alice")
    (name,) = store.keys("{admin}:login:*")
    verifier, _, *rest = json.loads(store.get(name))
    store.set(name, json.dumps([verifier, "of another login", *rest]))
    assert 401 == (await browser.get(back)).status_code


@pytest.mark.parametrize("sub", ["mallory", "bob"])
async def test_who_has_no_role_is_not_let_in(desk, sub):
    """403, and no session."""
    browser = await desk.stranger()
    answer = await browser.get(await sent_back(await begun(browser), sub))
    assert 403 == answer.status_code
    assert 401 == (await browser.get("/v1/me")).status_code


@pytest.mark.parametrize("query", ["", "?state=x&code=y", "?code=y", "?state=" + "x" * 300])
async def test_a_made_up_answer_is_refused(desk, query):
    """Whatever it says."""
    answer = await (await desk.stranger()).get("/v1/session/oidc/callback" + query)
    assert answer.status_code in (401, 422)


# -- access tokens -------------------------------------------------------------------------------------------------


@pytest.fixture
def ours(desk, monkeypatch):
    """A key that stands among the provider's, so that a test can make its tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.PyJWK({**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k1"}, "RS256")
    provider = desk.services.provider
    provider._keys, provider._keys_at = {"k1": public}, time.monotonic()

    def make(alg: str = "RS256", kid: str = "k1", signed_by: object = key, **claims: object) -> str:
        now = int(time.time())
        words = {"iss": provider.settings.issuer, "aud": "trunkgate", "sub": "cron", "exp": now + 60, "groups": ["noc"]}
        words = {name: value for name, value in {**words, **claims}.items() if value is not None}
        return jwt.encode(words, signed_by, algorithm=alg, headers={"kid": kid})

    return make


async def status(desk, token: str) -> int:
    client = await desk.stranger({"Authorization": f"Bearer {token}"})
    return (await client.get("/v1/me")).status_code


async def test_a_program_brings_an_access_token(desk, ours):
    """Signed by the provider, for us, in force."""
    client = await desk.stranger({"Authorization": f"Bearer {ours()}"})
    me = (await client.get("/v1/me")).json()
    assert ("oidc:cron", "operator", "") == (me["name"], me["role"], me["csrf"])
    nested = ours(groups=None, realm_access={"roles": ["noc"]})
    assert 403 == await status(desk, nested)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"nbf": 10**10},
        {"kid": "k2"},
        {"alg": "none", "signed_by": None},
        {"alg": "HS256", "signed_by": "k" * 64},
        {"signed_by": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
    ],
)
async def test_a_token_that_is_not_right_is_refused(desk, ours, wrong):
    """Another issuer, audience, key, algorithm; expired; not yet; without what it must have."""
    assert 401 == await status(desk, ours(**wrong))


async def test_a_key_is_no_secret(desk, ours):
    """A token signed with the public key as if it were a password is refused: no symmetric algorithm is taken."""
    from cryptography.hazmat.primitives import serialization

    public = desk.services.provider._keys["k1"].key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1","typ":"JWT"}').rstrip(b"=")
    body = ours().split(".")[1].encode()
    import hmac

    mark = base64.urlsafe_b64encode(hmac.digest(pem, head + b"." + body, "sha256")).rstrip(b"=")
    assert 401 == await status(desk, b".".join((head, body, mark)).decode())


async def test_a_provider_that_is_away_lets_nobody_in(store, store_url, tmp_path):
    """503 for its tokens and logins; our own tokens go on."""
    settings = OidcSettings(issuer="http://127.0.0.1:9", roles=ROLES)
    async with open_desk(store_url, tmp_path / "state", oidc=settings) as desk:
        token = jwt.encode({"sub": "x"}, rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256")
        assert 503 == await status(desk, token)
        assert 503 == (await (await desk.stranger()).get("/v1/session/oidc")).status_code
        assert 200 == (await (await desk.client("viewer")).get("/v1/me")).status_code
