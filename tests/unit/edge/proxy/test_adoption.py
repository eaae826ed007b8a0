"""A node is gone: another core goes on with its calls from what the store keeps of them."""

import pytest
from network import CALLER, FOREIGN, NOTHING, POLICY, TRUNK_A, Established, Ringing, Wire, hang_up, reply

from edge.proxy.core import ProxyCore
from edge.proxy.node import Settings
from limits.model import Adopted, Answer, Settle
from limits.rates import Price

PRICED = POLICY.replace('id = "acme"\n', 'id = "acme"\nopening_balance = 10\n', 1)
DECK = "+33,all,0,0.60,1,1,0\n"
"""One cent a second."""


class Pair:
    """A node that dies, and its heir, on one limiter."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def heir(self) -> ProxyCore:
        """The first node is gone from now on; inputs go to the second one."""
        self.wire.settings = Settings(node="edge2")
        return self.wire.new_core()

    def take_over(self, *holders: str) -> tuple[Adopted, ...]:
        """What the rim does once the other node has been silent too long."""
        found: tuple[Adopted, ...] = ()
        wire = self.wire
        for holder in holders or ("acme",):
            found = tuple(wire.limiter.adopt(holder, gone="edge1", heir="edge2", lease_ms=30_000))
            wire.core.adopt(holder, "edge1", int(wire.now * 1_000), found, wire.now)
            wire.pump()
        return found


@pytest.fixture
def pair() -> Pair:
    return Pair(Wire(PRICED, deck=DECK))


def test_a_masked_caller_stays_masked(pair):
    """The heir knows both Froms from the record: each side goes on to be named as it is used to."""
    wire = pair.wire
    call = Established(wire, source=FOREIGN)
    pair.heir()
    pair.take_over()
    call.callee.say("INFO")
    (info,) = wire.requests_to(FOREIGN, b"INFO")
    assert info.to().uri == b"sip:+33612345678@192.0.2.2"
    call.caller.say("INFO")
    (info,) = wire.requests_to(TRUNK_A, b"INFO")
    assert info.from_().uri == b"sip:anonymous@anonymous.invalid"
    wire.core.hang_up_all("max_duration", wire.now)
    wire.pump()
    (down,), (up,) = wire.requests_to(TRUNK_A, b"BYE"), wire.requests_to(FOREIGN, b"BYE")
    assert down.from_().uri == b"sip:anonymous@anonymous.invalid"
    assert up.to().uri == b"sip:+33612345678@192.0.2.2"


def test_a_running_call_goes_on(pair):
    """Leases renewed, requests of both sides routed, BYE settles; one record, with the true duration and the origin."""
    wire = pair.wire
    call = Established(wire, body="v=0\r\n")
    wire.advance(7)
    pair.heir()
    (taken,) = pair.take_over()
    assert wire.told("call.adopted")[0]["gone"] == "edge1"
    assert (taken.is_expired, wire.in_use(), wire.core.leases) == (False, 1, 1)

    call.callee.say("INFO")
    (info,) = wire.requests_to(CALLER, b"INFO")
    wire.send(reply(info, 200), CALLER)
    assert wire.statuses_to(TRUNK_A) == [200]

    wire.advance(120)
    assert wire.in_use() == 1
    hang_up(call)
    assert wire.in_use() == 0
    (facts,) = wire.ended
    assert (facts.reason, facts.adopted_from, facts.lost) == ("answered", "edge1", False)
    assert (facts.account, facts.egress_trunk, facts.candidates) == ("acme", "a", [("a", 200)])
    assert facts.duration_ms == pytest.approx(127_000, abs=2)
    usage = wire.usage()
    assert (usage.held_micros, usage.balance_micros) == (0, 10_000_000 - 127 * 10_000)
    wire.advance(64)
    assert wire.held == NOTHING


def test_an_answer_that_the_store_did_not_hear_is_told_with_the_next_renewal(pair):
    """Else a call that was answered while the store was away could be closed only, not gone on with; the same for a
    remote target that moved meanwhile."""
    wire = pair.wire
    ringing = Ringing(wire)
    wire.is_store_away = True
    ringing.callee.answer(200)
    ringing.caller.learn(wire.responses_to(CALLER)[-1])
    ringing.caller.ack()
    wire.is_store_away = False
    wire.advance(10.1)
    answers = [verb for verb in wire.asked if isinstance(verb, Answer)]
    assert [b'"dialogs"' in verb.record for verb in answers] == [True, True]
    wire.advance(30)
    assert len([verb for verb in wire.asked if isinstance(verb, Answer)]) == 2

    pair.heir()
    pair.take_over()

    assert len(wire.told("call.adopted")) == 1
    assert wire.ended == []


def test_credit_is_drawn_on_and_the_call_cut_where_it_ends(pair):
    """Ten units pay for 1,000 s: the heir renews holds and says BYE to both sides when nothing more can be held."""
    wire = pair.wire
    Established(wire)
    wire.advance(7)
    pair.heir()
    pair.take_over()
    wire.advance(992.9)
    assert wire.requests_to(CALLER) == []
    wire.advance(0.2)
    assert [len(wire.requests_to(side, b"BYE")) for side in (CALLER, TRUNK_A)] == [1, 1]
    wire.advance(64)
    (facts,) = wire.ended
    assert (facts.reason, facts.release_side, facts.duration_ms) == ("credit", "edge", 1_000_000)
    assert (wire.usage().balance_micros, wire.usage().held_micros, wire.in_use()) == (0, 0, 0)


def test_a_call_that_rang_is_closed(pair):
    """Its dialogs cannot be known: the record says `lost`, not answered, charged nothing."""
    wire = pair.wire
    Ringing(wire)
    pair.heir()
    pair.take_over()
    (facts,) = wire.ended
    assert (facts.lost, facts.reason, facts.adopted_from, facts.duration_ms) == (True, "lost", "edge1", 0)
    assert (facts.account, facts.cli_presented, facts.called) == ("acme", "+33612345678", "+33170000001")
    assert (wire.in_use(), wire.usage().held_micros, wire.usage().balance_micros) == (0, 0, 10_000_000)
    assert wire.core.counters.calls_lost == 1


def test_a_call_found_too_late_is_closed_up_to_its_last_renewal(pair):
    """Nobody came for 40 s: the lease has run out, charged to the last sign of life; the record says the same."""
    wire = pair.wire
    Established(wire)
    wire.advance(25)  # renewed at 10 and 20 s
    pair.heir()
    wire.advance(40)
    (taken,) = pair.take_over()
    (facts,) = wire.ended
    assert (taken.is_expired, facts.lost, facts.duration_ms) == (True, True, pytest.approx(20_000, abs=2))
    usage = wire.usage()
    assert (usage.in_use, usage.held_micros) == (0, 0)
    assert 10_000_000 - usage.balance_micros == taken.charged_micros == 20 * 10_000


def test_a_bye_that_came_first_ends_the_call(pair):
    """Between death and takeover a BYE passed through the heir: the call ends at that instant, not later."""
    wire = pair.wire
    call = Established(wire, body="v=0\r\n")
    wire.advance(5)
    pair.heir()
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(bye, 200), TRUNK_A)
    wire.advance(6)
    pair.take_over()
    (facts,) = wire.ended
    assert (facts.reason, facts.release_side, facts.adopted_from) == ("answered", "ingress", "edge1")
    assert facts.duration_ms == pytest.approx(5_000, abs=2)
    assert (wire.in_use(), wire.usage().balance_micros) == (0, 10_000_000 - 50_000)


def test_what_was_ours_before_lets_go(pair):
    """The node was only held up: it learns at its next renewal, sends no BYE, writes no record, settles nothing."""
    wire = pair.wire
    Established(wire)
    first = wire.core
    second = pair.heir()
    pair.take_over()
    wire.core = first
    first.account_changed("", wire.now)
    wire.pump()
    assert wire.told("call.adopted_elsewhere")
    assert (wire.ended, len(first.calls), wire.requests_to(CALLER, b"BYE"), wire.in_use()) == ([], 0, [], 1)
    assert len(second.calls) == 1


def test_a_second_takeover_finds_nothing(pair):
    """Each call changes hands once."""
    Established(pair.wire)
    pair.heir()
    assert len(pair.take_over()) == 1
    assert pair.take_over() == ()


def test_what_is_ours_already_stays_as_it_is(pair):
    """The answer of the store came twice, or late: the call counts once."""
    wire = pair.wire
    Established(wire)
    pair.heir()
    found = pair.take_over()
    wire.core.adopt("acme", "edge1", int(wire.now * 1_000), found, wire.now)
    wire.pump()
    assert (len(wire.core.calls), wire.core.leases, len(wire.told("call.adopted"))) == (1, 1, 1)
    assert wire.core.calls.in_use("acme") == 1


def test_a_lost_call_is_on_record_for_paid_talk_only(pair):
    """Its node had renewed it once more than it was paid for: nobody is charged for that, and the record says so."""
    wire = pair.wire
    now_ms = int(wire.now * 1_000)
    price = Price(0, 600_000, 1, 1, 0)
    lost = Adopted("x", True, now_ms - 40_000, now_ms - 30_000, now_ms - 10_000, 7, 70_000, price, "", b"")
    wire.core.adopt("acme", "edge1", now_ms, (lost,), wire.now)
    wire.pump()
    (facts,) = wire.ended
    assert (facts.lost, facts.duration_ms, facts.price) == (True, 7_000, price)
    (settle,) = [verb for verb in wire.asked if isinstance(verb, Settle)]
    assert (settle.outcome, settle.duration_ms) == ("answered", 7_000)


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[]", b'{"v":1}', b"\xff\xfe", b'{"v":99}', b"null"],
    ids=["none", "torn", "list", "empty", "binary", "newer", "null"],
)
def test_a_spoilt_record_costs_one_call_not_the_takeover(pair, record):
    """It is closed with what the limits themselves know of it, and the others are taken."""
    wire = pair.wire
    Established(wire), Established(wire)
    wire.advance(5)
    pair.heir()
    found = wire.limiter.adopt("acme", gone="edge1", heir="edge2", lease_ms=30_000)
    found[0] = found[0]._replace(record=record)
    wire.core.adopt("acme", "edge1", int(wire.now * 1_000), tuple(found), wire.now)
    wire.pump()
    (facts,) = wire.ended
    assert (facts.account, facts.lost, facts.uid) == ("acme", True, found[0].uid)
    assert (wire.in_use(), len(wire.core.calls)) == (1, 1)


@pytest.mark.parametrize("field", ["dialogs", "invite", "inbound", "paid", "holders", "cseq", "received_at", "price"])
@pytest.mark.parametrize("value", [None, 7, "x", [], [[]], {}, [1, 2]])
def test_no_field_of_a_record_can_stop_the_takeover(pair, field, value):
    """Whatever one field has become: the call is taken or closed, and nothing escapes."""
    import orjson

    wire = pair.wire
    Established(wire)
    wire.advance(5)
    pair.heir()
    (one,) = wire.limiter.adopt("acme", gone="edge1", heir="edge2", lease_ms=30_000)
    record = orjson.loads(one.record)
    record[field] = value
    wire.core.adopt("acme", "edge1", int(wire.now * 1_000), (one._replace(record=orjson.dumps(record)),), wire.now)
    wire.pump()
    assert len(wire.core.calls) + len(wire.ended) == 1


def test_the_group_and_the_trunk_follow():
    """Their leases change hands as well; with the call's end all three are free."""
    text = PRICED.replace('id = "acme"\n', 'id = "acme"\ngroup = "pool"\n', 1)
    text = text.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\ncalls = 5')
    wire = Wire(text + '[[groups]]\nid = "pool"\n', deck=DECK)
    pair = Pair(wire)
    call = Established(wire, body="v=0\r\n")
    holders = ("acme", "group:pool", "trunk:a")
    assert [wire.in_use(holder) for holder in holders] == [1, 1, 1]
    pair.heir()
    pair.take_over(*holders)
    wire.advance(65)
    assert [wire.in_use(holder) for holder in holders] == [1, 1, 1]
    hang_up(call)
    assert [wire.in_use(holder) for holder in holders] == [0, 0, 0]
    assert wire.usage("group:pool").held_micros == 0


def test_leases_of_nobodys_call_go_back():
    """A group's lease whose account's call has ended meanwhile is settled, not kept."""
    wire = Wire(PRICED.replace('id = "acme"\n', 'id = "acme"\ngroup = "pool"\n', 1) + '[[groups]]\nid = "pool"\n')
    pair = Pair(wire)
    Established(wire)
    pair.heir()
    pair.take_over("group:pool")
    assert wire.in_use("group:pool") == 0


def test_a_bye_that_comes_to_the_former_node_ends_the_call_at_the_new_one(pair):
    """The route set goes on leading to the node that had the call: it passes the BYE on and tells whoever holds it."""
    wire = pair.wire
    call = Established(wire, body="v=0\r\n")
    back = wire.new_core()
    second = pair.heir()
    pair.take_over()
    wire.advance(5)
    wire.core = back
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(bye, 200), TRUNK_A)
    ((uid, tag, at),) = back.take_goodbyes()
    assert (back.take_goodbyes(), wire.ended) == ([], [])

    wire.core = second
    wire.now += 1
    for _ in range(2):  # it may be heard more than once
        second.heard_goodbye(uid, tag, at, wire.now)
        wire.pump()
    (facts,) = wire.ended
    assert (facts.reason, facts.release_side, facts.adopted_from) == ("answered", "ingress", "edge1")
    assert facts.duration_ms == pytest.approx(5_000, abs=2)
    assert (wire.in_use(), wire.usage().balance_micros, wire.requests_to(CALLER)) == (0, 10_000_000 - 50_000, [])


def test_a_bye_heard_of_before_the_takeover_counts_too(pair):
    """Some node passed it on while nobody held the call."""
    wire = pair.wire
    Established(wire)
    (call,) = wire.core.calls.live()
    wire.advance(5)
    second = pair.heir()
    second.heard_goodbye(call.uid, b"callee", wire.now, wire.now + 1)
    wire.advance(3)
    pair.take_over()
    (facts,) = wire.ended
    assert (facts.release_side, facts.duration_ms) == ("egress", pytest.approx(5_000, abs=2))


def test_a_call_that_was_taken_over_and_closed_does_not_run_on_for_nothing(pair):
    """The heir thought that it had only rung, and closed it; the first node, held up, knows that it was answered: it is
    on nobody's account, so it is ended, without a second record."""
    wire = pair.wire
    call = Ringing(wire)
    first = wire.core
    second = pair.heir()
    pair.take_over()
    assert [facts.lost for facts in wire.ended] == [True]
    wire.core = first
    call.callee.answer(200)
    first.account_changed("", wire.now)
    wire.pump()
    wire.advance(64)
    assert [len(wire.requests_to(side, b"BYE")) > 0 for side in (CALLER, TRUNK_A)] == [True, True]
    assert (len(wire.ended), len(first.calls), len(second.calls), wire.in_use()) == (1, 0, 0, 0)


def test_a_node_that_stood_still_asks_before_it_ends_a_call(pair):
    """Its timers all come due at once: another node has the call meanwhile, and money came for it."""
    wire = pair.wire
    Established(wire)
    wire.advance(7)
    first = wire.core
    second = pair.heir()
    pair.take_over()
    wire.limiter.top_up("acme", amount=10_000_000, reference="more")
    wire.advance(1_001)
    wire.core = first
    first.handle_timer(wire.now)
    wire.pump()
    assert (wire.requests_to(CALLER), wire.ended, len(first.calls)) == ([], [], 0)
    assert (len(second.calls), wire.in_use(), len(wire.told("call.adopted_elsewhere"))) == (1, 1, 1)


def test_a_node_that_stood_still_ends_a_call_that_is_still_its_own(pair):
    """It asks, hears that the call is its own and that there is no more money, and cuts it; no talk is charged beyond
    what was paid for."""
    wire = pair.wire
    Established(wire)
    wire.now += 2_000
    wire.core.handle_timer(wire.now)
    wire.pump()
    assert wire.requests_to(CALLER) == []
    wire.advance(0.6)
    assert [len(wire.requests_to(side, b"BYE")) for side in (CALLER, TRUNK_A)] == [1, 1]
    wire.advance(64)
    (facts,) = wire.ended
    assert (facts.reason, wire.usage().balance_micros >= 0, wire.in_use()) == ("credit", True, 0)


def test_a_node_that_looks_for_its_own_calls_leaves_alone_what_is_being_admitted():
    """The group has given the lease, and its answer is on the way: the call is ours, the lease stays."""
    text = PRICED.replace('id = "acme"\n', 'id = "acme"\ngroup = "pool"\n', 1) + '[[groups]]\nid = "pool"\n'
    wire = Wire(text, deck=DECK)
    Established(wire)
    (call,) = wire.core.calls.live()
    (found,) = wire.limiter.adopt("group:pool", gone="edge1", heir="edge1", lease_ms=30_000)
    call.holders = ("acme",)  # as it stands before the group's answer
    wire.core.adopt("group:pool", "edge1", int(wire.now * 1_000), (found,), wire.now)
    wire.pump()
    assert wire.in_use("group:pool") == 1
