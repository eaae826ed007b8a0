"""edge.policies.rebuilt"""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.cdr.builder import CdrBuilder
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policies.rebuilt import PASSED, Then, Unreadable, attempt_of, lacks, then
from edge.policies.replay import Replay
from edge.policy.evidence import MAX_VALUE
from edge.policy.explain import imagine
from edge.policy.pipeline import judge
from edge.proxy.decisions import note_judged
from edge.proxy.facts import CallFacts
from edge.sip.errors import LocalError, ParseError

WALL = 1_795_600_000.0
SNAPSHOT = PolicySnapshot(
    parse_policy("""
[[accounts]]
id = "acme"
purpose = "none"
[[accounts]]
id = "robot"
kind = "automated"
[[ingress]]
id = "customer"
sources = ["192.0.2.0/24"]
account = "acme"
[[ingress]]
id = "sbc"
sources = ["198.51.100.0/24"]
trusted = true
account = "acme"
account_header = "X-Account"
automated_header = "X-Automated"
[[ingress]]
id = "abroad"
sources = ["203.0.113.0/24"]
account = "acme"
class = "international"
[[ingress]]
id = "named"
tls_names = ["sip.peer.example"]
account = "robot"
[[ingress]]
id = "phones"
sources = ["192.0.3.0/24"]
digest = true
[[credentials]]
id = "acme-pbx"
account = "acme"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
[[egress]]
id = "b"
uri = "sip:127.0.0.1:5071"
[[routes]]
id = "any"
prefixes = [""]
trunks = ["a", "b"]
mode = "weighted"
[[routes]]
id = "premium"
prefixes = ["+3389"]
mode = "barred"
[[cli_rules]]
id = "no-uk"
when = { prefixes = ["+44"] }
action = "refuse"
""")
)


def record_of(refusal_status: int = 403, **imagined: object) -> dict[str, object]:
    """The record that an attempt leaves, as a reader of the file has it."""
    attempt = imagine(wall=WALL, **imagined)
    verdict = judge(attempt, SNAPSHOT)
    facts = CallFacts("u1", 100.0)
    facts.source = f"{attempt.source_host}:5060"
    note_judged(attempt, facts)
    facts.decided_at = facts.released_at = 100.0
    if verdict is None:
        facts.decided_by, facts.sent_at, facts.answered_at = "limits", 100.0, 101.0
        facts.candidates = [(attempt.candidates[0].id, 200)]
        facts.end(200, "answered", 16, "ingress")
    else:
        facts.end(refusal_status, verdict.reason.value, 21, "edge")
    return json.loads(CdrBuilder("n", wall0=WALL, mono0=100.0).line(facts, 1))


NUMBERS = st.one_of(
    st.sampled_from(
        [
            "+33199001234",
            "0639981234",
            "+447700900123",
            "anonymous",
            "15",
            "0891234567",
            "sip:x@anonymous.invalid",
            "tel:3000",
        ]
    ),
    st.text(min_size=1, max_size=12),
)
HEADERS = st.lists(
    st.sampled_from(
        [("Privacy", "id"), ("Privacy", "none"), ("X-Automated", "yes"), ("X-Account", "robot"),
         ("X-Account", "nobody"), ("Diversion", "<sip:+33199001234@h>"),
         ("Remote-Party-ID", "<sip:+447700900123@h>;privacy=full")]
    ),
    max_size=3,
    unique_by=lambda pair: pair[0],
)  # fmt: skip


@given(
    source=st.sampled_from(["192.0.2.7", "198.51.100.7", "203.0.113.7", "9.9.9.9", "2001:db8::1"]),
    cli=NUMBERS,
    called=NUMBERS,
    asserted=st.lists(NUMBERS, max_size=2),
    headers=HEADERS,
)
def test_the_same_document_changes_nothing(
    source: str, cli: str, called: str, asserted: list[str], headers: list[tuple[str, str]]
) -> None:
    """Whatever was decided is decided again from the record, under the document that decided it."""
    try:
        record = record_of(source=source, listener="l", cli=cli, called=called, asserted=asserted, headers=headers)
    except (LocalError, ParseError):
        return
    replay = Replay(SNAPSHOT)
    replay.add(record)
    assert (replay.same, dict(replay.changes), dict(replay.unjudged)) == (1, {}, {})
    assert (dict(replay.rerouted), dict(replay.shown)) == ({}, {})


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"outcome": "answered", "reason": "answered"}, Then(PASSED, "", "", "")),
        ({"outcome": "refused", "reason": "cli_refused", "rule": "r"}, Then("cli_refused", "r", "", "")),
        ({"outcome": "refused", "reason": "caps", "decided_by": "limits"}, Then(PASSED, "", "", "")),
        ({"outcome": "refused", "reason": "draining"}, Then(PASSED, "", "", "")),
        ({"outcome": "refused", "reason": "no_route"}, Then("no_route", "", "", "")),
        ({"outcome": "refused", "reason": "route_not_allowed", "route": "any"}, Then(PASSED, "", "", "")),
        ({"outcome": "failed", "candidates": [["a", 503], ["b", 486]]}, Then(PASSED, "", "a", "")),
        ({"outcome": "answered", "cli_rewritten": "anonymous"}, Then(PASSED, "", "", "anonymous")),
        ({"outcome": "refused", "reason": "unknown_source", "status": 0}, Then("unknown_source", "", "", "")),
    ],
)
def test_then(columns: dict[str, object], expected: Then) -> None:
    """What the limits, the trunks or the state of the node refused, policy had let pass."""
    assert then({"source": "192.0.2.1:5060", **columns}) == expected


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({}, "no record of an attempt"),
        ({"outcome": "refused", "source": "x", "reason": "bad_request"}, "bad_request"),
        ({"outcome": "refused", "source": "x", "reason": "loop"}, "loop"),
    ],
)
def test_what_policy_never_saw(record: dict[str, object], why: str) -> None:
    """Refused by the rules of SIP: no document would change that."""
    with pytest.raises(Unreadable, match=why):
        then(record)


@pytest.mark.parametrize(
    "columns",
    [
        {"received_at": "yesterday"},
        {"received_at": 7},
        {"headers": [["x\r\ny", "z"]]},
        {"headers": [["privacy", "a\r\nVia: x"]]},
    ],
)
def test_what_cannot_be_made_again(columns: dict[str, object]) -> None:
    """A spoilt record is told as such, and puts no line into a message."""
    record = {
        "source": "192.0.2.1:5060",
        "received_at": "2026-11-25T09:46:40.000001Z",
        "called_original": "15",
        **columns,
    }
    with pytest.raises(Unreadable):
        attempt_of(record, SNAPSHOT)


ANYTHING = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner))
COLUMNS = st.sampled_from(["source", "outcome", "headers", "candidates", "cli_original", "received_at", "attempts"])


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(COLUMNS, ANYTHING))
@example({"source": "1:1", "outcome": "answered", "candidates": [[]]})
def test_any_json_is_survived(record: dict[str, object]) -> None:
    """A file of something else breaks nothing."""
    replay = Replay(SNAPSHOT)
    replay.add(record)
    assert replay.records == 1


def test_lacks() -> None:
    """What a record cannot tell is said, and counted."""
    whole = record_of(source="192.0.2.7", listener="", cli="+331", called="15")
    assert lacks(whole) == ""
    assert lacks({**whole, "cli_original": "9" * 64}) == "a number cut at the record's bound"
    assert lacks({**whole, "headers": [["privacy", "x" * MAX_VALUE]]}) == "header fields cut at the record's bound"
    del whole["headers"]
    assert lacks(whole) == "written before header fields were recorded"


def test_its_own_instant_and_account() -> None:
    """Dated rules go by the call's instant; a header that named the account names it again."""
    record = record_of(source="198.51.100.7", listener="l", cli="+331", called="15", headers=[("X-Account", "robot")])
    attempt = attempt_of(record, SNAPSHOT)
    assert (round(attempt.wall), attempt.source_port, attempt.listener) == (round(WALL), 5060, "l")
    assert attempt.request.value(b"x-account") == b"robot"


@pytest.mark.parametrize(
    ("cli", "headers"),
    [("sip:+33199001234@anonymous.invalid", []), ("+33199001234", [("Privacy", "id")]), ("+33199001234", [])],
)
def test_what_was_withheld_is_so_again(cli: str, headers: list[tuple[str, str]]) -> None:
    """By the host of From, which has no column of its own, or by Privacy, which has."""
    record = record_of(source="192.0.2.7", listener="", cli=cli, called="15", headers=headers)
    attempt = attempt_of(record, SNAPSHOT)
    judge(attempt, SNAPSHOT)
    assert attempt.withheld == record["withheld"] == bool(headers or "anonymous" in cli)


PROVED = [
    ({"source": "192.0.2.200", "tls_names": ("sip.peer.example",)}, "robot", "cli_refused"),
    ({"source": "192.0.3.1", "username": "acme-pbx"}, "acme", "answered"),
    ({"source": "192.0.3.1"}, "", "credentials_missing"),
]


@pytest.mark.parametrize(("who", "account", "said"), PROVED)
def test_what_its_trunk_asks_for_is_proved_again(who: dict[str, object], account: str, said: str) -> None:
    """A name of its certificate, a user name of its account: the record tells the trunk and the account."""
    record = record_of(listener="l", cli="+33199001234", called="+33261910000", **who)
    assert (record["account"], record["reason"]) == (account, said)
    attempt = attempt_of(record, SNAPSHOT)
    verdict = judge(attempt, SNAPSHOT)
    assert (PASSED if verdict is None else verdict.reason.value) == then(record).verdict
    assert ("" if attempt.account is None else attempt.account.id) == account


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ({"source": "192.0.2.200", "tls_names": ("sip.peer.example",)}, "tls:sip.peer.example"),
        ({"source": "192.0.3.1", "username": "acme-pbx"}, "source digest:acme-pbx"),
    ],
)
def test_what_was_proved_is_in_the_record(who: dict[str, object], words: str) -> None:
    """`identified_by`; a record of an edge that did not write it is judged by what its trunk asks for."""
    record = record_of(listener="l", cli="+33199001234", called="+33261910000", **who)
    assert record["identified_by"] == words
    older = {name: value for name, value in record.items() if name != "identified_by"}
    for one in (record, older, {**record, "ingress_trunk": "gone"}):
        attempt = attempt_of(one, SNAPSHOT)
        proved = (attempt.tls_names, attempt.username)
        assert proved == (who.get("tls_names", ()), who.get("username", ""))
