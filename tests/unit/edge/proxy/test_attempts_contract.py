"""The contract's commercial articles (version 2023-04-01) at the edge: what the caller hears, what is taken.

Those on caller numbers and conduct (7.1.1, 9.1.8 to 9.2.4) are in `policy/test_pipeline_regulation` and
`policy/test_behaviour`; quality and penalties (26, 27) in `quality/test_rules` and `quality/test_penalties`.
"""

import json

import pytest
from network import CALLER, POLICY, TRUNK_A, WALL_OFFSET, Caller, Established, Wire, hang_up

from edge.cdr.builder import CdrBuilder
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot

DECK = "+33,all,0,0.60,6,6,30\n"
"""One cent a second, in steps of six, thirty seconds at least."""
PREPAID = POLICY.replace('id = "acme"\n', 'id = "acme"\ncredit = "prepaid"\n', 1)


def attempt(wire: Wire) -> int:
    """Final status of one attempt that nobody answers; 0: it reached the trunk."""
    Caller(wire).start()
    (status,) = [status for status in wire.statuses_to(CALLER) if status > 100] or [0]
    return status


@pytest.mark.parametrize(
    ("keys", "calls", "caps"),
    [
        pytest.param("", 10, 1, id="25 default"),
        pytest.param("call_lots = 1", 40, 1, id="28 one lot of 30 channels"),
        pytest.param("call_lots = 3", 100, 1, id="28 three lots of 30 channels"),
        pytest.param("caps_lots = 1", 10, 11, id="28 one lot of 10 CAPS"),
        pytest.param("caps_lots = 4\ncall_lots = 2", 70, 41, id="28 both"),
    ],
)
def test_contract_25_and_28_ceilings_of_an_account(keys: str, calls: int, caps: int) -> None:
    """10 concurrent calls and 1 attempt a second; lots of 30 and of 10 above them."""
    document = parse_policy(f'[[accounts]]\nid = "a"\n{keys}\n' + POLICY)
    (account,) = [one for one in PolicySnapshot(document).commercial_values() if one.id == "a"]
    assert (account.calls, account.caps) == (calls, caps)


def test_contract_25_the_eleventh_call_and_the_second_attempt_in_a_second() -> None:
    """Capacity is 503; the bucket says when to come back."""
    wire = Wire(POLICY.replace("caps_base = 100\ncalls_base = 3\n", "", 1))
    for _ in range(10):
        Established(wire)
        wire.advance(1)
    assert attempt(wire) == 503
    assert wire.ended[-1].limit == "calls"
    assert attempt(wire) == 503
    assert wire.ended[-1].limit == "caps"


def test_contract_12_7_2_used_up_credit_and_12_7_3_a_top_up() -> None:
    """Nothing left: 402. What is received counts at the next attempt, and a reference counts once."""
    wire = Wire(PREPAID, deck=DECK)
    assert attempt(wire) == 402
    assert wire.limiter.top_up("acme", amount=300_000, reference="transfer-1") == (300_000, False)
    assert wire.limiter.top_up("acme", amount=300_000, reference="transfer-1") == (300_000, True)
    assert attempt(wire) == 0


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [
        pytest.param(1, 300_000, id="24.2.5 the shortest billed duration"),
        pytest.param(30, 300_000, id="24.2.5 to its end"),
        pytest.param(30.5, 360_000, id="24.2.3 the next step of six seconds"),
        pytest.param(36, 360_000, id="24.2.3 to its end"),
    ],
)
def test_contract_24_2_what_an_answered_call_costs(seconds: float, micros: int) -> None:
    """In steps of the tariff, and a minimum for every answered call (24.2.3, 24.2.5); deducted at once (12.7.2)."""
    wire = Wire(PREPAID.replace('credit = "prepaid"', 'credit = "prepaid"\nopening_balance = "10"'), deck=DECK)
    call = Established(wire)
    wire.advance(seconds)
    hang_up(call)
    assert wire.usage().balance_micros == 10_000_000 - micros


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        pytest.param('status = "suspended"', "account_suspended", id="12.5 13.1.4 unpaid"),
        pytest.param('status = "closed"', "account_closed", id="17.3 closed"),
    ],
)
def test_contract_13_1_suspension(keys: str, reason: str) -> None:
    """New calls are refused at once."""
    wire = Wire(POLICY.replace('id = "acme"\n', f'id = "acme"\n{keys}\n', 1))
    assert (attempt(wire), wire.ended[-1].reason) == (403, reason)


def test_contract_17_3_the_last_call_is_known() -> None:
    """When an account had its last one, for the report of those that have none."""
    wire = Wire()
    assert wire.usage().last_call_ms == 0
    attempt(wire)
    assert wire.usage().last_call_ms == int(wire.now * 1_000)
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 1


def test_contract_6_1_an_identifier_and_a_password() -> None:
    """A trunk that asks for them challenges before anything is taken."""
    wire = Wire(POLICY.replace('sources = ["192.0.2.1/32", "2001:db8::1/128"]\naccount = "acme"',
                               'sources = ["192.0.2.1/32"]\ndigest = true')
                + '[[credentials]]\nid = "u"\naccount = "acme"\nmd5 = "' + "0" * 32 + '"\n')  # fmt: skip
    assert attempt(wire) == 407
    assert wire.admits() == 0


def test_contract_24_2_4_the_record_lets_the_rater_find_a_call() -> None:
    """A surcharge comes months later: by account, its tags, number, zone, prefix, trunk, instant and duration the call
    that caused it is found, and the month of an account is a sum (24.4)."""
    wire = Wire(PREPAID.replace('credit = "prepaid"', 'credit = "prepaid"\nopening_balance = "10"\ntags = ["fibre"]'),
                deck=DECK)  # fmt: skip
    for seconds in (1, 31):
        call = Established(wire)
        wire.advance(seconds)
        hang_up(call)
    builder = CdrBuilder("edge1", wall0=WALL_OFFSET, mono0=0.0)
    records = [json.loads(builder.line(facts, seq)) for seq, facts in enumerate(wire.ended, 1)]
    names = ("account", "called", "zone", "rate_prefix", "egress_trunk", "currency")
    assert {tuple(record[name] for name in names) for record in records} == {
        ("acme", "+33170000001", "all", "+33", "a", "EUR")
    }
    assert all("fibre" in record["tags"] for record in records)
    assert [(record["duration_ms"], record["billed_s"]) for record in records] == [(1_000, 30), (31_000, 36)]
    assert sum(record["cost_micros"] for record in records) == 300_000 + 360_000
