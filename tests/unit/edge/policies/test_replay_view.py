"""edge.policies.replay_view"""

import json

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policies.replay import Change, Example, Replay
from edge.policies.replay_view import MAX_LINES, replay_data, replay_lines

REFUSED = Change("passed", "cli_refused", "", "no")


def replay() -> Replay:
    return Replay(PolicySnapshot(parse_policy("")))


def full() -> Replay:
    made = replay()
    made.records = made.attempts = 1_234
    made.same, made.by_limits = 1_200, 17
    made.first, made.last = "2026-01-01T00:00:00.000001Z", "2026-01-02T00:00:00.000001Z"
    made.changes[REFUSED] = 30
    made.bases[REFUSED] = "law: x"
    made.examples[REFUSED] = [Example("u1", "", "", "+33261910000", "2026-01-01T00:00:00.000001Z")]
    made.by_account["acme"] = made.changes.copy()
    made.rerouted["a", "b"] = 5
    made.shown["as it came", "anonymous"] = 2
    made.priced, made.cost_before, made.cost_after = 9, 1_000_000, 1_250_000
    made.shadow["watch"] = 3
    made.counts.beyond["contact_attempts", "acme"] = 6
    made.counts.uncounted = 8
    made.unjudged["loop"] = 4
    made.lacking["a number cut at the record's bound"] = 1
    return made


def test_lines() -> None:
    """The most frequent first, then what passes another way, then what a record cannot tell."""
    assert replay_lines(full(), under="new.toml", broken=1) == [
        "1,234 records of 1,234 attempts, 2026-01-01T00:00:00.000001Z to 2026-01-02T00:00:00.000001Z",
        "judged under new.toml:",
        "     1,200  as before",
        "        30  passed -> cli_refused by no (law: x)",
        "            2026-01-01T00:00:00.000001Z  nobody known  no number to +33261910000  u1",
        "by account:",
        "  acme: 30 passed -> cli_refused",
        "routed otherwise, of those that pass then and now:",
        "         5  a -> b",
        "shown otherwise, of those that pass then and now:",
        "         2  as it came -> anonymous",
        "price of 9 answered calls: 1.00 -> 1.25",
        "in the shadow: watch 3",
        "one too many, counted from the first of these records on (of those that policy lets pass):",
        "         6  contact_attempts of acme",
        "not counted, as there are too many numbers: 8",
        "not judged again: refusals and consents of people, ping calls, shares of calls received, money, ceilings",
        "not asked again: the limits; 17 attempts they refused count as passed by policy",
        "not judged: 4 that policy never saw or that cannot be made again (loop 4)",
        "not told by the record: a number cut at the record's bound: 1",
        "lines that are no record: 1",
        "30 would be decided otherwise; edge explain --call UID tells why",
    ]


def test_nothing() -> None:
    """No change is a sentence too."""
    assert replay_lines(replay(), under="x", broken=0)[-1] == "nothing would be decided otherwise"


def test_long_lists_are_cut() -> None:
    """And say how many are left out."""
    made = replay()
    for number in range(MAX_LINES + 5):
        made.changes[Change(f"r{number:02}", "passed")] = 1
        made.examples[Change(f"r{number:02}", "passed")] = []
    lines = replay_lines(made, under="x", broken=0)
    assert "  … and 5 more kinds of change" in lines


def test_data() -> None:
    """Everything, for a program."""
    told = json.loads(json.dumps(replay_data(full(), under="x", broken=0)))
    assert told["changes"][0] == {
        "before": "passed", "after": "cli_refused", "rule_before": "", "rule_after": "no", "count": 30,
        "basis": "law: x",
        "examples": [{"uid": "u1", "account": "", "cli": "", "called": "+33261910000",
                      "received_at": "2026-01-01T00:00:00.000001Z"}],
    }  # fmt: skip
    assert told["rerouted"] == [{"before": "a", "after": "b", "count": 5}]
    assert (told["cost_before_micros"], told["cost_after_micros"]) == (1_000_000, 1_250_000)
