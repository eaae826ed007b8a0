"""`/v1/session/oidc`: a browser logs in at the OpenID provider (authorization code with PKCE)."""

import json
import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from edge.admin.access import digest_of, unauthenticated
from edge.admin.asking import Here
from edge.admin.audit import From
from edge.admin.oidc import Login, OidcProvider
from edge.admin.problems import Refusal
from edge.admin.routes.access import set_cookie
from edge.admin.services import Services

router = APIRouter(prefix="/v1/session/oidc", tags=["access"])

LOGIN_S = 600
_COOKIE = "trunkgate-login"
_PATH = "/v1/session/oidc"
_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<title>trunkgate</title></head><body><p><a href="/">Go on</a></p></body></html>'
)
"""A page of our own leads on: a redirect in a chain that began elsewhere would not carry a SameSite=Strict cookie."""


@router.get("", response_class=RedirectResponse, status_code=302)
async def begin_login(here: Here, request: Request) -> Response:
    """Sends the browser to the provider."""
    provider = _provider(here)
    state, browser = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    redirect = f"{request.url.scheme}://{request.url.netloc}{_PATH}/callback"
    url, login = await provider.begin(redirect=redirect, state=state, browser=digest_of(browser))
    await here.store.keep("login", digest_of(state), json.dumps(login), ttl_s=LOGIN_S)
    response = RedirectResponse(url, 302)
    secure = request.url.scheme == "https"
    # Lax, not Strict: the browser comes back from another site.
    response.set_cookie(_COOKIE, browser, max_age=LOGIN_S, path=_PATH, secure=secure, httponly=True, samesite="lax")
    return response


@router.get("/callback", response_class=HTMLResponse)
async def finish_login(
    here: Here,
    request: Request,
    code: Annotated[str, Query(max_length=4_096)] = "",
    state: Annotated[str, Query(max_length=256)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
) -> Response:
    """The provider sends the browser back: a session begins."""
    provider = _provider(here)
    kept = await here.store.take("login", digest_of(state)) if state else None
    if kept is None:
        raise unauthenticated("this login is not under way (any more): begin again")
    login = Login(*json.loads(kept))
    if not secrets.compare_digest(digest_of(request.cookies.get(_COOKIE, "")), login.browser):
        raise unauthenticated("this login was begun by another browser: begin again")
    if error or not code:
        raise unauthenticated(f"the provider let nobody in: {error or 'no code'}")
    principal = await provider.finish(login, code)
    secret, begun = await here.access.begin_session(principal)
    address = request.client.host if request.client else "unix"
    source = From(principal.name, principal.role, address, request.state.request_id)
    await here.audit.enter("login", source, path=_PATH)
    response = HTMLResponse(_PAGE)
    set_cookie(here, response, secret, until_ms=begun.expires_ms)
    response.delete_cookie(_COOKIE, path=_PATH)
    return response


def _provider(here: Services) -> OidcProvider:
    if here.provider is None:
        raise Refusal("not-here", "no OpenID provider is configured ([oidc] in the --config file)")
    return here.provider
