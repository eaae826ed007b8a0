"""French numbering law, row by row of regulation.md section 10: every category and each of its prefixes and ranges in
every context, both sides of every date, the whole of each range kept for fiction. The law's text is the built-in
ruleset; what is written here was taken from the sources, not from that file.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from france import CONTEXTS, NOW, policy, wall

from edge.policy.spelling import read_user

Outcome = Callable[..., str]

SIGNED = (
    "Identity: e30.e30.c2ln;info=<https://certs.example/1.cer>;alg=ES256",
    "y: e30.e30.c2ln;info=<https://certs.example/1.cer>",
    "P-Identity-Bypass: ABC123-TOKEN",
    "Identity-Bypass: ABC123-TOKEN",
)
"""RFC 8224, also in its compact form, and the token of an operator that cannot sign for now (3.4.1)."""
LISTED, DENY, MASK, ALLOW, SIGN = "allow_if_listed", "deny", "mask", "allow", "stir"
ROWS = [
    # category, a number of it, what the accounts may list, manual, automated, intl_unauth, natl_unsigned
    ("npv", "+33162000001", "+33162000001", LISTED, LISTED, DENY, SIGN),
    ("npv_overseas", "+590947500001", "+590947500001", LISTED, LISTED, DENY, SIGN),
    ("npv_overseas_2026", "+262268800001", "+262268800001", LISTED, LISTED, DENY, SIGN),
    ("npuept", "+33937000001", "+33937000001", LISTED, LISTED, DENY, SIGN),
    ("npuept, 09394", "+33939400001", "+33939400001", LISTED, LISTED, DENY, SIGN),
    ("general_interest", "+33151000001", "+33151000001", LISTED, LISTED, DENY, SIGN),
    ("polyvalent_extended", "+339010000000001", "+339010000000001", LISTED, LISTED, DENY, SIGN),
    ("mobile_extended", "+337000000000001", "+337000000000001", LISTED, LISTED, MASK, SIGN),
    ("geographic", "+33199001234", "+33199001234", LISTED, DENY, DENY, SIGN),
    ("geographic 02", "+33261910001", "+33261910001", LISTED, DENY, DENY, SIGN),
    ("geographic 03", "+33353010001", "+33353010001", LISTED, DENY, DENY, SIGN),
    ("geographic 04", "+33465710001", "+33465710001", LISTED, DENY, DENY, SIGN),
    ("geographic 05", "+33536490001", "+33536490001", LISTED, DENY, DENY, SIGN),
    ("polyvalent", "+33970000001", "+33970000001", LISTED, DENY, DENY, SIGN),
    ("polyvalent 09395", "+33939500001", "+33939500001", LISTED, DENY, DENY, SIGN),
    ("mobile", "+33639980001", "+33639980001", LISTED, DENY, MASK, SIGN),
    ("mobile 07", "+33730000001", "+33730000001", LISTED, DENY, MASK, SIGN),
    ("mobile overseas", "+262692000001", "+262692000001", LISTED, DENY, MASK, SIGN),
    ("overseas_fixed", "+262262000001", "+262262000001", LISTED, DENY, DENY, SIGN),
    ("overseas_fixed 508", "+508508000001", "+508508000001", LISTED, DENY, DENY, SIGN),
    ("special_free", "+33805000001", "+33805000001", LISTED, LISTED, DENY, SIGN),
    ("special_standard", "+33806000001", "+33806000001", LISTED, LISTED, DENY, SIGN),
    ("special_premium_081_082", "+33810000001", "+33810000001", DENY, DENY, DENY, SIGN),
    ("special_premium_081_082, 082", "+33820000001", "+33820000001", DENY, DENY, DENY, SIGN),
    ("special_premium_089", "+33891000001", "+33891000001", DENY, DENY, DENY, DENY),
    ("short_free_30_31", "3000", "3000", LISTED, LISTED, DENY, SIGN),
    ("short_free_30_31, 3199", "3199", "3199", LISTED, LISTED, DENY, SIGN),
    ("short_other, 3008", "3008", "3008", DENY, DENY, DENY, DENY),
    ("short_other, 118", "118218", "118218", DENY, DENY, DENY, DENY),
    ("short_other, 10YT", "1013", "1013", DENY, DENY, DENY, DENY),
    ("emergency_as_cli", "112", "112", DENY, DENY, DENY, DENY),
    ("emergency_as_cli, 116XYZ", "116117", "116117", DENY, DENY, DENY, DENY),
    ("plan_unassigned", "+33830000001", "+33830000001", DENY, DENY, DENY, SIGN),
    ("plan_unassigned overseas", "+262976000001", "+262976000001", DENY, DENY, DENY, SIGN),
    ("foreign", "+442079460000", "+442079460000", LISTED, LISTED, ALLOW, ALLOW),
    ("foreign, Wallis", "+681200001", "+681200001", LISTED, LISTED, ALLOW, ALLOW),
    ("foreign, New Caledonia", "+687200001", "+687200001", LISTED, LISTED, ALLOW, ALLOW),
    ("foreign, Polynesia", "+68940000001", "+68940000001", LISTED, LISTED, ALLOW, ALLOW),
]
MADE_FOR_ROBOTS = (LISTED, LISTED, DENY, SIGN)
FIXED = (LISTED, DENY, DENY, SIGN)
MOBILE = (LISTED, DENY, MASK, SIGN)
NEVER = (DENY, DENY, DENY, DENY)
PREFIXES = [
    # category, its prefixes, each of them, manual, automated, intl_unauth, natl_unsigned
    ("npv", "33162 33163 33270 33271 33377 33378 33424 33425 33568 33569 33948 33949", MADE_FOR_ROBOTS),
    ("npv_overseas", "5909475 5949476 5969477 2629478 2629479", MADE_FOR_ROBOTS),
    ("npv_overseas_2026", "5905987 5945988 5965989 2622688 2622689", MADE_FOR_ROBOTS),
    ("npuept", "33937 33938 339390 339391 339392 339393 339394", MADE_FOR_ROBOTS),
    ("general_interest", "331510 332810 333410 334410 335410 339410", MADE_FOR_ROBOTS),
    ("polyvalent_extended", "339010 339011 339012 339013 339014", MADE_FOR_ROBOTS),
    ("mobile_extended", "337000 337001 337002 337003 337004", (LISTED, LISTED, MASK, SIGN)),
    ("geographic", "331 332 333 334 335", FIXED),
    ("polyvalent", "339", FIXED),
    ("mobile", "336 337 262639 262692 262693 590690 590691 594694 596696 596697 508708", MOBILE),
    ("overseas_fixed", "262262 262263 262269 590590 594594 596596 508508", FIXED),
    ("special_free", "33800 33801 33802 33803 33804 33805", MADE_FOR_ROBOTS),
    ("special_standard", "33806 33807 33808 33809", MADE_FOR_ROBOTS),
    ("special_premium_081_082", "3381 3382", (DENY, DENY, DENY, SIGN)),
    ("special_premium_089", "3389", NEVER),
    ("plan_unassigned", "3383 262 590 594 596 508", (DENY, DENY, DENY, SIGN)),
    # Beside the roots: the longest prefix wins, and not one digit more than it says.
    ("geographic beside npv", "33161 33164 33269 33272 33376 33379 33423 33426 33567 33570", FIXED),
    ("geographic beside general_interest", "331509 331511 332811 333411 334411 335411", FIXED),
    ("polyvalent beside its roots", "33936 339395 33947 33950 339009 339015 339411", FIXED),
    ("mobile beside 07000-07004", "337005", MOBILE),
    ("plan_unassigned beside special", "3384 3388 262264 262694 590692 594690 596694 508709", (DENY, DENY, DENY, SIGN)),
]
SHORT = [
    # category, first and last of each range and its only number, what becomes of them
    ("short_free_30_31", "3000 3007 3009 3169 3180 3199", MADE_FOR_ROBOTS),
    ("short_other", "3008 3170 3179 3200 3999 1000 1099 118000 118999", NEVER),
    ("emergency_as_cli", "15 17 18 112 114 115 116 119 191 196 197 116000 116999", NEVER),
]
FICTION = [
    # first, last, category, what becomes of them; 5.9, 5.10
    ("33199000000", "33199009999", "geographic", FIXED),
    ("33261910000", "33261919999", "geographic", FIXED),
    ("33353010000", "33353019999", "geographic", FIXED),
    ("33465710000", "33465719999", "geographic", FIXED),
    ("33536490000", "33536499999", "geographic", FIXED),
    ("33639980000", "33639989999", "mobile", MOBILE),
]


def number_of(prefix: str) -> str:
    """A number that begins so, as long as numbers with that beginning are."""
    digits = 15 if prefix[:5] in ("33700", "33901") and prefix[5] < "5" else 11 if prefix.startswith("33") else 12
    return "+" + prefix + "6" * (digits - len(prefix))


ROWS += [
    (f"{name} {prefix}", number_of(prefix), number_of(prefix), *actions)
    for name, prefixes, actions in PREFIXES
    for prefix in prefixes.split()
]
ROWS += [(f"{name} {code}", code, code, *actions) for name, codes, actions in SHORT for code in codes.split()]
ROWS += [
    (f"test_numbers {name} {number}", f"+{number}", f"+{number}", *actions)
    for first, last, name, actions in FICTION
    for number in (first, last)
]


@pytest.mark.parametrize(
    ("cli", "listed", "context", "action"),
    [
        pytest.param(cli, listed, context, action, id=f"{name}-{context}-{action}")
        for name, cli, listed, *actions in ROWS
        for context, action in zip(CONTEXTS, actions, strict=True)
    ],
)
def test_section_10_category_in_context(outcome: Outcome, cli: str, listed: str, context: str, action: str) -> None:
    """regulation.md section 10, each category in each context, on 2026-11-25."""
    uri = f"sip:{cli}@h"
    own = policy(listed, tags="arrete_listed_body")
    others = policy("+33199009990", tags="arrete_listed_body")
    if action == LISTED:
        assert outcome(own, context, uri) == "pass"
        assert outcome(others, context, uri) == "cli_not_owned"
    elif action == DENY:
        assert outcome(own, context, uri) == "cli_refused"
    elif action == MASK:
        assert outcome(own, context, uri) == "mask"
    elif action == ALLOW:
        assert outcome(others, context, uri) == "pass"
    else:
        assert outcome(own, context, uri) == "identity_missing"
        lenient = policy(listed, more='[numbers.switches]\nunsigned = "tag"\n')
        assert outcome(lenient, context, uri) == "tag"
        # Section 3.4.6: nobody verifies here, so a signature that is there passes and is marked.
        strict = policy(listed, more='[numbers.switches]\nunverified = "deny"\n')
        for header in SIGNED:
            assert outcome(own, context, uri, headers=(header,)) == "tag"
            assert outcome(strict, context, uri, headers=(header,)) == "identity_missing"


def category_on(day: str, written: str) -> str:
    """What the ruleset takes a number for at noon of this day."""
    snapshot = policy()
    return snapshot.book.at(wall(f"{day}T12:00:00+01:00")).category_of_reading(
        read_user(written.encode(), snapshot.plan)
    )


@pytest.mark.parametrize(
    ("number", "category"),
    [
        pytest.param(number, name.split()[0], id=f"section-10-{name}-{number}")
        for name, numbers in (
            *((name, list(map(number_of, prefixes.split()))) for name, prefixes, _ in PREFIXES),
            *((name, codes.split()) for name, codes, _ in SHORT),
        )
        for number in numbers
    ],
)
def test_section_10_category_of_each_prefix_and_range(number: str, category: str) -> None:
    """Section 10: each prefix, and both ends of each range of short numbers, by the category's own name."""
    assert category_on("2026-11-25", number) == category


@pytest.mark.parametrize("code", ["16", "111", "113", "2999", "4000", "1100", "115999", "117000", "117999", "119000"])
def test_section_10_ranges_of_short_numbers_end(code: str) -> None:
    """A number beside a range is none of it."""
    assert category_on("2026-11-25", code) == "unreadable"


@pytest.mark.parametrize(
    ("first", "last", "category"), [pytest.param(*row[:3], id=f"section-10-test_numbers-{row[0]}") for row in FICTION]
)
def test_section_10_fiction_ranges_whole(first: str, last: str, category: str) -> None:
    """5.9, 5.10: each of the 10,000 numbers, in E.164 and as dialled at home, is the mainland's and of one category."""
    snapshot = policy()
    era = snapshot.book.at(wall(NOW))
    numbers = range(int(first), int(last) + 1)
    assert len(numbers) == 10_000
    for number in numbers:
        for written in (b"+%d" % number, b"0%d" % (number - 33_000_000_000)):
            reading = read_user(written, snapshot.plan)
            assert (reading.e164, era.category_of_reading(reading)) == (f"+{number}", category)


def test_section_10_fiction_ranges_are_the_rulesets() -> None:
    """The ruleset names the same six and no other."""
    assert policy().book.document.test_numbers == tuple(f"{first}-{last}" for first, last, *_ in FICTION)


@pytest.mark.parametrize(
    ("dialled", "e164"),
    [
        ("0639979999", "+262639979999"),
        ("0639980000", "+33639980000"),
        ("0639989999", "+33639989999"),
        ("0639990000", "+262639990000"),
    ],
)
def test_section_10_mobile_fiction_range_lies_inside_mayotte(dialled: str, e164: str) -> None:
    """5.4, 5.9: 0639 is Mayotte's root, 063998 the mainland's; each side of both ends."""
    assert read_user(dialled.encode(), policy().plan).e164 == e164


BEGINS = [
    # number, its category until the day before, the first day, its category then
    ("33162", "geographic", "2023-01-01", "npv"),
    ("33949", "polyvalent", "2023-01-01", "npv"),
    ("2629478", "plan_unassigned", "2023-01-01", "npv_overseas"),
    ("33937", "polyvalent", "2023-01-01", "npuept"),
    ("339394", "polyvalent", "2023-01-01", "npuept"),
    ("2622688", "plan_unassigned", "2026-01-01", "npv_overseas_2026"),
    ("331510", "geographic", "2026-01-01", "general_interest"),
    ("339410", "polyvalent", "2026-01-01", "general_interest"),
]


@pytest.mark.parametrize(("prefix", "was", "day", "becomes"), BEGINS)
def test_section_10_category_begins(prefix: str, was: str, day: str, becomes: str) -> None:
    """A category has no numbers before its first day: they are what they were."""
    eve = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
    assert (category_on(eve, number_of(prefix)), category_on(day, number_of(prefix))) == (was, becomes)


DATES = [
    # number, context, what becomes of it before, the first day, what then, why
    ("+33199001234", "intl_unauth", "pass", "2019-08-01", "cli_refused", "Arcep 2.2.2 b"),
    ("+33199001234", "intl_unauth", "cli_refused", "2021-02-12", "pass", "CE 434538"),
    ("+33199001234", "intl_unauth", "pass", "2021-11-17", "cli_refused", "CPCE L44"),
    ("+33970000001", "intl_unauth", "pass", "2021-11-17", "cli_refused", "CPCE L44"),
    ("+262262000001", "intl_unauth", "pass", "2021-11-17", "cli_refused", "CPCE L44"),
    ("+33639980001", "intl_unauth", "pass", "2026-01-01", "mask", "Arcep 2025-2215"),
    ("+337000000000001", "intl_unauth", "pass", "2026-01-01", "mask", "Arcep 2025-2215"),
    ("+33639980001", "automated", "pass", "2019-08-01", "cli_refused", "Arcep 2018-0881"),
    ("+33639980001", "automated", "cli_refused", "2021-02-12", "pass", "CE 434538"),
    ("+33639980001", "automated", "pass", "2023-01-01", "cli_refused", "Arcep 2022-1583"),
    ("+33199001234", "automated", "pass", "2023-01-01", "cli_refused", "Arcep 2022-1583"),
    ("+33970000001", "automated", "pass", "2023-01-01", "cli_refused", "Arcep 2022-1583"),
    ("+33199001234", "natl_unsigned", "pass", "2024-10-01", "identity_missing", "MAN"),
    ("+33639980001", "natl_unsigned", "pass", "2024-10-01", "identity_missing", "MAN"),
    ("+33800112112", "intl_unauth", "cli_refused", "2024-10-01", "pass", "call-back"),
    ("+33162000001", "automated", "pass", "2023-01-01", "pass", "npv begin"),
    ("+262268800001", "automated", "cli_refused", "2026-01-01", "pass", "npv roots added"),
    ("+33151000001", "automated", "cli_refused", "2026-01-01", "pass", "law 2025-594"),
    ("+590947500001", "automated", "cli_refused", "2023-01-01", "pass", "npv_overseas begin"),
    ("+262262000001", "automated", "pass", "2023-01-01", "cli_refused", "Arcep 2022-1583"),
    *(
        (number, "intl_unauth", was, day, becomes, why)
        for number in ("+33970000001", "+262262000001")
        for was, day, becomes, why in (
            ("pass", "2019-08-01", "cli_refused", "Arcep 2.2.2 b"),
            ("cli_refused", "2021-02-12", "pass", "CE 434538"),
        )
    ),
    *(
        (number, "intl_unauth", "pass", "2021-11-17", "cli_refused", "CPCE L44, special and short numbers")
        for number in ("+33805000001", "+33806000001", "+33810000001", "3000")
    ),
    *(
        (number, "natl_unsigned", "pass", "2024-10-01", "identity_missing", "MAN")
        for number in (
            "+33162000001", "+590947500001", "+262268800001", "+33937000001", "+33151000001", "+339010000000001",
            "+337000000000001", "+33970000001", "+262262000001", "+33805000001", "+33806000001", "+33810000001", "3000",
            "+33830000001",
        )
    ),
]  # fmt: skip
OF_OTHERS = [
    # The same of a number that is not on the account's list, and of what is no number.
    *(
        (number, context, "pass", "2019-08-01", "cli_not_owned", "PNN 2.2.2 a")
        for number in ("+33199001234", "+33970000001", "+262262000001")
        for context in ("manual", "automated")
    ),
    ("+33639980001", "manual", "pass", "2019-08-01", "cli_not_owned", "PNN 2.2.2 a, 2.3.4 g"),
    ("+33639980001", "automated", "cli_refused", "2021-02-12", "cli_not_owned", "CE 434538"),
    ("+33639980001", "automated", "cli_not_owned", "2023-01-01", "cli_refused", "Arcep 2022-1583"),
    *(
        ("+33830000001", context, "pass", "2019-08-01", "cli_refused", "PNN 2.2.2 a")
        for context in ("manual", "automated", "intl_unauth")
    ),
    ("anonymous", "automated", "pass", "2023-01-01", "cli_withheld", "PNN 2.3.2 f"),
    ("+331990012", "natl_unsigned", "pass", "2024-10-01", "identity_missing", "MAN"),
]
OTHERS = "+33199009999"


@pytest.mark.parametrize(
    ("cli", "listed", "context", "was", "day", "becomes"),
    [
        pytest.param(
            row[0], listed or row[0], *row[1:5], id=f"{row[5]} {row[0]} {row[1]} {row[3]}{listed and ' other'}"
        )
        for rows, listed in ((DATES, ""), (OF_OTHERS, OTHERS))
        for row in rows
    ],
)
def test_both_sides_of_each_date(
    outcome: Outcome, cli: str, listed: str, context: str, was: str, day: str, becomes: str
) -> None:
    """The law of the attempt's instant applies; a day begins at midnight in Paris."""
    snapshot = policy(listed, tags="arrete_listed_body")
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Paris"))
    before = (midnight - timedelta(seconds=1)).isoformat()
    assert outcome(snapshot, context, f"sip:{cli}@h", at=before) == was
    assert outcome(snapshot, context, f"sip:{cli}@h", at=midnight.isoformat()) == becomes


SAINT_MARTIN = [
    ("manual", "pass", "2019-08-01", "cli_not_owned"),
    ("automated", "pass", "2019-08-01", "cli_refused"),
    ("automated", "cli_refused", "2021-02-12", "cli_not_owned"),
    ("automated", "cli_not_owned", "2023-01-01", "cli_refused"),
    ("natl_unsigned", "pass", "2024-10-01", "identity_missing"),
    ("intl_unauth", "pass", "2026-01-01", "pass"),
    ("intl_unauth", "pass", "2028-01-01", "mask"),
]


@pytest.mark.parametrize(("context", "was", "day", "becomes"), SAINT_MARTIN)
def test_saint_martin_from_2028(outcome: Outcome, context: str, was: str, day: str, becomes: str) -> None:
    """Arcep 2025-2215: where a document knows Saint-Martin's numbers, they are masked from 2028-01-01, not from 2026;
    in all else they are mobile numbers like the others, on the same days."""
    more = '[[categories]]\nid = "mobile_saint_martin"\nprefixes = ["+5906905"]\n'
    snapshot = policy(OTHERS, more=more)
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Paris"))
    for at, expected in ((midnight - timedelta(seconds=1), was), (midnight, becomes)):
        assert outcome(snapshot, context, "sip:+590690500001@h", at=at.isoformat()) == expected
        if context != "intl_unauth":
            assert outcome(snapshot, context, "sip:+590690400001@h", at=at.isoformat()) == expected
    if day == "2028-01-01":
        assert outcome(snapshot, context, "sip:+590690400001@h", at=at.isoformat()) == "mask"


def test_each_date_of_the_ruleset_has_its_row() -> None:
    """Every first and every last day of every rule stands in one of the tables above, with a number of its category."""
    book = policy(more='[[categories]]\nid = "mobile_saint_martin"\nprefixes = ["+5906905"]\n').book
    told = {("mobile_saint_martin", context, day) for context, _, day, _ in SAINT_MARTIN}
    for cli, context, _, day, *_ in DATES + OF_OTHERS:
        for era in (book.on(date.fromisoformat(day)), book.on(date.fromisoformat(day) - timedelta(days=1))):
            told.add((era.category_of_reading(read_user(cli.encode(), book.plan)), context, day))
    wanted = {
        (category.id, context, day.isoformat())
        for category in book.document.categories
        for rule in category.rules
        for context in rule.contexts
        for day in (rule.since, rule.until)
        # A rule that is older than its category begins with it.
        if day is not None and (category.since is None or day > category.since)
    }
    assert wanted - told == set()
    begun = {(became, day) for _, _, day, became in BEGINS}
    assert {(one.id, one.since.isoformat()) for one in book.document.categories if one.since is not None} == begun


SWITCHES = [
    # switch, value, context, number, what becomes of the account's own, of another's; the default is the cautious one
    ("premium_manual", "deny", "manual", "+33810000001", "cli_refused", "cli_refused"),
    ("premium_manual", "allow_if_listed", "manual", "+33820000001", "pass", "cli_not_owned"),
    ("premium_manual", "allow_if_listed", "automated", "+33810000001", "cli_refused", "cli_refused"),
    ("premium_manual", "allow_if_listed", "manual", "+33891000001", "cli_refused", "cli_refused"),
    ("unassigned_manual", "deny", "manual", "+33830000001", "cli_refused", "cli_refused"),
    ("unassigned_manual", "allow_if_listed", "manual", "+33830000001", "pass", "cli_not_owned"),
    ("unassigned_manual", "allow_if_listed", "automated", "+33830000001", "cli_refused", "cli_refused"),
    ("withheld_automated", "deny", "automated", "anonymous", "cli_withheld", "cli_withheld"),
    ("withheld_automated", "allow", "automated", "anonymous", "pass", "pass"),
    ("withheld_automated", "tag", "automated", "anonymous", "tag", "tag"),
    ("unsigned", "allow", "natl_unsigned", "+33199001234", "pass", "pass"),
    ("unsigned", "tag", "natl_unsigned", "+33199001234", "tag", "tag"),
    ("unsigned", "deny", "natl_unsigned", "+33199001234", "identity_missing", "identity_missing"),
    ("unsigned", "allow", "natl_unsigned", "+33891000001", "cli_refused", "cli_refused"),
]


@pytest.mark.parametrize(("switch", "value", "context", "cli", "own", "others"), SWITCHES)
def test_section_10_switches_of_what_is_not_certain(
    outcome: Outcome, switch: str, value: str, context: str, cli: str, own: str, others: str
) -> None:
    """Each value of each switch, and what it does not reach."""
    more = f'[numbers.switches]\n{switch} = "{value}"\n'
    listed = cli if cli.startswith("+") else ""
    assert outcome(policy(listed, more=more), context, f"sip:{cli}@h") == own
    assert outcome(policy(OTHERS, more=more), context, f"sip:{cli}@h") == others
    default = next(one.default for one in policy().book.document.switches if one.id == switch)
    assert default == "deny"
