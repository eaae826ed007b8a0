"""Alerts in the store: how each of them stands, what is told of them, who has had it. I/O, through redis-py.

Texts are opaque here. Standings and events are one for all nodes: whoever looks moves a standing by compare-and-set,
and the same script writes down what is told. Webhooks read the events behind cursors of their own, so that neither a
restart of a node nor its death loses one. Everything carries one hash tag (`limits.keys`).
"""

from typing import NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.errors import StoreUnavailable
from limits.keys import ALERT_CLAIM, ALERT_CREDIT, ALERT_CURSORS, ALERT_EVENTS, ALERT_NODES, ALERT_STATES
from limits.script_loader import script
from limits.stores import open_store

KEPT = 10_000
"""Events (about); a webhook that is away for longer than they last misses the oldest."""
FIRST = "0-0"
"""Before every event."""


class Event(NamedTuple):
    """One event."""

    id: str
    """Its place in the stream."""
    text: str


class AlertStore:
    """Use as `async with AlertStore(url) as alerts`. Every method raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    # -- standings -------------------------------------------------------------------------------------------------

    async def states(self) -> dict[str, str]:
        """alert -> standing, of those that are not at rest."""
        return await self._hash(ALERT_STATES)

    async def move(self, alert: str, *, expected: str, state: str, event: str = "", kept: int = KEPT) -> bool:
        """Compare-and-set ('': none), with what is told of it. False: another node was faster, and nothing was done."""
        words = (alert, expected, state, event, str(kept))
        try:
            reply = await self._redis.eval(script("alert_move").text, 2, ALERT_STATES, ALERT_EVENTS, *words)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return int(reply[0]) == 1

    # -- events ----------------------------------------------------------------------------------------------------

    async def events(self, *, after: str, most: int) -> list[Event]:
        """Those behind this one, the oldest first."""
        try:
            found = await self._redis.xrange(ALERT_EVENTS, f"({after}", "+", count=most) or []
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return [_event(entry) for entry in found]

    async def newest(self, *, most: int) -> list[Event]:
        """The latest, the newest first."""
        try:
            found = await self._redis.xrevrange(ALERT_EVENTS, count=most) or []
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return [_event(entry) for entry in found]

    async def oldest(self) -> str:
        """The place of the oldest event that is kept; empty: there is none."""
        try:
            found = await self._redis.xrange(ALERT_EVENTS, count=1) or []
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return _event(found[0]).id if found else ""

    async def claim(self, webhook: str, node: str, *, for_ms: int) -> bool:
        """Is it this node that sends to this webhook? Then it is for so long from now."""
        try:
            reply = await self._redis.eval(script("alert_claim").text, 1, ALERT_CLAIM + webhook, node, str(for_ms))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return int(reply[0]) == 1

    async def cursor(self, webhook: str) -> str:
        """The last event it has had; empty: it is new."""
        return (await self._hash(ALERT_CURSORS)).get(webhook, "")

    async def set_cursor(self, webhook: str, event: str) -> None:
        """It has had this one and all before it."""
        await self._set(ALERT_CURSORS, webhook, event)

    # -- what is known of nodes and accounts -----------------------------------------------------------------------

    async def nodes(self) -> dict[str, str]:
        """node -> `up` or `left`."""
        return await self._hash(ALERT_NODES)

    async def set_node(self, node: str, state: str) -> None:
        """Empty: it is not to be expected any more."""
        await self._set(ALERT_NODES, node, state)

    async def credit(self) -> dict[str, int]:
        """account -> micro-units below which its credit is told."""
        return {account: int(text) for account, text in (await self._hash(ALERT_CREDIT)).items()}

    async def set_credit(self, account: str, micros: int | None) -> None:
        """None: what is in force for all."""
        await self._set(ALERT_CREDIT, account, "" if micros is None else str(micros))

    async def _set(self, key: str, field: str, value: str) -> None:
        try:
            if value:
                await self._redis.hset(key, field, value)
            else:
                await self._redis.hdel(key, field)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def _hash(self, key: str) -> dict[str, str]:
        try:
            found = await self._redis.hgetall(key)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return {str(name): str(value) for name, value in found.items()}


def _event(entry: tuple[object, object]) -> Event:
    place, words = entry
    text = words.get("event", "") if isinstance(words, dict) else ""
    return Event(str(place), str(text))
