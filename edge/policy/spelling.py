"""How a number may be spelled: every form of a CLI or a called number put into E.164, by the French plan. Pure.

RFC 3966 (tel, phone-context), RFC 3261 §19.1.6 (telephone-subscriber in a SIP URI), RFC 4904 (trunk parameters after
the number), RFC 3323 §4.1.1.3 (anonymous). The plan itself is data: `edge.config.french_plan`. The reading is generous
on purpose: a number that a telephone would show as French is one, however it was written, since the rules are to find
it.
"""

import re
from typing import NamedTuple

from edge.config.french_plan import (
    COUNTRY_CODES,
    EXTENDED_NSN_DIGITS,
    EXTENDED_PREFIXES,
    MALFORMED,
    NATIONAL_MAINLAND_EXCEPTIONS,
    NATIONAL_OVERSEAS,
    NSN_DIGITS,
    SHORT_NSN_DIGITS,
    UNAVAILABLE,
    UNREADABLE,
    WITHHELD,
)
from edge.config.snapshot import CACHE_LIMIT

NUMBER = "number"
"""State of a reading that is a number; its category is the snapshot's to say."""

MAX_CACHED_LENGTH = 128
"""A longer user part is read each time: no sender may fill the cache with novels."""
MAX_TEXT = 64
"""Characters of an original kept for the record."""
_MIN_E164_DIGITS = 7
_MAX_E164_DIGITS = 15
_MIN_BARE_DIGITS = 10
_MIN_DISGUISED_DIGITS = 9
_MAX_DISGUISED_RUNS = 8

_PLAIN = re.compile(r"\+?[0-9]{1,20}")
_SEPARATORS = str.maketrans("", "", " \t.-()/\u00a0")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_CONTEXT = re.compile(r"\+[0-9]{1,15}")
_RUN = re.compile(r"\+?[0-9]+")
_NO_DIGITS = re.compile(r"[^0-9]+")
_NATIONAL_LENGTHS = tuple(sorted({len(root) for root in NATIONAL_OVERSEAS}, reverse=True))

_WITHHELD_WORDS = frozenset({"anonymous", "restricted", "private", "withheld", "blocked", "anonyme"})
_UNAVAILABLE_WORDS = frozenset({"", "unavailable", "unknown", "interworking", "invalid", "nobody"})


class Reading(NamedTuple):
    """What a user part says."""

    e164: str
    """`+` and digits; empty where it is no number."""
    state: str
    """`number`, `withheld`, `unavailable`, `malformed` or `unreadable`."""
    text: str
    """What was written, without escapes, separators and parameters: a short code keeps its digits here."""


ABSENT = Reading("", UNAVAILABLE, "")
"""No header, no number."""

_cache: dict[bytes, Reading] = {}


def read_user(user: bytes, *, bare_international: bool = False) -> Reading:
    """Read the user part of a SIP URI or the subscriber of a tel URI, with its parameters, as it came on the wire.

    `bare_international`: 10 to 15 digits that are no French number are E.164 without its plus."""
    found = _cache.get(user)
    if found is None:
        found = _read(user)
        if len(user) <= MAX_CACHED_LENGTH:
            if len(_cache) >= CACHE_LIMIT:
                _cache.clear()
            _cache[user] = found
    if bare_international and found[1] == UNREADABLE:
        return _read_bare(found)
    return found


def _read_bare(reading: Reading) -> Reading:
    text = reading.text
    if _MIN_BARE_DIGITS <= len(text) <= _MAX_E164_DIGITS and text.isascii() and text.isdigit() and text[0] != "0":
        return Reading("+" + text, NUMBER, text)
    return reading


def _read(user: bytes) -> Reading:
    text = user.decode("latin-1")
    if _PLAIN.fullmatch(text) is not None:
        e164, state = _number(text)
        return Reading(e164, state, text)
    return _read_decorated(user)


def _read_decorated(user: bytes) -> Reading:
    """Escapes, visual separators, parameters, words: everything but plain digits."""
    if b"%" in user:
        user = _ESCAPE.sub(lambda escape: bytes((int(escape.group(1), 16),)), user)
    text, _, params = user.decode("utf-8", "replace").strip().partition(";")
    if text[:4].lower() == "tel:":
        text = text[4:]
    text = text.translate(_SEPARATORS)
    if _PLAIN.fullmatch(text) is not None:
        e164, state = _local(text, params) if params else _number(text)
        return Reading(e164, state, text)
    word = text.lower()
    if word in _WITHHELD_WORDS:
        return Reading("", WITHHELD, text)
    if word in _UNAVAILABLE_WORDS:
        return Reading("", UNAVAILABLE, text)
    return Reading("", MALFORMED if _is_disguised(text) else UNREADABLE, text)


def _local(text: str, params: str) -> tuple[str, str]:
    """A number with parameters: phone-context completes a local one (RFC 3966 §5.1.5)."""
    if text[0] == "+":
        return _number(text)
    for param in params.split(";"):
        name, _, context = param.partition("=")
        if name.strip().lower() == "phone-context" and _CONTEXT.fullmatch(context.strip()) is not None:
            context = context.strip()
            if text[0] == "0" and context[1:].startswith(COUNTRY_CODES):
                return _number(text)
            e164, state = _international((context + text.lstrip("0"))[1:])
            return (e164, state) if state == NUMBER else _number(text)
    return _number(text)


def _number(text: str) -> tuple[str, str]:
    """E.164 and state of `+` and digits, or digits."""
    if text[0] == "+":
        digits = text[1:]
        if not digits or digits[0] != "0":
            return _international(digits)
        text = digits  # +0033… and +01…: a plus put before a whole dialled number
    if text[0] != "0":
        return _if_french(text)
    if len(text) == 10 and text[1] != "0":
        return _national(text)
    if text.startswith("00"):
        return _after_00(text[2:])
    nsn = text[1:]
    if len(nsn) == EXTENDED_NSN_DIGITS and ("33" + nsn).startswith(EXTENDED_PREFIXES):
        return "+33" + nsn, NUMBER
    if text.startswith("011"):  # North America's international prefix
        return _if_french(text[3:])
    return _if_french(nsn)


def _national(text: str) -> tuple[str, str]:
    """Ten digits with the trunk prefix: 01…, 0262…"""
    code = "33"
    for length in _NATIONAL_LENGTHS:
        found = NATIONAL_OVERSEAS.get(text[:length])
        if found is not None:
            code = "33" if text.startswith(NATIONAL_MAINLAND_EXCEPTIONS) else found
            break
    number = code + text[1:]
    # 07000… and 09010… exist with 14 digits only.
    return ("", MALFORMED) if number.startswith(EXTENDED_PREFIXES) else ("+" + number, NUMBER)


def _international(digits: str) -> tuple[str, str]:
    """Digits that begin with a country code."""
    code = digits[:2] if digits.startswith("33") else digits[:3]
    if code not in COUNTRY_CODES:
        is_sound = _MIN_E164_DIGITS <= len(digits) <= _MAX_E164_DIGITS
        return ("+" + digits, NUMBER) if is_sound else ("", UNREADABLE)
    nsn = digits[len(code) :]
    if nsn[:1] == "0" and len(nsn) in (NSN_DIGITS + 1, EXTENDED_NSN_DIGITS + 1):
        nsn = nsn[1:]  # +33 (0)1…: the trunk prefix does not belong there
    is_extended = (code + nsn).startswith(EXTENDED_PREFIXES)
    wanted = EXTENDED_NSN_DIGITS if is_extended else NSN_DIGITS
    if nsn[:1] == "0" or (len(nsn) != wanted and len(nsn) != SHORT_NSN_DIGITS.get(code)):
        return "", MALFORMED
    return "+" + code + nsn, NUMBER


def _after_00(digits: str) -> tuple[str, str]:
    """What follows the international prefix; a subscriber number never begins with it."""
    if digits[:1] != "0":
        return _international(digits)
    # More zeros: an outside-line digit before a whole French number, else nothing that could be dialled.
    if len(digits) == 10 and digits[1] != "0":
        return _national(digits)
    return _if_french(digits.lstrip("0"))


def _if_french(digits: str) -> tuple[str, str]:
    """A whole number of the plan, country code in front; else nothing readable."""
    if digits.startswith(COUNTRY_CODES):
        e164, state = _international(digits)
        # +508 41…: six digits are too few to tell it from any other string without a plus.
        if state == NUMBER and len(e164) >= 1 + 2 + NSN_DIGITS:
            return e164, NUMBER
    return "", UNREADABLE


def _is_disguised(text: str) -> bool:
    """Is there a number of the plan in this text, once its other characters are gone?"""
    runs = [run for run in _RUN.findall(text) if len(run) >= _MIN_DISGUISED_DIGITS][:_MAX_DISGUISED_RUNS]
    together = _NO_DIGITS.sub("", text)
    for digits in (together, *runs):
        if _MIN_DISGUISED_DIGITS <= len(digits) <= 2 * _MAX_E164_DIGITS:
            e164, _ = _number(digits)
            if e164[1:].startswith(COUNTRY_CODES):
                return True
    return False
