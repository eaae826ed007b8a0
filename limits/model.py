"""The words of the limiter's contract: verbs and answers. What an account has is in `limits.account`.

Pure values; imports `limits.account`, `limits.rates` and the standard library only. Money is integer micro-units of
the one currency in use, time is integer milliseconds of the store's own clock, CAPS tokens are integer micro-tokens.
"""

from enum import StrEnum
from typing import Final, NamedTuple, NewType

from limits.account import KINDS as KINDS
from limits.account import Account as Account
from limits.account import AccountId as AccountId
from limits.account import AccountStatus as AccountStatus
from limits.account import is_account_id as is_account_id
from limits.frequency import Contact, Frequency, SpendGuard
from limits.rates import Price

CallUid = NewType("CallUid", str)

DEFAULT_LEASE_MS: Final = 30_000
"""A lease of a dead node is free this long after its last renewal (invariant 4)."""

MAX_LEASE_MS: Final = 3_600_000
"""No node may ask for a longer one (`lease_s`): what runs further ahead leaks."""

TOMBSTONE_MS: Final = 64_000
"""A settled uid is remembered this long: 64·T1 twice over, so that no late copy of the INVITE brings it back."""

CLAIM_MS: Final = 3_024_000_000
"""A call that changed hands is remembered as settled for 35 days: so long the node that had it before may be away with
a record of its own, and learns when it is back that another one stands."""

OUTCOMES: Final = ("answered", "failed", "cancelled", "abandoned", "given_back")
"""How a settled call ended. `given_back`: the limiter returned a lease whose asker had stopped waiting for it; a
running call may still take it again by renewing. Any other word is counted as `other`."""

GIVEN_BACK: Final = "given_back"

REFUSED: Final = "refused"
"""An outcome that settles nothing: a node has refused this attempt without asking. The record of it stands unless
somebody holds the call or has settled it; where it stands, nobody is admitted by this uid any more."""

COUNTERS: Final = (
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
    "charged_micros",
    "topped_up_micros",
    "overdrawn_micros",
    "settled_doubtful",
    "shadow_caps",
    "shadow_calls",
    "shadow_prefix_caps",
    "shadow_prefix_calls",
    "shadow_spend_hour",
    "shadow_spend_day",
    "shadow_max_rate",
    "shadow_credit",
    "shadow_contact",
    "shadow_frequency",
    "shadow_guard",
)
"""Counters every account keeps. Conservation: calls_admitted + leases_reasserted = calls_settled + leases_expired +
leases held now. `settled_late`: a settle that found neither lease nor tombstone (it had run out before).
Money: `topped_up_micros` - `charged_micros` = balance, always. `overdrawn_micros`: what was charged beyond any hold
(calls that ran while the store was away). `settled_doubtful`: settlements of which nobody knows whether they had been
applied before the store forgot them. `shadow_*`: attempts that a shadowed limit would have refused."""


INVARIANTS: Final = (
    "no_over_spend",
    "no_leak",
    "no_negative",
    "conservation_of_money",
    "conservation_of_leases",
    "holds",
)
"""What the books of every holder must satisfy at every instant, as far as one look can tell: `verify`."""


class Limit(StrEnum):
    """Which check of `admit` said no. The order is the order of the checks."""

    UNKNOWN = "unknown"
    """The store holds no such account."""
    SUSPENDED = "suspended"
    CLOSED = "closed"
    DUPLICATE = "duplicate"
    """This uid is already held by another node, or is already settled."""
    CAPS = "caps"
    CONTACT = "contact"
    """The person called has refused, or has not consented; the denial has the name of what is amiss."""
    FREQUENCY = "frequency"
    """Too often; the denial has the name of the frequency."""
    CALLS = "calls"
    PREFIX_CAPS = "prefix_caps"
    PREFIX_CALLS = "prefix_calls"
    """A ceiling of the account for this destination (longest prefix)."""
    SPEND_HOUR = "spend_hour"
    SPEND_DAY = "spend_day"
    """Charges of the running UTC hour or day, what is held and this hold together would pass the cap."""
    GUARD = "guard"
    """Charges of the running UTC hour, holds and this hold together would pass what the guard of this destination
    allows; the denial has its name."""
    MAX_RATE = "max_rate"
    """The rate per minute is dearer than the account allows."""
    CREDIT = "credit"
    """The balance above the floor, less what is held, does not pay the shortest billable call."""


SHADOWABLE: Final = (
    Limit.CAPS,
    Limit.CONTACT,
    Limit.FREQUENCY,
    Limit.CALLS,
    Limit.PREFIX_CAPS,
    Limit.PREFIX_CALLS,
    Limit.SPEND_HOUR,
    Limit.SPEND_DAY,
    Limit.GUARD,
    Limit.MAX_RATE,
    Limit.CREDIT,
)
"""Limits that an account may have judged and counted, but not enforced."""

QUANTUM_S: Final = 60
"""Seconds of talk held at one time, where the balance pays them (limits.md section 5)."""

AHEAD_MS: Final = 20_000
"""A renewal extends a hold of which less than this is left: two renewals, so that one may fail."""

GROUP: Final = "group:"
TRUNK: Final = "trunk:"
PROFESSIONAL: Final = "professional:"
"""Beginnings of the names of holders that are no accounts, by the same verbs: a group's or a trunk's ceilings; what the
accounts of one professional count together, and nothing else."""


class Admit(NamedTuple):
    """May this attempt pass? All limits or none are taken; idempotent by uid."""

    account: str
    """The holder whose limits are asked: an account's ID, `group:ID` or `trunk:ID`."""
    uid: str
    node: str
    lease_ms: int = DEFAULT_LEASE_MS
    price: Price | None = None
    """Frozen for the whole call; None: no money is asked for."""
    called: str = ""
    """Called number, E.164 with its plus or as dialled: for the ceilings by prefix."""
    member: str = ""
    """Of a group: the account that asks."""
    reserved: int = 0
    """Of a group: calls guaranteed to that account inside the group's ceiling."""
    record: bytes = b""
    """What another node needs to write the record of this call, or to go on with it. Opaque; empty: nothing kept."""
    quantum_s: int = QUANTUM_S
    frequencies: tuple[Frequency, ...] = ()
    """How often: judged and counted together with all else."""
    contact: Contact | None = None
    """What must be recorded of the person called."""
    guard: SpendGuard | None = None
    """What calls to this kind of destination may cost in an hour; only with a price."""


class Answer(NamedTuple):
    """The call was answered now: the charging clock starts. Idempotent by uid; a record replaces the one kept."""

    account: str
    uid: str
    record: bytes = b""
    is_received: bool = False
    """The holder does not pay for it but is called by it: only that is noted, each time it is told."""


class Renew(NamedTuple):
    """These calls of one holder are alive on this node: extend their leases, and the holds that run out soon.

    One script for all. The tuples run in step with `uids`; an empty one: all ringing, nothing paid, no price."""

    account: str
    uids: tuple[str, ...]
    node: str
    lease_ms: int = DEFAULT_LEASE_MS
    talk_ms: tuple[int, ...] = ()
    """Milliseconds since the answer, by the node's clock; -1: not answered."""
    paid_s: tuple[int, ...] = ()
    """Seconds of talk this node was told are held: what a store that lost the call must hold again."""
    prices: tuple[Price | None, ...] = ()
    quantum_s: int = QUANTUM_S
    ahead_ms: int = AHEAD_MS


class Settle(NamedTuple):
    """The call is over: release its lease, charge it, return the rest of the hold. A second settle changes nothing and
    says so."""

    account: str
    uid: str
    outcome: str
    """One of OUTCOMES. Charged only where it is `answered`."""
    duration_ms: int
    price: Price | None = None
    """What it cost a minute, for a store that holds nothing of this call (admitted while it was away)."""
    doubtful: bool = False
    """It may have been applied already, longer ago than a tombstone lives: charge only what a lease or an expired lease
    still stands for. (`maybe_since` says since when.)"""
    marks: tuple[Frequency, ...] = ()
    """What the call leaves behind, for frequencies that count marks."""
    returned: tuple[Frequency, ...] = ()
    """Attempts counted at its admission that are none after all: it was never sent anywhere."""
    by: str = ""
    """The call detail record that says so, `NODE/SEQ`. Of several records of one call that stands which is settled
    first, wherever the others are. Empty: there is none."""
    charged: int | None = None
    """Another record stands, and this was charged for it: whatever this holder was charged before becomes that."""
    maybe_since: float = 0.0
    """Since this instant (UTC seconds, this node's clock) it may have been applied already; 0: it has not been. So long
    as a tombstone lives, the store knows; later it is `doubtful`."""

    def signed(self, by: str) -> "Settle":
        """The same with the name of its record. Not by `_replace`, which takes three times as long."""
        return tuple.__new__(
            Settle,
            (
                self.account, self.uid, self.outcome, self.duration_ms, self.price, self.doubtful, self.marks,
                self.returned, by, self.charged, self.maybe_since,
            ),
        )  # fmt: skip


Verb = Admit | Answer | Renew | Settle


class Admitted(NamedTuple):
    """The lease is held until `lease_until_ms` of the store's clock."""

    lease_until_ms: int
    in_use: int
    """Concurrent calls of the holder, this one included."""
    generation: int
    """Generation of the values that admitted it."""
    ceiling: int = 0
    """Concurrent calls allowed."""
    caps: int = 0
    burst: int = 0
    tokens_micro: int = 0
    """What the bucket holds after this attempt."""
    paid_s: int = 0
    """Seconds of talk that are held for this call; 0 without a price."""
    held_micros: int = 0
    group: str = ""
    """The account's group, to be asked next (`group:` + this); empty: none."""
    reserved: int = 0
    """Calls guaranteed to the account inside that group."""
    shadowed: tuple[str, ...] = ()
    """Limits that would have refused, were they enforced."""
    caps_lots: int = 0
    call_lots: int = 0
    """Lots in force."""


class InForce(NamedTuple):
    """The account's values that a decision was made by, for its record."""

    generation: int = 0
    """0: none is known (the store was not asked, or holds no such account)."""
    caps: int = 0
    calls: int = 0
    caps_lots: int = 0
    call_lots: int = 0


NOTHING_IN_FORCE: Final = InForce()


class Denied(NamedTuple):
    """Nothing was taken (a CAPS token may be spent, ruling R6). `Denied(Limit.UNKNOWN)` answers any verb."""

    limit: Limit
    ceiling: int
    """By `limit`: CAPS; concurrent calls; attempts of a frequency; the cap or the dearest rate in micro-units; for
    credit what is left above the floor and beside the holds. 0 for the others."""
    in_use: int
    """By `limit`: burst; calls held; micro-units spent and held; the rate; for credit what the shortest call costs."""
    retry_after_ms: int
    """When the bucket holds a token again, the spending window ends or a place in the window of a frequency is free; 0
    where waiting is no cure."""
    in_force: InForce = NOTHING_IN_FORCE
    name: str = ""
    """Of a frequency, a guard, or what is amiss with a contact; empty for the others."""


class Unavailable(NamedTuple):
    """The store did not answer in time; nothing is known."""

    why: str


class Answered(NamedTuple):
    """`already`: nothing was changed, as this answer was known or the store holds no such call."""

    already: bool


class Renewed(NamedTuple):
    """All leases of the request now run until `lease_until_ms`, but for those in `ended` and `adopted`."""

    lease_until_ms: int
    reasserted: tuple[str, ...]
    """Calls whose lease had run out and was taken again: they are running, so they count. Their record is to be sent
    again (`Answer`)."""
    ended: tuple[str, ...]
    """Calls that are settled already: renewing them would bring back the dead."""
    adopted: tuple[str, ...] = ()
    """Calls that another node has taken over: this one must let go of them."""
    paid_s: tuple[int, ...] = ()
    """For each uid of the request, in order: seconds of talk held in all since the answer; 0 without a price, or where
    it is in `ended` or `adopted`."""
    dry: str = ""
    """The limit (`credit`, `spend_hour`, `spend_day`) that kept a hold from being extended; empty: none did."""
    is_cut: bool = False
    """The account is suspended or closed, and its running calls are to be ended too."""


class Settled(NamedTuple):
    """`already`: no lease was held any more, as the call had been settled before or its lease had run out."""

    already: bool
    charged_micros: int = 0
    """What this call has cost in all; 0 also where `already` and nothing is known of it."""
    marked: int = 0
    """How many such marks lie in the window now, this one included; 0: it left none."""
    by: str = ""
    """Another record than the one named by the verb settled this call before: that one stands, ours is void."""


Outcome = Admitted | Denied | Unavailable | Answered | Renewed | Settled


class RunningCall(NamedTuple):
    """A call that holds a slot."""

    uid: str
    node: str
    lease_until_ms: int
    admitted_ms: int
    answered_ms: int
    """0: not answered yet."""
    paid_s: int
    """Seconds of talk held for it; 0: it has no price."""
    held_micros: int


class Usage(NamedTuple):
    """What `peek` tells: in force and in use, nothing taken."""

    account: Account
    tokens_micro: int
    """CAPS tokens in the bucket at this instant, in millionths."""
    calls: tuple[RunningCall, ...]
    """Each call that holds a slot, next to expire first; at most 10,000 of them."""
    in_use: int
    """Concurrent calls now (may exceed len(calls))."""
    counters: tuple[tuple[str, int], ...]
    """Every name of COUNTERS with its value, in that order."""
    balance_micros: int = 0
    held_micros: int = 0
    spent_hour_micros: int = 0
    """Charged in the running UTC hour (holds not included)."""
    spent_day_micros: int = 0
    expired: int = 0
    """Calls whose lease ran out and that nobody has settled yet."""
    prefixes: tuple[tuple[str, int], ...] = ()
    """(prefix, calls held now) of each ceiling by prefix."""
    reverts: tuple[tuple[str, int, str], ...] = ()
    """(value's name, instant, what it returns to) of each time-boxed change."""
    last_call_ms: int = 0
    """Last attempt admitted (contract article 17.3); 0: none yet."""
    now_ms: int = 0
    """The store's clock at this answer."""
    shares: tuple[tuple[str, str], ...] = ()
    """Calls placed and received by day, as kept (`limits.share`); empty where nobody asked to count them."""


class Adopted(NamedTuple):
    """A call that changed hands."""

    uid: str
    is_expired: bool
    """Its lease had run out before: it is only to be closed."""
    admitted_ms: int
    answered_ms: int
    """0: not answered."""
    renewed_ms: int
    """Up to here it is known to have lived."""
    paid_s: int
    charged_micros: int
    price: Price | None
    member: str
    record: bytes
