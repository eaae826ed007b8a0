"""Talk that is paid for: extended, rescued, cut at its end; what an account that ran dry or was suspended does to its
calls."""

from itertools import pairwise

import pytest
from network import CALLER, NOTHING, POLICY, TRUNK_A, Established, Ringing, Wire, hang_up, reply

from edge.proxy.calls import RENEW_TOGETHER
from edge.proxy.node import Settings
from limits.account import AccountStatus
from limits.model import Renew

CENT = 10_000
DECK = "+33,all,0,0.60,1,1,0\n"
"""One cent a second, by the second."""


def prepaid(cents: int, *more: str) -> Wire:
    """Account acme with this balance."""
    lines = "\n".join((f'opening_balance = "{cents / 100:.2f}"', *more))
    return Wire(POLICY.replace('id = "acme"\n', f'id = "acme"\n{lines}\n', 1), deck=DECK)


def both_told(wire: Wire, call: Established) -> tuple[list[bytes], list[bytes]]:
    """Methods that reached the callee and the caller; every BYE is answered."""
    found = []
    for address in (TRUNK_A, CALLER):
        requests = wire.requests_to(address)
        found.append([request.method for request in requests])
        for request in requests:
            wire.send(reply(request, 200), address)
    return found[0], found[1]


def test_a_call_is_cut_on_both_sides_at_the_instant_its_paid_talk_ends():
    """Not a moment before; the record says so, to the millisecond and the micro-unit."""
    wire = prepaid(7)
    call = Established(wire)

    wire.advance(6.99)
    assert both_told(wire, call) == ([], [])
    wire.advance(0.02)

    assert both_told(wire, call) == ([b"BYE"], [b"BYE"])
    (facts,) = wire.ended
    assert (facts.reason, facts.release_side, facts.duration_ms) == ("credit", "edge", 7_000)
    assert (wire.usage().balance_micros, wire.usage().held_micros, wire.in_use()) == (0, 0, 0)


def test_a_hold_is_extended_again_and_again_and_what_is_left_goes_back():
    """60 s at a time, from 20 s before each end on."""
    wire = prepaid(1_000)
    call = Established(wire)

    wire.advance(150)
    hang_up(call)

    assert wire.usage().balance_micros == (1_000 - 150) * CENT
    assert (wire.usage().held_micros, wire.ended[0].reason) == (0, "answered")


def test_money_that_comes_inside_the_hold_rescues_the_call():
    """With the notice of it, at once."""
    wire = prepaid(7)
    call = Established(wire)
    wire.advance(5)
    wire.limiter.top_up("acme", amount=100 * CENT, reference="r")
    wire.core.account_changed("acme", wire.now)
    wire.pump()

    wire.advance(30)
    assert both_told(wire, call) == ([], [])
    hang_up(call)
    assert wire.usage().balance_micros == (107 - 35) * CENT


@pytest.mark.parametrize(("paid_at", "is_rescued"), [(3.9, True), (6.3, True), (6.5, False)])
def test_money_whose_notice_was_lost_is_looked_for_before_the_end(paid_at, is_rescued):
    """3 s and 0.6 s before it."""
    wire = prepaid(7)
    call = Established(wire)
    wire.advance(paid_at)
    wire.limiter.top_up("acme", amount=100 * CENT, reference="r")

    wire.advance(7.5 - paid_at)

    assert (both_told(wire, call) == ([], [])) is is_rescued


def test_calls_that_ring_give_back_what_is_held_for_them_when_the_account_runs_dry():
    """Cancelled, and their caller hears of the credit; what they held goes to the one that talks."""
    wire = prepaid(70)
    call = Established(wire)
    ringing = Ringing(wire)
    assert wire.usage().held_micros == 70 * CENT

    wire.advance(50)

    assert set(wire.methods_to(TRUNK_A)) == {b"CANCEL"}
    wire.send(reply(ringing.invite, 487), TRUNK_A)
    assert wire.statuses_to(CALLER)[-1] == 402
    (facts,) = wire.ended
    assert (facts.reason, facts.status, facts.duration_ms) == ("credit", 402, 0)
    wire.advance(9.9)
    assert both_told(wire, call)[1] == [], "it has what the other one had held"
    wire.advance(10.2)
    assert both_told(wire, call)[1] == [b"BYE"]
    assert (wire.usage().balance_micros, wire.ended[1].duration_ms) == (0, 70_000)


@pytest.mark.parametrize("window", ["spend_cap_hour", "spend_cap_day"])
def test_a_spending_cap_cuts_too_and_says_so(window):
    """There is money, but it may not be spent."""
    wire = prepaid(1_000, f'{window} = "0.07"')
    call = Established(wire)

    wire.advance(7.01)

    assert both_told(wire, call)[0] == [b"BYE"]
    assert (wire.ended[0].reason, wire.ended[0].duration_ms) == ("spend_cap", 7_000)


@pytest.mark.parametrize(("choice", "reason"), [("refuse", "store_away"), ("admit", None), ("local", None)])
def test_the_paid_talk_ends_while_the_store_is_away(choice, reason):
    """Prepaid calls run to the end of their hold and no further, unless the account bears the risk itself."""
    wire = prepaid(1_000, f'store_away = "{choice}"')
    call = Established(wire)
    wire.is_store_away = True

    wire.advance(59.9)
    assert both_told(wire, call) == ([], [])
    wire.advance(0.2)

    if reason:
        assert both_told(wire, call) == ([b"BYE"], [b"BYE"])
        assert (wire.ended[0].reason, wire.ended[0].duration_ms) == (reason, 60_000)
        return
    wire.advance(4.9)
    assert both_told(wire, call) == ([], [])
    wire.is_store_away = False
    hang_up(call)
    (facts,) = wire.ended
    assert (facts.degraded, 64_000 < facts.duration_ms < 66_000) == (True, True)
    assert wire.usage().balance_micros == (1_000 - 65) * CENT, "all of it is charged, as the record says"


def test_the_shortest_of_all_holds_counts():
    """The account pays for a minute, its group for four seconds."""
    policy = POLICY.replace('id = "acme"\n', 'id = "acme"\ngroup = "pool"\nopening_balance = "10"\n', 1)
    wire = Wire(
        f'{policy}\n[[groups]]\nid = "pool"\ncaps_base = 9\ncalls_base = 9\nspend_cap_hour = "0.04"\n', deck=DECK
    )
    call = Established(wire)

    wire.advance(4.01)

    assert both_told(wire, call)[0] == [b"BYE"]
    assert (wire.ended[0].reason, wire.ended[0].duration_ms) == ("spend_cap", 4_000)
    assert wire.usage().balance_micros == (1_000 - 4) * CENT


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_suspension_cuts_running_calls_where_it_says_so(is_cut):
    """At once, with the notice; ringing ones too."""
    wire = prepaid(1_000)
    call = Established(wire)
    Ringing(wire)
    patch = {"status": AccountStatus.SUSPENDED, "is_cut": is_cut}
    wire.limiter.change("acme", generation=1, patch=patch)
    wire.core.account_changed("acme", wire.now)
    wire.pump()

    assert both_told(wire, call) == (([b"BYE", b"CANCEL"], [b"BYE"]) if is_cut else ([], []))
    assert [facts.reason for facts in wire.ended] == (["suspended"] if is_cut else [])


def test_renewals_of_one_account_travel_together_but_not_all_in_one():
    """The store's work for one script is bounded."""
    wire = Wire(POLICY.replace("calls_base = 3", "calls_base = 500"), settings=Settings(node="edge1"))
    for _ in range(RENEW_TOGETHER + 5):
        Established(wire)
        wire.advance(0.01)
    wire.asked.clear()

    wire.core.account_changed("acme", wire.now)
    wire.pump()

    assert [len(verb.uids) for verb in wire.asked if isinstance(verb, Renew)] == [RENEW_TOGETHER, 5]


def renewed(wire: Wire, seconds: float) -> list[tuple[float, int]]:
    """When so many calls were renewed by one verb, until then."""
    found = []
    end = wire.now + seconds
    while wire.now < end:
        wire.asked.clear()
        wire.advance(0.5)
        found += [(wire.now, len(verb.uids)) for verb in wire.asked if isinstance(verb, Renew)]
    return found


def test_calls_of_one_account_come_to_be_renewed_at_the_same_instants():
    """A verb for each of them costs more than one for all; the first renewal comes sooner for it, never later."""
    wire = Wire(POLICY.replace("calls_base = 3", "calls_base = 500"), settings=Settings(node="edge1", renew_s=10))
    began = wire.now
    for _ in range(10):
        Established(wire)
        wire.advance(0.9)

    verbs = renewed(wire, 60)

    assert {size for at, size in verbs if at - began > 25} == {10}
    instants = [at for at, size in verbs if size == 10]
    assert {round(after - before) for before, after in pairwise(instants)} == {10}


def test_no_call_waits_longer_for_its_renewal_because_of_others():
    """Calls that come and go all the time: between two renewals of one never lies more than the interval."""
    wire = Wire(POLICY.replace("calls_base = 3", "calls_base = 500"), settings=Settings(node="edge1", renew_s=10))
    seen: dict[str, float] = {}
    calls = [Established(wire)]
    for turn in range(200):
        wire.asked.clear()
        wire.advance(0.5)
        if turn % 3 == 0:
            calls.append(Established(wire))
        if turn % 7 == 0:
            hang_up(calls.pop(0))
        for verb in wire.asked:
            if isinstance(verb, Renew):
                assert [wire.now - seen[uid] for uid in verb.uids if uid in seen and wire.now - seen[uid] > 10.5] == []
                seen |= dict.fromkeys(verb.uids, wire.now)
    assert len(seen) > 30


def test_calls_of_a_large_account_stay_spread_over_the_interval():
    """What one verb takes is what is renewed at one instant."""
    wire = Wire(POLICY.replace("calls_base = 3", "calls_base = 500"), settings=Settings(node="edge1", renew_s=10))
    for _ in range(2 * RENEW_TOGETHER):
        Established(wire)
        wire.advance(0.02)

    verbs = renewed(wire, 30)[-4:]

    assert sorted(size for _, size in verbs)[-2:] == [RENEW_TOGETHER, RENEW_TOGETHER]
    assert len({at for at, _ in verbs}) == len(verbs)


def test_what_is_kept_for_renewing_together_goes_with_the_last_call():
    """Of an account that has none any more nothing is left."""
    wire = Wire(POLICY)
    call = Established(wire)
    assert wire.core.calls.renewals._turns

    hang_up(call)

    assert wire.core.calls.renewals._turns == {}


def test_a_change_concerns_its_own_account_only():
    """Or everybody's, where notices may have been missed."""
    wire = prepaid(1_000)
    call = Established(wire)
    wire.asked.clear()

    wire.core.account_changed("slow", wire.now)
    wire.pump()
    assert wire.asked == []

    wire.core.account_changed("", wire.now)
    wire.pump()
    assert [type(verb) for verb in wire.asked] == [Renew]
    hang_up(call)
    wire.advance(64)
    assert wire.held == NOTHING
