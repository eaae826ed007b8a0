"""RedisLimiter: the limiter's contract over Redis or Valkey, one script a verb, many verbs in one write.

I/O (asyncio). Nothing here waits: a verb is bytes out and, later, a reply in. What stands between is a queue in the
order of the wire (`pending`) and one in the order of the deadlines (`deadlines`), which is the same order, as all verbs
are given the same time. Replies that come too late are still read, since a lease may hang on them.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable

from limits.address import StoreAddress, parse_address
from limits.asked import ELSEWHERE, OURS, STORE_WIDE, Asked
from limits.breaker import PROBE_S, Breaker, BreakerInput
from limits.connection import Connection, Find
from limits.deadlines import Deadlines
from limits.errors import StoreUnavailable
from limits.journal import SettlementJournal
from limits.keys import EPOCH
from limits.limiter import Deliver
from limits.link import StoreLink
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
from limits.pending import Pending
from limits.script_loader import script
from limits.turns import RenewTurns
from limits.wire import UNKNOWN, Asking, Encoder, Epoch, Garbage, Load, Peek, Probe, outcome_of, usage_of

DEADLINE_S = 0.05
"""A decision later than this is no decision (R11)."""

STALL_S = 1.0
"""A store silent for so long is taken for dead: the connection is closed, and verbs are refused without waiting."""

PEEK_TIMEOUT_S = 1.0

MAX_SENT = 20_000
"""Verbs that may wait for a reply at one time; beyond, they are Unavailable at once."""

SLICE = 256
"""Kept settlements sent at one time when the store is back, so that fresh verbs need not wait behind all of them."""


Elsewhere = Callable[["RedisLimiter", Asked, str, str], None]
"""Takes a request that this master does not hold: (who asked it, the request, MOVED or ASK or TRYAGAIN, HOST:PORT)."""


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
        find: Find | None = None,
        elsewhere: Elsewhere | None = None,
        epoch_key: str = EPOCH,
    ) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`).

        `on_epoch` is told the name of the store's new life when it has lost its data: whoever owns the accounts must
        bring them in again and have running calls renewed, then `trust`. `find` says where the store is, where it is
        not always at one place. `elsewhere` takes what belongs to another master of a cluster."""
        self._deliver = deliver
        address = parse_address(url)

        async def stay() -> StoreAddress:
            return address

        self._connection = Connection(
            find or stay,
            on_up=self._on_up,
            on_reply=self._on_reply,
            on_read=self._on_read,
            on_lost=self._on_lost,
            on_fault=self._on_fault,
            on_tick=self._on_tick,
        )
        self._elsewhere = elsewhere
        self._epoch_key = epoch_key
        self._deadline_s = deadline_s
        self._stall_s = stall_s
        encoder = Encoder()
        self._encode = encoder.encode
        self._pending = Pending(encoder)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up = asyncio.Event()
        self._queue: list[Verb] = []
        self._deadlines = Deadlines(deadline_s, on_missed=self._missed, on_round=self._round)
        self._journal = SettlementJournal() if journal is None else journal
        self._on_epoch = on_epoch
        self._epoch = ""
        self._breaker = Breaker()
        self._probe: asyncio.TimerHandle | None = None
        self._near = NearCache()
        self._turns = RenewTurns()
        self._own_waiting = 0
        self._idle: asyncio.Event | None = None
        """Somebody waits for the moment when nothing is under way."""
        self.asked = 0
        self.late = 0
        """Replies that came after their deadline."""
        self.unavailable = 0
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
        return self._pending.link is not None

    @property
    def reconnects(self) -> int:
        """Connections made anew."""
        return self._connection.reconnects

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
        return len(self._turns)

    def forget(self, holder: str) -> None:
        """The values of this holder were changed; an empty name: anybody's may have been."""
        self._near.forget(holder)

    def trust(self) -> None:
        """Running calls have taken their leases again: the store's counters count."""
        self.is_recounting = False

    async def run(self) -> None:
        """Keeps a connection until cancelled. The server owns this coroutine; ended, every verb is Unavailable."""
        self._loop = asyncio.get_running_loop()
        self._deadlines.start(self._loop)
        try:
            await self._connection.run(lambda: self._epoch_key)
        finally:
            if self._pending.link is not None:
                self._pending.link.close("stopped")
            self._journal.close()

    def _on_up(self, link: StoreLink) -> None:
        self._pending.link = link
        self._take_epoch(link.epoch)
        self._up.set()
        self._send_kept()

    def _on_fault(self, why: str) -> None:
        self.last_fault = why

    def _on_tick(self) -> None:
        """Has the store still its data?"""
        if not self._breaker.is_open:
            self._ask_for_us(Epoch(secrets.token_hex(8), self._epoch_key))

    def watch_epoch(self, key: str) -> None:
        """The life of this store is told by another key from now on: the slots have moved."""
        if key != self._epoch_key:
            self._epoch_key = key
            self._epoch = ""

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
        if self._pending.link is None or self._loop is None or self._breaker.is_open:
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
            elif isinstance(verb, Renew) and not self._turns.take():
                if not self._turns.wait(verb):
                    unasked.append((verb, Unavailable("too many renewals under way")))
                continue
            outcome = self._put(verb, now, out)
            if outcome is not None:
                unasked.append((verb, outcome))
        self._pending.link.write(b"".join(out))
        self._set_timer(now)
        # Last, since what is delivered may flush again.
        for verb, outcome in unasked:
            if isinstance(outcome, Unavailable):
                self._refuse(verb, outcome.why)
            else:
                self._deliver(verb, outcome)

    def _put(self, verb: Verb, now: float, out: list[bytes]) -> Outcome | None:
        """The bytes of one verb into `out`; else why it is not asked."""
        if self._pending.on_wire >= MAX_SENT:
            self._turns.is_taken &= not isinstance(verb, Renew)
            return Unavailable("too many verbs under way")
        data = self._encode(verb)
        if data is None:
            self._turns.is_taken &= not isinstance(verb, Renew)
            return UNKNOWN
        asked = Asked(verb, now)
        self._deadlines.add(asked)
        if self._pending.put(asked):
            out.append(data)
        return None

    def _set_timer(self, now: float) -> None:
        if self._pending.on_wire:
            self._deadlines.watch(now)

    def _next_renew(self) -> None:
        """The renewal under way is over: the next one that waits."""
        while (verb := self._turns.next()) is not None and self._pending.link is not None and self._loop is not None:
            out: list[bytes] = []
            now = self._loop.time()
            outcome = self._put(verb, now, out)
            if outcome is None:
                self._pending.link.write(b"".join(out))
                self._set_timer(now)
                return
            self._deliver(verb, outcome)

    async def peek(self, account: AccountId) -> Usage | None:
        """See `Limiter.peek`."""
        if self._pending.link is None or self._loop is None:
            raise StoreUnavailable(self.last_fault or "the store is away")
        verb = Peek(account)
        data = self._encode(verb)
        if data is None:
            return None
        asked = Asked(verb, self._loop.time())
        asked.done = True
        asked.future = self._loop.create_future()
        self._pending.write(asked, data)
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
        asked = self._pending.next()
        if asked is None:
            self._break("a reply nobody asked for")
            return
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
            self._pending.put_back(asked)
            self._break(str(fault))
            return
        self._connection.is_proven = True
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

    def take_over(self, asked: Asked, *, is_asking: bool) -> None:
        """A request that another master of the cluster has sent here; its deadline goes on where it was set."""
        data = self._encode(asked.verb)
        if self._pending.link is None or self._loop is None or data is None:
            self.give_up(asked, "the store is away")
            return
        if is_asking:
            self._ask_for_us(Asking())
        self._own_waiting += asked.own
        self._pending.write(asked, data)
        self._set_timer(self._loop.time())

    def give_up(self, asked: Asked, why: str) -> None:
        """It has nowhere to go: a settlement is kept, its asker is told."""
        if isinstance(asked.verb, Settle):
            self._journal.keep(asked.verb, is_maybe_applied=False)
        if asked.future is not None and not asked.future.done():
            asked.future.set_exception(StoreUnavailable(why))
        self._finish_unavailable(asked, why)

    def take_kept(self) -> list[Settle]:
        """Settlements that wait here, to be kept by another: this master is no more."""
        return self._journal.take(len(self._journal))

    def keep(self, settle: Settle) -> None:
        """A settlement that waited elsewhere."""
        self._journal.keep(settle, is_maybe_applied=settle.doubtful)
        if not self._own_waiting:
            self._send_kept()

    def _ask_for_us(self, verb: Epoch | Probe | Asking) -> None:
        if self._pending.link is None or self._loop is None:
            return
        asked = Asked(verb, self._loop.time())
        asked.done = True
        data = self._encode(verb)
        assert data is not None
        self._pending.write(asked, data)
        self._set_timer(asked.at)

    def _watch_breaker(self) -> None:
        """Open: probe the store until it answers in time."""
        if self._breaker.is_open and self._probe is None and self._loop is not None:
            self._give_up_renewals("the store is away")
            self._probe = self._loop.call_later(PROBE_S, self._send_probe)

    def _send_probe(self) -> None:
        self._probe = None
        if self._breaker.is_open and self._pending.link is not None:
            self._breaker.tell(BreakerInput.PROBE_SENT)
            self._ask_for_us(Probe())

    def _on_error(self, asked: Asked, text: str) -> None:
        if text.startswith("NOSCRIPT") and not asked.retried:
            self._pending.ask_again(asked)
            return
        moved = ELSEWHERE.search(text) if self._elsewhere is not None else None
        if moved is not None and self._elsewhere is not None:
            self._own_waiting -= asked.own
            if isinstance(asked.verb, Renew):
                self._next_renew()
            self._elsewhere(self, asked, moved[1], moved[2] or "")
            return
        self.store_errors += 1
        self.last_fault = text
        if asked.future is not None and not asked.future.done():
            asked.future.set_exception(StoreUnavailable(text))
        if STORE_WIDE.search(text):
            self._pending.put_back(asked)
            if self._pending.link is not None:
                self._pending.link.close(text)
            return
        # This verb alone: to ask it again would give the same error again, so nothing is kept.
        self._own_waiting -= asked.own
        if isinstance(asked.verb, Renew):
            self._next_renew()
        self._finish_unavailable(asked, text)

    def _on_read(self) -> None:
        if self._loop is not None:
            self._pending.resend(self._loop.time())
        if not self._own_waiting:
            if self._journal:
                self._send_kept()
            elif self._journal.is_written:
                self._journal.empty()
        if self._idle is not None and self._is_idle():
            self._idle.set()

    def _is_idle(self) -> bool:
        return not (self._pending or self._journal or self._turns)

    # Deadlines

    def _missed(self, asked: Asked) -> None:
        self._breaker.tell(BreakerInput.MISSED)
        self._finish_unavailable(asked, "no answer in time")

    def _round(self, now: float) -> bool:
        """After each look at the deadlines: is the store silent altogether? True: something waits for it still."""
        self._watch_breaker()
        oldest = self._pending.oldest_at()
        if oldest is not None and now - oldest >= self._stall_s and self._pending.link is not None:
            self.stalls += 1
            self._pending.link.close(f"the store was silent for {self._stall_s:g} s")
        return self._pending.on_wire > 0

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
        if self._pending.link is not None:
            self._pending.link.close(fault, garbled=True)

    def _on_lost(self, why: str) -> None:
        """Everything under way is Unavailable. What may have taken a lease is given back when the store returns."""
        if self._pending.link is None:
            return
        self.garbage += self._pending.link.garbled
        self._pending.link = None
        self._up.clear()
        self.last_fault = why
        under_way = self._pending.take_all()
        self._deadlines.clear()
        self._own_waiting = 0
        self._turns.is_taken = False
        self._breaker.tell(BreakerInput.LOST)
        for asked in under_way:
            if isinstance(asked.verb, Settle):
                self._journal.keep(asked.verb, is_maybe_applied=True)
            elif isinstance(asked.verb, Admit):
                self._give_back(asked.verb)
            if asked.future is not None and not asked.future.done():
                asked.future.set_exception(StoreUnavailable(why))
        for asked in under_way:
            self._finish_unavailable(asked, why)
        self._give_up_renewals(why)

    def _give_up_renewals(self, why: str) -> None:
        for renew in self._turns.give_up():
            self.unavailable += 1
            self._deliver(renew, Unavailable(why))

    def _give_back(self, admit: Admit) -> None:
        """Returns a lease nobody knows of. Idempotent, and harmless where none was taken."""
        self.given_back += 1
        settle = Settle(admit.account, admit.uid, GIVEN_BACK, 0, returned=admit.frequencies)
        self._journal.keep(settle, is_maybe_applied=False)

    def _send_kept(self) -> None:
        if self._loop is None or self._pending.link is None:
            return
        now = self._loop.time()
        for settle in self._journal.take(SLICE):
            data = self._encode(settle)
            if data is None:
                continue
            asked = Asked(settle, now)
            asked.done = asked.own = True
            self._own_waiting += 1
            self._pending.write(asked, data)
        self._set_timer(now)
