"""MemoryLimiter: the limiter's contract in memory, and the specification of the Lua scripts in readable form.

Pure: the clock is injected. Where this file and a script differ, one of them is wrong; tests/contract and
tests/sequences compare them answer by answer. May import `limits` rooms without I/O.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from limits import fields, rates, share
from limits.account import Account, AccountId, AccountStatus
from limits.admission import admit
from limits.books import Book, HeldCall, Tombstone
from limits.errors import StaleGeneration, UnknownAccount, UsedReference
from limits.frequency import Contacted
from limits.limiter import Deliver
from limits.model import (
    CLAIM_MS,
    GIVEN_BACK,
    OUTCOMES,
    REFUSED,
    TOMBSTONE_MS,
    Admit,
    Adopted,
    Answer,
    Answered,
    Denied,
    Limit,
    Outcome,
    Renew,
    Renewed,
    RunningCall,
    Settle,
    Settled,
    Usage,
    Verb,
)
from limits.rates import Price

PEEK_CALLS = 10_000

_UNKNOWN = Denied(Limit.UNKNOWN, 0, 0, 0)


class MemoryLimiter:
    """`limits.limiter.Limiter` in memory: for tests, for one node without a store, and to be read."""

    def __init__(self, deliver: Deliver, clock: Callable[[], int]) -> None:
        """`clock`: milliseconds; may stand still, should not go back."""
        self._deliver = deliver
        self._clock = clock
        self._books: dict[str, Book] = {}
        self._queue: deque[Verb] = deque()
        self._flushing = False

    @property
    def is_up(self) -> bool:
        """Memory is never away."""
        return True

    @property
    def is_answering_last(self) -> bool:
        """It answers while it is being asked: whoever asks goes on first."""
        return False

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
        book.revert(now)
        values = book.account
        live = sorted((until, uid) for uid, until in book.leases.items() if until > now)
        spent_hour, spent_day = book.spent(now)
        return Usage(
            account=values,
            tokens_micro=book.bucket.content(now, caps=values.caps, burst=values.burst),
            calls=tuple(_running(uid, until, book.calls[uid]) for until, uid in live[:PEEK_CALLS]),
            in_use=len(live),
            counters=tuple(book.counters.items()),
            balance_micros=book.balance,
            held_micros=book.held,
            spent_hour_micros=spent_hour,
            spent_day_micros=spent_day,
            expired=len(book.expired),
            prefixes=tuple(sorted((p.prefix, book.in_use_of(now, prefix=p.prefix)) for p in values.prefix_ceilings)),
            reverts=tuple(sorted((name, at, back) for name, (at, back) in book.reverts.items())),
            last_call_ms=book.last_call_ms,
            now_ms=now,
            shares=tuple(sorted(book.shares.items())),
        )

    def provision(self, accounts: Iterable[Account], *, opening: Mapping[str, int] | None = None) -> None:
        """Brings values in, as `limits.accounts.AccountStore.provision` does."""
        for account in accounts:
            digest = fields.digest(account)
            book = self._books.get(account.id)
            if book is None:
                book = self._books[account.id] = Book(fields.at_generation(account, 1), digest)
                start = (opening or {}).get(account.id, 0)
                if start > 0:
                    self.top_up(account.id, amount=start, reference="opening")
            elif book.digest != digest:
                book.account = fields.at_generation(account, book.account.generation + 1)
                book.digest = digest
                book.reverts.clear()

    def change(
        self, account: AccountId, *, generation: int, patch: fields.Patch, until_ms: int | None = None
    ) -> Account:
        """Compare-and-set of some values. Raises UnknownAccount, StaleGeneration, ValueError."""
        book = self._book(account)
        book.revert(self._clock())
        found = book.account.generation
        if found != generation:
            raise StaleGeneration(account, expected=generation, found=found)
        book.change(patch, until_ms)
        return book.account

    def top_up(self, account: AccountId, *, amount: int, reference: str) -> tuple[int, bool]:
        """(balance, booked before). Raises UnknownAccount, UsedReference."""
        book = self._book(account)
        before = book.refs.get(reference)
        if before is not None:
            if before != amount:
                raise UsedReference(account, reference, before)
            return book.balance, True
        book.refs[reference] = amount
        book.balance += amount
        book.counters["topped_up_micros"] += amount
        return book.balance, False

    def note_contact(self, account: AccountId, key: str, noted: Contacted) -> Contacted:
        """Records what happened with a person, as `limits.contacts` does: of each instant the latest counts. Raises
        UnknownAccount."""
        book = self._book(account)
        before = book.contacts.get(key, Contacted())
        after = book.contacts[key] = Contacted(*map(max, before, noted))
        return after

    def adopt(
        self,
        account: AccountId,
        *,
        gone: str,
        heir: str,
        lease_ms: int,
        most: int = 100,
        silent_ms: int = 0,
        keep: Iterable[str] = (),
    ) -> list[Adopted]:
        """Calls of a node that is gone change hands, each once, but for those it has admitted or renewed within
        `silent_ms`. `keep`: those it still has itself (a node that was started again under its old name)."""
        book = self._book(account)
        now = self._clock()
        book.sweep(now)
        kept = set(keep)
        live = [(until, uid) for uid, until in book.leases.items()]
        gone_by = [(at, uid) for uid, at in book.expired.items()]
        taken: list[Adopted] = []
        for _, uid in sorted(live) + sorted(gone_by):
            call = book.calls[uid]
            if call.node != gone or uid in kept or len(taken) == most or now - call.renewed_ms < silent_ms:
                continue
            is_expired = uid in book.expired
            before = call.renewed_ms
            call.node, call.is_adopted = heir, True
            if not is_expired:
                call.renewed_ms = now
                book.leases[uid] = now + lease_ms
            taken.append(
                Adopted(
                    uid,
                    is_expired,
                    call.admitted_ms,
                    call.answered_ms,
                    before,
                    call.paid_s,
                    call.charged,
                    call.price,
                    call.member,
                    book.records.get(uid, b""),
                )
            )
        return taken

    def _book(self, account: AccountId) -> Book:
        book = self._books.get(account)
        if book is None:
            raise UnknownAccount(account)
        return book

    def _answer(self, verb: Verb) -> Outcome:
        book = self._books.get(verb.account)
        if book is None:
            return _UNKNOWN
        now = self._clock()
        if isinstance(verb, Admit):
            return admit(book, verb, now)
        if isinstance(verb, Answer):
            return _answer_call(book, verb, now)
        if isinstance(verb, Renew):
            return _renew(book, verb, now)
        return _settle(book, verb, now)


def _answer_call(book: Book, verb: Answer, now: int) -> Outcome:
    if verb.is_received:
        share.count(book.shares, share.RECEIVED, now)
        return Answered(already=False)
    call = book.calls.get(verb.uid)
    if call is None:
        return Answered(already=True)
    if verb.record:
        book.records[verb.uid] = verb.record
    if call.answered_ms:
        return Answered(already=True)
    call.answered_ms = call.renewed_ms = now
    return Answered(already=False)


def _renew(book: Book, verb: Renew, now: int) -> Outcome:
    book.revert(now)
    until = now + verb.lease_ms
    reasserted: list[str] = []
    ended: list[str] = []
    adopted: list[str] = []
    paid: dict[str, int] = {}
    dry = ""
    for index, uid in enumerate(verb.uids):
        if uid in paid:
            continue
        paid[uid] = 0
        tombstone = book.tombstone(uid, now)
        if tombstone is not None and tombstone.outcome not in (GIVEN_BACK, REFUSED):
            ended.append(uid)
            continue
        call = book.calls.get(uid)
        if call is not None and call.node != verb.node:
            adopted.append(uid)
            continue
        book.done.pop(uid, None)
        lease = book.leases.get(uid)
        if call is None or lease is None or lease <= now:
            reasserted.append(uid)
            price = verb.prices[index] if verb.prices else None
            call = _reassert(book, verb, uid, price, verb.paid_s[index] if verb.paid_s else 0, now)
        talk_ms = verb.talk_ms[index] if verb.talk_ms else -1
        if talk_ms >= 0:
            call.answered_ms = call.answered_ms or now - talk_ms
            if call.price is not None:
                dry = _extend(book, call, verb, talk_ms, now) or dry
        call.renewed_ms = now
        paid[uid] = call.paid_s
        book.leases[uid] = until
    book.counters["leases_reasserted"] += len(reasserted)
    # After our own: what is alive must not be swept by the message that says so.
    book.sweep(now)
    account = book.account
    return Renewed(
        until,
        tuple(reasserted),
        tuple(ended),
        tuple(adopted),
        tuple(paid[uid] for uid in verb.uids),
        dry,
        account.status is not AccountStatus.ACTIVE and account.is_cut,
    )


def _reassert(book: Book, verb: Renew, uid: str, price: Price | None, paid_s: int, now: int) -> HeldCall:
    """Takes the lease of a call again that ran out or that the store never knew. What was promised is held again, even
    where the balance no longer pays for it."""
    book.counters["leases_expired"] += book.leases.pop(uid, None) is not None
    call = book.calls.get(uid)
    if call is None:
        call = book.calls[uid] = HeldCall(now, verb.node, price)
    elif book.expired.pop(uid, None) is not None and call.charged:
        book.charge(-call.charged, now, call)
        call.charged = 0
    if call.price is not None:
        book.hold(call, max(call.paid_s, paid_s))
    return call


def _extend(book: Book, call: HeldCall, verb: Renew, talk_ms: int, now: int) -> str:
    """Holds the next interval where what is held runs out soon; the limit that forbids it, if one does."""
    price = call.price
    assert price is not None
    if call.paid_s * 1_000 - talk_ms >= verb.ahead_ms:
        return ""
    left, limit = book.room(now, book.guard_of(call))
    target = rates.interval_s(price, max(call.paid_s, -(-talk_ms // 1_000)), verb.quantum_s)
    if rates.cost(price, target * 1_000) > call.held + left:
        target = rates.affordable_s(price, call.held + left)
    if target <= call.paid_s:
        return limit
    book.hold(call, target)
    return ""


def _settle(book: Book, verb: Settle, now: int) -> Outcome:
    uid = verb.uid
    tombstone = book.tombstone(uid, now)
    # A lease that was given back, or another node's refusal, says nothing of a call that ran: it is charged even so.
    how = "" if tombstone is None else tombstone.outcome
    if (how == GIVEN_BACK and verb.outcome != GIVEN_BACK) or (how == REFUSED and verb.outcome == "answered"):
        tombstone = None
    if tombstone is not None:
        if verb.charged is not None and tombstone.by != verb.by:
            # The record that settled it here is void: its charge makes place for the one that stands.
            book.charge(verb.charged - tombstone.charged, now, None)
            book.done[uid] = tombstone._replace(charged=verb.charged, by=verb.by)
            return Settled(already=True, charged_micros=verb.charged)
        other = tombstone.by if verb.by and tombstone.by != verb.by else ""
        return Settled(already=True, charged_micros=tombstone.charged, by=other)
    call = book.calls.get(uid)
    if verb.outcome == REFUSED:
        if call is not None and call.node == verb.by.rpartition("/")[0]:
            return Settled(already=False)  # it was taken over by who had refused it, and is given back next
        if call is not None:
            return Settled(already=True, by=f"{call.node}/")  # who holds it writes its record
        book.done[uid] = Tombstone(REFUSED, 0, now + TOMBSTONE_MS, verb.by)
        return Settled(already=False)
    is_leased = uid in book.leases
    price = verb.price if call is None or call.price is None else call.price
    charged = 0
    if price is not None:
        # Doubtful: it may have been applied longer ago than a tombstone lives.
        is_charged = verb.outcome == "answered" and not (call is None and verb.doubtful)
        charged = rates.cost(price, verb.duration_ms) if is_charged else 0
        if verb.charged is not None:
            charged = verb.charged
        held, before = (0, 0) if call is None else (call.held, call.charged)
        if call is not None:
            book.set_hold(call, 0)
        if charged or held or before:
            book.charge(charged - before, now, call)
        # What no hold stood for: the call ran while the store was away, or beyond its paid talk.
        book.counters["overdrawn_micros"] += max(0, charged - max(held, before))
    marked = 0
    for mark in verb.marks:
        marked = book.frequencies.count(mark, uid, now)
    for one in verb.returned:
        book.frequencies.take_back(one, uid)
    book.forget(uid)
    kept_ms = CLAIM_MS if call is not None and call.is_adopted else TOMBSTONE_MS
    book.done[uid] = Tombstone(verb.outcome, charged, now + kept_ms, verb.by)
    if not is_leased:
        # The lease had run out, or was never given: counted apart, so that leases given = leases ended.
        if call is None and verb.doubtful:
            book.counters["settled_doubtful"] += 1
        else:
            book.counters["settled_late"] += verb.outcome != GIVEN_BACK
        return Settled(already=True, charged_micros=charged, marked=marked)
    outcome = verb.outcome if verb.outcome in OUTCOMES else "other"
    book.counters["calls_settled"] += 1
    book.counters[f"settled_{outcome}"] += 1
    book.counters["talk_ms"] += verb.duration_ms
    return Settled(already=False, charged_micros=charged, marked=marked)


def _running(uid: str, until: int, call: HeldCall) -> RunningCall:
    return RunningCall(uid, call.node, until, call.admitted_ms, call.answered_ms, call.paid_s, call.held)
