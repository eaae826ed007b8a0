"""`NumberPlan`: how numbers are written in one country, as a ruleset says. Pure; standard library only.

It is data for `edge.policy.spelling`, which knows how numbers are spelled but of no country.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

NUMBER = "number"
"""State of a reading that is a number; its category is the ruleset's to say."""
WITHHELD = "withheld"
"""Anonymous by the caller's choice (RFC 3323)."""
UNAVAILABLE = "unavailable"
"""No number is known: the header says so or is not there."""
MALFORMED = "malformed"
"""Looks like a number of the plan, but is none: wrong length, or dressed up with other characters."""
UNREADABLE = "unreadable"
"""Some other text."""

STATES = (WITHHELD, UNAVAILABLE, MALFORMED, UNREADABLE)
"""What a CLI that is no number may be."""

FOREIGN = "foreign"
"""Category of an E.164 number outside the plan."""

MAX_E164_DIGITS = 15
MAX_SHORT_DIGITS = 6

CACHE_LIMIT = 8_192
"""Entries of a cache whose keys come from outside; a full one starts again empty."""


class Reading(NamedTuple):
    """What a user part says."""

    e164: str
    """`+` and digits; empty where it is no number."""
    state: str
    """`number`, `withheld`, `unavailable`, `malformed` or `unreadable`."""
    text: str
    """What was written, without escapes, separators and parameters: a short code keeps its digits here."""

    @property
    def number(self) -> str:
        """The number in E.164, or a short one as dialled; empty where it is neither."""
        if self.e164:
            return self.e164
        is_short = len(self.text) <= MAX_SHORT_DIGITS and self.text.isascii() and self.text.isdigit()
        return self.text if is_short else ""


class Named(NamedTuple):
    """What a URI says."""

    user: bytes
    """User part or subscriber, with its parameters; empty: none."""
    original: str
    """The same for the record."""
    reading: Reading
    is_anonymous_host: bool
    """RFC 3323 §4.1.1.3."""
    service: str
    """`sos`, `sos.fire`: the emergency service (RFC 5031 §4.2); empty: none."""


class NumberPlan:
    """One plan. The first country code is home: what a national number without another sign belongs to."""

    __slots__ = (
        "code_lengths",
        "codes",
        "emergency",
        "emergency_prefixes",
        "extended_digits",
        "extended_prefixes",
        "home",
        "home_exceptions",
        "international_prefixes",
        "is_bare_national",
        "named",
        "national_length",
        "nsn_digits",
        "portability_digits",
        "readings",
        "root_lengths",
        "roots",
        "services",
        "trunk_prefix",
        "usual",
    )

    def __init__(
        self,
        *,
        nsn_digits: Mapping[str, tuple[int, ...]],
        trunk_prefix: str = "",
        international_prefixes: Iterable[str] = ("00",),
        roots: Mapping[str, str] | None = None,
        home_exceptions: Iterable[str] = (),
        extended_prefixes: Iterable[str] = (),
        extended_digits: int = 0,
        portability_digits: int = 0,
        emergency: Iterable[str] = (),
        emergency_prefixes: Iterable[str] = (),
        services: Mapping[str, str] | None = None,
        is_bare_national: bool = False,
    ) -> None:
        self.nsn_digits = dict(nsn_digits)
        """country code -> digits that may follow it, the usual number of them first."""
        self.codes = tuple(self.nsn_digits)
        self.code_lengths = tuple(sorted({len(code) for code in self.codes}))
        self.home = self.codes[0]
        self.trunk_prefix = trunk_prefix
        """Before a national number; empty where numbers are dialled as they are."""
        self.national_length = len(trunk_prefix) + self.nsn_digits[self.home][0]
        self.international_prefixes = tuple(international_prefixes)
        self.roots = dict(roots or {})
        """Beginning of the national form -> country code, where that is not home."""
        self.root_lengths = tuple(sorted({len(root) for root in self.roots}, reverse=True))
        self.home_exceptions = tuple(home_exceptions)
        """Beginnings of national forms that are home all the same."""
        self.extended_prefixes = tuple(extended_prefixes)
        """E.164 beginnings, without the plus, of numbers longer than the rest."""
        self.extended_digits = extended_digits
        self.portability_digits = portability_digits
        """Digits a network puts between country code and number to say who serves it; 0: none does."""
        self.emergency = frozenset(emergency)
        """As dialled."""
        self.emergency_prefixes = tuple(emergency_prefixes)
        """Beginnings, in E.164, of the long numbers of emergency centres."""
        self.services = dict(services or {})
        """Emergency service (RFC 5031) -> the number that is dialled for it."""
        self.is_bare_national = is_bare_national
        """Is a whole national number one, though its trunk prefix is missing?"""
        self.usual = _usual(self)
        """A user part that is a whole number and nothing else, in E.164 or in home's national form."""
        self.readings: dict[bytes, Reading] = {}
        """Cache of `edge.policy.spelling`, which keeps it small: user part -> reading."""
        self.named: dict[bytes, Named] = {}
        """The same of `edge.policy.naming`: URI -> `Named`."""

    def with_emergency(self, numbers: Iterable[str] | None, prefixes: Iterable[str]) -> "NumberPlan":
        """The same plan with the operator's own emergency numbers, where he gives any, and more long prefixes."""
        return NumberPlan(
            nsn_digits=self.nsn_digits,
            trunk_prefix=self.trunk_prefix,
            international_prefixes=self.international_prefixes,
            roots=self.roots,
            home_exceptions=self.home_exceptions,
            extended_prefixes=self.extended_prefixes,
            extended_digits=self.extended_digits,
            portability_digits=self.portability_digits,
            emergency=self.emergency if numbers is None else numbers,
            emergency_prefixes=(*self.emergency_prefixes, *prefixes),
            services=self.services,
            is_bare_national=self.is_bare_national,
        )

    def number_of(self, service: str) -> str:
        """What is dialled for an emergency service, or for the one it is part of (`sos.police.river`: that of
        `sos.police`); empty: nobody says."""
        while service:
            number = self.services.get(service)
            if number is not None:
                return number
            service = service.rpartition(".")[0]
        return ""

    def code_of(self, digits: str) -> str:
        """The country code of the plan that these digits begin with; empty: none of it."""
        for length in self.code_lengths:
            code = digits[:length]
            if code in self.nsn_digits:
                return code
        return ""


_NEVER = re.compile(rb"(?!)")


def _usual(plan: NumberPlan) -> re.Pattern[bytes]:
    """The short road of `edge.policy.spelling`, never wider than the long one: one comparison for what nearly every
    trunk sends. A plan of another build has none."""
    if plan.trunk_prefix != "0" or any(
        one != other and other.startswith(one) for one in plan.codes for other in plan.codes
    ):
        return _NEVER
    longer = _none_of(plan.extended_prefixes)
    whole = "|".join(
        f"{code}[1-9](?:{'|'.join(f'[0-9]{{{count - 1}}}' for count in lengths)})"
        for code, lengths in plan.nsn_digits.items()
    )
    elsewhere = _none_of(list(plan.roots))
    home = f"(?:(?={'|'.join(plan.home_exceptions)})|{elsewhere})" if plan.home_exceptions else elsewhere
    nsn = plan.nsn_digits[plan.home][0]
    extended = _none_of(
        [f"0{one.removeprefix(plan.home)}" for one in plan.extended_prefixes if one.startswith(plan.home)]
    )
    national = f"{_none_of(plan.international_prefixes)}{extended}{home}0[1-9][0-9]{{{nsn - 1}}}"
    return re.compile(f"\\+{longer}(?:{whole})|{national}".encode())


def _none_of(beginnings: Sequence[str]) -> str:
    return f"(?!{'|'.join(beginnings)})" if beginnings else ""
