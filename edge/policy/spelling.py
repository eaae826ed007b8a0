"""How a number may be spelled: every form of a CLI or a called number put into E.164, by a national plan. Pure.

RFC 3966 (tel, phone-context), RFC 3261 §19.1.6 (telephone-subscriber in a SIP URI), RFC 4904 (trunk parameters after
the number), RFC 3323 §4.1.1.3 (anonymous). The plan itself is data (`edge.config.plan`). The reading is generous on
purpose: a number that a telephone would show as one of the plan is one, however it was written, since the rules are to
find it.
"""

import re
import unicodedata
from typing import Final

from edge.config.plan import (
    CACHE_LIMIT,
    MALFORMED,
    MAX_E164_DIGITS,
    UNAVAILABLE,
    UNREADABLE,
    WITHHELD,
    NumberPlan,
)
from edge.config.plan import NUMBER as NUMBER
from edge.config.plan import Reading as Reading

MAX_CACHED_LENGTH: Final = 128
"""A longer user part is read each time: no sender may fill the cache with novels."""
MAX_TEXT: Final = 64
"""Characters of an original kept for the record."""
_MIN_E164_DIGITS: Final = 7
_MIN_BARE_DIGITS: Final = 10
_MIN_DISGUISED_DIGITS: Final = 9
_MAX_DISGUISED_RUNS: Final = 8
_MAX_UNESCAPED: Final = 3
"""So many times over is a user part unescaped: whoever relays it may do so again."""

_PERCENT: Final = 0x25
_PLAIN: Final = re.compile(r"\+?[0-9]{1,20}")
_SEPARATORS: Final = str.maketrans("", "", " \t.-()/\u00a0")
_CONTEXT_SEPARATORS: Final = str.maketrans("", "", ' \t.-()/\u00a0"')
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_CONTEXT: Final = re.compile(r"\+[0-9]{1,15}")
_RUN: Final = re.compile(r"\+?[0-9]+")
_NO_WORD: Final = re.compile(r"[^0-9A-Za-z+]+")
_NO_DIGITS: Final = re.compile(r"[^0-9]+")

_WITHHELD_WORDS: Final = frozenset({"anonymous", "restricted", "private", "withheld", "blocked", "anonyme"})
_UNAVAILABLE_WORDS: Final = frozenset({"", "unavailable", "unknown", "interworking", "invalid", "nobody"})


ABSENT: Final = Reading("", UNAVAILABLE, "")
"""No header, no number."""

_NORTH_AMERICAN_PREFIX: Final = "011"
"""Another country's international prefix, common enough in what PBXs send."""


def read_user(user: bytes, plan: NumberPlan, *, bare_international: bool = False) -> Reading:
    """Read the user part of a SIP URI or the subscriber of a tel URI, with its parameters, as it came on the wire.

    `bare_international`: 10 to 15 digits that are no number of the plan are E.164 without its plus."""
    readings = plan.readings
    found = readings.get(user)
    if found is None:
        found = read_anew(user, plan)
        if len(user) <= MAX_CACHED_LENGTH:
            if len(readings) >= CACHE_LIMIT:
                readings.clear()
            readings[user] = found
    if bare_international and found[1] == UNREADABLE:
        return read_bare(found)
    return found


def read_anew(user: bytes, plan: NumberPlan) -> Reading:
    """The reading, not asking what was read before."""
    text = user.decode("latin-1")
    if plan.usual.fullmatch(user) is not None:
        # Not through Reading's own constructor, which costs three times as much.
        return tuple.__new__(Reading, (text if text[0] == "+" else f"+{plan.home}{text[1:]}", NUMBER, text))
    if _PLAIN.fullmatch(text) is not None:
        e164, state = _number(text, plan)
        return Reading(e164, state, text)
    return _read_decorated(user, plan)


def without_portability(digits: str, plan: NumberPlan) -> str:
    """A called number as a network of the plan may send it, with the prefix that says who serves it between country
    code and number (+33 12345 1 99 00 12 34): the number in E.164. Empty: it has none. Only a trusted neighbour's is
    believed."""
    if not plan.portability_digits or not digits[1:].isdigit():
        return ""
    code = plan.code_of(digits[1:])
    nsn = digits[1 + len(code) :]
    if digits[0] != "+" or not code or len(nsn) != plan.portability_digits + plan.nsn_digits[code][0]:
        return ""
    e164, state = _international(code + nsn[plan.portability_digits :], plan)
    return e164 if state == NUMBER else ""


def read_bare(reading: Reading) -> Reading:
    """What is no number, as E.164 without its plus, where it is as long as one."""
    text = reading.text
    if _MIN_BARE_DIGITS <= len(text) <= MAX_E164_DIGITS and text.isascii() and text.isdigit() and text[0] != "0":
        return Reading("+" + text, NUMBER, text)
    return reading


def _read_decorated(user: bytes, plan: NumberPlan) -> Reading:
    """Escapes, visual separators, parameters, words: everything but plain digits."""
    for _ in range(_MAX_UNESCAPED):
        if _PERCENT not in user:
            break
        user = _ESCAPE.sub(lambda escape: bytes((int(escape.group(1), 16),)), user)
    whole = user.decode("utf-8", "replace")
    if not whole.isascii():
        whole = _plainly(whole)
    text, _, params = whole.strip().partition(";")
    if text[:4].lower() == "tel:":
        text = text[4:]
    text = text.translate(_SEPARATORS)
    if _PLAIN.fullmatch(text) is not None:
        e164, state = _local(text, params, plan) if params else _number(text, plan)
        return Reading(e164, state, text)
    word = text.lower()
    if word in _WITHHELD_WORDS:
        return Reading("", WITHHELD, text)
    if word in _UNAVAILABLE_WORDS:
        is_hidden = not text and _is_disguised(params, plan)  # all of it stands behind the semicolon
        return Reading("", MALFORMED if is_hidden else UNAVAILABLE, text)
    return Reading("", MALFORMED if _is_disguised(text, plan) else UNREADABLE, text)


def _plainly(text: str) -> str:
    """The digits of other scripts, full-width and raised ones as the ASCII digits that a reader takes them for."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join([one if one.isascii() else str(unicodedata.decimal(one, one)) for one in plain])


def _local(text: str, params: str, plan: NumberPlan) -> tuple[str, str]:
    """A number with parameters: phone-context completes a local one (RFC 3966 §5.1.5)."""
    if text[0] == "+":
        return _number(text, plan)
    trunk = plan.trunk_prefix
    for param in params.split(";"):
        name, _, context = param.partition("=")
        context = context.translate(_CONTEXT_SEPARATORS)
        if name.strip().lower() == "phone-context" and _CONTEXT.fullmatch(context) is not None:
            if trunk and text.startswith(trunk) and context[1:].startswith(plan.codes):
                return _number(text, plan)
            e164, state = _international((context + text.lstrip("0"))[1:], plan)
            return (e164, state) if state == NUMBER else _number(text, plan)
    return _number(text, plan)


def _number(text: str, plan: NumberPlan, *, may_be_bare: bool = True) -> tuple[str, str]:
    """E.164 and state of `+` and digits, or digits. `may_be_bare`: of a national number without its trunk prefix, as
    ISDN carries it (Q.763 §3.10, a national significant number), where the plan says that it is one."""
    if text[0] == "+":
        digits = text[1:]
        if not digits or digits[0] != "0":
            return _international(digits, plan)
        text = digits  # +0033… and +01…: a plus put before a whole dialled number
    trunk = plan.trunk_prefix
    for prefix in plan.international_prefixes:
        if text.startswith(prefix):
            return _after_prefix(text[len(prefix) :], plan)
    is_national = text.startswith(trunk)
    if is_national and len(text) == plan.national_length:
        return _national(text, plan)
    if not trunk or not is_national:
        if may_be_bare and plan.is_bare_national and trunk and len(trunk) + len(text) == plan.national_length:
            return _national(trunk + text, plan)
        return _if_of_plan(text, plan)
    nsn = text[len(trunk) :]
    if len(nsn) == plan.extended_digits and (plan.home + nsn).startswith(plan.extended_prefixes):
        return "+" + plan.home + nsn, NUMBER
    if text.startswith(_NORTH_AMERICAN_PREFIX):
        return _if_of_plan(text[3:], plan)
    return _if_of_plan(nsn, plan)


def _national(text: str, plan: NumberPlan) -> tuple[str, str]:
    """A whole number in national form, with the trunk prefix: 01…, 0262…"""
    code = plan.home
    for length in plan.root_lengths:
        found = plan.roots.get(text[:length])
        if found is not None:
            code = plan.home if plan.home_exceptions and text.startswith(plan.home_exceptions) else found
            break
    number = code + text[len(plan.trunk_prefix) :]
    # In France 07000… and 09010… exist with 14 digits only.
    if plan.extended_prefixes and number.startswith(plan.extended_prefixes):
        return "", MALFORMED
    return "+" + number, NUMBER


def _international(digits: str, plan: NumberPlan) -> tuple[str, str]:
    """Digits that begin with a country code."""
    code = plan.code_of(digits)
    if not code:
        is_sound = _MIN_E164_DIGITS <= len(digits) <= MAX_E164_DIGITS
        return ("+" + digits, NUMBER) if is_sound else ("", UNREADABLE)
    nsn = digits[len(code) :]
    lengths, trunk = plan.nsn_digits[code], plan.trunk_prefix
    if trunk and nsn.startswith(trunk) and len(nsn) - len(trunk) in (lengths[0], plan.extended_digits):
        nsn = nsn[len(trunk) :]  # +33 (0)1…: the trunk prefix does not belong there
    if plan.extended_prefixes and (code + nsn).startswith(plan.extended_prefixes):
        is_whole = len(nsn) == plan.extended_digits
    else:
        is_whole = len(nsn) in lengths
    if not is_whole or (trunk == "0" and nsn[0] == "0"):
        return "", MALFORMED
    return "+" + code + nsn, NUMBER


def _after_prefix(digits: str, plan: NumberPlan) -> tuple[str, str]:
    """What follows the international prefix; a subscriber number never begins with it."""
    if digits[:1] != "0":
        return _international(digits, plan)
    # More zeros: an outside-line digit before a whole number of the plan, else nothing that could be dialled.
    if len(digits) == plan.national_length and digits[1] != "0" and digits.startswith(plan.trunk_prefix):
        return _national(digits, plan)
    return _if_of_plan(digits.lstrip("0"), plan)


def _if_of_plan(digits: str, plan: NumberPlan) -> tuple[str, str]:
    """A whole number of the plan, country code in front; else nothing readable."""
    code = plan.code_of(digits)
    if code:
        e164, state = _international(digits, plan)
        # +508 41…: six digits are too few to tell it from any other string without a plus.
        if state == NUMBER and len(e164) > len(code) + plan.nsn_digits[code][0]:
            return e164, NUMBER
    return "", UNREADABLE


def _is_disguised(text: str, plan: NumberPlan) -> bool:
    """Is there a number of the plan in this text, once its other characters are gone? Behind a plus and a country code
    of the plan there is, whatever follows: in +33l9… whoever sees it takes the letter for a one."""
    if text[:1] == "+" and plan.code_of(text[1:]):
        return True
    found = _RUN.findall(text) + _RUN.findall(_NO_WORD.sub("", text))
    runs = [run for run in found if len(run) >= _MIN_DISGUISED_DIGITS][:_MAX_DISGUISED_RUNS]
    together = _NO_DIGITS.sub("", text)
    if text[:1] in ("*", "#"):
        runs.append(_NO_DIGITS.sub("", text[3:]))  # *67 and the like: a code for a service before the number
    for digits in (together, *runs):
        if _MIN_DISGUISED_DIGITS <= len(digits) <= 2 * MAX_E164_DIGITS:
            e164, _ = _number(digits, plan, may_be_bare=False)
            if plan.code_of(e164[1:]):
                return True
    return False
