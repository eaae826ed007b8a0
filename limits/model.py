"""The words of the limiter's contract: verbs, answers and the commercial values of an account.

Pure values; imports the standard library only. Money is integer micro-euros, time is integer milliseconds of the
store's own clock, CAPS tokens are integer micro-tokens.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

AccountId = NewType("AccountId", str)
CallUid = NewType("CallUid", str)

DEFAULT_LEASE_MS = 30_000
"""A lease of a dead node is free this long after its last renewal (invariant 4)."""

TOMBSTONE_MS = 64_000
"""A settled uid is remembered this long: 64·T1 twice over, so that no late copy of the INVITE brings it back."""

MAX_CEILING = 1_000_000
"""Largest CAPS, burst or call ceiling. Keeps every product of the bucket exact in the 53 bits a Lua number has."""

OUTCOMES = ("answered", "failed", "cancelled", "abandoned", "given_back")
"""How a settled call ended. `given_back`: the limiter returned a lease whose asker had stopped waiting for it; a
running call may still take it again by renewing. Any other word is counted as `other`."""

GIVEN_BACK = "given_back"

COUNTERS = (
    "calls_admitted",
    "calls_settled",
    "settled_answered",
    "settled_failed",
    "settled_cancelled",
    "settled_abandoned",
    "settled_given_back",
    "settled_other",
    "settled_late",
    "leases_expired",
    "leases_reasserted",
    "talk_ms",
)
"""Counters every account keeps. Conservation: calls_admitted + leases_reasserted = calls_settled + leases_expired +
leases held now. `settled_late`: a settle that found neither lease nor tombstone (it had run out before)."""

_ACCOUNT_ID = re.compile(r"[!-z|~]{1,128}")
"""Printable ASCII without braces: a brace would move the store's hash tag (see `limits.keys`)."""


def is_account_id(text: str) -> bool:
    """Can an account have this name at all?"""
    return _ACCOUNT_ID.fullmatch(text) is not None


class AccountStatus(StrEnum):
    """May the account place calls at all?"""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Limit(StrEnum):
    """Which check of `admit` said no. The order is the order of the checks."""

    UNKNOWN = "unknown"
    """The store holds no such account."""
    SUSPENDED = "suspended"
    CLOSED = "closed"
    DUPLICATE = "duplicate"
    """This uid is already held by another node, or is already settled."""
    CAPS = "caps"
    CALLS = "calls"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Account:
    """Commercial values of an account: they live in the store and are read inside the admission script (R9)."""

    id: AccountId
    status: AccountStatus = AccountStatus.ACTIVE
    caps_base: int = 1
    caps_lots: int = 0
    caps_lot_size: int = 10
    caps_burst: int | None = None
    """Depth of the bucket in attempts; None: as deep as CAPS, at least 1 where CAPS is not 0."""
    calls_base: int = 10
    call_lots: int = 0
    call_lot_size: int = 30
    generation: int = 1
    """Compare-and-set counter of these values."""

    def __post_init__(self) -> None:
        """Raises ValueError where a value cannot be enforced exactly."""
        if not is_account_id(self.id):
            raise ValueError(f"account id {self.id!r}: expected 1 to 128 printable ASCII characters without braces")
        for name in ("caps_base", "caps_lots", "caps_lot_size", "calls_base", "call_lots", "call_lot_size"):
            _check_range(name, getattr(self, name))
        _check_range("caps_burst", 0 if self.caps_burst is None else self.caps_burst)
        _check_range("caps_base + caps_lots x caps_lot_size", self.caps)
        _check_range("calls_base + call_lots x call_lot_size", self.calls)

    @property
    def caps(self) -> int:
        """Call attempts per second: base + lots x lot size."""
        return self.caps_base + self.caps_lots * self.caps_lot_size

    @property
    def burst(self) -> int:
        """Depth of the CAPS bucket in attempts: at least 1, unless CAPS is 0 and no attempt may pass."""
        if self.caps == 0:
            return 0
        return self.caps if self.caps_burst is None else max(1, self.caps_burst)

    @property
    def calls(self) -> int:
        """Concurrent calls: base + lots x lot size."""
        return self.calls_base + self.call_lots * self.call_lot_size


def _check_range(name: str, value: int) -> None:
    if not 0 <= value <= MAX_CEILING:
        raise ValueError(f"{name} = {value}: expected 0 to {MAX_CEILING}")


class Admit(NamedTuple):
    """May this attempt pass? All limits or none are taken; idempotent by uid."""

    account: str
    uid: str
    node: str
    lease_ms: int = DEFAULT_LEASE_MS


class Answer(NamedTuple):
    """The call was answered now: the charging clock starts. Idempotent by uid."""

    account: str
    uid: str


class Renew(NamedTuple):
    """These calls of one account are alive on this node: extend their leases. One script for all of them."""

    account: str
    uids: tuple[str, ...]
    node: str
    lease_ms: int = DEFAULT_LEASE_MS


class Settle(NamedTuple):
    """The call is over: release its lease. A second settle changes nothing and says so."""

    account: str
    uid: str
    outcome: str
    """One of OUTCOMES."""
    duration_ms: int


Verb = Admit | Answer | Renew | Settle


class Admitted(NamedTuple):
    """The lease is held until `lease_until_ms` of the store's clock."""

    lease_until_ms: int
    in_use: int
    """Concurrent calls of the account, this one included."""
    generation: int
    """Generation of the account's commercial values that admitted it."""


class Denied(NamedTuple):
    """Nothing was taken (a CAPS token may be spent, ruling R6). `Denied(Limit.UNKNOWN)` answers any verb."""

    limit: Limit
    ceiling: int
    """CAPS or concurrent calls, by `limit`; 0 for the others."""
    in_use: int
    """Concurrent calls held, or attempts the bucket has let out, by `limit`; 0 for the others."""
    retry_after_ms: int
    """When the bucket holds a token again; 0 where waiting is no cure."""


class Unavailable(NamedTuple):
    """The store did not answer in time; nothing is known."""

    why: str


class Answered(NamedTuple):
    """`already`: nothing was changed, as this answer was known or the store holds no such call."""

    already: bool


class Renewed(NamedTuple):
    """All leases of the request now run until `lease_until_ms`, but for those in `ended`."""

    lease_until_ms: int
    reasserted: tuple[str, ...]
    """Calls whose lease had run out and was taken again: they are running, so they count."""
    ended: tuple[str, ...]
    """Calls that are settled already: renewing them would bring back the dead."""


class Settled(NamedTuple):
    """`already`: no lease was held any more, as the call had been settled before or its lease had run out."""

    already: bool


Outcome = Admitted | Denied | Unavailable | Answered | Renewed | Settled


class Usage(NamedTuple):
    """What `peek` tells: in force and in use, nothing taken."""

    account: Account
    tokens_micro: int
    """CAPS tokens in the bucket at this instant, in millionths."""
    calls: tuple[tuple[str, str, int], ...]
    """(uid, node, lease_until_ms) of each call that holds a slot, next to expire first; at most 10,000 of them."""
    in_use: int
    """Concurrent calls now (may exceed len(calls))."""
    counters: tuple[tuple[str, int], ...]
    """Every name of COUNTERS with its value, in that order."""
