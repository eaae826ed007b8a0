"""edge.policies.replay"""

import pytest

from edge.config.deck import parse_deck
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policies import replay as replays
from edge.policies.replay import MAX_EXAMPLES, OTHERS, Change, Replay

BASE = """
[numbers]
rules = "off"
[[accounts]]
id = "acme"
[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"
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
"""
REFUSING = '[[cli_rules]]\nid = "no"\nwhen = { prefixes = ["+331"] }\naction = "refuse"\nbasis = "law: x"\n'


def under(text: str, *records: dict[str, object], deck: str = "") -> Replay:
    rates = parse_deck("prefix,zone,connect,rate,first,next,minimum\n" + deck, currency="EUR") if deck else None
    replay = Replay(PolicySnapshot(parse_policy(text), deck=rates))
    for record in records:
        replay.add(record)
    return replay


def record(**columns: object) -> dict[str, object]:
    """A call that passed and was answered, but for what is said."""
    return {
        "uid": "u", "outcome": "answered", "reason": "answered", "account": "acme", "source": "192.0.2.1:5060",
        "candidates": [["a", 200]], "cli_original": "+33199001234", "called_original": "+33261910000",
        "cli_presented": "+33199001234", "called": "+33261910000", "headers": [], "duration_ms": 60_000,
        "decided_by": "limits", "received_at": "2026-11-25T09:46:40.000001Z", **columns,
    }  # fmt: skip


def test_a_call_that_would_be_refused() -> None:
    """The rule, what it rests on, whose calls, and a few of them."""
    found = under(BASE + REFUSING, *[record(uid=f"u{number}") for number in range(9)])
    change = Change("passed", "cli_refused", "", "no")
    assert found.changes == {change: 9}
    assert (str(change), found.bases[change]) == ("passed -> cli_refused by no", "law: x")
    assert found.by_account == {"acme": {change: 9}}
    assert [example.uid for example in found.examples[change]] == ["u0", "u1", "u2"][:MAX_EXAMPLES]
    assert (found.records, found.attempts, found.same) == (9, 9, 0)


def test_a_route_that_would_bar() -> None:
    """Whatever would refuse is named: here the route."""
    barred = BASE + '[[routes]]\nid = "no-west"\nprefixes = ["+332"]\nmode = "barred"\n'
    assert under(barred, record()).changes == {Change("passed", "destination_barred", "", "no-west"): 1}


def test_a_call_that_would_pass() -> None:
    """What refused it then is told."""
    refused = record(outcome="refused", reason="cli_refused", rule="old", decided_by="", candidates=[])
    assert under(BASE, refused).changes == {Change("cli_refused", "passed", "old"): 1}
    barred = record(outcome="refused", reason="destination_barred", rule="old", decided_by="", candidates=[])
    assert under(BASE, barred).changes == {Change("destination_barred", "passed"): 1}


def test_limits_are_not_asked_again() -> None:
    """What they refused, policy had let pass: that is as before, and counted."""
    found = under(BASE, record(outcome="refused", reason="caps", candidates=[]))
    assert (found.same, found.by_limits, found.changes) == (1, 1, {})


def test_another_way() -> None:
    """The trunk tried first; where trunks are drawn, only one that is not among them is told."""
    other = BASE.replace('["a", "b"]', '["b", "a"]')
    assert under(other, record()).rerouted == {("a", "b"): 1}
    assert under(BASE, record()).rerouted == {}
    drawn = BASE.replace('trunks = ["a", "b"]', 'trunks = ["b", "a"]\nmode = "weighted"')
    assert under(drawn, record()).rerouted == {}
    assert under(BASE.replace('trunks = ["a", "b"]', 'trunks = ["b"]\nmode = "weighted"'), record()).rerouted == {
        ("a", "b"): 1
    }


def test_another_price() -> None:
    """By the one price function, for answered calls that have one then or now."""
    priced = record(cost_micros=10_000, first_s=1)
    found = under(BASE, priced, record(outcome="failed"), deck="33,France,0,0.02,1,1,0\n")
    assert (found.priced, found.cost_before, found.cost_after) == (1, 10_000, 20_000)
    found = under(BASE, priced)
    assert (found.priced, found.cost_before, found.cost_after) == (1, 10_000, 0)


def test_another_number_shown() -> None:
    """A mask that comes or goes."""
    assert under(BASE, record(cli_rewritten="anonymous")).shown == {("anonymous", "as it came"): 1}


def test_the_shadow() -> None:
    """What would only be noted is counted by name, and is no change."""
    found = under(BASE + REFUSING.replace('"refuse"', '"shadow-refuse"'), record(), record())
    assert (found.shadow, found.same) == ({"no": 2}, 2)


def test_records_that_stand_for_many() -> None:
    """Those of a stranger's minute count for all of them."""
    stranger = record(
        source="9.9.9.9:1",
        outcome="refused",
        reason="unknown_source",
        attempts=40,
        decided_by="",
        account="",
        candidates=[],
    )
    found = under(BASE.replace("192.0.2.0/24", "9.9.9.9"), stranger)
    assert found.changes == {Change("unknown_source", "passed"): 40}
    assert (found.records, found.attempts) == (1, 40)


def test_what_cannot_be_told() -> None:
    """Counted by why."""
    old = record()
    del old["headers"]
    found = under(BASE, old, record(outcome="refused", reason="loop"), {"x": 1})
    assert found.lacking == {"written before header fields were recorded": 1}
    assert found.unjudged == {"loop": 1, "no record of an attempt": 1}
    assert (found.first, found.last) == ("2026-11-25T09:46:40.000001Z",) * 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many accounts and kinds of change a file has."""
    monkeypatch.setattr(replays, "MAX_ACCOUNTS", 3)
    monkeypatch.setattr(replays, "MAX_KINDS", 2)
    records = [
        record(account=f"a{number}", outcome="refused", reason=f"cli_{number}", rule="x", decided_by="")
        for number in range(10)
    ]
    found = under(BASE, *records)
    assert (len(found.changes), found.changes[Change(OTHERS, OTHERS)]) == (3, 8)
    assert set(found.by_account) == {"a0", "a1", "a2", OTHERS}
