"""`Account`: the commercial values of an account, a group or a trunk, and what may stand in each of them. Pure.

They live in the store and are read inside the scripts (R9). Money is integer micro-units.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

from limits.rates import MAX_MONEY_MICROS, MAX_RATE_MICROS

AccountId = NewType("AccountId", str)

MAX_CEILING = 1_000_000
"""Largest CAPS, burst or call ceiling. Keeps every product of the bucket exact in the 53 bits a Lua number has."""

MAX_PREFIX_CEILINGS = 64
"""Ceilings by prefix an account may have: the admission script reads them all."""

_HOLDER_ID = re.compile(r"[!-z|~]{1,128}")
"""Printable ASCII without braces: a brace would move the store's hash tag (see `limits.keys`)."""
_PREFIX = re.compile(r"\+?[0-9*#]{1,20}")
KINDS = ("group:", "trunk:", "professional:")
"""Beginnings of the names of holders that are no accounts."""


def is_holder_id(text: str) -> bool:
    """Can limits be kept under this name: an account's, `group:ID`, `trunk:ID` or `professional:ID`?"""
    return _HOLDER_ID.fullmatch(text) is not None and text not in KINDS


def is_account_id(text: str) -> bool:
    """Can an account have this name at all?"""
    return is_holder_id(text) and not text.startswith(KINDS)


class AccountStatus(StrEnum):
    """May the account place calls at all?"""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Credit(StrEnum):
    """What the balance means."""

    PREPAID = "prepaid"
    POSTPAID = "postpaid"
    """The floor is minus the credit line."""
    NONE = "none"
    """Charges are counted, the balance is asked for nothing: groups, trunks."""


class PrefixCeiling(NamedTuple):
    """Ceilings of an account for one destination; the longest prefix of the called number applies."""

    prefix: str
    """Beginning of the called number, with its plus, or of a short code."""
    calls: int | None
    """Concurrent calls; None: no ceiling."""
    caps: int | None
    """Call attempts per second, and the depth of their bucket (at least 1); None: no ceiling."""


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
    calls_reserved: int = 0
    """Calls guaranteed inside the group's ceiling."""
    group: str = ""
    """ID of its group; empty: none."""
    credit: Credit = Credit.PREPAID
    floor_micros: int = 0
    """The balance may not go below it; postpaid: minus the credit line."""
    spend_cap_hour_micros: int | None = None
    """UTC hour; None: no cap."""
    spend_cap_day_micros: int | None = None
    max_rate_micros: int | None = None
    """Dearest rate per minute; None: any."""
    prefix_ceilings: tuple[PrefixCeiling, ...] = ()
    shadow: frozenset[str] = frozenset()
    """Limits judged and counted, but not enforced (`limits.model.SHADOWABLE`)."""
    is_cut: bool = False
    """While suspended or closed: running calls are ended too."""
    generation: int = 1
    """Compare-and-set counter of these values."""

    def __post_init__(self) -> None:
        """Raises ValueError where a value cannot be enforced exactly."""
        if not is_holder_id(self.id):
            raise ValueError(f"account id {self.id!r}: expected 1 to 128 printable ASCII characters without braces")
        for name in ("caps_base", "caps_lots", "caps_lot_size", "calls_base", "call_lots", "call_lot_size"):
            _check_range(name, getattr(self, name))
        _check_range("caps_burst", 0 if self.caps_burst is None else self.caps_burst)
        _check_range("calls_reserved", self.calls_reserved)
        _check_range("caps_base + caps_lots x caps_lot_size", self.caps)
        _check_range("calls_base + call_lots x call_lot_size", self.calls)
        if self.group and not is_account_id(self.group):
            raise ValueError(f"group {self.group!r}: expected 1 to 128 printable ASCII characters without braces")
        _check_range("floor_micros", self.floor_micros, -MAX_MONEY_MICROS, MAX_MONEY_MICROS)
        for name in ("spend_cap_hour_micros", "spend_cap_day_micros"):
            _check_range(name, getattr(self, name) or 0, 0, MAX_MONEY_MICROS)
        _check_range("max_rate_micros", self.max_rate_micros or 0, 0, MAX_RATE_MICROS)
        _check_prefixes(self.prefix_ceilings)

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


def _check_range(name: str, value: int, least: int = 0, most: int = MAX_CEILING) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} = {value}: expected {least} to {most}")


def _check_prefixes(ceilings: tuple[PrefixCeiling, ...]) -> None:
    if len(ceilings) > MAX_PREFIX_CEILINGS:
        raise ValueError(f"prefix_ceilings: {len(ceilings)} of them; expected at most {MAX_PREFIX_CEILINGS}")
    seen = set()
    for prefix, calls, caps in ceilings:
        if _PREFIX.fullmatch(prefix) is None or prefix in seen:
            raise ValueError(f"prefix_ceilings: {prefix!r}: expected digits after a plus, each prefix once")
        seen.add(prefix)
        for name, value in (("calls", calls), ("caps", caps)):
            _check_range(f"prefix_ceilings {prefix} {name}", value or 0)
