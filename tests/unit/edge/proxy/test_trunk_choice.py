"""What an operator orders of trunks: drained, in maintenance, back; and calls that find none."""

import pytest
from network import CALLER, NOTHING, TRUNK_A, TRUNK_B, Caller, Established, Wire, hang_up, policy, reply

from edge.config.trunk_orders import Ordered, TrunkOrder
from edge.proxy.trunk_choice import TrunkChoice


def order(wire, **orders):
    wire.core.trunks_ordered({name: TrunkOrder(Ordered(word), "op", "work", 1) for name, word in orders.items()})
    wire.pump()


def tried(wire, **caller):
    """Where the INVITE of a new call goes; nowhere: the reason."""
    Caller(wire, **caller).start()
    found = [name for name, at in (("a", TRUNK_A), ("b", TRUNK_B)) if wire.requests_to(at, b"INVITE")]
    return found or wire.ended[-1].reason


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({}, ["a"]),
        ({"a": "drain"}, ["b"]),
        ({"a": "maintenance"}, ["b"]),
        ({"a": "drain", "b": "maintenance"}, ["b"]),
        ({"a": "maintenance", "b": "maintenance"}, ["a"]),
        ({"a": "drain", "b": "drain"}, "trunks_drained"),
        ({"c": "drain"}, ["a"]),
    ],
)
def test_where_a_call_goes(orders, expected):
    """Drained: never; in maintenance: where nothing else is left."""
    wire = Wire()
    order(wire, **orders)
    assert tried(wire) == expected


def test_where_all_are_drained_the_caller_may_come_back():
    """503 with Retry-After; nothing stays held."""
    wire = Wire()
    order(wire, a="drain", b="drain")
    Caller(wire).start()
    final = wire.responses_to(CALLER)[-1]
    assert (final.status, final.value(b"retry-after") is not None) == (503, True)
    assert wire.in_use() == 0
    wire.advance(300)
    assert wire.held == NOTHING


def test_an_emergency_call_goes_to_a_drained_trunk():
    """R16: where nothing else is left."""
    wire = Wire()
    order(wire, a="drain")
    assert tried(wire, called="112") == ["b"]
    order(wire, a="drain", b="drain")
    assert tried(wire, called="112") == ["a"]


def test_running_calls_end_as_they_will():
    """A drain touches no call that is up."""
    wire = Wire()
    call = Established(wire)
    order(wire, a="drain", b="drain")
    hang_up(call)
    assert wire.ended[0].reason == "answered"


def test_every_change_is_told_once():
    wire = Wire()
    order(wire, a="drain")
    order(wire, a="drain")
    order(wire, a="maintenance")
    order(wire)
    told = [(fact["trunk"], fact["to"], fact["by"], fact["why"]) for fact in wire.told("trunk.ordered")]
    assert told == [
        ("a", "drain", "op", "work"),
        ("a", "maintenance", "op", "work"),
        ("a", "in use", "", "resumed"),
    ]
    assert tried(wire) == ["a"]


def test_a_trunk_that_rests_is_not_probed():
    """Its answers are no news while it is worked on; afterwards they are again."""
    wire = Wire(policy(probe_s=60))
    wire.pump()
    wire.advance(35)
    assert wire.requests_to(TRUNK_A, b"OPTIONS")
    order(wire, a="maintenance")
    wire.advance(60)
    assert wire.requests_to(TRUNK_A, b"OPTIONS") == []
    order(wire)
    wire.advance(60)
    assert wire.requests_to(TRUNK_A, b"OPTIONS")


def test_a_new_policy_changes_no_order():
    wire = Wire()
    order(wire, a="drain")
    wire.core.policy_changed(wire.snapshot, wire.now)
    assert tried(wire) == ["b"]


RANKED = (
    policy()
    .replace('trunks = ["a", "b"]', 'mode = "weighted"\ntrunks = ["b", "a"]')
    .replace('id = "b"\n', 'id = "b"\npriority = 10\nweight = 10000\n')
)


def test_a_lower_trunk_takes_a_call_only_when_the_higher_one_cannot():
    """`priority`: not for its weight, nor for where it stands, but when the other is drained, full, down or fails."""
    wire = Wire(RANKED)
    assert tried(wire) == ["a"]
    order(wire, a="drain")
    assert tried(wire) == ["b"]
    order(wire)
    assert tried(wire) == ["a"]

    full = Wire(RANKED.replace('id = "a"\n', 'id = "a"\ncalls = 1\n'))
    Established(full)
    assert tried(full) == ["b"]


# -- main and reserve, while trunks fail ------------------------------------------------------------------------------

RESERVE = ("198.51.100.3", 5060)
PLACES = {"a": TRUNK_A, "b": TRUNK_B, "reserve": RESERVE}
THREE = (
    policy(down_after=2, retry_s=10, up_after=2)
    .replace('trunks = ["a", "b"]', 'mode = "weighted"\ntrunks = ["reserve", "b", "a"]')
    .replace('id = "a"\n', 'id = "a"\nweight = 3\n')
    .replace('id = "b"\n', 'id = "b"\ndown_after = 2\nretry_s = 10\nup_after = 2\n')
    + '\n[[egress]]\nid = "reserve"\nuri = "sip:198.51.100.3:5060"\npriority = 10\nweight = 10000\ndown_after = 2\n'
)
"""Two trunks that share the calls, and one for when neither takes them. The draw of these tests gives `b` its turn."""


def ask(wire: Wire, **statuses: int) -> list[str]:
    """The trunks that one call tries, in order; what each answers, 486 where nothing is said: it is there, and busy."""
    caller, tried = Caller(wire), []
    caller.start()
    while (count := len(tried)) < len(PLACES):
        for name, at in PLACES.items():
            for invite in wire.requests_to(at, b"INVITE"):
                tried.append(name)
                extra = "Retry-After: 30" if statuses.get(name) == -503 else ""
                wire.send(reply(invite, abs(statuses.get(name, 486)), extra=extra), at)
        if len(tried) == count:
            break
    wire.advance(0.1)
    for at in PLACES.values():
        wire.requests_to(at)
    wire.responses_to(CALLER)
    return tried


def three(*down: str) -> Wire:
    """Where these have failed often enough."""
    wire = Wire(THREE)
    for _ in range(2):
        ask(wire, **dict.fromkeys(down, 503))
    return wire


def test_a_call_falls_through_its_priority_before_the_next():
    """Both of the first, then the reserve."""
    assert ["b", "a", "reserve"] == ask(three(), a=503, b=503)


@pytest.mark.parametrize(
    ("down", "tried"), [((), ["b"]), (("b",), ["a"]), (("a", "b"), ["reserve"]), (("a", "b", "reserve"), ["b"])]
)
def test_the_reserve_takes_calls_only_where_nobody_before_it_is_up(down, tried):
    """Where nobody at all is up, all are tried, in their order."""
    assert tried == ask(three(*down))


def test_a_degraded_trunk_keeps_its_place():
    """One failure is no reason for the reserve."""
    wire = three()
    ask(wire, b=503, a=503)
    assert (2, 2) == (wire.core.trunk_states["a"], wire.core.trunk_states["b"])
    assert ["b"] == ask(wire)


def test_a_trunk_that_asks_for_a_pause_is_passed_over_and_no_lower_one_before_its_equal():
    """503 with Retry-After of the one: its equal, not the reserve; of both: the reserve, until the time is over."""
    wire = three()
    assert ["b", "a"] == ask(wire, b=-503)
    assert ["a", "reserve"] == ask(wire, a=-503)
    assert ["reserve"] == ask(wire)
    wire.advance(31)
    assert ["b"] == ask(wire)


def test_a_trunk_on_trial_gets_single_calls_and_its_priority_back():
    """Half open: one call tries it, its neighbours go on below it; a second good one and all go there again."""
    wire = three("a", "b")
    wire.advance(10.5)
    assert [["b"], ["a"], ["reserve"]] == [ask(wire) for _ in range(3)]
    wire.advance(1)
    assert [["b"], ["b"]] == [ask(wire) for _ in range(2)]
    assert 3 == wire.core.trunk_states["b"]


def test_a_call_that_tries_a_trunk_on_trial_is_not_lost_with_it():
    """It fails again: the call goes on to the next, and the trunk is down for longer."""
    wire = three("a", "b")
    wire.advance(10.5)
    assert ["b", "a", "reserve"] == ask(wire, a=503, b=503)
    wire.advance(10.5)
    assert ["reserve"] == ask(wire)
    wire.advance(10.5)
    assert ["b"] == ask(wire)


ONE_TRUNK = policy().replace('trunks = ["a", "b"]', 'trunks = ["a"]')


@pytest.mark.parametrize("ordered", ["", "drain", "maintenance"])
@pytest.mark.parametrize("ill", [("health", 0), ("health", 1), ("health", 30), ("quality", 30), ("throttle", 30)])
@pytest.mark.parametrize(
    "more",
    ["", "maintenance = true\n", "throttle = {}\n", "guard = { asr = 40, sample = 20, retry_s = 60 }\n"],
)
def test_where_there_is_one_trunk_the_short_choice_is_the_complete_one(ordered, ill, more):
    """Up and in doubt, ordered, guarded, throttled: the same candidates are left, and the same is told."""

    def outcome(is_short):
        wire = Wire(ONE_TRUNK.replace('uri = "sip:198.51.100.1:5060"\n', 'uri = "sip:198.51.100.1:5060"\n' + more))
        trunk, node = wire.snapshot.trunks["a"], wire.core._node
        what, failures = ill
        for _ in range(failures):
            if what == "health":
                node.trunks.failed(trunk, "silent", wire.now)
            elif what == "quality":
                node.quality.ended(trunk, wire.now, answered=False)
            else:
                node.throttle.sent(trunk, wire.now)
                node.throttle.refused(trunk, wire.now)
        order(wire, **({"a": ordered} if ordered else {}))
        wire.advance({"health": 11, "quality": 200, "throttle": 0}[what])
        wire.holding = []
        Caller(wire).start()
        (call,) = wire.core.calls.live()
        call.uid, choice = "u", TrunkChoice(node)
        if is_short:
            why = choice.choose(call, wire.now)
        else:
            why = choice.weigh(call, call.attempt, call.attempt.candidates, wire.now)
        told = [(fact.name, fact.fields) for fact in (*wire.facts, *node.outbox.facts)]
        return why, call.attempt.candidates == [trunk], told, wire.core.trunk_states, node.counters.trunks_skipped

    assert outcome(True) == outcome(False)
