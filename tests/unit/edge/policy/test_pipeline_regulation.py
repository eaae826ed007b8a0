"""French law and the carrier's contract: the articles that name the edge, emergency calls, what no spelling and no
order of rules gets around, and another country. Numbering law row by row is in `test_pipeline_section_10`.
"""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from france import ACCOUNTS, CONTEXTS, TRUNKS, policy
from hypothesis import given
from hypothesis import strategies as st

from edge.config.parsing import parse_policy
from edge.config.rulesets import parse_ruleset
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.spelling import read_user

Attempts = Callable[..., CallAttempt]
Outcome = Callable[..., str]


@pytest.fixture(scope="module")
def nowhere() -> str:
    """A country that does not exist."""
    return (Path(__file__).parents[3] / "config" / "rulesets" / "nowhere.toml").read_text()


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
