"""More calls than the process can take: who is refused, how, and what is left of it. Through the whole core."""

import pytest
from network import CALLER, FOREIGN, NOTHING, POLICY, SBC, STRANGER, TRUNK_A, Callee, Caller, Wire

from edge.cdr.builder import CdrBuilder
from edge.proxy.node import Settings
from edge.proxy.overload import Measures
from limits.model import GIVEN_BACK, REFUSED, Adopted, Settle, Settled

STRAINED, CALM = Measures(0.5, 0.0, 0.0), Measures(0.0, 0.0, 0.0)


def strained(policy: str = POLICY, *, floor: float = 1.0) -> Wire:
    """An edge whose queue has stood for a while: nothing but its floor passes, and the bucket is full."""
    wire = Wire(policy, Settings(node="edge1", overload_floor=floor, overload_wait_s=0.03))
    overload = wire.core.overload
    for _ in range(40):
        for _ in range(50):
            overload.force(wire.now)
        wire.now += 0.1
        wire.core.measured(STRAINED, 0.1, wire.now)
    assert overload.is_shedding
    for _ in range(40):
        overload.force(wire.now)
    wire.pump()
    wire.facts.clear()
    return wire


def later(wire: Wire, seconds: float) -> None:
    """It has had no rest."""
    wire.now += seconds
    for _ in range(60):
        wire.core.overload.force(wire.now)


def uid_of(caller: Caller) -> str:
    """As any node with this secret names its attempt."""
    calm = Wire()
    calm.send(caller.request("INVITE"), caller.source)
    (uid,) = calm.core.uids()
    return uid


def test_a_new_call_gets_503_with_retry_after_and_leaves_nothing_behind():
    """R5. No transaction, no question to the limits, one record."""
    wire = strained()
    caller = Caller(wire)
    caller.start()
    (answer,) = wire.responses_to(CALLER)

    assert answer.status == 503
    assert int(answer.value(b"retry-after") or b"0") >= 1
    assert b"overloaded" in (answer.value(b"reason") or b"")
    assert answer.to().tag
    assert (wire.admits(), wire.held["transactions"], wire.held["calls"]) == (0, 0, 0)
    (facts,) = wire.ended
    assert (facts.status, facts.reason, facts.account, facts.ingress_trunk) == (503, "overloaded", "acme", "acme-pbx")
    assert (facts.call_id, facts.called_original, facts.attempts) == (caller.call_id, caller.called, 1)
    assert wire.core.counters.shed == {"normal": 1}
    assert wire.core.counters.refused == {"overloaded": 1}
    assert wire.core.counters.attempts == 1


def test_its_ack_and_its_repeats_cost_no_record():
    """§8.2.7: each repeat is answered by itself; the ACK asks for nothing. Also when the load is gone meanwhile: the
    caller has been told 503 and must not find a telephone ringing."""
    wire = strained()
    caller = Caller(wire)
    caller.start()
    (first,) = wire.responses_to(CALLER)
    for _ in range(25):
        wire.now += 0.1
        wire.core.measured(CALM, 0.1, wire.now)
    assert not wire.core.overload.is_shedding
    caller.start()
    (again,) = wire.responses_to(CALLER)
    caller.ack_failure(first)

    assert (again.status, again.to().tag) == (503, first.to().tag)
    assert (len(wire.ended), wire.admits(), wire.core.counters.attempts) == (1, 0, 1)
    assert wire.core.counters.indialog_unknown == 0
    assert wire.held["transactions"] == 0


def test_it_is_remembered_as_long_as_it_may_be_sent_again():
    """64·T1 (§17.1.1.2): its last repeat finds the same answer, whatever came between."""
    wire = strained()
    Caller(wire).start()
    later(wire, 31.9)
    caller = Caller(wire)
    caller.start()
    for pause in (0.2, 31.7):
        later(wire, pause)
        Caller(wire).start()
    assert wire.statuses_to(CALLER) == [503] * 4
    caller.start()

    assert wire.statuses_to(CALLER) == [503]
    assert len([facts for facts in wire.ended if facts.call_id == caller.call_id]) == 1


@pytest.mark.parametrize(("told", "status"), [(404, 404), (0, 482)])
def test_an_attempt_that_has_its_record_gets_no_second_one_here(told, status):
    """The process before died before its caller heard of it: it is told what it would be told at leisure."""
    wire = strained()
    caller = Caller(wire)
    uid = uid_of(caller)
    wire.core.remember([(uid, told, wire.now)], ())
    caller.start()
    assert wire.statuses_to(CALLER) == [status]
    assert (wire.ended, wire.core.counters.shed, wire.core.counters.attempts) == ([], {}, 0)


def test_a_lease_of_it_that_is_found_later_is_given_back_without_a_record():
    """The process before had admitted it and told nobody; it came again and was refused before its lease was found."""
    wire = strained()
    caller = Caller(wire)
    uid = uid_of(caller)
    caller.start()
    assert wire.statuses_to(CALLER) == [503]
    wire.core.adopt("acme", "edge1", 10_000, (Adopted(uid, False, 9_000, 0, 9_000, 0, 0, None, "", b""),), wire.now)
    wire.pump()
    assert [facts.uid for facts in wire.ended] == [uid]
    assert wire.asked[-1] == Settle("acme", uid, GIVEN_BACK, 0)


@pytest.mark.parametrize(("nodes", "is_asked"), [(1, False), (2, True)])
def test_where_others_share_the_store_it_judges_whether_the_refusal_stands(nodes, is_asked):
    """One of them may have admitted it before its address came here. Once for all repeats."""
    wire = strained()
    caller = Caller(wire)
    uid = uid_of(caller)
    wire.core.nodes_changed(nodes)
    caller.start()
    caller.start()
    assert wire.asked == [Settle("acme", uid, REFUSED, 0)] * is_asked
    assert [facts.uid for facts in wire.ended] == [uid]


def test_a_call_of_it_that_comes_here_has_its_record_where_the_refusal_is_void():
    """The store has said that another node holds it; then that one was gone."""
    wire = strained()
    caller = Caller(wire)
    uid = uid_of(caller)
    wire.core.nodes_changed(3)
    caller.start()
    wire.core.limiter_answered(wire.asked[-1], Settled(already=True, by="edge2/"), wire.now)
    wire.core.adopt("acme", "edge2", 10_000, (Adopted(uid, False, 9_000, 0, 9_000, 0, 0, None, "", b""),), wire.now)
    wire.pump()
    assert [(facts.uid, facts.lost) for facts in wire.ended] == [(uid, False), (uid, True)]
    assert (wire.asked[-1].uid, wire.asked[-1].outcome) == (uid, "failed")


def test_what_is_remembered_is_forgotten_in_time():
    """A minute at most: then the same INVITE is a new one."""
    wire = strained()
    caller = Caller(wire)
    caller.start()
    assert wire.statuses_to(CALLER) == [503]
    for _ in range(2):
        later(wire, 33)
        Caller(wire).start()
    wire.responses_to(CALLER)
    caller.start()

    assert len([facts for facts in wire.ended if facts.call_id == caller.call_id]) == 2


@pytest.mark.parametrize("called", ["112", "15"])
def test_an_emergency_call_passes_at_any_level(called):
    """R16: with every room taken."""
    wire = strained()
    for _ in range(1_000):
        wire.core.overload.force(wire.now)
    Caller(wire, called=called).start()

    assert wire.methods_to(TRUNK_A) == [b"INVITE"]
    assert 503 not in wire.statuses_to(CALLER)


def test_an_emergency_call_passes_with_a_tech_prefix_before_it():
    """What policy would find out is what counts."""
    policy = POLICY.replace('id = "world"', 'id = "world"\ntech_prefixes = { "77" = "acme" }')
    wire = strained(policy)
    Caller(wire, called="77112", source=FOREIGN).start()

    assert 503 not in wire.statuses_to(FOREIGN)


def test_what_belongs_to_running_calls_always_passes():
    """ACK, re-INVITE, BYE, CANCEL, responses: the whole life of a call that was let in before."""
    wire = Wire(POLICY, Settings(node="edge1", overload_floor=1.0))
    talking, ringing = Caller(wire), Caller(wire)
    talking.start()
    ringing.start()
    first, second = wire.requests_to(TRUNK_A, b"INVITE")
    overload = wire.core.overload
    for _ in range(40):
        for _ in range(50):
            overload.force(wire.now)
        wire.now += 0.001
        wire.core.measured(STRAINED, 0.1, wire.now)
    assert overload.is_shedding
    callee = Callee(wire, first)
    callee.answer(200)
    talking.learn(wire.responses_to(CALLER)[-1])
    talking.ack()
    talking.say("INVITE")
    Callee(wire, second).answer(180)
    ringing.start()  # its INVITE again
    ringing.cancel()
    talking.say("BYE")

    assert wire.methods_to(TRUNK_A) == [b"ACK", b"INVITE", b"CANCEL", b"BYE"]
    assert 503 not in wire.statuses_to(CALLER)


def test_whose_calls_are_refused_last():
    """The account's word goes before the trunk's; of those whom policy would refuse anyway nobody is spared."""
    policy = (
        POLICY.replace('id = "acme"', 'id = "acme"\npriority = "high"')
        .replace('id = "fragile"', 'id = "fragile"\npriority = "low"')
        .replace('id = "sbc"', 'id = "sbc"\npriority = "high"')
    )
    wire = strained(policy)
    wire.core.overload.rate = 10.0
    for source, extra in ((CALLER, ""), (SBC, "X-Account: fragile"), (SBC, "X-Account: slow"), (SBC, "X-Account: ?")):
        Caller(wire, source=source).start(extra=extra)
    Caller(wire, source=FOREIGN).start()

    assert wire.core.counters.shed == {"high": 3, "low": 2}


def test_a_trusted_neighbour_may_ask_for_more():
    """Resource-Priority (RFC 4412, RFC 7339 §5.10.1): from a neighbour of our trust domain alone."""
    wire = strained()
    Caller(wire, source=SBC).start(extra="X-Account: acme\nResource-Priority: ets.0")
    Caller(wire, source=CALLER).start(extra="Resource-Priority: ets.0")

    assert wire.core.counters.shed == {"high": 1, "normal": 1}


def test_a_stranger_is_not_told_of_it():
    """It has its own budgets, and its own answer."""
    wire = strained()
    Caller(wire, source=STRANGER).start()

    assert 503 not in wire.statuses_to(STRANGER)
    assert wire.core.counters.shed == {}


def test_a_neighbour_over_its_own_budget_of_new_calls():
    """The edge is idle, but policy allows this trunk five a second: 503 for the sixth, and for nobody else's call."""
    policy = POLICY.replace('id = "acme-pbx"', 'id = "acme-pbx"\nrequests_per_s = 5')
    wire = Wire(policy)
    wire.core.sources.passes(0, CALLER[0], b"", wire.now)
    for _ in range(6):
        Caller(wire, called="112").start()
    for _ in range(2):
        Caller(wire).start()
    Caller(wire, source=FOREIGN).start()

    assert wire.statuses_to(CALLER).count(503) == 2
    assert 503 not in wire.statuses_to(FOREIGN)


def test_the_account_has_its_own_words():
    """A refusal profile may leave Retry-After out, as RFC 7339 §5.10.2 would have it."""
    policy = POLICY.replace('id = "acme"', 'id = "acme"\nrefusal_profile = "plain"') + (
        "[refusal_profiles.plain.answers.overloaded]\nstatus = 480\nretry_after = false\n"
    )
    wire = strained(policy)
    Caller(wire).start()
    (answer,) = wire.responses_to(CALLER)

    assert (answer.status, answer.value(b"retry-after")) == (480, None)


def test_a_request_that_cannot_be_read_gets_its_400():
    """And not a 503."""
    wire = strained()
    wire.send(Caller(wire).request("INVITE").replace(b"To: <", b"To: <<"), CALLER)

    assert wire.statuses_to(CALLER) == [400]


def test_both_ends_of_it_are_told_and_strangers_get_less_meanwhile():
    """Once each, with what was measured."""
    wire = strained()
    assert sum(wire.core.sources.passes(0, f"203.0.113.{n}", b"SIP/2.0", wire.now) for n in range(200)) == 50
    for _ in range(25):
        wire.now += 0.1
        wire.core.measured(CALM, 0.1, wire.now)
    wire.pump()
    (told,) = wire.told("overload.calm")

    assert told["wait_ms"] == 0
    assert sum(wire.core.sources.passes(0, f"203.0.114.{n}", b"SIP/2.0", wire.now) for n in range(200)) == 200


def test_its_record_is_the_one_that_any_refusal_has():
    """The short way of writing it differs in nothing."""
    policy = POLICY.replace('id = "acme"', 'id = "acme"\ntags = ["gold"]\nexternal_id = "C-1"\nkind = "automated"')
    wire = strained(policy)
    Caller(wire).start()
    Caller(wire, user="").start()
    Caller(wire, user="\u00e9t\u00e9%d\\").start()
    Caller(wire, source=SBC).start(extra="X-Account: ?\nPrivacy: id")
    builder = CdrBuilder("edge1", wall0=1_795_600_000.0, mono0=0.0)

    assert [builder.shed_line(shed, 17) for shed in wire.shed] == [builder.line(shed.facts(), 17) for shed in wire.shed]
    assert len({shed.sender for shed in wire.shed}) == 2
    assert len(wire.shed) == 4


def test_a_record_too_long_is_cut_as_any_other():
    """A caller's texts never make a line without bound."""
    wire = strained()
    Caller(wire).start()
    (shed,) = wire.shed
    long = shed._replace(call_id='"' * 5_000, called="\ud800")
    builder = CdrBuilder("edge1", wall0=1_795_600_000.0, mono0=0.0)

    assert builder.shed_line(long, 17) == builder.line(long.facts(), 17)
    assert len(builder.shed_line(long, 17)) < 4_096


def test_the_ack_is_known_by_its_to_tag_alone():
    """§8.2.7: on any node, after a restart, and before anything else of it is read; a tag that stands elsewhere is none
    of ours to take."""
    wire = strained()
    caller = Caller(wire)
    caller.start()
    (answer,) = wire.responses_to(CALLER)
    tag = (answer.to().tag or b"").decode()
    wire.new_core()
    unknown = wire.core.counters.drops.get("ack_unknown", 0)
    ack = caller.request("ACK", to_tag=tag)
    wire.send(ack)
    wire.send(ack.replace(b"To:", b"t :"))

    assert (wire.core.counters.requests_in, wire.core.counters.datagrams_in) == (0, 2)
    assert (wire.sent, wire.core.counters.drops.get("ack_unknown", 0)) == ([], unknown)
    wire.send(caller.request("ACK", to_tag="other", extra=f"X-Tag: ;tag={tag}"))
    assert wire.core.counters.requests_in == 1


def test_no_two_refused_calls_share_a_tag():
    """§19.3."""
    wire = strained()
    for _ in range(5):
        Caller(wire).start()
    tags = {answer.to().tag for answer in wire.responses_to(CALLER)}

    assert len(tags) == 5


def test_nothing_is_left_when_it_is_over():
    """Timers, transactions, calls: none was made."""
    wire = strained()
    for _ in range(50):
        Caller(wire).start()
    wire.advance(40)

    assert wire.held == NOTHING
    assert len(wire.ended) == 50


def test_a_late_answer_of_a_refused_call_is_nobodys():
    """No branch of ours ever left."""
    wire = strained()
    caller = Caller(wire)
    caller.start()
    assert wire.requests_to(TRUNK_A) == []
    (answer,) = wire.responses_to(CALLER)
    caller.cancel()

    assert wire.statuses_to(CALLER) == [481]
    assert answer.status == 503
