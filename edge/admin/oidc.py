"""An OpenID provider: logins by authorization code with PKCE (RFC 7636), access tokens checked against its keys
(RFC 9068, RFC 7517). I/O, by httpx.

Signatures by public keys only; issuer, audience, end and nonce are checked; what the provider says is bounded in size
and time. Keys are read again where a token names one that is not known, at most every `READ_AGAIN_S`.
"""

import base64
import hashlib
import secrets
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
import orjson

from edge.admin.access import Principal, unauthenticated
from edge.admin.problems import Refusal
from edge.admin.roles import best_of
from edge.config.access import OidcSettings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MAX_TOKEN = 16_384
MAX_ANSWER = 1 << 20
ANSWER_S = 5.0
KEPT_S = 3_600.0
READ_AGAIN_S = 30.0
LEEWAY_S = 30
_NAMES = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Login(NamedTuple):
    """A login under way: what only we know of it."""

    verifier: str
    nonce: str
    redirect: str
    browser: str
    """Digest of the cookie of the browser that began it."""


class OidcProvider:
    """Use as `async with OidcProvider(settings) as provider`."""

    def __init__(self, settings: OidcSettings) -> None:
        """Raises ValueError where a file that it names cannot be read."""
        self.settings = settings
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
            name = settings.client_secret_file
            self._secret = Path(name).read_text(encoding="utf-8").strip() if name else ""
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"oidc: {error}") from error
        self._client = httpx.AsyncClient(verify=context, timeout=ANSWER_S, follow_redirects=False)
        self._endpoints: dict[str, str] = {}
        self._endpoints_at = float("-inf")
        self._keys: dict[str, jwt.PyJWK] = {}
        self._keys_at = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def principal_of(self, token: str) -> Principal:
        """Whose access token this is. Raises Refusal."""
        audience = self.settings.audience or self.settings.client_id
        return self._principal(await self._claims(token, audience))

    async def _claims(self, token: str, audience: str) -> Mapping[str, object]:
        try:
            if len(token) > MAX_TOKEN:
                raise jwt.InvalidTokenError
            head = jwt.get_unverified_header(token)
            if head.get("alg") not in ALGORITHMS:
                raise jwt.InvalidAlgorithmError
            key = await self._key(str(head.get("kid") or ""))
            claims: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=[str(head["alg"])],
                audience=audience,
                issuer=self.settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise unauthenticated("the provider's token is wrong, expired, or for somebody else") from error
        return claims

    def _principal(self, claims: Mapping[str, object]) -> Principal:
        found: object = claims
        for step in self.settings.roles_claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        words = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        role = best_of(
            [self.settings.roles[word] for word in words if isinstance(word, str) and word in self.settings.roles]
        )
        name = _printable(f"oidc:{claims['sub']}")
        if role is None:
            raise Refusal("forbidden", f"{name} has no role here: its {self.settings.roles_claim} names none")
        exp = claims["exp"]
        return Principal(name, role, expires_ms=int(exp) * 1_000 if isinstance(exp, int | float) else 0)

    # -- logins ----------------------------------------------------------------------------------------------------

    async def begin(self, *, redirect: str, state: str, browser: str) -> tuple[str, Login]:
        """Where to send the browser, and what to remember meanwhile. Raises Refusal."""
        endpoints = await self._configuration()
        login = Login(secrets.token_urlsafe(48), secrets.token_urlsafe(24), redirect, browser)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(login.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect,
            "scope": "openid profile email",
            "state": state,
            "nonce": login.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = endpoints["authorization_endpoint"]
        return url + ("&" if "?" in url else "?") + urlencode(query), login

    async def finish(self, login: Login, code: str) -> Principal:
        """Who has logged in. Raises Refusal."""
        endpoints = await self._configuration()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": login.redirect,
            "client_id": self.settings.client_id,
            "code_verifier": login.verifier,
        }
        auth = (self.settings.client_id, self._secret) if self._secret else None
        answer = await self._ask("POST", endpoints["token_endpoint"], form=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise unauthenticated("the provider gave no id_token")
        claims = await self._claims(token, self.settings.client_id)
        if not secrets.compare_digest(str(claims.get("nonce") or ""), login.nonce):
            raise unauthenticated("the provider's token belongs to another login")
        # The session's own end counts: an id_token only says who it was at the login.
        return self._principal(claims)._replace(expires_ms=0)

    # -- what the provider says ------------------------------------------------------------------------------------

    async def _configuration(self) -> dict[str, str]:
        if time.monotonic() - self._endpoints_at > KEPT_S:
            issuer = self.settings.issuer
            found = await self._ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise _silent(f"its configuration names the issuer {found.get('issuer')!r}, not {issuer!r}")
            endpoints = {name: str(found.get(name) or "") for name in _NAMES}
            for name, url in endpoints.items():
                if not url or urlsplit(url).scheme != urlsplit(issuer).scheme:
                    raise _silent(f"its configuration has no {name} that is as safe as the issuer")
            self._endpoints, self._endpoints_at = endpoints, time.monotonic()
        return self._endpoints

    async def _key(self, kid: str) -> jwt.PyJWK:
        """Raises jwt.PyJWTError where there is none of this name; Refusal."""
        age = time.monotonic() - self._keys_at
        if age > KEPT_S or (kid not in self._keys and age > READ_AGAIN_S):
            found = await self._ask("GET", (await self._configuration())["jwks_uri"])
            try:
                self._keys = {str(one.key_id or ""): one for one in jwt.PyJWKSet.from_dict(found).keys}
            except jwt.PyJWTError as error:
                raise _silent(f"its keys cannot be read: {error}") from error
            self._keys_at = time.monotonic()
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise jwt.InvalidKeyError(kid)
        return self._keys[kid]

    async def _ask(
        self, method: str, url: str, *, form: dict[str, str] | None = None, auth: tuple[str, str] | None = None
    ) -> dict[str, object]:
        """Raises Refusal."""
        try:
            async with self._client.stream(method, url, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT) as answer:
                parts, size = [], 0
                async for part in answer.aiter_bytes():
                    size += len(part)
                    if size > MAX_ANSWER:
                        raise _silent(f"{urlsplit(url).path} answers with more than {MAX_ANSWER} bytes")
                    parts.append(part)
        except httpx.HTTPError as error:
            raise _silent(f"{urlsplit(url).netloc}: {type(error).__name__}") from error
        if form is not None and answer.status_code in (400, 401):
            raise unauthenticated("the provider does not know this login (any more): log in again")
        try:
            found = orjson.loads(b"".join(parts)) if answer.status_code == 200 else None
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise _silent(f"{urlsplit(url).path} answers {answer.status_code}, which is no use")
        return found


def _printable(text: str) -> str:
    return "".join([one if one.isprintable() else "?" for one in text])[:100]


def _silent(why: str) -> Refusal:
    return Refusal("provider-silent", f"the OpenID provider: {why}")
