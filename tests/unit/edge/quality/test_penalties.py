"""edge.quality.penalties: the contract's articles 26 and 27, worked out by hand

A morning of account `acme` (Europe/Paris), and what each hour costs. Rates 0.02 for each call of the rule's own base:
attempts for ASR, answered calls for ACD, short calls for the share of short calls ("worst": of the worst rolling hour
that ends in it).

| hour | attempts | answered | talk    | short | ASR     | ACD    | worst share     | costs                         |
|------|----------|----------|---------|-------|---------|--------|-----------------|-------------------------------|
| 08h  | 100      | 60       | 3,600 s | 3     | 60.00 % | 60.0 s | 3 / 60 = 5 %    | ASR not above 60: 100 x 0.02  |
| 09h  | 100      | 61       | 915 s   | 6     | 61.00 % | 15.0 s | 9 / 121 = 7.4 % | ACD not above 15: 61 x 0.02   |
| 10h  | 50       | 40       | 2,000 s | 4     | 80.00 % | 50.0 s | 4 / 40 = 10 %   | short not under 10: 4 x 0.02  |
| 11h  | 40       | 10       | 50 s    | 10    | 25.00 % | (thin) | 14 / 50 = 28 %  | 40 x 0.02 (ASR) and 10 x 0.02 |
| 12h  | 19       | 0        | 0       | 0     | (thin)  | (thin) | (thin)          | nothing                       |
| 13h  | 100      | 90       | 9,000 s | 2     | 90.00 % | 100 s  | 2 / 90          | nothing                       |

In all 2.00 + 1.22 + 0.08 + 0.80 + 0.20 = 4.30.
"""

import pytest
from records import at

from edge.quality.counts import Counts, total
from edge.quality.penalties import CASES, findings
from edge.quality.terms import Terms

TERMS = Terms()
EIGHT = at("2026-11-26T08:00+01:00")


def calls(attempts: int, answered: int, talk_s: int, short: int) -> Counts:
    return Counts.of(told=attempts, attempts=attempts, answered=answered, answered_ms=talk_s * 1_000, short=short)


MORNING = {
    8: {30: calls(100, 60, 3_600, 3)},
    9: {45: calls(100, 61, 915, 6)},
    10: {50: calls(50, 40, 2_000, 4)},
    11: {20: calls(40, 10, 50, 10)},
    12: {40: calls(19, 0, 0, 0)},
    13: {30: calls(100, 90, 9_000, 2)},
}
"""hour -> minute in it -> calls that ended then"""
MINUTES = {
    EIGHT + (hour - 8) * 3_600 + minute * 60: counts for hour, by in MORNING.items() for minute, counts in by.items()
}


def found(hour: int, *, cli: int = 0, cli_mode: str = "candidate", terms: Terms = TERMS):
    begin = EIGHT + (hour - 8) * 3_600
    counts = total([*MORNING[hour].values(), Counts.of(cli=cli)])
    return findings(
        terms.rules, begin, begin + 3_600, counts, MINUTES, cli_micros=terms.case_micros("cli"), cli_mode=cli_mode
    )


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (8, [("asr", 100, 2_000_000)]),
        (9, [("acd", 61, 1_220_000)]),
        (10, [("short_calls", 4, 80_000)]),
        (11, [("asr", 40, 800_000), ("short_calls", 10, 200_000)]),
        (12, []),
        (13, []),
    ],
)
def test_the_hours_of_the_morning_cost_what_the_table_says(hour, expected):
    """Each row, to the micro-unit."""
    assert [(one.kind, one.calls, one.amount_micros) for one in found(hour)] == expected


def test_the_morning_costs_4_30():
    """The sum of the table."""
    assert sum(one.amount_micros for hour in MORNING for one in found(hour)) == 4_300_000


def test_the_evidence_is_the_sum_that_was_judged():
    """11h is judged by the rolling hour that has 10h's last minutes in it: 10:21 to 11:21, 14 short of 50."""
    (_, short) = found(11)
    assert (short.counts["short"], short.counts["answered"]) == (14, 50)
    assert (short.begin_s, short.end_s) == (at("2026-11-26T10:21+01:00"), at("2026-11-26T11:21+01:00"))
    assert short.example == "short"


def test_an_hour_whose_minutes_are_gone_is_judged_by_the_clock():
    """The clock hour is one of its rolling hours: what it shows is no less true."""
    counts = MORNING[10][50]
    assert [one.kind for one in findings(TERMS.rules, 0, 3_600, counts, {}, cli_micros=0, cli_mode="off")] == [
        "short_calls"
    ]


@pytest.mark.parametrize(
    ("mode", "cli", "expected"),
    [
        ("candidate", 0, []),
        ("candidate", 7, [("cli", 0, True)]),
        ("charge", 7, [("cli", 2_000_000_000, False)]),
        ("off", 7, []),
    ],
)
def test_a_caller_s_number_that_was_refused_is_one_case_an_hour(mode, cli, expected):
    """2,000 a case; by default an operator decides on it."""
    extra = [one for one in found(13, cli=cli, cli_mode=mode)]
    assert [(one.kind, one.amount_micros, one.is_candidate) for one in extra] == expected


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        ("cli", 2_000), ("regulator", 10_000), ("ticket_33700", 200), ("complaint", 200), ("judicial", 200),
        ("support", 100),
    ],
)  # fmt: skip
def test_a_case_costs_what_article_27_says(kind, amount):
    """Euro for each case."""
    assert TERMS.case_micros(kind) == amount * 1_000_000
    assert kind in CASES


def test_a_rule_without_an_amount_enters_nothing():
    """It is told, and that is all."""
    free = tuple([rule._replace(penalty_micros=0) for rule in TERMS.rules])
    counts = MORNING[8][30]
    assert findings(free, EIGHT, EIGHT + 3_600, counts, {}, cli_micros=0, cli_mode="off") == []
