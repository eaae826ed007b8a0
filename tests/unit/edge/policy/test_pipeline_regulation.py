"""French numbering law and the carrier's contract, row by row: every category in every context, both sides of every
date. The law's text is the built-in ruleset; what is written here was taken from the sources, not from that file.

Numbers are of the ranges kept for fiction where there are any; there are none for other categories.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.parsing import parse_policy
from edge.config.rulesets import parse_ruleset
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.spelling import read_user

ACCOUNTS = """
[[accounts]]
id = "person"
cli = {{ numbers = [{listed}] }}
tags = [{tags}]

[[accounts]]
id = "robot"
kind = "automated"
cli = {{ numbers = [{listed}] }}
tags = [{tags}]
"""
TRUNKS = """
[[ingress]]
id = "pbx"
sources = ["192.0.2.1"]
account = "person"

[[ingress]]
id = "dialler"
sources = ["192.0.2.2"]
account = "robot"

[[ingress]]
id = "abroad"
sources = ["192.0.2.3"]
account = "person"
class = "international"

[[ingress]]
id = "national"
sources = ["192.0.2.4"]
account = "person"
class = "interconnect"

[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"

[[routes]]
id = "any"
prefixes = [""]
trunks = ["a"]
"""
CONTEXTS = {"manual": "192.0.2.1", "automated": "192.0.2.2", "intl_unauth": "192.0.2.3", "natl_unsigned": "192.0.2.4"}
NOW = "2026-11-25T12:00:00+01:00"

Attempts = Callable[..., CallAttempt]


def policy(listed: str = "", tags: str = "", more: str = "") -> PolicySnapshot:
    """The network of these tests; `listed`: the one number its accounts may present."""
    numbers = f'"{listed}"' if listed else ""
    words = f'"{tags}"' if tags else ""
    return PolicySnapshot(parse_policy(more + ACCOUNTS.format(listed=numbers, tags=words) + TRUNKS))


def wall(instant: str) -> float:
    return datetime.fromisoformat(instant).astimezone(UTC).timestamp()


@pytest.fixture(scope="module")
def outcome(attempt_of: Attempts) -> Callable[..., str]:
    """What becomes of one attempt, in a word: `pass`, `mask`, `tag`, or the token of its refusal."""

    def run(
        snapshot: PolicySnapshot,
        context: str,
        cli: str,
        *,
        at: str = NOW,
        called: str = "+33261910000",
        headers: tuple[str, ...] = (),
    ) -> str:
        attempt = attempt_of(source=CONTEXTS[context], cli=cli, called=f"sip:{called}@h", headers=headers)
        attempt.wall = wall(at)
        refusal = judge(attempt, snapshot)
        if refusal is not None:
            return refusal.reason.value
        if attempt.treatment:
            return attempt.treatment
        return "tag" if any(tag.endswith((".natl_unsigned", ".natl_unverified")) for tag in attempt.tags) else "pass"

    return run


Outcome = Callable[..., str]


@pytest.fixture(scope="module")
def nowhere() -> str:
    """A country that does not exist."""
    return (Path(__file__).parents[3] / "config" / "rulesets" / "nowhere.toml").read_text()


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
    ("npv, each root", "+33948000001", "+33948000001", LISTED, LISTED, DENY, SIGN),
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
    ("foreign, New Caledonia", "+687200001", "+687200001", LISTED, LISTED, ALLOW, ALLOW),
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
    others = policy("+33199009999", tags="arrete_listed_body")
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
]


@pytest.mark.parametrize(
    ("cli", "context", "was", "day", "becomes"),
    [pytest.param(*row[:5], id=f"{row[5]} {row[0]} {row[1]} {row[3]}") for row in DATES],
)
def test_both_sides_of_each_date(outcome: Outcome, cli: str, context: str, was: str, day: str, becomes: str) -> None:
    """The law of the attempt's instant applies; a day begins at midnight in Paris."""
    snapshot = policy(cli, tags="arrete_listed_body")
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Paris"))
    before = (midnight - timedelta(seconds=1)).isoformat()
    assert outcome(snapshot, context, f"sip:{cli}@h", at=before) == was
    assert outcome(snapshot, context, f"sip:{cli}@h", at=midnight.isoformat()) == becomes


def test_saint_martin_from_2028(outcome: Outcome) -> None:
    """Arcep 2025-2215: where a document knows Saint-Martin's numbers, they are masked from 2028-01-01."""
    more = '[[categories]]\nid = "mobile_saint_martin"\nprefixes = ["+5906905"]\n'
    snapshot = policy(more=more)
    for at, becomes in (("2027-12-31T23:59:59+01:00", "pass"), ("2028-01-01T00:00:00+01:00", "mask")):
        assert outcome(snapshot, "intl_unauth", "sip:+590690500001@h", at=at) == becomes
        assert outcome(snapshot, "intl_unauth", "sip:+590690400001@h", at=at) == "mask"


CALL_BACK = "sip:0800112112@h"


@pytest.mark.parametrize("context", CONTEXTS)
def test_emergency_call_back_number_is_never_stopped(outcome: Outcome, context: str) -> None:
    """1.1.4: emergency centres call back from 0800 112 112."""
    assert outcome(policy("+33199001234"), context, CALL_BACK) == "pass"


# -- the contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["1", "2", "3", "4", "5", "9"])
def test_contract_7_1_1_french_fixed_from_abroad(outcome: Outcome, root: str) -> None:
    """Article 7.1.1: calls of international origin with a French number beginning 01-05 or 09 are filtered."""
    assert outcome(policy(), "intl_unauth", f"sip:+33{root}99001234@h") == "cli_refused"
    headers = (f"P-Asserted-Identity: <sip:0{root}99001234@h>",)
    assert outcome(policy(), "intl_unauth", "sip:+442079460000@h", headers=headers) == "cli_refused"


def test_contract_9_1_8_only_its_own_numbers(outcome: Outcome) -> None:
    """Article 9.1.8: a customer presents only numbers really assigned to it."""
    snapshot = policy("+33199001200..+33199001299")
    assert outcome(snapshot, "manual", "sip:0199001250@h") == "pass"
    assert outcome(snapshot, "manual", "sip:0199001300@h") == "cli_not_owned"
    asserted = ("P-Asserted-Identity: <sip:+33199001300@h>",)
    assert outcome(snapshot, "manual", "sip:0199001250@h", headers=asserted) == "cli_mismatch"


def test_contract_9_1_8_without_a_list(outcome: Outcome) -> None:
    """Until a list is kept the switch `undeclared` decides."""
    assert outcome(policy(), "manual", "sip:0199001250@h") == "pass"
    strict = policy(more='[numbers.switches]\nundeclared = "deny"\n')
    assert outcome(strict, "manual", "sip:0199001250@h") == "cli_not_owned"


def test_contract_9_1_15_decisions_of_arcep_are_dated(outcome: Outcome) -> None:
    """Article 9.1.15: 2018-0881, 2019-0954 and 2022-1583, each in its time, and what came after the contract."""
    years = {
        year: outcome(policy(), "automated", "sip:0639980001@h", at=f"{year}-06-01T00:00:00+02:00")
        for year in range(2019, 2027)
    }
    assert [year for year, what in years.items() if what == "cli_refused"] == [2020, 2023, 2024, 2025, 2026]


@pytest.mark.parametrize("cli", ["0639980001", "+33730000001", "+590690000001", "+508708000001"])
def test_contract_9_2_3_no_mobile_for_automated_calls(outcome: Outcome, cli: str) -> None:
    """Article 9.2.3: no 10-digit mobile number with automated calling systems; no exception, not even for its own."""
    e164 = read_user(cli.encode(), policy().plan).e164
    assert outcome(policy(e164), "automated", f"sip:{cli}@h") == "cli_refused"
    assert outcome(policy(e164), "manual", f"sip:{cli}@h") == "pass"


@pytest.mark.parametrize("cli", ["+33199001234", "+33970000001", "+33810000001", "+33891000001", "3200", "1013"])
def test_contract_9_2_4_no_forbidden_number_for_automated_calls(outcome: Outcome, cli: str) -> None:
    """Article 9.2.4: no CLI forbidden by law or by Arcep for automated calls, though it be its own."""
    assert outcome(policy(cli), "automated", f"sip:{cli}@h") == "cli_refused"


def test_contract_9_1_17_special_numbers_are_not_misused(outcome: Outcome) -> None:
    """Articles 9.1.17 and 9.2.3: a special-rate number is no CLI."""
    assert outcome(policy("+33891000001"), "manual", "sip:0891000001@h") == "cli_refused"


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(
    "called", ["15", "17", "18", "112", "114", "115", "116000", "116111", "116117", "119", "191", "196", "197"]
)
@pytest.mark.parametrize("cli", ["sip:+33891000001@h", "sip:anonymous@anonymous.invalid", "sip:+331990012@h"])
def test_emergency_numbers_pass_every_rule(outcome: Outcome, context: str, called: str, cli: str) -> None:
    """CPCE L33-1 f, D98-8: whatever number is shown, and in whatever context."""
    strict = policy("+33199001234", more='[numbers.switches]\nundeclared = "deny"\nunsigned = "deny"\n')
    assert outcome(strict, context, cli, called=called) == "pass"


# -- properties --------------------------------------------------------------------------------------------------------

FORMS = (
    "+33{0}", "0{0}", "0033{0}", "33{0}", "+330{0}", "00330{0}", "+33(0){0}", "%2B33{0}", "+33-{1}", "+33.{1}", "0{1}",
    "0{0};phone-context=+33", "{0};phone-context=+33", "+33{0};tgrp=x;trunk-context=y", "+33{0};npdi;rn=+3312",
    "01133{0}", "{0}", "{1}", "{0};phone-context=+33-", "%2530{0}", "%EF%BC%90{0}", ";0{0}",
)  # fmt: skip
SCHEMES = ("sip:{0}@h", "sips:{0}@h", "sip:{0}@h;user=phone", "sip:{0}:pw@h", "tel:{0}")


NOBODYS = policy("+33199009999")


@given(
    digits=st.from_regex(r"\A([1-5]99[0-9]{6}|9[5-7][0-9]{7})\Z"),
    form=st.sampled_from(FORMS),
    scheme=st.sampled_from(SCHEMES),
    asserted=st.booleans(),
)
def test_no_spelling_of_a_blocked_number_passes(
    outcome: Outcome, digits: str, form: str, scheme: str, asserted: bool
) -> None:
    """However a French fixed number is written, and wherever, it does not come in from abroad, nor from a robot."""
    grouped = "-".join(digits[place : place + 2] for place in range(0, 9, 2))
    written = form.format(digits, grouped)
    if scheme == "tel:{0}" and ("%" in written or "(" in written):
        scheme = "sip:{0}@h"
    uri = scheme.format(written)
    headers = (f"P-Asserted-Identity: <{uri}>",) if asserted else ()
    cli = "sip:+442079460000@h" if asserted else uri
    assert outcome(NOBODYS, "intl_unauth", cli, headers=headers) in ("cli_refused", "cli_invalid")
    assert outcome(NOBODYS, "automated", cli, headers=headers) in ("cli_refused", "cli_invalid", "cli_not_owned")


@given(
    st.text("+0123456789 ()-.;%=phonectxtrugi", max_size=40)
    | st.sampled_from(FORMS).map(lambda form: form.format("199001234", "19-90"))
)
def test_normalisation_is_idempotent(written: str) -> None:
    """What a reading says is read again as the same."""
    plan = NOBODYS.plan
    reading = read_user(written.encode(), plan)
    if reading.e164:
        assert read_user(reading.e164.encode(), plan).e164 == reading.e164
    again = read_user(reading.text.encode(), plan)
    assert reading.e164 or again == read_user(again.text.encode(), plan)


HOUSE_RULES = [
    '[[cli_rules]]\nid = "all"\naction = "refuse"\n',
    '[[cli_rules]]\nid = "hidden"\naction = "refuse"\nwhen = { categories = ["withheld"] }\n',
    '[[cli_rules]]\nid = "abroad"\naction = "refuse"\nwhen = { ingress_class = ["international"] }\n',
    '[[cli_rules]]\nid = "watch"\naction = "shadow-refuse"\n',
    '[[cli_rules]]\nid = "ok"\naction = "allow"\nwhen = { prefixes = ["+33"] }\n',
]


@pytest.mark.parametrize("order", list(permutations(range(5), 3)), ids=str)
def test_no_rule_order_hides_an_emergency_call(outcome: Outcome, order: tuple[int, ...]) -> None:
    """Whatever rules stand before, an emergency call passes; the same call to another number need not."""
    more = "".join(HOUSE_RULES[place] for place in order)
    more += '[numbers.switches]\nundeclared = "deny"\n[numbers]\ndo_not_originate = ["+33199001234"]\n'
    snapshot = policy("+33199009999", more=more)
    for context in CONTEXTS:
        for cli in ("sip:+33199001234@h", "sip:anonymous@anonymous.invalid", "sip:+33891000001@h", "sip:x@h"):
            for called in ("112", "15", "+33112", "116000"):
                assert outcome(snapshot, context, cli, called=called) == "pass"


# -- another country ---------------------------------------------------------------------------------------------------


def test_another_country_from_a_file(outcome: Outcome, nowhere: str, attempt_of: Attempts) -> None:
    """An invented country: a document of the same form, no line of code."""
    document = parse_policy(
        ACCOUNTS.format(listed='"+999100000*"', tags="") + TRUNKS + '[numbers]\nruleset = "nowhere.toml"\n'
    )
    snapshot = PolicySnapshot(document, ruleset=parse_ruleset(nowhere))
    assert outcome(snapshot, "manual", "sip:8100000@h") == "mask"
    assert outcome(snapshot, "manual", "sip:8100000@h", at="2020-05-31T23:59:59+00:00") == "pass"
    assert outcome(snapshot, "manual", "sip:8700000@h") == "cli_refused"
    assert outcome(snapshot, "manual", "sip:70999100000@h") == "mask"
    assert outcome(snapshot, "manual", "sip:+33199001234@h") == "cli_not_owned"  # a foreign number, and not its own
    assert outcome(snapshot, "intl_unauth", "sip:8700000@h", called="02") == "pass"
    attempt = attempt_of(source="192.0.2.1", cli="sip:8100000@h", called="sip:8200000@h")
    judge(attempt, snapshot)
    assert (attempt.cli_presented, attempt.called, attempt.ruleset) == (
        "+999100000",
        "+999200000",
        "nowhere 2020-01-01",
    )
