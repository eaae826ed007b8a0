"""RedisLimiter: the limiter's contract over Redis or Valkey, one script a verb, many verbs in one write.

I/O (asyncio). Nothing here waits: a verb is bytes out and, later, a reply in. What stands between is a queue in the
order of the wire (`pending`) and one in the order of the deadlines (`deadlines`), which is the same order, as all verbs
are given the same time. Replies that come too late are still read, since a lease may hang on them.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from limits.address import parse_address
from limits.asked import STORE_WIDE, Asked, is_verb
from limits.breaker import BreakerInput
from limits.connection import Connection, Find, always
from limits.deadlines import Deadlines
from limits.errors import StoreUnavailable
from limits.journal import SettlementJournal
from limits.kept import Kept
from limits.keys import EPOCH
from limits.life import StoreLife
from limits.limiter import Deliver
from limits.link import StoreLink
from limits.model import (
    AccountId,
    Admit,
    Denied,
    Outcome,
    Renew,
    Settle,
    Unavailable,
    Usage,
    Verb,
)
from limits.near_cache import NearCache
from limits.peeking import usage_from
from limits.pending import Pending
from limits.probing import Prober
from limits.script_loader import script
from limits.tally import Tally
from limits.turns import RenewTurns
from limits.waiting import Waiting
from limits.wire import UNKNOWN, Asking, Encoder, Epoch, Garbage, Load, Peek, Probe, outcome_of

DEADLINE_S: Final = 0.05
"""A decision later than this is no decision (R11)."""

STALL_S: Final = 1.0
"""A store silent for so long is taken for dead: the connection is closed, and verbs are refused without waiting."""

MAX_SENT: Final = 20_000
"""Verbs that may wait for a reply at one time; beyond, they are Unavailable at once."""


class RedisLimiter(Tally):
    """`limits.limiter.Limiter` over one connection. `run` must be running."""

    def __init__(
        self,
        deliver: Deliver,
        url: str,
        *,
        deadline_s: float = DEADLINE_S,
        stall_s: float = STALL_S,
        journal: SettlementJournal | None = None,
        on_epoch: Callable[[str], None] | None = None,
        on_settled: Deliver | None = None,
        find: Find | None = None,
        epoch_key: str = EPOCH,
    ) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`).

        `on_epoch` is told the name of the store's new life when it has lost its data: whoever owns the accounts must
        bring them in again and have running calls renewed, then `trust`. `on_settled`: see `Kept`. `find` says where
        the store is, where it is not always at one place."""
        super().__init__()
        self._deliver = deliver
        self._connection = Connection(
            find or always(parse_address(url)),
            on_up=self._on_up,
            on_reply=self._on_reply,
            on_read=self._on_read,
            on_lost=self._on_lost,
            on_fault=self._on_fault,
            on_tick=self._on_tick,
        )
        self._deadline_s = deadline_s
        self._stall_s = stall_s
        self._encoder = Encoder()
        self._pending = Pending(self._encoder)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: list[Verb] = []
        self._deadlines = Deadlines(deadline_s, on_missed=self._missed, on_round=self._round)
        kept_in = SettlementJournal() if journal is None else journal
        self._kept = Kept(kept_in, self._pending, self._encoder.encode, on_settled)
        self._on_epoch = on_epoch
        self._life = StoreLife(epoch_key, self._lost_data)
        self._prober = Prober(
            send=lambda: self._ask_for_us(Probe()), on_open=lambda: self._give_up_renewals("the store is away")
        )
        self._breaker = self._prober.breaker
        self._near = NearCache()
        self._turns = RenewTurns()
        self._waiting = Waiting(lambda: not (self._pending or self._kept.journal or self._turns))

    @property
    def reconnects(self) -> int:
        """Connections made anew."""
        return self._connection.reconnects

    def forget(self, holder: str) -> None:
        """The values of this holder were changed; an empty name: anybody's may have been."""
        self._near.forget(holder)

    def trust(self) -> None:
        """Running calls have taken their leases again: the store's counters count."""
        self._life.trust()

    async def run(self) -> None:
        """Keeps a connection until cancelled. The server owns this coroutine; ended, every verb is Unavailable."""
        self._loop = asyncio.get_running_loop()
        self._deadlines.start(self._loop)
        self._prober.start(self._loop)
        try:
            await self._connection.run(lambda: self._life.key)
        finally:
            if self._pending.link is not None:
                self._pending.link.close("stopped")
            self._kept.journal.close()

    def _on_up(self, link: StoreLink) -> None:
        self._pending.link = link
        self._life.take(link.epoch)
        self._waiting.up.set()
        if self._loop is not None:
            self._send_kept(self._loop.time())

    def _on_fault(self, why: str) -> None:
        self.last_fault = why

    def _on_tick(self) -> None:
        """Has the store still its data?"""
        if not self._breaker.is_open:
            self._ask_for_us(Epoch(secrets.token_hex(8), self._life.key))

    def _lost_data(self, epoch: str) -> None:
        self._near.forget("")
        if self._on_epoch is not None:
            self._on_epoch(epoch)

    async def connected(self, *, timeout_s: float) -> bool:
        """Waits for the first connection, at most so long."""
        return await self._waiting.connected(timeout_s)

    async def drained(self, *, timeout_s: float) -> bool:
        """Waits until nothing is under way and nothing is kept, at most so long: for the end of the process."""
        self.flush()
        return await self._waiting.drained(timeout_s)

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
                if self._life.is_recounting:
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
        is_full = self._pending.on_wire >= MAX_SENT
        data = None if is_full else self._encoder.encode(verb)
        if data is None:
            self._turns.is_taken &= not isinstance(verb, Renew)
            return Unavailable("too many verbs under way") if is_full else UNKNOWN
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
        future: asyncio.Future[object] = self._loop.create_future()
        asked = Asked(Peek(account), self._loop.time(), future)
        data = self._encoder.encode(asked.verb)
        if data is None:
            return None
        self._pending.write(asked, data)
        return await usage_from(future, account)

    # Replies

    def _on_reply(self, reply: object) -> None:
        asked = self._pending.next()
        if asked is None:
            self._break("a reply nobody asked for")
            return
        if type(reply) is not list and isinstance(reply, Exception):
            self._on_error(asked, str(reply))
            return
        verb = asked.verb
        if not is_verb(verb):
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
            if self._breaker.misses:  # else there is nothing that an answer changes
                self._breaker.tell(BreakerInput.ANSWERED)
            if type(outcome) is Denied and self._loop is not None:
                self._near.note(verb.account, outcome, self._loop.time())
            self.is_answering_last = not self._pending.on_wire
            self._deliver(verb, outcome)
            self.is_answering_last = False
        else:
            self.late += not asked.own
            self._kept.ended(asked)
            self._kept.heard(verb, outcome)

    def _on_other(self, asked: Asked, reply: object) -> None:
        if asked.future is not None:
            if not asked.future.done():
                asked.future.set_result(reply)
        elif isinstance(asked.verb, Load):
            if reply != script(asked.verb.name).sha1.encode():
                self._break("SCRIPT LOAD answered by another name")
        elif isinstance(asked.verb, Epoch):
            if type(reply) is bytes:
                self._life.take(reply.decode("latin-1"))
            else:
                self._break("an epoch that is no word")
        elif isinstance(asked.verb, Probe):
            in_time = self._loop is not None and self._loop.time() - asked.at <= self._deadline_s
            self._prober.answered(is_in_time=in_time)

    def _ask_for_us(self, verb: Epoch | Probe | Asking) -> bool:
        """False: there is no connection."""
        if self._pending.link is None or self._loop is None:
            return False
        asked = Asked(verb, self._loop.time(), done=True)
        data = self._encoder.encode(verb)
        assert data is not None
        self._pending.write(asked, data)
        self._set_timer(asked.at)
        return True

    def _on_error(self, asked: Asked, text: str) -> None:
        if text.startswith("NOSCRIPT") and not asked.retried:
            self._pending.ask_again(asked)
            return
        if self._is_elsewhere(asked, text):
            return
        self.store_errors += 1
        self.last_fault = text
        if STORE_WIDE.search(text):
            self._pending.put_back(asked)
            if self._pending.link is not None:
                self._pending.link.close(text)
            return
        # This verb alone: to ask it again would give the same error again, so nothing is kept.
        self._kept.ended(asked)
        if isinstance(asked.verb, Renew):
            self._next_renew()
        self._finish_unavailable(asked, text)
        self._kept.heard(asked.verb, Unavailable(text))

    def _is_elsewhere(self, asked: Asked, text: str) -> bool:
        """Has this error sent the request to another server? (Of one master there is none.)"""
        return False

    def _on_read(self) -> None:
        if self._loop is not None:
            now = self._loop.time()
            self._pending.resend(now)
            self._send_kept(now)
        self._waiting.look()

    def _send_kept(self, now: float) -> None:
        if self._pending.link is not None:
            self._kept.send(now)
            self._set_timer(now)

    def _missed(self, asked: Asked) -> None:
        self._breaker.tell(BreakerInput.MISSED)
        self._finish_unavailable(asked, "no answer in time")

    def _round(self, now: float) -> bool:
        """After each look at the deadlines: is the store silent altogether? True: something waits for it still."""
        self._prober.watch()
        oldest = self._pending.oldest_at()
        if oldest is not None and now - oldest >= self._stall_s and self._pending.link is not None:
            self.stalls += 1
            self._pending.link.close(f"the store was silent for {self._stall_s:g} s")
        return self._pending.on_wire > 0

    def _finish_unavailable(self, asked: Asked, why: str) -> None:
        verb = asked.verb
        if asked.future is not None and not asked.future.done():
            asked.future.set_exception(StoreUnavailable(why))
        if not asked.done and is_verb(verb):
            asked.done = True
            self.unavailable += 1
            self._deliver(verb, Unavailable(why))

    def _refuse(self, verb: Verb, why: str) -> None:
        """Unavailable before anything was sent; a settlement is kept."""
        if isinstance(verb, Settle):
            self._kept.keep(verb)
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
        self._waiting.up.clear()
        self.last_fault = why
        under_way = self._pending.take_all()
        self._deadlines.clear()
        self._kept.lost()
        self._turns.is_taken = False
        self._breaker.tell(BreakerInput.LOST)
        for asked in under_way:
            self._kept.outlive(asked)
        for asked in under_way:
            self._finish_unavailable(asked, why)
        self._give_up_renewals(why)

    def _give_up_renewals(self, why: str) -> None:
        for renew in self._turns.give_up():
            self.unavailable += 1
            self._deliver(renew, Unavailable(why))
