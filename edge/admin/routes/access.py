"""`/v1/me`, `/v1/session`, `/v1/tokens`: who asks, a browser's session, the tokens."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from edge.admin import tokens
from edge.admin.asking import Here, Noted, Who
from edge.admin.gate import cookie_name
from edge.admin.problems import Refusal, naming
from edge.admin.services import Services
from edge.admin.shapes.access import MadeToken, Me, NewToken, Session, TokenInfo
from edge.admin.tokens import DAY_MS, Token

router = APIRouter(prefix="/v1")


@router.get("/me", tags=["access"])
async def me(who: Who) -> Me:
    """Who the API thinks you are."""
    accounts = list(who.accounts)
    return Me.model_validate({**who._asdict(), "accounts": accounts})


@router.post("/session", tags=["access"], status_code=201)
async def begin_session(here: Here, who: Who, response: Response) -> Session:
    """Log a browser in: a token in the Authorization header becomes a cookie that no script can read."""
    secret, begun = await here.access.begin_session(who)
    set_cookie(here, response, secret, until_ms=begun.expires_ms)
    return Session(name=begun.name, role=begun.role, csrf=begun.csrf, expires_ms=begun.expires_ms)


@router.delete("/session", tags=["access"], status_code=204)
async def end_session(here: Here, who: Who, response: Response) -> None:
    """Log out."""
    if who.session:
        await here.access.end_session(who)
    set_cookie(here, response, "", until_ms=0)


@router.get("/tokens", tags=["tokens"])
async def list_tokens(here: Here) -> list[TokenInfo]:
    """Every token, without its secret."""
    found = [Token.from_text(text) for text in (await here.store.tokens()).values()]
    return [TokenInfo.model_validate(shown(one, here)) for one in sorted(found, key=lambda one: one.created_ms)]


@router.post("/tokens", tags=["tokens"], status_code=201)
async def make_token(here: Here, who: Who, noted: Noted, wanted: NewToken) -> MadeToken:
    """A new token: its text is told this once. The one-time token of a first run is spent by it."""
    now = here.wall_ms()
    until = now + wanted.days * DAY_MS
    with naming(NewToken):
        made, text = tokens.make(
            wanted.name, wanted.role, now_ms=now, expires_ms=until, by=who.name, accounts=wanted.accounts
        )
    if who.is_once:
        if wanted.role != "admin":
            raise Refusal("forbidden", "the first token has the role admin: it makes the others")
        if not await here.store.remove_token(who.token):
            raise Refusal("forbidden", "the one-time token was used already")
    await here.store.put_token(made.id, made.to_text())
    noted["after"] = shown(made, here)
    return MadeToken.model_validate({**shown(made, here), "token": text})


@router.delete("/tokens/{token}", tags=["tokens"], status_code=204)
async def revoke_token(
    here: Here, noted: Noted, token: Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$", examples=["0123456789ab"])]
) -> None:
    """It is good for nothing from now on, nor are the sessions that began with it."""
    text = await here.store.token(token)
    if text is None or not await here.store.remove_token(token):
        raise Refusal("not-found", f"no token {token}")
    noted["before"] = shown(Token.from_text(text), here)


def shown(token: Token, here: Services) -> dict[str, object]:
    """Without its secret."""
    words = token._asdict()
    del words["salt"], words["digest"]
    return {**words, "accounts": list(token.accounts), "is_expired": token.is_expired(here.wall_ms())}


def set_cookie(here: Services, response: Response, secret: str, *, until_ms: int) -> None:
    """The session's cookie; an empty one takes it away."""
    is_tls = here.orders.is_tls
    life_s = max(0, (until_ms - here.wall_ms()) // 1_000) if secret else 0
    name = cookie_name(is_tls=is_tls)
    response.set_cookie(name, secret, max_age=life_s, path="/", secure=is_tls, httponly=True, samesite="strict")
