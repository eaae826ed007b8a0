"""MemoryLimiter: the limiter's contract in memory, and the specification of the Lua scripts in readable form.

Pure: the clock is injected. Where this file and a script differ, one of them is wrong; tests/contract and
tests/sequences compare them answer by answer. May import `limits` rooms without I/O.
"""

from collections import deque
from collections.abc import Callable, Iterable

from limits import fields, rate
from limits.errors import StaleGeneration, UnknownAccount
from limits.limiter import Deliver
from limits.model import (
    COUNTERS,
    GIVEN_BACK,
    OUTCOMES,
    TOMBSTONE_MS,
    Account,
    AccountId,
    AccountStatus,
    Admit,
    Admitted,
    Answer,
    Answered,
    Denied,
    Limit,
    Outcome,
    Renew,
    Renewed,
    Settle,
    Settled,
    Usage,
    Verb,
)

SWEEP = 64
"""Expired leases freed by one verb, at most: bounded work, the next verb goes on where this one ended."""

PEEK_CALLS = 10_000

_UNKNOWN = Denied(Limit.UNKNOWN, 0, 0, 0)


class _Call:
    """What is kept of a call that holds a lease."""

    __slots__ = ("admitted_ms", "answered_ms", "node")

    def __init__(self, admitted_ms: int, node: str) -> None:
        self.admitted_ms = admitted_ms
        self.answered_ms = 0
        self.node = node


class _Book:
    """One account: its values, its bucket, its leases."""

    __slots__ = ("account", "calls", "counters", "digest", "done", "leases", "refilled_ms", "tokens_micro")

    def __init__(self, account: Account, digest: str) -> None:
        self.account = account
        self.digest = digest
        self.tokens_micro = 0
        self.refilled_ms: int | None = None
        """None: nothing taken yet, the bucket is full."""
        self.leases: dict[str, int] = {}
        """uid -> instant the lease runs out."""
        self.calls: dict[str, _Call] = {}
        self.done: dict[str, tuple[str, int]] = {}
        """uid -> (outcome, last instant of the tombstone), oldest first."""
        self.counters = dict.fromkeys(COUNTERS, 0)

    def tokens(self, now: int) -> int:
        """Content of the bucket at this instant."""
        account = self.account
        if self.refilled_ms is None:
            return account.burst * rate.MICRO
        elapsed = now - self.refilled_ms
        return rate.refilled(self.tokens_micro, elapsed_ms=elapsed, caps=account.caps, burst=account.burst)

    def in_use(self, now: int) -> int:
        """Leases that run at this instant."""
        return sum(until > now for until in self.leases.values())

    def sweep(self, now: int) -> None:
        """Frees leases that ran out, the oldest first."""
        gone = sorted((until, uid) for uid, until in self.leases.items() if until <= now)[:SWEEP]
        for _, uid in gone:
            del self.leases[uid]
            self.calls.pop(uid, None)
        self.counters["leases_expired"] += len(gone)

    def tombstone(self, uid: str, now: int) -> str | None:
        """Outcome of a call settled not long ago. Forgets those settled long ago on the way."""
        done = self.done
        while done:
            oldest = next(iter(done))
            if done[oldest][1] >= now:
                break
            del done[oldest]
        found = done.get(uid)
        return None if found is None else found[0]


class MemoryLimiter:
    """`limits.limiter.Limiter` in memory: for tests, for one node without a store, and to be read."""

    def __init__(self, deliver: Deliver, clock: Callable[[], int]) -> None:
        """`clock`: milliseconds; may stand still, should not go back."""
        self._deliver = deliver
        self._clock = clock
        self._books: dict[str, _Book] = {}
        self._queue: deque[Verb] = deque()
        self._flushing = False

    @property
    def is_up(self) -> bool:
        """Memory is never away."""
        return True

    def submit(self, verb: Verb) -> None:
        """See `Limiter.submit`."""
        self._queue.append(verb)

    def flush(self) -> None:
        """Answers everything submitted, in order, and what the answers made the caller submit."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while self._queue:
                verb = self._queue.popleft()
                self._deliver(verb, self._answer(verb))
        finally:
            self._flushing = False

    async def peek(self, account: AccountId) -> Usage | None:
        """See `Limiter.peek`."""
        book = self._books.get(account)
        if book is None:
            return None
        now = self._clock()
        live = sorted((until, uid) for uid, until in book.leases.items() if until > now)
        return Usage(
            account=book.account,
            tokens_micro=book.tokens(now),
            calls=tuple((uid, book.calls[uid].node, until) for until, uid in live[:PEEK_CALLS]),
            in_use=len(live),
            counters=tuple(book.counters.items()),
        )

    def provision(self, accounts: Iterable[Account]) -> None:
        """Brings values in, as `limits.accounts.AccountStore.provision` does."""
        for account in accounts:
            digest = fields.digest(account)
            book = self._books.get(account.id)
            if book is None:
                self._books[account.id] = _Book(fields.at_generation(account, 1), digest)
            elif book.digest != digest:
                book.account = fields.at_generation(account, book.account.generation + 1)
                book.digest = digest

    def change(self, account: AccountId, *, generation: int, patch: fields.Patch) -> Account:
        """Compare-and-set of some values. Raises UnknownAccount, StaleGeneration, ValueError."""
        book = self._books.get(account)
        if book is None:
            raise UnknownAccount(account)
        found = book.account.generation
        if found != generation:
            raise StaleGeneration(account, expected=generation, found=found)
        book.account = fields.at_generation(fields.patched(book.account, patch), generation + 1)
        return book.account

    def _answer(self, verb: Verb) -> Outcome:
        book = self._books.get(verb.account)
        if book is None:
            return _UNKNOWN
        now = self._clock()
        if isinstance(verb, Admit):
            return _admit(book, verb, now)
        if isinstance(verb, Answer):
            return _answer_call(book, verb, now)
        if isinstance(verb, Renew):
            return _renew(book, verb, now)
        return _settle(book, verb, now)


def _admit(book: _Book, verb: Admit, now: int) -> Outcome:
    account = book.account
    uid = verb.uid
    if account.status is not AccountStatus.ACTIVE:
        closed = account.status is AccountStatus.CLOSED
        return Denied(Limit.CLOSED if closed else Limit.SUSPENDED, 0, 0, 0)
    book.sweep(now)

    # The same attempt again: the same answer, nothing more taken (R6).
    if book.tombstone(uid, now) is not None:
        return Denied(Limit.DUPLICATE, 0, 0, 0)
    held = book.leases.get(uid)
    if held is not None and held > now:
        if book.calls[uid].node != verb.node:
            return Denied(Limit.DUPLICATE, 0, 0, 0)
        return Admitted(held, book.in_use(now), account.generation)

    # CAPS: refused here, the attempt spends nothing.
    caps = account.caps
    tokens = book.tokens(now)
    if caps == 0:
        return Denied(Limit.CAPS, 0, 0, 0)
    if tokens < rate.MICRO:
        return Denied(Limit.CAPS, caps, account.burst, rate.wait_ms(tokens, caps=caps))
    book.tokens_micro = tokens - rate.MICRO
    book.refilled_ms = now

    # Concurrent calls: refused here, it was an attempt all the same and its token is spent (R6).
    in_use = book.in_use(now)
    if in_use >= account.calls:
        return Denied(Limit.CALLS, account.calls, in_use, 0)

    if held is not None:
        # Its own lease ran out and the bounded sweep has not come to it: that one expired, this is a new one.
        book.counters["leases_expired"] += 1
    book.counters["calls_admitted"] += 1
    book.leases[uid] = now + verb.lease_ms
    book.calls[uid] = _Call(now, verb.node)
    return Admitted(now + verb.lease_ms, in_use + 1, account.generation)


def _answer_call(book: _Book, verb: Answer, now: int) -> Outcome:
    call = book.calls.get(verb.uid)
    if call is None or call.answered_ms:
        return Answered(already=True)
    call.answered_ms = now
    return Answered(already=False)


def _renew(book: _Book, verb: Renew, now: int) -> Outcome:
    until = now + verb.lease_ms
    reasserted: list[str] = []
    ended: list[str] = []
    for uid in dict.fromkeys(verb.uids):
        tombstone = book.tombstone(uid, now)
        if tombstone not in (None, GIVEN_BACK):
            ended.append(uid)
            continue
        book.done.pop(uid, None)
        held = book.leases.get(uid)
        if held is None or held <= now:
            reasserted.append(uid)
            book.counters["leases_expired"] += held is not None
        book.leases[uid] = until
        # The node that renews a call owns it: this is how a survivor adopts the calls of a dead one.
        book.calls.setdefault(uid, _Call(now, verb.node)).node = verb.node
    book.counters["leases_reasserted"] += len(reasserted)
    # After our own: what is alive must not be swept by the message that says so.
    book.sweep(now)
    return Renewed(until, tuple(reasserted), tuple(ended))


def _settle(book: _Book, verb: Settle, now: int) -> Outcome:
    if book.tombstone(verb.uid, now) is not None:
        return Settled(already=True)
    book.done[verb.uid] = (verb.outcome, now + TOMBSTONE_MS)
    if book.leases.pop(verb.uid, None) is None:
        # The lease had run out, or was never given: counted apart, so that leases given = leases ended.
        book.counters["settled_late"] += verb.outcome != GIVEN_BACK
        return Settled(already=True)
    del book.calls[verb.uid]
    outcome = verb.outcome if verb.outcome in OUTCOMES else "other"
    book.counters["calls_settled"] += 1
    book.counters[f"settled_{outcome}"] += 1
    book.counters["talk_ms"] += verb.duration_ms
    return Settled(already=False)
