"""The book of one holder: its values, buckets, leases and money, in memory. Pure; what the parts of the scripts do.

Part of the specification (`limits.memory`): plain and slow where the scripts are quick.
"""

from typing import NamedTuple

from limits import fields, rate, rates
from limits.account import Account, Credit
from limits.counts import FrequencyBook
from limits.frequency import Contacted
from limits.model import COUNTERS
from limits.rates import Price

SWEEP = 64
"""Expired leases freed by one verb, at most: bounded work, the next verb goes on where this one ended."""

KEEP_EXPIRED_MS = 86_400_000
"""A lease that ran out waits so long for whoever settles it."""

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class HeldCall:
    """What is kept of a call until it is settled."""

    __slots__ = (
        "admitted_ms",
        "answered_ms",
        "charged",
        "guard",
        "held",
        "is_adopted",
        "member",
        "node",
        "paid_s",
        "prefix",
        "price",
        "renewed_ms",
    )

    def __init__(self, now: int, node: str, price: Price | None = None, prefix: str = "", member: str = "") -> None:
        self.admitted_ms = now
        self.answered_ms = 0
        self.renewed_ms = now
        """Up to here the call is known to have lived."""
        self.paid_s = 0
        self.held = 0
        self.charged = 0
        """What it was charged when its lease ran out, until somebody settles it."""
        self.price = price
        self.prefix = prefix
        self.member = member
        self.guard = ""
        """Under which guard its charges and holds count."""
        self.node = node
        self.is_adopted = False
        """Another node had it before."""


class Tombstone(NamedTuple):
    """A call settled not long ago."""

    outcome: str
    charged: int
    until_ms: int
    by: str = ""
    """The record that settled it."""


class Bucket:
    """CAPS tokens, and the instant of that content; None: nothing taken yet, the bucket is full."""

    __slots__ = ("refilled_ms", "tokens_micro")

    def __init__(self) -> None:
        self.tokens_micro = 0
        self.refilled_ms: int | None = None

    def content(self, now: int, *, caps: int, burst: int) -> int:
        """Micro-tokens at this instant."""
        if self.refilled_ms is None:
            return burst * rate.MICRO
        return rate.refilled(self.tokens_micro, elapsed_ms=now - self.refilled_ms, caps=caps, burst=burst)

    def take(self, content: int, now: int) -> int:
        """One token off; what is left."""
        self.tokens_micro = max(0, content - rate.MICRO)
        self.refilled_ms = now
        return self.tokens_micro


class Guarded:
    """What calls under one guard have spent in an hour, and hold."""

    __slots__ = ("_hour", "_spent", "held", "most")

    def __init__(self) -> None:
        self.held = 0
        self.most: int | None = None
        """As the last attempt under it was asked; None: not enforced."""
        self._hour, self._spent = 0, 0

    def asked(self, most: int | None) -> "Guarded":
        """The same, with what the attempt under it brings."""
        same = Guarded()
        same.held, same._hour, same._spent, same.most = self.held, self._hour, self._spent, most
        return same

    def known(self, hour: int, spent: int) -> "Guarded":
        """The same, charged so much in that UTC hour."""
        self._hour, self._spent = hour, spent
        return self

    def spent(self, now: int) -> int:
        """Charged in the running UTC hour."""
        return self._spent if self._hour == now // HOUR_MS else 0

    def charge(self, amount: int, now: int) -> None:
        """So much more; negative: given back."""
        self._hour, self._spent = now // HOUR_MS, max(0, self.spent(now) + amount)


class Book:
    """One holder."""

    def __init__(self, account: Account, digest: str) -> None:
        self.account = account
        self.digest = digest
        self.bucket = Bucket()
        self.prefix_buckets: dict[str, Bucket] = {}
        self.leases: dict[str, int] = {}
        """uid -> instant the lease runs out."""
        self.calls: dict[str, HeldCall] = {}
        self.records: dict[str, bytes] = {}
        self.expired: dict[str, int] = {}
        """uid -> instant its lease was swept: charged, not settled by anybody yet."""
        self.done: dict[str, Tombstone] = {}
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.balance = 0
        self.held = 0
        self._hour, self._spent_hour = 0, 0
        self._day, self._spent_day = 0, 0
        self.refs: dict[str, int] = {}
        self.reverts: dict[str, tuple[int, str]] = {}
        """value -> (instant, what it returns to)."""
        self.reserved: dict[str, int] = {}
        """Of a group: member -> calls guaranteed to it."""
        self.last_call_ms = 0
        self.frequencies = FrequencyBook()
        self.contacts: dict[str, Contacted] = {}
        self.guards: dict[str, Guarded] = {}
        self.shares: dict[str, str] = {}
        """Calls placed and received by day (`limits.share`)."""

    # -- leases ----------------------------------------------------------------------------------------------------

    def in_use(self, now: int) -> int:
        """Leases that run at this instant."""
        return sum(until > now for until in self.leases.values())

    def in_use_of(self, now: int, *, prefix: str = "", member: str = "") -> int:
        """Of those, the ones under this ceiling by prefix or of this member."""
        count = 0
        for uid, until in self.leases.items():
            call = self.calls[uid]
            if until > now and ((prefix and call.prefix == prefix) or (member and call.member == member)):
                count += 1
        return count

    def sweep(self, now: int) -> None:
        """Frees leases that ran out, the oldest first."""
        gone = sorted((until, uid) for uid, until in self.leases.items() if until <= now)[:SWEEP]
        if not gone:
            return
        for _, uid in gone:
            self.expire(uid, now)
        old = sorted((at, uid) for uid, at in self.expired.items() if at <= now - KEEP_EXPIRED_MS)[:SWEEP]
        for _, uid in old:
            self.forget(uid)

    def expire(self, uid: str, now: int) -> None:
        """The lease ran out: charged to the last renewal (R8), and kept for whoever settles it or takes it over; a call
        that cost nothing and has no record is forgotten."""
        del self.leases[uid]
        self.counters["leases_expired"] += 1
        call = self.calls[uid]
        if call.price is None and uid not in self.records:
            del self.calls[uid]
            return
        self.set_hold(call, 0)
        if call.price is not None and call.answered_ms:
            talked = max(0, call.renewed_ms - call.answered_ms)
            call.charged = rates.cost(call.price, min(call.paid_s * 1_000, talked))
            self.charge(call.charged, now, call)
        self.expired[uid] = now

    def forget(self, uid: str) -> None:
        """Nothing is left of this call."""
        self.leases.pop(uid, None)
        self.calls.pop(uid, None)
        self.records.pop(uid, None)
        self.expired.pop(uid, None)

    def tombstone(self, uid: str, now: int) -> Tombstone | None:
        """A call settled not long ago. Forgets those settled long ago on the way."""
        done = self.done
        for old in [uid for uid, tombstone in done.items() if tombstone.until_ms < now]:
            del done[old]
        return done.get(uid)

    # -- money -----------------------------------------------------------------------------------------------------

    def spent(self, now: int) -> tuple[int, int]:
        """Charged in the running UTC hour, and day."""
        hour = self._spent_hour if self._hour == now // HOUR_MS else 0
        return hour, self._spent_day if self._day == now // DAY_MS else 0

    def charge(self, amount: int, now: int, call: HeldCall | None) -> None:
        """From the balance to what has been charged and spent, by this call; negative: a charge is given back."""
        if call is not None and call.guard:
            self.guards[call.guard].charge(amount, now)
        hour, day = self.spent(now)
        self._hour, self._spent_hour = now // HOUR_MS, max(0, hour + amount)
        self._day, self._spent_day = now // DAY_MS, max(0, day + amount)
        self.balance -= amount
        self.counters["charged_micros"] += amount

    def room(self, now: int, guard: Guarded | None = None) -> tuple[int, str]:
        """What may still be held, and the limit that says so; shadowed limits say nothing."""
        account = self.account
        hour, day = self.spent(now)
        rooms: list[tuple[int, str]] = []
        if account.spend_cap_hour_micros is not None:
            rooms.append((account.spend_cap_hour_micros - hour - self.held, "spend_hour"))
        if account.spend_cap_day_micros is not None:
            rooms.append((account.spend_cap_day_micros - day - self.held, "spend_day"))
        if account.credit is not Credit.NONE:
            rooms.append((self.balance - account.floor_micros - self.held, "credit"))
        if guard is not None and guard.most is not None:
            rooms.append((guard.most - guard.spent(now) - guard.held, "guard"))
        rooms = [room for room in rooms if room[1] not in account.shadow]
        return min(rooms, key=lambda room: room[0], default=(10**15, ""))

    def hold(self, call: HeldCall, paid_s: int) -> None:
        """So many seconds of talk are held for this call, in all."""
        assert call.price is not None
        self.set_hold(call, rates.cost(call.price, paid_s * 1_000) if paid_s else 0)
        call.paid_s = paid_s

    def set_hold(self, call: HeldCall, amount: int) -> None:
        """What is held for this call becomes this much."""
        more, call.held = amount - call.held, amount
        self.held += more
        if call.guard:
            self.guards[call.guard].held += more

    def guard_of(self, call: HeldCall) -> Guarded | None:
        """The guard its money counts under."""
        return self.guards[call.guard] if call.guard else None

    # -- values ----------------------------------------------------------------------------------------------------

    def revert(self, now: int) -> None:
        """Values that were changed for a time return to what they were."""
        due = {name: back for name, (at, back) in self.reverts.items() if at <= now}
        if not due:
            return
        for name in due:
            del self.reverts[name]
        patch = {name: fields.from_text(name, back) for name, back in due.items()}
        self.account = fields.at_generation(fields.patched(self.account, patch), self.account.generation + 1)

    def change(self, patch: fields.Patch, until_ms: int | None) -> None:
        """Some values anew, for good or until an instant. A change for a time on top of another returns to what was
        before both; a change for good ends the waiting."""
        before = self.account
        after = fields.patched(before, patch)
        for name in patch:
            if until_ms is None:
                self.reverts.pop(name, None)
            else:
                back = self.reverts[name][1] if name in self.reverts else fields.to_text(name, getattr(before, name))
                self.reverts[name] = (until_ms, back)
        self.account = fields.at_generation(after, before.generation + 1)
