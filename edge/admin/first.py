"""The first run: where nobody has a token yet, one is made that makes the first, once. I/O, by `store`."""

from edge.admin import tokens
from edge.admin.services import Services
from edge.admin.tokens import FIRST, FIRST_LIFE_MS, Token

TURN_S = 5


async def token_of_first_run(services: Services) -> str:
    """Its text; empty: there are tokens. One that was made before and not used yet is replaced: its text is nowhere.
    Raises StoreUnavailable."""
    store, now = services.store, services.wall_ms()
    found = [Token.from_text(text) for text in (await store.tokens()).values()]
    if any(not one.is_once for one in found):
        return ""
    if not await store.keep("turn", "first-run", "", ttl_s=TURN_S, only_new=True):
        return ""  # another node starts in this very moment, and says it
    for one in found:
        await store.remove_token(one.id)
    made, text = tokens.make(FIRST, "admin", now_ms=now, expires_ms=now + FIRST_LIFE_MS, by="edge", is_once=True)
    await store.put_token(made.id, made.to_text())
    return text
