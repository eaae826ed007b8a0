"""Waiting, in the chaos: for an event or a fact, always with a bound."""

import asyncio
from collections.abc import Awaitable, Callable

BOUND_S = 20.0
LOOK_S = 0.02
"""How often a fact is looked at that nobody tells."""


async def told(event: asyncio.Event, bound_s: float) -> bool:
    """True as soon as the event has come; False when the time has passed without it."""
    try:
        await asyncio.wait_for(event.wait(), bound_s)
    except TimeoutError:
        return event.is_set()
    return True


async def until(fact: Callable[[], object], what: str, bound_s: float = BOUND_S) -> None:
    """Wait for this fact."""

    async def look() -> object:
        return fact()

    await until_found(look, what, bound_s)


async def until_found(look: Callable[[], Awaitable[object]], what: str, bound_s: float = BOUND_S) -> None:
    """Wait until what has to be asked for is so."""
    nobody_tells = asyncio.Event()
    try:
        async with asyncio.timeout(bound_s):
            while not await look():
                await told(nobody_tells, LOOK_S)
    except TimeoutError:
        raise AssertionError(f"waited {bound_s} s in vain for {what}") from None
