"""What `admit` would answer now, by what the store shows; nothing is taken. Pure; the reading is `limits.accounts`.

No rules of its own: the specification (`limits.admission`) judges a book filled with what was read. Leases that ran
out and are not swept yet still hold their money in it, for a moment.
"""

from collections.abc import Mapping
from typing import NamedTuple

from limits import fields as account_fields
from limits.account import AccountId
from limits.admission import admit
from limits.books import Book, Bucket, Guarded
from limits.frequency import Contacted, Frequency
from limits.model import Admit, Admitted, Denied

FORESEEN = "-"
"""Uid of an attempt that is only imagined: no call has it."""


class Sight(NamedTuple):
    """What was read of one holder."""

    now_ms: int
    """The store's clock."""
    in_use: int
    """Calls held."""
    fields: Mapping[str, str]
    """The hash of the holder (`limits.keys`)."""
    prefixes: Mapping[str, int] = {}
    """Calls held under each ceiling by prefix."""
    shares: Mapping[str, str] = {}
    contacted: Contacted = Contacted()
    """Of the person the attempt asks for."""
    counted: tuple[tuple[Frequency, Mapping[str, int]], ...] = ()
    """Of each frequency the attempt asks for: item or uid -> instant."""
    members: Mapping[str, tuple[int, int]] = {}
    """Of a group: member -> calls guaranteed to it, calls it holds."""


class Foreseen(NamedTuple):
    """The answer, and what stood behind it."""

    outcome: Admitted | Denied
    sight: Sight

    def used(self, one: Frequency) -> int:
        """How many lie in the window of this frequency now."""
        since = self.sight.now_ms - one.window_ms
        return sum(at > since for found, kept in self.sight.counted if found == one for at in kept.values())

    def spent(self, guard: str) -> tuple[int, int]:
        """Charged in the running UTC hour, and held, by calls under this guard (micro-units)."""
        found = _guard(self.sight.fields, guard)
        return found.spent(self.sight.now_ms), found.held


def foresee(account: AccountId, verb: Admit, sight: Sight) -> Foreseen:
    """What the verb would be answered. Raises ValueError where the store holds something else than an account."""
    book = _SeenBook(account, sight)
    if verb.contact is not None:
        book.contacts[verb.contact.key] = sight.contacted
    if verb.guard is not None:
        book.guards[verb.guard.name] = _guard(sight.fields, verb.guard.name)
    return Foreseen(admit(book, verb._replace(uid=FORESEEN), sight.now_ms), sight)


class _SeenBook(Book):
    """Filled with what was read; its calls are only numbers."""

    def __init__(self, account: AccountId, sight: Sight) -> None:
        found = sight.fields
        super().__init__(account_fields.from_fields(account, found), "")
        self._sight = sight
        self.bucket = _bucket(found, "tokens_micro", "refilled_ms")
        for ceiling in self.account.prefix_ceilings:
            name = ceiling.prefix
            self.prefix_buckets[name] = _bucket(found, f"ptok:{name}", f"pref:{name}")
        self.balance, self.held = _whole(found, "balance_micros"), _whole(found, "held_micros")
        self._hour, self._spent_hour = _whole(found, "hour"), _whole(found, "spent_hour_micros")
        self._day, self._spent_day = _whole(found, "day"), _whole(found, "spent_day_micros")
        self.shares = dict(sight.shares)
        self.reserved = {member: guaranteed for member, (guaranteed, _) in sight.members.items()}
        for one, kept in sight.counted:
            self.frequencies.take_over(one, kept)

    def in_use(self, now: int) -> int:
        """Those that were read, and the one that is judged where it has passed."""
        return self._sight.in_use + len(self.leases)

    def in_use_of(self, now: int, *, prefix: str = "", member: str = "") -> int:
        """Those that were read."""
        if prefix:
            return self._sight.prefixes.get(prefix, 0)
        return self._sight.members.get(member, (0, 0))[1]


def _bucket(found: Mapping[str, str], tokens: str, refilled: str) -> Bucket:
    bucket = Bucket()
    if refilled in found:
        bucket.tokens_micro, bucket.refilled_ms = _whole(found, tokens), _whole(found, refilled)
    return bucket


def _guard(found: Mapping[str, str], name: str) -> Guarded:
    guarded = Guarded()
    guarded.held = _whole(found, f"gheld:{name}")
    return guarded.known(_whole(found, f"ghour:{name}"), _whole(found, f"gspent:{name}"))


def _whole(found: Mapping[str, str], name: str) -> int:
    """A number the scripts keep; 0 where there is none yet."""
    return int(found.get(name) or "0")
