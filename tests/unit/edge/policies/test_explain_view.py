"""edge.policies.explain_view"""

import json

import pytest

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policies.explain_view import Told, explained_data, explained_lines, limits_then, reason_of, sentence
from edge.policy.explain import explain, imagine
from edge.policy.verdicts import Reason

SNAPSHOT = PolicySnapshot(
    parse_policy("""
[[accounts]]
id = "acme"
shadow_refusals = ["cli_invalid"]
[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"
[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
[[routes]]
id = "any"
prefixes = [""]
trunks = ["a"]
[[cli_rules]]
id = "no-uk"
when = { prefixes = ["+44"] }
action = "refuse"
basis = "contract: article 9"
[[cli_rules]]
id = "watch"
when = { prefixes = ["+49"] }
action = "refuse"
reason = "cli_invalid"
""")
)


def told(cli: str, *, source: str = "192.0.2.1", record: dict[str, object] | None = None) -> Told:
    attempt = imagine(source=source, listener="", cli=cli, called="0612345678")
    return Told(attempt, explain(attempt, SNAPSHOT), "p.toml", record, "", ("acme: active", "calls 0 of 10"))


def test_a_refusal_of_a_rule() -> None:
    """The rule's own basis with its line and at the end; what the account's limits are now."""
    lines = explained_lines(told("+447700900123"))
    assert lines[-6].startswith("screen        rule no-uk says refuse of +447700900123 (foreign): refused, cli_refused")
    assert lines[-6].endswith("  [contract: article 9]")
    assert lines[-5:] == [
        "limits now    acme: active",
        "              calls 0 of 10",
        "refused: 403 Forbidden (cli_refused, Q.850 cause 21)",
        "rests on      contract: article 9",
        "in words      The caller number +447700900123 may not be presented on this call; present one that this "
        "account may show.",
    ]


def test_the_shadow_is_told() -> None:
    """What would have been refused, in the line of its stage and under it."""
    lines = explained_lines(told("+493012345"))
    at = next(index for index, line in enumerate(lines) if line.startswith("screen"))
    assert "would be refused, cli_invalid" in lines[at]
    assert lines[at + 1] == "              in the shadow: cli_invalid"
    assert lines[-1] == "policy lets it pass; what the limits say is not known: the limits were not asked"


RECORD: dict[str, object] = {
    "uid": "u1", "received_at": "2026-11-25T09:46:40.000001Z", "node": "n1", "source": "192.0.2.1:5060",
    "account": "acme", "outcome": "refused", "reason": "caps", "status": 503, "release_side": "edge",
    "policy_generation": 7,
    "decided_by": "limits", "limit": "caps", "limit_holder": "acme", "limit_in_use": 5, "ceiling": 5,
    "account_generation": 3, "caps_in_force": 5, "calls_in_force": 10,
}  # fmt: skip


def test_a_call_that_limits_refused() -> None:
    """Policy would let it pass, now as then; the refusal that was said is the one explained."""
    one = told("+33199001234", record=RECORD)
    lines = explained_lines(one)
    assert lines[:4] == [
        "call          u1 at 2026-11-25T09:46:40.000001Z on node n1",
        "from          192.0.2.1:5060, account acme",
        "then          refused, caps, status 503 by edge; policy generation 7",
        "judged again  under p.toml",
    ]
    assert "limits then   refused by caps of acme: 5 against 5; in force: CAPS 5, calls 10 (generation 3)" in lines
    assert reason_of(one) is Reason.CAPS
    assert lines[-2:] == [
        "rests on      contract: article 25 and the options of article 28",
        "in words      The account acme may place 5 call attempts a second, and this one came sooner; spread them, or "
        "order more.",
    ]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"decided_by": ""}, "not asked: refused before"),
        ({"decided_by": "", "emergency": True}, "not asked: an emergency call"),
        (
            {"decided_by": "share", "degraded": True, "in_use": 2},
            "admitted by share, degraded: 2 concurrent calls with it",
        ),
    ],
)
def test_limits_then(columns: dict[str, object], expected: str) -> None:
    """In the words of the record."""
    assert limits_then(columns) == expected


def test_a_sentence_needs_no_more_than_there_is() -> None:
    """A stranger's call has no account and no ceiling."""
    one = told("+33199001234", source="9.9.9.9")
    assert sentence(one, Reason.UNKNOWN_SOURCE).startswith("The address 9.9.9.9 is not known to us")
    assert sentence(one, Reason.CALLS).startswith("The account (unknown) may hold only so many calls")


def test_for_machines() -> None:
    """Everything, as JSON."""
    data = json.loads(json.dumps(explained_data(told("+447700900123", record=RECORD))))
    assert (data["refused"], data["status"], data["reason"]) == ("cli_refused", 403, "caps")
    assert data["steps"][-1]["rule"] == "no-uk"
    assert data["limits_then"].startswith("refused by caps")
    assert data["rests_on"] == "contract: article 25 and the options of article 28"  # of what was said then
    assert json.loads(json.dumps(explained_data(told("+33199001234"))))["record"] is None
