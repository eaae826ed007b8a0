"""edge.policy.ranking: the cheapest trunk first, and none at a loss."""

import pytest

from edge.config.bundle import Bundle, build, side_files
from edge.config.errors import PolicyError
from edge.policy.explain import explain
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, Refuse

HEAD = "prefix,zone,connect,rate,first,next,minimum\n"
SELL = HEAD + "+33,fr,0,0.02,1,1,0\n+34,es,0,0.05,1,1,0\n+35,pt,0,0.01,1,1,0\n"
BUY_A = HEAD + "+33,fr,0,0.015,1,1,0\n+34,es,0,0.03,1,1,0\n+35,pt,0,0.02,1,1,0\n"
BUY_B = HEAD + "+33,fr,0,0.010,60,60,0\n+34,es,0.01,0.03,1,1,0\n+35,pt,0,0.03,1,1,0\n"
POLICY = """
rate_deck = "sell.csv"

[[accounts]]
id = "acme"
credit = "none"

[[ingress]]
id = "customer"
sources = ["192.0.2.0/24"]
account = "acme"

[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
rate_deck = "a.csv"

[[egress]]
id = "b"
uri = "sip:127.0.0.1:5071"
rate_deck = "b.csv"

[[egress]]
id = "flat"
uri = "sip:127.0.0.1:5072"

[[egress]]
id = "a2"
uri = "sip:127.0.0.1:5073"
rate_deck = "a.csv"

[numbers]
rules = "off"

[[routes]]
id = "any"
prefixes = [""]
trunks = ["flat", "a", "b", "a2"]
"""
FILES = {"sell.csv": SELL.encode(), "a.csv": BUY_A.encode(), "b.csv": BUY_B.encode()}


def snapshot(*lines):
    return build(Bundle("p.toml", (POLICY + "\n".join(lines)).encode(), FILES), generation=1)


def judged(attempt_of, found, called):
    attempt = attempt_of(called=f"sip:{called}@h")
    verdict = judge(attempt, found)
    return verdict if verdict is not None else [trunk.id for trunk in attempt.candidates]


@pytest.mark.parametrize(
    ("lines", "called", "expected"),
    [
        ([], "+33170000001", ["flat", "a", "b", "a2"]),
        (['order = "cost"'], "+33170000001", ["b", "a", "a2", "flat"]),
        (['order = "cost"'], "+34910000001", ["a", "a2", "b", "flat"]),
        (["no_loss = true"], "+33170000001", ["flat", "a", "b", "a2"]),
        (["no_loss = true"], "+351210000001", ["flat"]),
        (['order = "cost"', "no_loss = true"], "+34910000001", ["a", "a2", "b", "flat"]),
        (['order = "cost"', "no_loss = true"], "112", ["flat", "a", "b", "a2"]),
    ],
)
def test_by_what_a_minute_costs(attempt_of, lines, called, expected):
    """Equal ones as written; a trunk without a deck last, never left out; emergency calls by no price."""
    assert judged(attempt_of, snapshot(*lines), called) == expected


def test_no_trunk_for_the_price(attempt_of):
    """Every one would cost more than the call brings."""
    text = POLICY.replace('"flat", ', "")
    found = build(Bundle("p.toml", (text + "no_loss = true").encode(), FILES), generation=1)
    assert judged(attempt_of, found, "+351210000001") == Refuse(Reason.NO_MARGIN)
    told = explain(attempt_of(called="sip:+351210000001@h"), found)
    assert "a 0.02 for a minute, left out" in told.steps[-1].found
    assert told.answer.status == 403


def test_explain_says_what_each_costs(attempt_of):
    told = explain(attempt_of(called="sip:+33170000001@h"), snapshot('order = "cost"'))
    (step,) = [step for step in told.steps if step.stage == "rank"]
    assert step.found.startswith("flat no rate; a 0.015 for a minute; b 0.01 for a minute")
    assert step.found.endswith("tried: b, a, a2, flat")


def test_each_deck_belongs_to_the_document_once():
    """Two trunks of one carrier share a file."""
    names = [side.name for side in side_files(snapshot().document)]
    assert names == ["sell.csv", "a.csv", "b.csv"]


def test_a_deck_that_is_not_sound_is_refused_with_its_place():
    files = {**FILES, "b.csv": b"prefix,zone\n"}
    with pytest.raises(PolicyError, match=r"b\.csv:1: header"):
        build(Bundle("p.toml", POLICY.encode(), files), generation=1)
