"""Sends what is told of alerts to one webhook: in order, at least once, tried again until it is taken (I/O).

The events are in the store, behind a cursor of this webhook's own; of all nodes one has the claim to send. What a node
tells while it cannot reach the store waits in its memory, and only that.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

import orjson

from edge.alerts.build import Hook
from edge.alerts.events import AlertEvent
from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed, pause_s
from edge.cdr.delivery.posting import judge
from edge.cdr.delivery.worker import Worker
from edge.proxy.facts import Fact
from limits.alerts import FIRST, AlertStore
from limits.errors import StoreUnavailable

POLL_S = 1.0
AT_ONCE = 100
"""Events looked at in one turn."""
CLAIM_S = 10.0
"""Beyond the pause and the time-out: a node that is gone is followed by another after that."""
MOST_OWN = 100
"""Of a node that cannot reach the store; beyond it the oldest go."""


class Sender:
    """One for each webhook and process."""

    def __init__(
        self,
        hook: Hook,
        *,
        node: str,
        tell: Callable[[Fact], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._hook = hook
        self._node = node
        self._tell = tell
        self._draw = draw
        self._worker = Worker(f"alerts-{hook.name}")
        self._own: deque[AlertEvent] = deque(maxlen=MOST_OWN)
        self._failures_in_a_row = 0
        self._lost_before = ""
        """The oldest event when it was last told that older ones are gone."""
        self.sent = 0
        self.failed = 0
        self.dropped = 0
        """Refused for good, or gone from the store before they could be sent."""
        self.waiting = 0
        """At the last look; 0 on a node that has not the claim."""

    @property
    def name(self) -> str:
        """Of the webhook."""
        return self._hook.name

    @property
    def is_failing(self) -> bool:
        """The last request failed."""
        return self._failures_in_a_row > 0

    def push(self, event: AlertEvent) -> None:
        """What this node tells without the store."""
        if self._hook.wanted.takes(event._asdict()):
            self.dropped += len(self._own) == MOST_OWN
            self._own.append(event)

    async def run(self, store: AlertStore) -> None:
        """Until cancelled."""
        while True:
            pause = await self.turn(store)
            await asyncio.sleep(pause)

    def close(self) -> None:
        """Hang up; it sends no more."""
        self._hook.poster.hang_up()
        self._worker.close()

    async def turn(self, store: AlertStore) -> float:
        """Sends what waits, as far as it is taken; the seconds until the next turn."""
        try:
            while self._own:
                await self._send(self._own[0]._asdict())
                self._own.popleft()
            return await self._from_store(store)
        except StoreUnavailable:
            return POLL_S
        except DeliveryFailed as why:
            self.failed += 1
            self._failures_in_a_row += 1
            pause = pause_s(self._hook.bounds, self._failures_in_a_row, self._draw(), asked_s=why.retry_after_s)
            words: dict[str, str | int | float] = {
                "webhook": self.name,
                "why": str(why),
                "retry_s": round(pause, 1),
                "waiting": self.waiting,
            }
            self._tell(Fact("alerts.failed", words))
            with suppress(StoreUnavailable):
                await self._claim(store, pause)
            return pause

    async def _from_store(self, store: AlertStore) -> float:
        if not await self._claim(store, POLL_S):
            self.waiting = 0
            return POLL_S
        cursor = await store.cursor(self.name)
        if not cursor:
            newest = await store.newest(most=1)
            await store.set_cursor(self.name, newest[0].id if newest else FIRST)
            return POLL_S
        events = await store.events(after=cursor, most=AT_ONCE)
        await self._tell_lost(store, cursor)
        self.waiting = len(events)
        for event in events:
            words = _words(event.text)
            if words is not None and self._hook.wanted.takes(words):
                await self._send(words)
                await self._claim(store, POLL_S)
            await store.set_cursor(self.name, event.id)
            self.waiting -= 1
        return 0.0 if len(events) == AT_ONCE else POLL_S

    async def _tell_lost(self, store: AlertStore, cursor: str) -> None:
        """The store keeps so many events: a webhook that was away for longer has missed the oldest."""
        oldest = await store.oldest()
        if cursor != FIRST and oldest != self._lost_before and oldest and _place(oldest) > _place(cursor):
            self._lost_before = oldest
            self.dropped += 1
            self._tell(Fact("alerts.dropped", {"webhook": self.name, "why": "older than what the store keeps"}))

    async def _claim(self, store: AlertStore, pause: float) -> bool:
        seconds = pause + self._hook.bounds.timeout_s + CLAIM_S
        return await store.claim(self.name, self._node, for_ms=round(seconds * 1_000))

    async def _send(self, words: Mapping[str, object]) -> None:
        """One POST. Raises DeliveryFailed; what is refused for good is told, and passed over."""
        try:
            await post(self._hook, self._worker, words)
        except BatchRefused as why:
            self.dropped += 1
            self._tell(Fact("alerts.dropped", {"webhook": self.name, "why": str(why)}))
        else:
            self.sent += 1
        self._failures_in_a_row = 0


async def post(hook: Hook, worker: Worker, words: Mapping[str, object]) -> None:
    """One event to one webhook. Raises DeliveryFailed, BatchRefused."""
    body = orjson.dumps(words)
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(words.get("id", "")),
        "Trunkgate-Event": str(words.get("event", "")),
        "Trunkgate-Alert-Kind": str(words.get("kind", "")),
    }
    try:
        async with asyncio.timeout(hook.bounds.timeout_s):
            status, retry_after = await worker.do(hook.poster.post, body, headers)
    except TimeoutError as error:
        hook.poster.hang_up()  # wakes the thread, however slowly the other side talks
        raise DeliveryFailed(f"no answer in {hook.bounds.timeout_s:g} s") from error
    except asyncio.CancelledError:
        hook.poster.hang_up()
        raise
    judge(status, retry_after)


def _words(text: str) -> dict[str, object] | None:
    """None: put there by hand."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _place(event: str) -> tuple[int, int]:
    at, _, nth = event.partition("-")
    return int(at), int(nth or 0)
