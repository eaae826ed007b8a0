"""RedisLimiter: the limiter's contract over Redis or Valkey, one script a verb, many verbs in one write.

I/O (asyncio). Nothing here waits: a verb is bytes out and, later, a reply in. What stands between is a queue in the
order of the wire (`_sent`) and one in the order of the deadlines (`_timed`), which is the same order, as all verbs
are given the same time. Replies that come too late are still read, since a lease may hang on them.
"""

import asyncio
import contextlib
import random
import secrets
from collections import deque
from collections.abc import Callable

from limits.address import parse_address
from limits.asked import OURS, STORE_WIDE, Asked
from limits.breaker import PROBE_S, Breaker, BreakerInput
from limits.errors import StoreUnavailable
from limits.journal import SettlementJournal
from limits.limiter import Deliver
from limits.link import LOADED, StoreLink, open_link
from limits.model import (
    GIVEN_BACK,
    AccountId,
    Admit,
    Admitted,
    Denied,
    Outcome,
    Renew,
    Settle,
    Unavailable,
    Usage,
    Verb,
)
from limits.near_cache import NearCache
from limits.script_loader import script
from limits.wire import UNKNOWN, Encoder, Epoch, Garbage, Load, Peek, Probe, outcome_of, usage_of

DEADLINE_S = 0.05
"""A decision later than this is no decision (R11)."""

STALL_S = 1.0
"""A store silent for so long is taken for dead: the connection is closed, and verbs are refused without waiting."""

PEEK_TIMEOUT_S = 1.0

BACKOFF_S = (0.05, 2.0)
"""First and longest pause between two attempts to connect; doubles in between, with jitter."""

MAX_SENT = 20_000
"""Verbs that may wait for a reply at one time; beyond, they are Unavailable at once."""

MAX_RENEWS = 10_000
"""Renewals that may wait for their turn; beyond, they are Unavailable at once."""

EPOCH_S = 1.0
"""Seconds between two looks whether the store has lost its data under a connection that stands."""

SLICE = 256
"""Kept settlements sent at one time when the store is back, so that fresh verbs need not wait behind all of them."""


class RedisLimiter:
    """`limits.limiter.Limiter` over one connection. `run` must be running; the integers below are its metrics."""

    def __init__(
        self,
        deliver: Deliver,
        url: str,
        *,
        deadline_s: float = DEADLINE_S,
        stall_s: float = STALL_S,
        journal: SettlementJournal | None = None,
        on_epoch: Callable[[str], None] | None = None,
    ) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`).

        `on_epoch` is told the name of the store's new life when it has lost its data: whoever owns the accounts must
        bring them in again and have running calls renewed, then `trust`."""
        self._deliver = deliver
        self._address = parse_address(url)
        self._deadline_s = deadline_s
        self._stall_s = stall_s
        self._encode = Encoder().encode
        self._loop: asyncio.AbstractEventLoop | None = None
        self._link: StoreLink | None = None
        self._up = asyncio.Event()
        self._queue: list[Verb] = []
        self._sent: deque[Asked] = deque()
        self._timed: deque[Asked] = deque()
        self._timer: asyncio.Handle | None = None
        self._journal = SettlementJournal() if journal is None else journal
        self._on_epoch = on_epoch
        self._epoch = ""
        self._breaker = Breaker()
        self._probe: asyncio.TimerHandle | None = None
        self._near = NearCache()
        self._renews: deque[Renew] = deque()
        """Renewals that wait: one at a time, so that a slow script delays the others by one round trip at most."""
        self._renewing = False
        self._own_waiting = 0
        self._again: deque[Asked] = deque()
        """Requests the store had no script for; not empty: nothing new is written until `_sent` has run dry."""
        self._behind: deque[Asked] = deque()
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
        self.is_recounting = False
        """The store has lost its data: its counters are not to be trusted, and no attempt is asked for."""
        self.epochs = 0
        """How often that happened."""
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
        return len(self._journal)

    @property
    def settles_dropped(self) -> int:
        """Settlements there was no more room for."""
        return self._journal.dropped

    @property
    def journal_errors(self) -> int:
        """The disk refused a settlement that waits: it is in memory only."""
        return self._journal.errors

    @property
    def breaker_opens(self) -> int:
        """How often the store was no longer asked since it kept missing the deadline."""
        return self._breaker.opens

    @property
    def is_breaker_open(self) -> bool:
        """The store is not asked at this moment."""
        return self._breaker.is_open

    @property
    def near_hits(self) -> int:
        """Attempts refused for CAPS without asking the store."""
        return self._near.hits

    @property
    def renews_waiting(self) -> int:
        """Renewals that wait for their turn."""
        return len(self._renews)

    def forget(self, holder: str) -> None:
        """The values of this holder were changed; an empty name: anybody's may have been."""
        self._near.forget(holder)

    def trust(self) -> None:
        """Running calls have taken their leases again: the store's counters count."""
        self.is_recounting = False

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
                        self._take_epoch(link.epoch)
                        self._up.set()
                        self._send_kept()
                    await self._until_lost(link)
                    if self._proven:
                        pause = BACKOFF_S[0]
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, longest)
        finally:
            if self._link is not None:
                self._link.close("stopped")
            self._journal.close()

    async def _until_lost(self, link: StoreLink) -> None:
        """Asks now and then whether the store still has its data."""
        while True:
            try:
                async with asyncio.timeout(EPOCH_S):
                    await link.lost.wait()
                return
            except TimeoutError:
                if not self._breaker.is_open:
                    self._ask_for_us(Epoch(secrets.token_hex(8)))

    def _take_epoch(self, epoch: str) -> None:
        before, self._epoch = self._epoch, epoch
        if before and before != epoch:
            self.epochs += 1
            self.is_recounting = True
            self._near.forget("")
            if self._on_epoch is not None:
                self._on_epoch(epoch)

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
        if self._link is None or self._loop is None or self._breaker.is_open:
            for verb in queue:
                self._refuse(verb, "the store is away")
            return
        now = self._loop.time()
        out: list[bytes] = []
        unasked: list[tuple[Verb, Outcome]] = []
        for verb in queue:
            if isinstance(verb, Admit):
                certain = self._near.find(verb.account, now)
                if certain is not None:
                    unasked.append((verb, certain))
                    continue
                if self.is_recounting:
                    unasked.append((verb, Unavailable("the store lost its data: recount")))
                    continue
            elif isinstance(verb, Renew):
                if self._renewing:
                    if len(self._renews) < MAX_RENEWS:
                        self._renews.append(verb)
                    else:
                        unasked.append((verb, Unavailable("too many renewals under way")))
                    continue
                self._renewing = True
            outcome = self._put(verb, now, out)
            if outcome is not None:
                unasked.append((verb, outcome))
        self._link.write(b"".join(out))
        self._set_timer(now)
        # Last, since what is delivered may flush again.
        for verb, outcome in unasked:
            if isinstance(outcome, Unavailable):
                self._refuse(verb, outcome.why)
            else:
                self._deliver(verb, outcome)

    def _put(self, verb: Verb, now: float, out: list[bytes]) -> Outcome | None:
        """The bytes of one verb into `out`; else why it is not asked."""
        if len(self._sent) >= MAX_SENT:
            self._renewing &= not isinstance(verb, Renew)
            return Unavailable("too many verbs under way")
        data = self._encode(verb)
        if data is None:
            self._renewing &= not isinstance(verb, Renew)
            return UNKNOWN
        asked = Asked(verb, now)
        self._timed.append(asked)
        if self._again:
            self._behind.append(asked)
        else:
            self._sent.append(asked)
            out.append(data)
        return None

    def _set_timer(self, now: float) -> None:
        if self._timer is None and self._sent and self._loop is not None:
            self._timer = self._loop.call_at(now + self._deadline_s, self._deadline_due)

    def _next_renew(self) -> None:
        """The renewal under way is over: the next one that waits."""
        self._renewing = False
        while self._renews and not self._renewing and self._link is not None and self._loop is not None:
            verb = self._renews.popleft()
            out: list[bytes] = []
            now = self._loop.time()
            self._renewing = True
            outcome = self._put(verb, now, out)
            if outcome is None:
                self._link.write(b"".join(out))
                self._set_timer(now)
            else:
                self._renewing = False
                self._deliver(verb, outcome)

    async def peek(self, account: AccountId) -> Usage | None:
        """See `Limiter.peek`."""
        if self._link is None or self._loop is None:
            raise StoreUnavailable(self.last_fault or "the store is away")
        verb = Peek(account)
        data = self._encode(verb)
        if data is None:
            return None
        asked = Asked(verb, self._loop.time())
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
        if isinstance(verb, OURS):
            self._on_other(asked, reply)
            return
        try:
            outcome = outcome_of(verb, reply)
        except Garbage as fault:
            self._sent.appendleft(asked)
            self._break(str(fault))
            return
        self._proven = True
        if isinstance(verb, Renew):
            self._next_renew()
        if not asked.done:
            asked.done = True
            self._breaker.tell(BreakerInput.ANSWERED)
            if type(outcome) is Denied and self._loop is not None:
                self._near.note(verb.account, outcome, self._loop.time())
            self._deliver(verb, outcome)
        elif asked.own:
            self._own_waiting -= 1
        else:
            self.late += 1
            if isinstance(verb, Admit) and type(outcome) is Admitted:
                self._give_back(verb)

    def _on_other(self, asked: Asked, reply: object) -> None:
        if asked.future is not None:
            if not asked.future.done():
                asked.future.set_result(reply)
        elif isinstance(asked.verb, Load):
            if reply != script(asked.verb.name).sha1.encode():
                self._break("SCRIPT LOAD answered by another name")
        elif isinstance(asked.verb, Epoch):
            if type(reply) is bytes:
                self._take_epoch(reply.decode("latin-1"))
            else:
                self._break("an epoch that is no word")
        elif isinstance(asked.verb, Probe):
            in_time = self._loop is not None and self._loop.time() - asked.at <= self._deadline_s
            self._breaker.tell(BreakerInput.PROBE_ANSWERED if in_time else BreakerInput.PROBE_MISSED)
            self._watch_breaker()

    def _ask_for_us(self, verb: Epoch | Probe) -> None:
        if self._link is None or self._loop is None:
            return
        asked = Asked(verb, self._loop.time())
        asked.done = True
        data = self._encode(verb)
        assert data is not None
        self._write(asked, data)
        self._set_timer(asked.at)

    def _watch_breaker(self) -> None:
        """Open: probe the store until it answers in time."""
        if self._breaker.is_open and self._probe is None and self._loop is not None:
            for verb in self._renews:
                self.unavailable += 1
                self._deliver(verb, Unavailable("the store is away"))
            self._renews.clear()
            self._probe = self._loop.call_later(PROBE_S, self._send_probe)

    def _send_probe(self) -> None:
        self._probe = None
        if self._breaker.is_open and self._link is not None:
            self._breaker.tell(BreakerInput.PROBE_SENT)
            self._ask_for_us(Probe())

    def _on_error(self, asked: Asked, text: str) -> None:
        if text.startswith("NOSCRIPT") and not asked.retried:
            asked.retried = True
            self._again.append(asked)
            return
        self.store_errors += 1
        self.last_fault = text
        if asked.future is not None and not asked.future.done():
            asked.future.set_exception(StoreUnavailable(text))
        if STORE_WIDE.search(text):
            self._sent.appendleft(asked)
            if self._link is not None:
                self._link.close(text)
            return
        # This verb alone: to ask it again would give the same error again, so nothing is kept.
        self._own_waiting -= asked.own
        if isinstance(asked.verb, Renew):
            self._next_renew()
        self._finish_unavailable(asked, text)

    def _on_read(self) -> None:
        if self._again and not self._sent:
            self._load_and_resend()
        if not self._own_waiting:
            if self._journal:
                self._send_kept()
            elif self._journal.is_written:
                self._journal.empty()
        if self._idle is not None and self._is_idle():
            self._idle.set()

    def _is_idle(self) -> bool:
        return not (self._sent or self._again or self._journal or self._renews)

    def _load_and_resend(self) -> None:
        """The store lost its scripts (restart, SCRIPT FLUSH): all of them are loaded, then all is asked once more."""
        assert self._loop is not None
        now = self._loop.time()
        requests = [Asked(Load(name), now) for name in LOADED]
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

    def _write(self, asked: Asked, data: bytes) -> None:
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
            asked = timed.popleft()
            if not asked.done:
                self._breaker.tell(BreakerInput.MISSED)
            self._finish_unavailable(asked, "no answer in time")
        self._watch_breaker()
        if self._sent and now - self._sent[0].at >= self._stall_s and self._link is not None:
            self.stalls += 1
            self._link.close(f"the store was silent for {self._stall_s:g} s")
        # Delivering may have flushed, and that may have set the timer.
        if self._timer is None and (timed or self._sent):
            first = timed[0].at if timed else now
            self._timer = self._loop.call_at(first + self._deadline_s, self._deadline_due)

    def _finish_unavailable(self, asked: Asked, why: str) -> None:
        verb = asked.verb
        if not asked.done and not isinstance(verb, OURS):
            asked.done = True
            self.unavailable += 1
            self._deliver(verb, Unavailable(why))

    def _refuse(self, verb: Verb, why: str) -> None:
        """Unavailable before anything was sent; a settlement is kept."""
        if isinstance(verb, Settle):
            self._journal.keep(verb, is_maybe_applied=False)
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
        self._renewing = False
        self._breaker.tell(BreakerInput.LOST)
        renews = [*self._renews]
        self._renews.clear()
        for asked in under_way:
            if isinstance(asked.verb, Settle):
                self._journal.keep(asked.verb, is_maybe_applied=True)
            elif isinstance(asked.verb, Admit):
                self._give_back(asked.verb)
            if asked.future is not None and not asked.future.done():
                asked.future.set_exception(StoreUnavailable(why))
        for asked in under_way:
            self._finish_unavailable(asked, why)
        for renew in renews:
            self.unavailable += 1
            self._deliver(renew, Unavailable(why))

    def _give_back(self, admit: Admit) -> None:
        """Returns a lease nobody knows of. Idempotent, and harmless where none was taken."""
        self.given_back += 1
        self._journal.keep(Settle(admit.account, admit.uid, GIVEN_BACK, 0), is_maybe_applied=False)

    def _send_kept(self) -> None:
        if self._loop is None or self._link is None:
            return
        now = self._loop.time()
        for settle in self._journal.take(SLICE):
            data = self._encode(settle)
            if data is None:
                continue
            asked = Asked(settle, now)
            asked.done = asked.own = True
            self._own_waiting += 1
            self._write(asked, data)
        self._set_timer(now)
