"""An `Account` as fields of a store hash and back, and patches of its values. Pure."""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import replace

from limits.keys import VALUE_FIELDS
from limits.model import Account, AccountId, AccountStatus

Patch = Mapping[str, int | str | None]
"""Some of VALUE_FIELDS with their new values; None only for `caps_burst`."""


def to_fields(account: Account, *, only: Container[str] = VALUE_FIELDS) -> list[str]:
    """VALUE_FIELDS (those in `only`) and their values, alternating, as HSET wants them."""
    flat: list[str] = []
    for name in VALUE_FIELDS:
        if name not in only:
            continue
        value = getattr(account, name)
        flat += (name, "" if value is None else str(value))
    return flat


def from_fields(account: AccountId, fields: Mapping[str, str]) -> Account:
    """The account a store hash describes. Raises ValueError where a value is not one of ours."""
    burst = fields.get("caps_burst", "")
    return Account(
        id=account,
        status=AccountStatus(fields.get("status", "")),
        caps_base=int(fields.get("caps_base", "0")),
        caps_lots=int(fields.get("caps_lots", "0")),
        caps_lot_size=int(fields.get("caps_lot_size", "0")),
        caps_burst=int(burst) if burst else None,
        calls_base=int(fields.get("calls_base", "0")),
        call_lots=int(fields.get("call_lots", "0")),
        call_lot_size=int(fields.get("call_lot_size", "0")),
        generation=int(fields.get("generation", "0")),
    )


def digest(account: Account) -> str:
    """Fingerprint of the commercial values: tells an import that changes something from one that does not."""
    return hashlib.sha256("\n".join(to_fields(account)).encode()).hexdigest()[:16]


def at_generation(account: Account, generation: int) -> Account:
    """The same values under another generation number."""
    return replace(account, generation=generation)


def patched(account: Account, patch: Patch) -> Account:
    """The account with some values changed, generation untouched. Raises ValueError for what cannot be."""
    changed: dict[str, int | None] = {}
    status = account.status
    for name, value in patch.items():
        if name == "status":
            status = AccountStatus(str(value))
        elif name not in VALUE_FIELDS:
            raise ValueError(f"{name}: no such value; known: {', '.join(VALUE_FIELDS)}")
        elif type(value) is int or (value is None and name == "caps_burst"):
            changed[name] = value
        else:
            raise ValueError(f"{name} = {value!r}: expected a whole number")
    fields = dict(zip(VALUE_FIELDS[1:], (getattr(account, name) for name in VALUE_FIELDS[1:]), strict=True))
    fields.update(changed)
    return replace(account, status=status, **fields)
