"""Where an account calls: the name of a destination, and the bucket of a day. Pure.

ITU-T E.164: country codes have one to three digits, and the first digits say how many.
"""

DAY_S = 86_400
DAYS_KEPT_S = 100 * DAY_S
"""Longest `known_days` of the alerts, and some more."""
HOME = "short"
"""Short numbers, and whatever else has no country code."""
_LONG = 64
_TWO_DIGITS = (20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67))
_CODES_OF_TWO = frozenset(map(str, (*_TWO_DIGITS, 81, 82, 84, 86, *range(90, 96), 98)))


def place_of(called: str, zone: str) -> str:
    """The zone of the number's rate; else its country code with a plus."""
    if zone:
        return zone[:_LONG]
    digits = called[1:] if called.startswith("+") else ""
    if not digits.isdigit():
        return HOME
    if digits[0] in "17":
        return f"+{digits[0]}"
    return f"+{digits[:2]}" if digits[:2] in _CODES_OF_TWO else f"+{digits[:3]}"


def places_bucket(day: int) -> str:
    """Attempts of a day by destination; `day`: of UTC, since 1970."""
    return f"places:{day}"
