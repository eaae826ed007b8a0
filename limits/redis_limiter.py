"""RedisLimiter: the limiter's contract over Redis or Valkey, one script a verb, many verbs in one write.

I/O (asyncio). Nothing here waits: a verb is bytes out and, later, a reply in. What stands between is a queue in the
order of the wire (`_sent`) and one in the order of the deadlines (`_timed`), which is the same order, as all verbs
are given the same time. Replies that come too late are still read, since a lease may hang on them.
"""

import asyncio
import contextlib
import random
import re
from collections import deque

from limits.address import parse_address
from limits.errors import StoreUnavailable
from limits.limiter import Deliver
from limits.link import LOADED, StoreLink, open_link
from limits.model import GIVEN_BACK, AccountId, Admit, Admitted, Outcome, Settle, Unavailable, Usage, Verb
from limits.script_loader import script
from limits.wire import UNKNOWN, Encoder, Garbage, Load, Peek, outcome_of, usage_of

DEADLINE_S = 0.05
"""A decision later than this is no decision (R11)."""

STALL_S = 1.0
"""A store silent for so long is taken for dead: the connection is closed, and verbs are refused without waiting."""

PEEK_TIMEOUT_S = 1.0

BACKOFF_S = (0.05, 2.0)
"""First and longest pause between two attempts to connect; doubles in between, with jitter."""

MAX_SENT = 20_000
"""Verbs that may wait for a reply at one time; beyond, they are Unavailable at once."""

MAX_KEPT = 10_000
"""Settlements kept while the store is away; beyond, the oldest is dropped and counted (its lease will run out)."""

SLICE = 256
"""Kept settlements sent at one time when the store is back, so that fresh verbs need not wait behind all of them."""

_STORE_WIDE = re.compile(
    r"(?:^|-)(?:LOADING|READONLY|MASTERDOWN|MISCONF|OOM|BUSY|NOAUTH|NOPERM|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOREPLICAS)\b"
)
"""Error replies that concern every verb, not this one: the connection is closed and opened again later."""


class _Asked:
    """One request on the wire."""

    __slots__ = ("at", "done", "future", "own", "retried", "verb")

    def __init__(self, verb: Verb | Peek | Load, at: float) -> None:
        self.verb = verb
        self.at = at
        self.done = False
        """Its asker has been answered; the reply, when it comes, is for us alone."""
        self.own = False
        """A settlement of ours: given back, or kept from earlier."""
        self.retried = False
        self.future: asyncio.Future[object] | None = None


class RedisLimiter:
    """`limits.limiter.Limiter` over one connection. `run` must be running; the integers below are its metrics."""

    def __init__(self, deliver: Deliver, url: str, *, deadline_s: float = DEADLINE_S, stall_s: float = STALL_S) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._deliver = deliver
        self._address = parse_address(url)
        self._deadline_s = deadline_s
        self._stall_s = stall_s
        self._encode = Encoder().encode
        self._loop: asyncio.AbstractEventLoop | None = None
        self._link: StoreLink | None = None
        self._up = asyncio.Event()
        self._queue: list[Verb] = []
        self._sent: deque[_Asked] = deque()
        self._timed: deque[_Asked] = deque()
        self._timer: asyncio.Handle | None = None
        self._kept: deque[Settle] = deque()
        self._own_waiting = 0
        self._again: deque[_Asked] = deque()
        """Requests the store had no script for; not empty: nothing new is written until `_sent` has run dry."""
        self._behind: deque[_Asked] = deque()
        """Requests that wait behind those, to keep the order."""
        self._proven = False
        """This connection has answered a verb: the next back-off starts small again."""
        self._idle: asyncio.Event | None = None
        """Somebody waits for the moment when nothing is under way."""
        self.asked = 0
        self.late = 0
        """Replies that came after their deadline."""
        self.unavailable = 0
        self.reconnects = 0
        self.given_back = 0
        """Leases returned because their asker had stopped waiting, or might have got one nobody heard of."""
        self.settles_dropped = 0
        self.store_errors = 0
        """Error replies of the store."""
        self.garbage = 0
        """Connections closed for what came over them."""
        self.stalls = 0
        """Connections closed for silence."""
        self.last_fault = ""
        """Why the store was last found away, for people."""

    @property
    def is_up(self) -> bool:
        """Connected, scripts loaded."""
        return self._link is not None

    @property
    def queued_settles(self) -> int:
        """Settlements that wait for the store to come back."""
        return len(self._kept)

    async def run(self) -> None:
        """Keeps a connection until cancelled. The server owns this coroutine; ended, every verb is Unavailable."""
        self._loop = asyncio.get_running_loop()
        pause, longest = BACKOFF_S
        connected = 0
        try:
            while True:
                try:
                    link = await open_link(
                        self._address, on_reply=self._on_reply, on_read=self._on_read, on_lost=self._on_lost
                    )
                except StoreUnavailable as fault:
                    self.last_fault = str(fault)
                else:
                    if not link.lost.is_set():
                        self.reconnects += connected > 0
                        connected += 1
                        self._link = link
                        self._proven = False
                        self._up.set()
                        self._send_kept()
                    await link.lost.wait()
                    if self._proven:
                        pause = BACKOFF_S[0]
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, longest)
        finally:
            if self._link is not None:
                self._link.close("stopped")

    async def connected(self, *, timeout_s: float) -> bool:
        """Waits for the first connection, at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def drained(self, *, timeout_s: float) -> bool:
        """Waits until nothing is under way and nothing is kept, at most so long: for the end of the process."""
        self.flush()
        if not self._is_idle():
            self._idle = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._idle.wait()
            self._idle = None
        return self._is_idle()

    # The contract

    def submit(self, verb: Verb) -> None:
        """See `Limiter.submit`."""
        self._queue.append(verb)

    def flush(self) -> None:
        """See `Limiter.flush`."""
        queue = self._queue
        if not queue:
            return
        self._queue = []
        self.asked += len(queue)
        if self._link is None or self._loop is None:
            for verb in queue:
                self._refuse(verb, "the store is away")
            return
        now = self._loop.time()
        encode = self._encode
        out: list[bytes] = []
        unasked: list[tuple[Verb, Outcome]] = []
        for verb in queue:
            if len(self._sent) >= MAX_SENT:
                unasked.append((verb, Unavailable("too many verbs under way")))
                continue
            data = encode(verb)
            if data is None:
                unasked.append((verb, UNKNOWN))
                continue
            asked = _Asked(verb, now)
            self._timed.append(asked)
            if self._again:
                self._behind.append(asked)
            else:
                self._sent.append(asked)
                out.append(data)
        self._link.write(b"".join(out))
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._deadline_s, self._deadline_due)
        # Last, since what is delivered may flush again.
        for verb, outcome in unasked:
            if isinstance(outcome, Unavailable):
                self._refuse(verb, outcome.why)
            else:
                self._deliver(verb, outcome)

    async def peek(self, account: AccountId) -> Usage | None:
        """See `Limiter.peek`."""
        if self._link is None or self._loop is None:
            raise StoreUnavailable(self.last_fault or "the store is away")
        verb = Peek(account)
        data = self._encode(verb)
        if data is None:
            return None
        asked = _Asked(verb, self._loop.time())
        asked.done = True
        asked.future = self._loop.create_future()
        self._write(asked, data)
        try:
            async with asyncio.timeout(PEEK_TIMEOUT_S):
                reply = await asked.future
        except TimeoutError as fault:
            raise StoreUnavailable(f"no answer to a peek within {PEEK_TIMEOUT_S:g} s") from fault
        try:
            return usage_of(account, reply)
        except Garbage as fault:
            raise StoreUnavailable(str(fault)) from fault

    # Replies

    def _on_reply(self, reply: object) -> None:
        if not self._sent:
            self._break("a reply nobody asked for")
            return
        asked = self._sent.popleft()
        if isinstance(reply, Exception):
            self._on_error(asked, str(reply))
            return
        verb = asked.verb
        if isinstance(verb, (Peek, Load)):
            self._on_other(asked, reply)
            return
        try:
            outcome = outcome_of(verb, reply)
        except Garbage as fault:
            self._sent.appendleft(asked)
            self._break(str(fault))
            return
        self._proven = True
        if not asked.done:
            asked.done = True
            self._deliver(verb, outcome)
        elif asked.own:
            self._own_waiting -= 1
        else:
            self.late += 1
            if isinstance(verb, Admit) and type(outcome) is Admitted:
                self._give_back(verb)

    def _on_other(self, asked: _Asked, reply: object) -> None:
        if asked.future is not None:
            if not asked.future.done():
                asked.future.set_result(reply)
        elif isinstance(asked.verb, Load) and reply != script(asked.verb.name).sha1.encode():
            self._break("SCRIPT LOAD answered by another name")

    def _on_error(self, asked: _Asked, text: str) -> None:
        if text.startswith("NOSCRIPT") and not asked.retried:
            asked.retried = True
            self._again.append(asked)
            return
        self.store_errors += 1
        self.last_fault = text
        if asked.future is not None and not asked.future.done():
            asked.future.set_exception(StoreUnavailable(text))
        if _STORE_WIDE.search(text):
            self._sent.appendleft(asked)
            if self._link is not None:
                self._link.close(text)
            return
        # This verb alone: to ask it again would give the same error again, so nothing is kept.
        self._own_waiting -= asked.own
        self._finish_unavailable(asked, text)

    def _on_read(self) -> None:
        if self._again and not self._sent:
            self._load_and_resend()
        if self._kept and not self._own_waiting:
            self._send_kept()
        if self._idle is not None and self._is_idle():
            self._idle.set()

    def _is_idle(self) -> bool:
        return not (self._sent or self._again or self._kept)

    def _load_and_resend(self) -> None:
        """The store lost its scripts (restart, SCRIPT FLUSH): all of them are loaded, then all is asked once more."""
        assert self._loop is not None
        now = self._loop.time()
        requests = [_Asked(Load(name), now) for name in LOADED]
        for request in requests:
            request.done = True
        requests += self._again
        requests += self._behind
        self._again.clear()
        self._behind.clear()
        for request in requests:
            data = self._encode(request.verb)
            assert data is not None
            self._write(request, data)

    def _write(self, asked: _Asked, data: bytes) -> None:
        if self._again:
            self._behind.append(asked)
        elif self._link is not None:
            self._sent.append(asked)
            self._link.write(data)

    # Deadlines

    def _deadline_due(self) -> None:
        """A loop that was held up runs its timers before it reads. Replies that are here already get their turn first:
        two rounds of the loop, since what is called soon still comes before the reading of this round."""
        assert self._loop is not None
        soon, now = self._loop.call_soon, self._loop.time()
        self._timer = soon(lambda: soon(self._end_overdue, now))

    def _end_overdue(self, now: float) -> None:
        """Everything that was overdue at `now`, and has had no reply since, is Unavailable."""
        assert self._loop is not None
        self._timer = None
        timed = self._timed
        over = now - self._deadline_s
        while timed and (timed[0].done or timed[0].at <= over):
            self._finish_unavailable(timed.popleft(), "no answer in time")
        if self._sent and now - self._sent[0].at >= self._stall_s and self._link is not None:
            self.stalls += 1
            self._link.close(f"the store was silent for {self._stall_s:g} s")
        # Delivering may have flushed, and that may have set the timer.
        if self._timer is None and (timed or self._sent):
            first = timed[0].at if timed else now
            self._timer = self._loop.call_at(first + self._deadline_s, self._deadline_due)

    def _finish_unavailable(self, asked: _Asked, why: str) -> None:
        verb = asked.verb
        if not asked.done and not isinstance(verb, (Peek, Load)):
            asked.done = True
            self.unavailable += 1
            self._deliver(verb, Unavailable(why))

    def _refuse(self, verb: Verb, why: str) -> None:
        """Unavailable before anything was sent; a settlement is kept."""
        if isinstance(verb, Settle):
            self._keep(verb)
        self.unavailable += 1
        self._deliver(verb, Unavailable(why))

    # Loss, and what must survive it

    def _break(self, fault: str) -> None:
        if self._link is not None:
            self._link.close(fault, garbled=True)

    def _on_lost(self, why: str) -> None:
        """Everything under way is Unavailable. What may have taken a lease is given back when the store returns."""
        if self._link is None:
            return
        self.garbage += self._link.garbled
        self._link = None
        self._up.clear()
        self.last_fault = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        under_way = [*self._sent, *self._again, *self._behind]
        for queue in (self._sent, self._again, self._behind, self._timed):
            queue.clear()
        self._own_waiting = 0
        returned = deque(self._kept)
        self._kept.clear()
        for asked in under_way:
            if isinstance(asked.verb, Settle):
                self._keep(asked.verb)
            elif isinstance(asked.verb, Admit):
                self._give_back(asked.verb)
            if asked.future is not None and not asked.future.done():
                asked.future.set_exception(StoreUnavailable(why))
        for settle in returned:
            self._keep(settle)
        for asked in under_way:
            self._finish_unavailable(asked, why)

    def _give_back(self, admit: Admit) -> None:
        """Returns a lease nobody knows of. Idempotent, and harmless where none was taken."""
        self.given_back += 1
        self._keep(Settle(admit.account, admit.uid, GIVEN_BACK, 0))

    def _keep(self, settle: Settle) -> None:
        if len(self._kept) >= MAX_KEPT:
            self._kept.popleft()
            self.settles_dropped += 1
        self._kept.append(settle)

    def _send_kept(self) -> None:
        if self._loop is None or self._link is None:
            return
        now = self._loop.time()
        for _ in range(min(SLICE, len(self._kept))):
            settle = self._kept.popleft()
            data = self._encode(settle)
            if data is None:
                continue
            asked = _Asked(settle, now)
            asked.done = asked.own = True
            self._own_waiting += 1
            self._write(asked, data)
        if self._timer is None and self._sent:
            self._timer = self._loop.call_at(now + self._deadline_s, self._deadline_due)
