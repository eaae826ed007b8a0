"""A node's end of the control channel (I/O): answers questions, shows itself once a second, hands traces on.

Off the way of calls: one task waits for questions, one shows the snapshot, one hands copies on; each does a bounded
piece of work in a turn of the loop. While the store is away there is no channel: nobody can ask, nothing queues up, and
calls go on.
"""

import asyncio
import traceback
from collections import OrderedDict
from collections.abc import Callable

from edge import __version__
from edge.clock import SystemClock
from edge.control.meter import Identity, Meter, trunk_calls
from edge.control.orders import SLICE, Orders, Reply
from edge.control.questions import (
    MAX_ANSWER_BYTES,
    Fault,
    Outcome,
    Question,
    TraceEnd,
    TraceLetter,
    read_question,
    write,
    write_answer,
)
from edge.control.snapshot import LEFT_MS, LIFE_MS, PUBLISH_S
from edge.control.tracing import Tap
from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact
from edge.proxy.listeners import Listeners
from edge.telemetry.sources import Sources
from limits.errors import StoreUnavailable
from limits.keys import answer_box_key
from limits.mailboxes import Letter, Mailboxes, box_of

AWAY_S = 0.5
"""Between two tries while the store is away."""
WAIT_S = 2.0
"""One wait for a question."""
AT_ONCE = 16
"""Questions taken at one time."""
ANSWER_LIFE_MS = 15_000
"""An answer nobody fetches is gone after this."""
HAND_ON_S = 0.2
COPY_LIFE_MS = 30_000
"""Copies that nobody fetches are gone after this."""
MOST_COPIES = 2_000
"""In the box of one trace, of all nodes."""
MOST_ANSWERS = 1_024
"""In one box: one for each node that was asked."""
REMEMBERED = 256
"""Ids of questions that were answered: the same one again (a repeat on a torn connection) is not carried out twice."""


class ControlChannel:
    """One for each process."""

    def __init__(
        self,
        url: str,
        sources: Sources,
        *,
        core: ProxyCore,
        meter: Meter,
        clock: SystemClock,
        listeners: Listeners,
        turn: Callable[[], None],
        tell: Callable[[Fact], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        """`turn` empties the core's outbox."""
        now = clock.now()
        names = tuple([listener.name for listener in listeners.all])
        self._identity = Identity(__version__, names, now, clock.wall(now) - now)
        self.tap = Tap(core, listeners, node=sources.node, wall_offset=self._identity.wall_offset)
        self._orders = Orders(
            core,
            self.tap,
            node=sources.node,
            wall_offset=self._identity.wall_offset,
            now=clock.now,
            turn=turn,
            tell=tell,
            is_stopping=is_stopping,
        )
        self._url = url
        self._core = core
        self._meter = meter
        self._sources = sources
        self._now = clock.now
        self._tell = tell
        self._is_stopping = is_stopping
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._is_traced = asyncio.Event()
        """A trace runs, or its last copies wait."""

    async def listen(self) -> None:
        """Takes questions, one after the other, until cancelled."""
        box = box_of(self._sources.node)
        async with Mailboxes(self._url) as boxes:
            while True:
                try:
                    for letter in await boxes.take(box, wait_s=WAIT_S, most=AT_ONCE):
                        await self._answer(boxes, letter)
                except StoreUnavailable:
                    await asyncio.sleep(AWAY_S)

    async def show(self) -> None:
        """Shows this node, once a second, until cancelled."""
        async with Mailboxes(self._url) as boxes:
            due = self._now() + PUBLISH_S
            while True:
                await asyncio.sleep(max(0.0, due - self._now()))
                now = self._now()
                self._meter.worst_lag_s = max(self._meter.worst_lag_s, now - due)
                due = max(due + PUBLISH_S, now)
                self.tap.expire(now)
                try:
                    await boxes.show(self._sources.node, await self.snapshot(), life_ms=LIFE_MS)
                except StoreUnavailable:
                    continue

    async def leave(self) -> None:
        """Says once that this node stops in order: who looks on later knows it from one that is gone."""
        async with Mailboxes(self._url) as boxes:
            try:
                await boxes.show(self._sources.node, await self.snapshot(), life_ms=LEFT_MS)
            except StoreUnavailable:
                return

    async def hand_on(self) -> None:
        """Hands the copies of traced messages on, a few times a second while there are any, until cancelled. What a box
        has no room for, and what the store is away for, is left out."""
        async with Mailboxes(self._url) as boxes:
            while True:
                if not self.tap and not self.tap.queue:
                    self._is_traced.clear()
                    await self._is_traced.wait()
                await asyncio.sleep(HAND_ON_S)
                while self.tap.queue:
                    try:
                        await self._hand_on(boxes)
                    except StoreUnavailable:
                        await asyncio.sleep(AWAY_S)

    async def _hand_on(self, boxes: Mailboxes) -> None:
        queue = self.tap.queue
        name = queue[0].trace
        letters: list[bytes] = []
        room = MOST_COPIES
        while queue and queue[0].trace == name and len(letters) < AT_ONCE:
            said = queue.popleft()
            letters.append(write(TraceLetter(said)))
            if isinstance(said, TraceEnd):
                room += AT_ONCE  # a last word is said although the box is full
        taken = 0
        try:
            taken = await boxes.post(answer_box_key(name), letters, most=room, life_ms=COPY_LIFE_MS)
        finally:
            self.tap.lost(name, len(letters) - taken)

    async def snapshot(self) -> bytes:
        """This node now, as JSON."""
        live = self._core.calls.live()
        by_trunk: dict[str, int] = {}
        for first in range(0, len(live), 4 * SLICE):
            trunk_calls(live[first : first + 4 * SLICE], by_trunk)
            await asyncio.sleep(0)
        draining = "stopping" if self._is_stopping() else "operator" if self._core.is_draining else ""
        return write(
            self._meter.snapshot(
                self._sources,
                self._core,
                self._identity,
                by_trunk,
                self._now(),
                draining=draining,
                traces=len(self.tap),
            )
        )

    async def _answer(self, boxes: Mailboxes, letter: Letter) -> None:
        """Carries out what is asked, unless it is too late for it. Raises StoreUnavailable."""
        try:
            question = read_question(letter.data)
        except ValueError as error:
            self._tell(Fact("control.unreadable", {"why": str(error)}))
            return
        if letter.left_ms <= 0 or question.id in self._answered:
            return
        self._answered[question.id] = None
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        reply = await self._reply(question)
        if self.tap or self.tap.queue:
            self._is_traced.set()
        data = write_answer(reply.outcome, reply.found)
        if len(data) > MAX_ANSWER_BYTES:
            data = write_answer(Outcome(self._sources.node, Fault.INTERNAL, "the answer is too long"), None)
        if reply.entry is not None:
            await boxes.enter(write(reply.entry))
        await boxes.post(answer_box_key(question.id), [data], most=MOST_ANSWERS, life_ms=ANSWER_LIFE_MS)

    async def _reply(self, question: Question) -> Reply:
        try:
            return await self._orders.carry_out(question)
        except Exception:
            # A fault of ours: told with its trace like any other, and the channel goes on.
            self._sources.counters.escaped += 1
            self._tell(Fact("core.escaped", {"where": question.ask.verb, "trace": traceback.format_exc(limit=-6)}))
            return Reply(Outcome(self._sources.node, Fault.INTERNAL), None, None)
