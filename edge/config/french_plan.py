"""The French numbering plan as data: country codes, number categories by E.164 prefix, the CLI rules built in.

Data only. Sources: plan national de numérotation (annex 1 of Arcep decision 2018-0881 as amended, 2022-1583,
2025-2215); contract articles 7.1.1 and 9.2.3. The longest prefix wins. Prefixes are E.164 without the plus.
"""

from collections.abc import Mapping

COUNTRY_CODES = ("33", "262", "590", "594", "596", "508")
"""Territories of the plan; 681, 687 and 689 have plans of their own."""

NSN_DIGITS = 9
"""Digits after the country code, in all six."""
SHORT_NSN_DIGITS: Mapping[str, int] = {"508": 6}
"""Saint-Pierre-et-Miquelon's older form, +508 41…, still in use."""

EXTENDED_PREFIXES = tuple(root + digit for root in ("33700", "33901") for digit in "01234")
EXTENDED_NSN_DIGITS = 13
"""07000-07004 (machines) and 09010-09014 have 14 digits in national form."""

NATIONAL_OVERSEAS: Mapping[str, str] = {
    "0262": "262", "0263": "262", "0269": "262", "0639": "262", "0692": "262", "0693": "262",
    "02688": "262", "02689": "262", "09478": "262", "09479": "262",
    "0590": "590", "0690": "590", "0691": "590", "05987": "590", "09475": "590",
    "0594": "594", "0694": "594", "05988": "594", "09476": "594",
    "0596": "596", "0696": "596", "0697": "596", "05989": "596", "09477": "596",
    "0508": "508", "0708": "508",
}  # fmt: skip
"""National roots whose E.164 form has the territory's own country code: 0262… is +262 262…, never +33 262…."""

NATIONAL_MAINLAND_EXCEPTIONS = ("063998",)
"""The mainland's fiction range 06 39 98 lies inside 0639, Mayotte's mobile root."""

_OVERSEAS = ("262", "590", "594", "596", "508")

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "fr-geographic": ("331", "332", "333", "334", "335"),
    "fr-polyvalent": ("339",),
    "fr-polyvalent-extended": ("339010", "339011", "339012", "339013", "339014"),
    "fr-platform": ("33937", "33938", "339390", "339391", "339392", "339393", "339394"),
    "fr-general-interest": ("331510", "332810", "333410", "334410", "335410", "339410"),
    "fr-verified": (
        "33162", "33163", "33270", "33271", "33377", "33378", "33424", "33425", "33568", "33569", "33948", "33949",
    ),
    "fr-overseas-verified": (
        "5909475", "5905987", "5949476", "5945988", "5969477", "5965989", "2629478", "2629479", "2622688", "2622689",
    ),
    "fr-overseas-fixed": tuple(code + digit for code in _OVERSEAS for digit in "123459"),
    "fr-mobile": ("336", "337"),
    "fr-mobile-extended": ("337000", "337001", "337002", "337003", "337004"),
    "fr-overseas-mobile": tuple(code + digit for code in _OVERSEAS for digit in "67"),
    "fr-special": ("338", *(code + "8" for code in _OVERSEAS)),
}  # fmt: skip

FIXED = (
    "fr-geographic",
    "fr-polyvalent",
    "fr-polyvalent-extended",
    "fr-platform",
    "fr-general-interest",
    "fr-verified",
    "fr-overseas-verified",
    "fr-overseas-fixed",
)
"""Everything whose national form begins 01-05 or 09, mainland and overseas."""

MOBILE = ("fr-mobile", "fr-overseas-mobile")
"""Ten-digit 06 and 07. The extended mobile numbers of machines are a category of their own, by derogation."""

FOREIGN = "foreign"
"""Category of an E.164 number outside the plan."""

WITHHELD = "withheld"
"""Anonymous by the caller's choice (RFC 3323)."""
UNAVAILABLE = "unavailable"
"""No number is known: the header says so or is not there."""
MALFORMED = "malformed"
"""Looks like a number of the plan, but is none: wrong length, or dressed up with other characters."""
UNREADABLE = "unreadable"
"""Some other text."""

STATES = (WITHHELD, UNAVAILABLE, MALFORMED, UNREADABLE)
"""Categories of a CLI that is no number."""

EMERGENCY = ("15", "17", "18", "112", "114", "115", "116000", "116111", "116117", "119", "191", "196", "197")
"""Arcep's public list, and 116111 by decision 2017-1251."""

RULES: tuple[Mapping[str, object], ...] = (
    {
        "id": "fr-international-fixed",
        "when": {"ingress_class": ["international"], "categories": list(FIXED), "which": "either"},
        "action": "refuse",
        "reason": "cli_refused",
        "basis": "law: CPCE L44; contract article 7.1.1",
    },
    {
        "id": "fr-international-malformed",
        "when": {"ingress_class": ["international"], "categories": [MALFORMED], "which": "either"},
        "action": "refuse",
        "reason": "cli_invalid",
        "basis": "law: CPCE L44; contract article 7.1.1",
    },
    {
        "id": "fr-automated-malformed",
        "when": {"account_kind": ["automated"], "categories": [MALFORMED], "which": "either"},
        "action": "refuse",
        "reason": "cli_invalid",
        "basis": "law: numbering plan 2.3.4 f; contract article 9.2.3",
    },
    {
        "id": "fr-automated-mobile",
        "when": {"account_kind": ["automated"], "categories": list(MOBILE), "which": "either"},
        "action": "refuse",
        "reason": "cli_refused",
        "basis": "law: numbering plan 2.3.4 f; contract article 9.2.3",
    },
)
"""`numbers.rules = "fr"`. First: contract 7.1.1, CPCE L44; last: contract 9.2.3, PNN 2.3.4 f (absolute: no derogation
for polls or B2B). Between them: the same numbers written so that they hide."""

RULESETS: Mapping[str, tuple[Mapping[str, object], ...]] = {"fr": RULES, "off": ()}
