"""Amounts as operators write them, and as the edge counts: integer micro-units. Pure."""

import re

MICRO = 1_000_000
_AMOUNT = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]{1,6}))?")


def parse_money(value: object) -> int:
    """Micro-units of `"12.50"` or of a whole number of units. Raises ValueError; a float is refused, since it is never
    what was written."""
    if type(value) is int:
        value = str(value)
    found = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('expected an amount in quotes, at most 6 decimals: "12.50"')
    sign, whole, fraction = found.groups()
    micros = int(whole) * MICRO + int((fraction or "").ljust(6, "0"))
    return -micros if sign == "-" else micros


def format_money(micros: int) -> str:
    """At least two decimals, no more than it takes: `12.50`, `0.0125`."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICRO)
    decimals = f"{fraction:06}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"
