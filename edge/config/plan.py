"""`NumberPlan`: how numbers are written in one country, as a ruleset says. Pure; standard library only.

It is data for `edge.policy.spelling`, which knows how numbers are spelled but of no country.
"""

from collections.abc import Iterable, Mapping
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
        "national_length",
        "nsn_digits",
        "portability_digits",
        "readings",
        "root_lengths",
        "roots",
        "trunk_prefix",
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
        self.readings: dict[bytes, Reading] = {}
        """Cache of `edge.policy.spelling`, which keeps it small: user part -> reading."""

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
        )

    def code_of(self, digits: str) -> str:
        """The country code of the plan that these digits begin with; empty: none of it."""
        for length in self.code_lengths:
            code = digits[:length]
            if code in self.nsn_digits:
                return code
        return ""
