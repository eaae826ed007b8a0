"""What an operator writes about an account on the command line, and how its values are shown. Pure.

Names are those of the policy document; amounts are decimal text (`12.50`), never floats.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from edge.config.money import format_money, parse_money
from limits.account import MAX_CEILING, Account, AccountId, AccountStatus, Credit, PrefixCeiling
from limits.fields import Patch, Value
from limits.model import GROUP, PROFESSIONAL, SHADOWABLE, TRUNK

_AMOUNTS = {
    "floor": "floor_micros",
    "spend_cap_hour": "spend_cap_hour_micros",
    "spend_cap_day": "spend_cap_day_micros",
    "max_rate": "max_rate_micros",
}
_COUNTS = (
    "caps_base", "caps_lots", "caps_lot_size", "caps_burst", "calls_base", "call_lots", "call_lot_size",
    "calls_reserved",
)  # fmt: skip
_OPTIONAL = ("caps_burst", "spend_cap_hour", "spend_cap_day", "max_rate")
_OTHERS = ("group", "credit", "prefix_ceilings", "shadow")
NAMES = (*_COUNTS, *_AMOUNTS, *_OTHERS)
"""What `set` and `create` take."""

_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LOTS = re.compile(r"([+-]?)=?([0-9]{1,7})")
MAX_LOTS = 9_999_999
MAX_UNTIL = timedelta(days=3660)
_EXAMPLE = "2027-01-31T08:00Z"


class Terms(NamedTuple):
    """What every change has in common."""

    by: str
    reason: str
    until: str = ""
    dry_run: bool = False
    generation: int | None = None
    """Change only what is at this generation."""


class Changed(NamedTuple):
    """What a change did, or would do."""

    before: Account
    after: Account
    until_ms: int | None
    cancelled: tuple[tuple[str, int, str], ...] = ()
    """(value, instant, what it was to return to) of returns that this change, made for good, does away with."""
    returns: tuple[tuple[str, str], ...] = ()
    """(value, what it returns to at `until_ms`)."""


class Created(NamedTuple):
    """A new account, or what it would be."""

    account: Account
    opening_micros: int


class ToppedUp(NamedTuple):
    """What a top-up did, or would do."""

    before_micros: int
    after_micros: int
    already: bool
    """The reference had been booked before: nothing was changed."""


def lots_of(text: str, present: int) -> tuple[int, bool]:
    """(lots, relative to what there is?) of `+1`, `-2`, `3` or `=3`. Raises ValueError."""
    found = _LOTS.fullmatch(text)
    if found is None or (found[1] and "=" in text):
        raise ValueError(f"{text!r}: expected +N or -N lots more or less, or N lots in all")
    number = int(found[2])
    if not found[1]:
        return number, False
    lots = present + (number if found[1] == "+" else -number)
    if lots < 0:
        raise ValueError(f"{text}: of {present} lots {number} cannot be taken away")
    return lots, True


def check_until(text: str) -> None:
    """Raises ValueError where that is no time at all. Whether it is to come, the store's clock decides."""
    if _SPAN.fullmatch(text) is None:
        _instant(text)


def until_of(text: str, now_ms: int) -> int:
    """The instant in UTC milliseconds: `2h`, `45m`, `3d` from now, or ISO 8601 with its zone. Raises ValueError."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        ahead = timedelta(**{_UNITS[span[2]]: int(span[1])})
    else:
        ahead = _instant(text) - datetime.fromtimestamp(now_ms / 1_000, UTC)
    if ahead <= timedelta(0):
        raise ValueError(f"--until {text}: that is past; the store's clock says {show_instant(now_ms)}")
    if ahead > MAX_UNTIL:
        raise ValueError(f"--until {text}: expected at most ten years from now; leave it out for good")
    return now_ms + ahead // timedelta(milliseconds=1)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--until {text!r}: expected a time from now, 45m, 2h or 3d, or {_EXAMPLE}") from None
    if instant.tzinfo is None:
        raise ValueError(f"--until {text}: in which zone? Expected {_EXAMPLE} or {text}+01:00")
    return instant


def line_of(name: str, text: str, *, most: int) -> str:
    """Text that goes into the journal, and from there to other terminals. Raises ValueError."""
    if len(text) > most or not text.isprintable():
        raise ValueError(f"{name}: expected at most {most} printable characters on one line, got {text[:most]!a}")
    return text


def blank(holder: AccountId) -> Account:
    """What `create` starts from: as in the policy document, groups and trunks have no credit, and trunks no ceiling."""
    if holder.startswith((TRUNK, PROFESSIONAL)):
        return Account(holder, caps_base=MAX_CEILING, calls_base=MAX_CEILING, credit=Credit.NONE)
    return Account(holder, credit=Credit.NONE if holder.startswith(GROUP) else Credit.PREPAID)


def patch_of(words: list[str]) -> Patch:
    """`name=value …` as values of an account. Raises ValueError, naming the word and what was expected."""
    patch: dict[str, Value] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if name == "status":
            raise ValueError("status: use suspend, resume or close")
        if not equals or name not in NAMES:
            raise ValueError(f"{word!r}: expected NAME=VALUE with a NAME of {', '.join(NAMES)}")
        field = _AMOUNTS.get(name, name)
        if field in patch:
            raise ValueError(f"{name}: given twice")
        patch[field] = _value(name, text.strip())
    if not patch:
        raise ValueError(f"nothing to set: expected NAME=VALUE with a NAME of {', '.join(NAMES)}")
    return patch


def _value(name: str, text: str) -> Value:
    if text in ("", "none") and name in _OPTIONAL:
        return None
    if name in _AMOUNTS:
        try:
            return parse_money(text)
        except ValueError:
            raise ValueError(f"{name}={text}: expected an amount, at most 6 decimals: {name}=12.50") from None
    if name in _COUNTS:
        if not text.isascii() or not text.isdecimal() or len(text) > 9:
            raise ValueError(f"{name}={text}: expected a whole number{' or none' if name in _OPTIONAL else ''}")
        return int(text)
    if name == "credit":
        if text not in tuple(Credit):
            raise ValueError(f"credit={text}: expected {', '.join(Credit)}")
        return text
    if name == "shadow":
        return _shadow(text)
    if name == "prefix_ceilings":
        return _prefix_ceilings(text)
    return "" if text == "none" else text


def _shadow(text: str) -> frozenset[str]:
    words = frozenset() if text in ("", "none") else frozenset(text.split(","))
    unknown = sorted(words - set(SHADOWABLE))
    if unknown:
        raise ValueError(f"shadow={text}: {unknown[0]!r} is no limit; known: {', '.join(sorted(SHADOWABLE))}")
    return words


def _prefix_ceilings(text: str) -> tuple[PrefixCeiling, ...]:
    """`+3389:2:1,+44:10:` - prefix, calls, CAPS; an empty one is no ceiling."""
    ceilings = []
    for word in [] if text in ("", "none") else text.split(","):
        parts = word.split(":")
        if len(parts) != 3 or not all(part == "" or (part.isascii() and part.isdecimal()) for part in parts[1:]):
            raise ValueError(f"prefix_ceilings={text}: expected PREFIX:CALLS:CAPS, … as in +3389:2:1,+44:10:")
        ceilings.append(PrefixCeiling(parts[0], *[int(part) if part else None for part in parts[1:]]))
    return tuple(ceilings)


# -- shown ---------------------------------------------------------------------------------------------------------


def operator_name(field: str) -> str:
    """The name an operator knows: that of the policy document."""
    return field.removesuffix("_micros")


def show_stored(field: str, text: str) -> str:
    """A value as the store keeps it (text), for a reader."""
    if field == "is_cut":
        return "yes" if text == "1" else "no"
    if field.endswith("_micros"):
        return format_money(int(text)) if re.fullmatch(r"-?[0-9]+", text) else show_text(text) or "none"
    if field in ("prefix_ceilings", "shadow"):
        text = text.replace(" ", ",")  # as `set` takes it
    return show_text(text) or "none"


def show_text(text: str) -> str:
    """Nothing in it moves the reader's cursor, whoever wrote it."""
    return text if text.isprintable() else "".join([one if one.isprintable() else "?" for one in text])


def show_instant(ms: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def show_span(ms: int) -> str:
    """`4:05`, `1:02:03`."""
    minutes, seconds = divmod(max(0, ms) // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class WrongState(ValueError):
    """Nothing is wrong with what was written, but the account, as it is, does not allow it."""


def next_status(account: Account, wanted: AccountStatus, *, reopen: bool = False) -> AccountStatus:
    """Raises WrongState where the account may not go there."""
    if account.status is AccountStatus.CLOSED and wanted is not AccountStatus.CLOSED and not reopen:
        raise WrongState(f"account {account.id!r} is closed; to open it again: resume {account.id} --reopen")
    return wanted
