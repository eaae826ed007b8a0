"""Who asks: a bearer token, a session cookie, or an access token of an OpenID provider, turned into a principal. I/O.

Nothing that proves anybody is kept as it came: tokens as slow hashes, sessions under their digest.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Literal, NamedTuple, Protocol

from edge.admin import tokens
from edge.admin.problems import Refusal
from edge.admin.roles import is_enough
from edge.admin.store import AdminStore
from edge.admin.tokens import Token
from edge.config.access import RoleName, may_see

SESSION_S = 12 * 3_600
VERIFIED_AT_MOST = 1_000
"""Tokens whose secret need not be hashed slowly again; what the store says of them is asked each time."""
HASHES_AT_ONCE = 2
CSRF_HEADER = "x-csrf-token"


class Principal(NamedTuple):
    """Somebody who is known."""

    name: str
    """As the audit has it: `token:noc`, `oidc:alice`."""
    role: RoleName
    accounts: tuple[str, ...] = ()
    """Only these (see `may_see`); empty: all."""
    token: str = ""
    """Id of the token behind it, where there is one."""
    session: str = ""
    """Digest of the session, where a cookie brought it."""
    csrf: str = ""
    expires_ms: int = 0
    is_once: bool = False
    """The one-time token of a first run."""

    def may(self, role: RoleName | Literal[""]) -> bool:
        """Is the role enough?"""
        return is_enough(self.role, role)

    def may_see(self, account: str) -> bool:
        """Is this account one of theirs?"""
        return may_see(self.accounts, account)


class Provider(Protocol):
    """An OpenID provider (`oidc.OidcProvider`)."""

    async def principal_of(self, token: str) -> Principal:
        """Whose access token this is. Raises Refusal."""


class Brought(NamedTuple):
    """What proves somebody, as it came."""

    bearer: str = ""
    cookie: str = ""


def brought_by(headers: dict[str, str], cookie_name: str) -> Brought:
    """What a request brings; the Authorization header counts before a cookie."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme:
        return Brought(bearer=text.strip() if scheme.lower() == "bearer" else "-")
    try:
        found = SimpleCookie(headers.get("cookie", "")[:8_192]).get(cookie_name)
    except CookieError:
        return Brought()
    return Brought(cookie=found.value if found is not None else "")


class Access:
    """Knows principals by what they bring."""

    def __init__(self, store: AdminStore, provider: Provider | None, wall_ms: Callable[[], int]) -> None:
        self._store = store
        self._provider = provider
        self._wall_ms = wall_ms
        self._verified: OrderedDict[bytes, str] = OrderedDict()
        """keyed digest of a token's text -> the stored digest it was found to fit"""
        self._key = secrets.token_bytes(32)
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    async def principal_of(self, brought: Brought) -> Principal:
        """Raises Refusal, StoreUnavailable."""
        if brought.bearer:
            if brought.bearer.startswith(tokens.PREFIX):
                return await self._of_token(brought.bearer)
            if self._provider is not None and brought.bearer.count(".") == 2:
                return await self._provider.principal_of(brought.bearer)
        elif brought.cookie:
            return await self._of_session(brought.cookie)
        raise unauthenticated("expected a token: Authorization: Bearer …" if brought == Brought() else WRONG)

    async def _of_token(self, text: str) -> Principal:
        parts = tokens.parts_of(text)
        token = None if parts is None else await self.token(parts[0])
        if parts is None or token is None or not await self._is_right(token, text, parts[1]):
            raise unauthenticated(WRONG)
        return _principal(token)

    async def token(self, name: str) -> Token | None:
        """A token that is in force."""
        text = await self._store.token(name)
        token = None if text is None else Token.from_text(text)
        return None if token is None or token.is_expired(self._wall_ms()) else token

    async def _is_right(self, token: Token, text: str, secret: str) -> bool:
        name = hmac.digest(self._key, text.encode(), "sha256")
        known = self._verified.get(name)
        if known is not None:
            return hmac.compare_digest(known, token.digest)
        async with self._hashing:
            if name in self._verified:  # somebody else brought it in the same moment
                return hmac.compare_digest(self._verified[name], token.digest)
            if not await asyncio.to_thread(tokens.is_right, token, secret):
                return False
        self._verified[name] = token.digest
        if len(self._verified) > VERIFIED_AT_MOST:
            self._verified.popitem(last=False)
        return True

    # -- sessions --------------------------------------------------------------------------------------------------

    async def begin_session(self, principal: Principal) -> tuple[str, Principal]:
        """A session for somebody who is known: what the cookie holds, and the principal with it."""
        secret = secrets.token_urlsafe(32)
        name = digest_of(secret)
        now = self._wall_ms()
        until = min(principal.expires_ms or now + SESSION_S * 1_000, now + SESSION_S * 1_000)
        begun = principal._replace(session=name, csrf=secrets.token_urlsafe(32), expires_ms=until)
        await self._store.keep("session", name, json.dumps(begun), ttl_s=max(1, (until - now) // 1_000))
        return secret, begun

    async def _of_session(self, secret: str) -> Principal:
        text = await self._store.kept("session", digest_of(secret))
        if text is None:
            raise unauthenticated("the session is over: log in again")
        fields = json.loads(text)
        principal = Principal(*fields)._replace(accounts=tuple(fields[2]))
        if principal.token and await self.token(principal.token) is None:
            raise unauthenticated("the token of this session is revoked or expired: log in again")
        return principal

    async def end_session(self, principal: Principal) -> None:
        """The cookie is good for nothing any more."""
        await self._store.take("session", principal.session)


WRONG = "the token is wrong, expired or revoked"


def _principal(token: Token) -> Principal:
    name = f"token:{token.name}"
    return Principal(name, token.role, token.accounts, token.id, expires_ms=token.expires_ms, is_once=token.is_once)


def digest_of(secret: str) -> str:
    """Of a session's 256 bits of chance: one that is fast is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def unauthenticated(detail: str) -> Refusal:
    """RFC 6750 §3."""
    return Refusal("unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="trunkgate"'})


def check_csrf(principal: Principal, headers: dict[str, str]) -> None:
    """A change by cookie comes from our own page: it has the session's word, which no other site can read. Raises
    Refusal."""
    if principal.session and not hmac.compare_digest(headers.get(CSRF_HEADER, ""), principal.csrf):
        raise Refusal("csrf", "expected the session's X-CSRF-Token (GET /v1/me) beside its cookie")
    if principal.session and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refusal("csrf", "this request comes from another site")
