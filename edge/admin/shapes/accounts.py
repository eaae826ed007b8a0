"""Accounts, groups and trunks as the API tells and takes them. Pure. Money is integer micro-units of the policy's
currency, instants are UTC milliseconds of the store's clock."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.accounts.values import MAX_LOTS
from edge.admin.shapes.shape import MICROS, Answer, Asked, Micros, Reason
from limits.account import MAX_CEILING, MAX_PREFIX_CEILINGS

Status = Literal["active", "suspended", "closed"]
Credit = Literal["prepaid", "postpaid", "none"]
Ceiling = Annotated[int, Field(ge=0, le=MAX_CEILING, strict=True)]
Until = Annotated[
    str,
    StringConstraints(max_length=40),
    Field(description="Then it returns by itself: `45m`, `2h`, `3d`, or ISO 8601 with its zone.", examples=["2h"]),
]
Shadow = Literal[
    "caps", "contact", "frequency", "calls", "prefix_caps", "prefix_calls", "spend_hour", "spend_day", "guard",
    "max_rate", "credit",
]  # fmt: skip


class PrefixCeiling(Asked):
    """Ceilings for one destination."""

    prefix: Annotated[str, StringConstraints(pattern=r"^\+?[0-9*#]{1,20}$")]
    calls: Ceiling | None = None
    caps: Ceiling | None = None


class Values(Answer):
    """Commercial values in force."""

    status: Status
    caps_base: int
    caps_lots: int
    caps_lot_size: int
    caps_burst: int | None
    calls_base: int
    call_lots: int
    call_lot_size: int
    calls_reserved: int
    group: str
    credit: Credit
    floor_micros: int
    spend_cap_hour_micros: int | None
    spend_cap_day_micros: int | None
    max_rate_micros: int | None
    prefix_ceilings: list[PrefixCeiling]
    shadow: list[str]
    is_cut: bool


class Revert(Answer):
    """A value that returns by itself."""

    name: str
    at_ms: int
    to: str | int | bool | list[str] | list[PrefixCeiling] | None


class Account(Answer):
    """Everything in force and in use."""

    account: str
    generation: int = Field(description="The same as the ETag.")
    values: Values
    caps: int = Field(description="Call attempts per second: base + lots x size.")
    burst: int
    calls: int = Field(description="Concurrent calls allowed: base + lots x size.")
    in_use: int = Field(description="Concurrent calls now.")
    tokens_micro: int = Field(description="CAPS tokens in the bucket now, in millionths.")
    balance_micros: int
    held_micros: int
    spent_hour_micros: int
    spent_day_micros: int
    expired: int
    prefixes: dict[str, int]
    reverts: list[Revert]
    last_call_ms: int
    now_ms: int
    shares: dict[str, int] = Field(
        description="Of a small automated system: calls placed (`p:`) and received (`r:`) by day since 1970, and the "
        "first day counted (`since`). Empty: nothing is counted."
    )
    counters: dict[str, int]


class ListedAccount(Answer):
    """A row of the list."""

    account: str
    status: Status
    in_use: int
    calls: int
    caps: int
    balance_micros: int
    held_micros: int
    last_call_ms: int


class HeldCall(Answer):
    """A call that holds a slot."""

    uid: str
    node: str
    lease_until_ms: int
    admitted_ms: int
    answered_ms: int = Field(description="0: not answered yet.")
    paid_s: int
    held_micros: int


class Monthly(Answer):
    """What the lots cost a month, by the prices in force."""

    currency: str
    before_micros: int
    after_micros: int


class Change(Answer):
    """What a change did, or would do."""

    account: str
    dry_run: bool
    generation: int
    until_ms: int | None
    changed: dict[str, list[str | int | bool | list[str] | list[PrefixCeiling] | None]] = Field(
        description="Value -> [before, after]; empty: it was so already."
    )
    returns: list[Revert]
    cancelled: list[Revert]
    monthly: Monthly


class Created(Answer):
    """A new account."""

    account: str
    dry_run: bool
    generation: int
    values: Values
    balance_micros: int


class ToppedUp(Answer):
    """What a top-up did."""

    account: str
    dry_run: bool
    before_micros: int
    after_micros: int
    already: bool = Field(description="The reference had been booked before: nothing was changed.")


class HistoryValue(Answer):
    """One value of a change."""

    name: str
    before: str | int | bool | list[str] | list[PrefixCeiling] | None
    after: str | int | bool | list[str] | list[PrefixCeiling] | None


class HistoryEntry(Answer):
    """One change."""

    at_ms: int
    generation: int
    by: str
    why: str
    until_ms: int | None
    values: list[HistoryValue]


class Verified(Answer):
    """Do the books add up?"""

    account: str
    is_sound: bool
    broken: list[str]


# -- asked ---------------------------------------------------------------------------------------------------------


class Settings(Asked):
    """Values to set; what is left out stays."""

    caps_base: Ceiling = 1
    caps_lots: Ceiling = 0
    caps_lot_size: Ceiling = 10
    caps_burst: Ceiling | None = None
    calls_base: Ceiling = 10
    call_lots: Ceiling = 0
    call_lot_size: Ceiling = 30
    calls_reserved: Ceiling = 0
    group: Annotated[str, StringConstraints(max_length=128)] = ""
    credit: Credit = "prepaid"
    floor_micros: Micros = 0
    spend_cap_hour_micros: Annotated[Micros, Field(ge=0)] | None = None
    spend_cap_day_micros: Annotated[Micros, Field(ge=0)] | None = None
    max_rate_micros: Annotated[Micros, Field(ge=0)] | None = None
    prefix_ceilings: Annotated[list[PrefixCeiling], Field(max_length=MAX_PREFIX_CEILINGS)] = Field(default_factory=list)
    shadow: Annotated[list[Shadow], Field(max_length=16)] = Field(default_factory=list)


class NewAccount(Settings):
    """An account to be made."""

    account: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[!-z|~]+$")]
    opening_micros: Annotated[Micros, Field(ge=0)] = 0
    reason: Reason = ""


class AccountPatch(Settings):
    """A merge patch (RFC 7396): what is named is set, null is no ceiling."""

    reason: Reason = ""
    until: Until | None = None


class Lots(Asked):
    """So many lots more, less, or in all."""

    lots: (
        Annotated[int, Field(ge=0, le=MAX_LOTS, strict=True)]
        | Annotated[str, StringConstraints(pattern=r"^[+-]?[0-9]{1,7}$")]
    ) = Field(description="`+1`, `-1`: so many more or less; 3: so many in all.", examples=["+1"])
    until: Until | None = None
    reason: Reason = ""


class Stop(Asked):
    """Suspend or close."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    cut: bool = Field(default=False, description="End its running calls too.")
    until: Until | None = None


class Close(Asked):
    """Close for good."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    cut: bool = Field(default=False, description="End its running calls too.")
    is_sure: bool = Field(default=False, description="Although calls run on it.")


class Resume(Asked):
    """Calls pass again."""

    reason: Reason = ""
    reopen: bool = Field(default=False, description="Even one that is closed.")


class TopUp(Asked):
    """Money actually received; below zero: a correction, with its reason."""

    amount_micros: Micros
    reference: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="Of the payment: the same one again books nothing.", examples=["bank-2026-11-26-0042"]
    )
    reason: Reason = ""


class CreditAlert(Answer):
    """Below which credit an account is told."""

    account: str
    below_micros: int | None = Field(description="Null: as `[alerts]` says for all accounts.")


class CreditAlertWanted(Asked):
    """Another threshold."""

    below_micros: Annotated[int, Field(ge=0, le=MICROS, strict=True)] | None
    reason: Reason = ""
