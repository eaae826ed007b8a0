"""An `Account` as fields of a store hash and back, and patches of its values. Pure."""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, cast

from limits.account import Account, AccountId, AccountStatus, Credit, PrefixCeiling
from limits.keys import VALUE_FIELDS

Value = int | str | bool | None | tuple[PrefixCeiling, ...] | frozenset[str]

Patch = Mapping[str, Value]
"""Some of VALUE_FIELDS with their new values, as `Account` has them (status and credit may be plain words)."""

_OPTIONAL = ("caps_burst", "spend_cap_hour_micros", "spend_cap_day_micros", "max_rate_micros")
_NUMBERS = (
    "caps_base",
    "caps_lots",
    "caps_lot_size",
    "calls_base",
    "call_lots",
    "call_lot_size",
    "calls_reserved",
    "floor_micros",
)
_DEFAULTS = Account(AccountId("-"))


def to_text(name: str, value: object) -> str:
    """One value as the store keeps it."""
    if value is None:
        return ""
    if name == "prefix_ceilings":
        ceilings = cast(tuple[PrefixCeiling, ...], value)
        return " ".join(f"{p}:{'' if c is None else c}:{'' if r is None else r}" for p, c, r in ceilings)
    if name == "shadow":
        return " ".join(sorted(cast(frozenset[str], value)))
    return str(int(value)) if isinstance(value, bool) else str(value)


def from_text(name: str, text: str) -> Value:
    """One value from what the store keeps. Raises ValueError."""
    if name == "status":
        return AccountStatus(text)
    if name == "credit":
        return Credit(text)
    if name == "group":
        return text
    if name == "is_cut":
        return text == "1"
    if name == "shadow":
        return frozenset(text.split())
    if name == "prefix_ceilings":
        return tuple([_prefix_ceiling(word) for word in text.split()])
    return None if text == "" and name in _OPTIONAL else int(text)


def _prefix_ceiling(word: str) -> PrefixCeiling:
    prefix, calls, caps = word.split(":")
    return PrefixCeiling(prefix, int(calls) if calls else None, int(caps) if caps else None)


def to_fields(account: Account, *, only: Container[str] = VALUE_FIELDS) -> list[str]:
    """VALUE_FIELDS (those in `only`) and their values, alternating, as HSET wants them."""
    flat: list[str] = []
    for name in VALUE_FIELDS:
        if name in only:
            flat += (name, to_text(name, getattr(account, name)))
    return flat


def from_fields(account: AccountId, fields: Mapping[str, str]) -> Account:
    """The account a store hash describes. Raises ValueError where a value is not one of ours."""
    values: dict[str, Any] = {name: from_text(name, fields[name]) for name in VALUE_FIELDS if name in fields}
    values["status"] = AccountStatus(fields.get("status", ""))
    return Account(id=account, generation=int(fields.get("generation", "0")), **values)


def digest(account: Account) -> str:
    """Fingerprint of the commercial values: tells an import that changes something from one that does not.

    Longer than 64 bytes: from a hash with such a value the store reads a field at once, else by looking through them
    all (`hash-max-listpack-value`); an attempt reads 31 fields."""
    return "sha256:" + hashlib.sha256("\n".join(to_fields(account)).encode()).hexdigest()


def at_generation(account: Account, generation: int) -> Account:
    """The same values under another generation number."""
    return replace(account, generation=generation)


def patched(account: Account, patch: Patch) -> Account:
    """The account with some values changed, generation untouched. Raises ValueError for what cannot be."""
    changed: dict[str, Any] = {}
    for name, value in patch.items():
        if name not in VALUE_FIELDS:
            raise ValueError(f"{name}: no such value; known: {', '.join(VALUE_FIELDS)}")
        if name in _NUMBERS or name in _OPTIONAL:
            if type(value) is not int and not (value is None and name in _OPTIONAL):
                raise ValueError(f"{name} = {value!r}: expected a whole number")
        elif name in ("status", "credit"):
            value = from_text(name, str(value))
        elif type(value) is not type(getattr(_DEFAULTS, name)):
            raise ValueError(f"{name} = {value!r}: expected a {type(getattr(_DEFAULTS, name)).__name__}")
        changed[name] = value
    return replace(account, **changed)
