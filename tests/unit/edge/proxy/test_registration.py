"""Registering at a trunk: the table, row by row; then a registrar that asks, grants, refuses, forgets and lies."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import TRUNK_A, TRUNK_B, Caller, Wire, policy, reply
from registrar import CONTACT, LOGIN, REGISTRATION, bound, challenge, granted, is_proved, registered_wire, the_register

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.registration import MAX_PAUSE_S, REGISTRATION_TABLE, Happening, Standing

S, H = Standing, Happening

ROWS = {
    (S.OFF, H.START): S.ASKING,
    (S.ASKING, H.CHALLENGED): S.ASKING,
    (S.ASKING, H.TOO_BRIEF): S.ASKING,
    (S.ASKING, H.GRANTED): S.BOUND,
    (S.ASKING, H.FAILED): S.WAITING,
    (S.ASKING, H.STOP): S.STOPPING,
    (S.BOUND, H.DUE): S.ASKING,
    (S.BOUND, H.STOP): S.LEAVING,
    (S.WAITING, H.DUE): S.ASKING,
    (S.WAITING, H.STOP): S.LEAVING,
    (S.STOPPING, H.CHALLENGED): S.LEAVING,
    (S.STOPPING, H.TOO_BRIEF): S.LEAVING,
    (S.STOPPING, H.GRANTED): S.LEAVING,
    (S.STOPPING, H.FAILED): S.LEAVING,
    (S.LEAVING, H.CHALLENGED): S.LEAVING,
    (S.LEAVING, H.TOO_BRIEF): S.OFF,
    (S.LEAVING, H.GRANTED): S.OFF,
    (S.LEAVING, H.FAILED): S.OFF,
}


@pytest.mark.parametrize("state", Standing)
@pytest.mark.parametrize("happening", Happening)
def test_every_cell(state, happening):
    """What is not in a row changes nothing."""
    row = REGISTRATION_TABLE[state].get(happening)
    assert (None if row is None else row.next) == ROWS.get((state, happening))


def registered(wire):
    return wire.core.registered(wire.now)["a"]


def told(wire):
    return [(fact["to"], fact["why"]) for fact in wire.told("trunk.registration")]


# -- in order ----------------------------------------------------------------------------------------------------------


def test_what_a_register_says():
    """RFC 3261 §10.2: the domain alone as Request-URI, the address in From and To, where we are in Contact."""
    wire = registered_wire()
    wire.pump()
    request = the_register(wire)
    assert request.uri == b"sip:carrier.example"
    assert (request.from_().uri, request.to().uri) == (b"sip:tg@carrier.example", b"sip:tg@carrier.example")
    assert (request.to().tag, request.value(b"expires")) == (None, b"600")
    assert request.contact().uri == CONTACT.encode()
    assert (registered(wire), told(wire)) == (0, [])


def test_a_challenge_is_answered_and_the_same_nonce_serves_again():
    """One Call-ID, a growing CSeq; the refresh proves who we are at once, with the next count."""
    wire = registered_wire()
    wire.pump()
    first = the_register(wire)
    wire.send(challenge(first), TRUNK_A)
    second = the_register(wire)
    assert is_proved(second)
    assert (second.call_id(), second.cseq().number) == (first.call_id(), first.cseq().number + 1)
    wire.send(granted(second), TRUNK_A)
    assert (registered(wire), told(wire)) == (1, [("registered", "granted")])
    wire.advance(299)
    assert wire.requests_to(TRUNK_A) == []
    wire.advance(2)  # half of what was granted, and up to four fifths by lot
    third = the_register(wire)
    assert is_proved(third)
    assert b"nc=00000002" in third.value(b"authorization")
    assert third.cseq().number == second.cseq().number + 1
    wire.send(granted(third), TRUNK_A)
    assert (registered(wire), len(told(wire))) == (1, 1)


def test_a_stale_nonce_is_answered_anew_once():
    """The old nonce has run out: the new one counts from one."""
    wire = registered_wire()
    wire.pump()
    bound(wire)
    wire.advance(301)
    wire.send(challenge(the_register(wire), "n2", more=", stale=true"), TRUNK_A)
    request = the_register(wire)
    assert is_proved(request, "n2")
    assert b"nc=00000001" in request.value(b"authorization")
    wire.send(granted(request), TRUNK_A)
    assert registered(wire) == 1


def test_too_brief_asks_for_longer_once():
    """423 says how long it must be at least (§10.3 item 7)."""
    wire = registered_wire()
    wire.pump()
    wire.send(reply(the_register(wire), 423, extra="Min-Expires: 1800"), TRUNK_A)
    request = the_register(wire)
    assert request.value(b"expires") == b"1800"
    wire.send(reply(request, 423, extra="Min-Expires: 1800"), TRUNK_A)
    assert (wire.requests_to(TRUNK_A), told(wire)) == ([], [("unregistered", "refused 423")])


def test_the_end_takes_it_back():
    """Expires 0, proved at once; until the registrar has said something it is not over."""
    wire = registered_wire()
    wire.pump()
    bound(wire)
    wire.core.unregister(wire.now)
    wire.pump()
    assert wire.core.unregistering == 1
    request = the_register(wire)
    assert (request.value(b"expires"), is_proved(request)) == (b"0", True)
    wire.send(reply(request, 200), TRUNK_A)
    assert wire.core.unregistering == 0
    wire.advance(4000)
    assert wire.requests_to(TRUNK_A) == []


def test_the_end_waits_for_what_is_under_way():
    """§10.2: no second REGISTER before the first has its end."""
    wire = registered_wire()
    wire.pump()
    first = the_register(wire)
    wire.core.unregister(wire.now)
    wire.pump()
    assert (wire.requests_to(TRUNK_A), wire.core.unregistering) == ([], 1)
    wire.send(granted(first), TRUNK_A)
    assert the_register(wire).value(b"expires") == b"0"
    wire.advance(33)
    assert wire.core.unregistering == 0  # nobody answered: no reason to stay


@pytest.mark.parametrize("answer", ["challenge", "refuse", "silence"])
def test_the_end_is_an_end(answer):
    """A registrar that does not let us go is left all the same, after one proof."""
    wire = registered_wire()
    wire.pump()
    bound(wire)
    wire.core.unregister(wire.now)
    wire.pump()
    for nonce in ("n3", "n4", "n5"):
        for request in wire.requests_to(TRUNK_A, b"REGISTER"):
            if answer == "challenge":
                wire.send(challenge(request, nonce), TRUNK_A)
            elif answer == "refuse":
                wire.send(reply(request, 500), TRUNK_A)
    wire.advance(0 if answer != "silence" else 33)
    assert wire.core.unregistering == 0


# -- out of order ------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_and_then_after_pauses():
    """Twice as long each time, half an hour at most; the reason is told once."""
    wire = registered_wire()
    wire.pump()
    gaps, last = [], wire.now
    for _ in range(9):
        wire.send(challenge(the_register(wire)), TRUNK_A)
        wire.send(challenge(the_register(wire), "n2"), TRUNK_A)
        assert wire.requests_to(TRUNK_A) == []
        while not (found := [m for m, _ in wire.sent]):
            wire.advance(5)
        gaps.append(wire.now - last)
        last = wire.now
        assert len(found) == 1
    assert gaps[0] <= 35
    assert all(later >= earlier for earlier, later in pairwise(gaps))
    assert gaps[-1] <= MAX_PAUSE_S + 5
    assert told(wire) == [("unregistered", "password refused 401")]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('WWW-Authenticate: Digest realm="c", nonce="n", algorithm=WHIRLPOOL', "challenged by what cannot be answered"),
        ("X-Nothing: at all", "challenged by what cannot be answered"),
        ("WWW-Authenticate: Basic realm=c", "challenged by what cannot be answered"),
    ],
)
def test_what_cannot_be_answered_is_not(answer, why):
    wire = registered_wire()
    wire.pump()
    wire.send(reply(the_register(wire), 401, extra=answer), TRUNK_A)
    assert (wire.requests_to(TRUNK_A), told(wire)) == ([], [("unregistered", why)])


def test_without_a_password_a_challenge_is_a_failure():
    """A node that cannot read it says so, and tries again when the policy comes anew."""
    wire = Wire(policy(login=LOGIN, registration=REGISTRATION))
    wire.pump()
    wire.send(challenge(the_register(wire)), TRUNK_A)
    assert told(wire) == [("unregistered", "challenged, and no password is known")]
    wire.core.policy_changed(wire.snapshot, wire.now, passwords={"a": b"s3cret"})
    wire.pump()
    bound(wire)
    assert registered(wire) == 1


@pytest.mark.parametrize("seconds", [0, "00", "x" * 3])
def test_granted_for_no_time_is_not_granted(seconds):
    """A hostile or broken registrar does not make us ask again at once."""
    wire = registered_wire()
    wire.pump()
    extra = "Expires: 0" if seconds == "xxx" else ""
    wire.send(reply(the_register(wire), 200, extra=f"Contact: <{CONTACT}>;expires={seconds}\n{extra}"), TRUNK_A)
    assert (registered(wire), told(wire)) == (0, [("unregistered", "granted for no time")])
    wire.advance(29)
    assert wire.requests_to(TRUNK_A) == []


def test_granted_for_a_second_is_no_flood():
    """However short the life it grants, the next REGISTER comes five seconds later."""
    wire = registered_wire()
    wire.pump()
    wire.send(granted(the_register(wire), 1), TRUNK_A)
    count = 0
    for _ in range(120):
        wire.advance(0.5)
        for request in wire.requests_to(TRUNK_A, b"REGISTER"):
            count += 1
            wire.send(granted(request, 1), TRUNK_A)
    assert count <= 12


@pytest.mark.parametrize("seconds", [601, 86_401, 2**31, 10**30])
def test_granted_for_ever_is_granted_for_what_was_asked(seconds):
    """No huge number keeps us from refreshing."""
    wire = registered_wire()
    wire.pump()
    wire.send(granted(the_register(wire), seconds), TRUNK_A)
    wire.advance(301)
    assert the_register(wire)


def test_a_refresh_that_fails_is_told_at_once_and_the_loss_when_it_comes():
    """Until the old one has run out the trunk still knows us."""
    wire = registered_wire()
    wire.pump()
    bound(wire)
    wire.advance(301)
    wire.send(reply(the_register(wire), 503, extra="Retry-After: 1800"), TRUNK_A)
    assert (registered(wire), told(wire)[1:]) == (1, [("failing", "refused 503")])
    wire.advance(300)
    assert (registered(wire), told(wire)[2:]) == (0, [("unregistered", "refused 503")])
    wire.advance(1490)
    assert wire.requests_to(TRUNK_A) == []  # it asked for half an hour
    wire.advance(15)
    wire.send(granted(the_register(wire)), TRUNK_A)
    assert told(wire)[3:] == [("registered", "granted")]


@pytest.mark.parametrize("failure", ["silence", "transport"])
def test_nobody_there(failure):
    wire = registered_wire()
    if failure == "transport":
        wire.unreachable.add(TRUNK_A)
    wire.pump()
    wire.advance(33)
    why = {"silence": "unanswered", "transport": "unreachable"}[failure]
    assert told(wire)[0] == ("unregistered", why)


def test_a_late_answer_to_an_earlier_register_counts_for_nothing():
    """Only the one under way is listened to, and each answer once."""
    wire = registered_wire()
    wire.pump()
    first = the_register(wire)
    wire.send(challenge(first), TRUNK_A)
    the_register(wire)
    wire.send(granted(first), TRUNK_A)
    wire.send(challenge(first, "n9"), TRUNK_A)
    assert (registered(wire), wire.requests_to(TRUNK_A)) == (0, [])


# -- what hangs on it --------------------------------------------------------------------------------------------------


def test_calls_go_to_a_trunk_that_knows_us():
    """Before that the next trunk is preferred; where there is none, it is tried all the same."""
    wire = registered_wire()
    wire.pump()
    first = the_register(wire)
    Caller(wire).start()
    assert (len(wire.requests_to(TRUNK_B, b"INVITE")), wire.requests_to(TRUNK_A)) == (1, [])
    assert [(fact["trunk"], fact["why"]) for fact in wire.told("trunk.skipped")] == [("a", "unregistered")]
    assert wire.core.counters.trunks_skipped == {"a": 1}
    wire.send(granted(first), TRUNK_A)
    Caller(wire).start()
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 1


@pytest.mark.parametrize(
    ("registration", "is_preferred"),
    [
        (REGISTRATION.replace("}", ", required = false }"), True),
        (REGISTRATION, False),
    ],
)
def test_a_registration_may_be_dispensable(registration, is_preferred):
    wire = Wire(policy(registration=registration))
    wire.pump()
    the_register(wire)
    Caller(wire).start()
    assert len(wire.requests_to(TRUNK_A if is_preferred else TRUNK_B, b"INVITE")) == 1


def test_a_new_policy_keeps_begins_and_ends():
    """What has not changed is left alone; what is gone, or registers otherwise, is taken back."""
    wire = registered_wire()
    wire.pump()
    bound(wire)
    same = PolicySnapshot(parse_policy(policy(login=LOGIN, registration=REGISTRATION, weight=7)), generation=8)
    wire.core.policy_changed(same, wire.now, passwords=wire.passwords)
    wire.pump()
    assert (wire.requests_to(TRUNK_A), registered(wire)) == ([], 1)
    without = PolicySnapshot(parse_policy(policy()), generation=9)
    wire.core.policy_changed(without, wire.now)
    wire.pump()
    assert the_register(wire).value(b"expires") == b"0"
    assert wire.core.registered(wire.now) == {}


STEPS = st.lists(
    st.sampled_from(["grant", "brief", "challenge", "refuse", "silence", "wait", "stop"]), min_size=1, max_size=12
)


@given(STEPS, st.randoms(use_true_random=False))
def test_no_sequence_makes_two_registers_at_once_or_a_flood(steps, chance):
    """Whatever the registrar does: one under way at a time, and no more than a question, its proof and a longer time
    asked for at once, twice where the edge stops."""
    wire = registered_wire()
    seen: dict[bytes, float] = {}
    pending = None
    for step in ["wait", *steps]:
        wire.pump()
        fresh = {one.via().branch: one for one in wire.requests_to(TRUNK_A) if one.via().branch not in seen}
        assert len(fresh) <= 1 or step == "silence"
        for branch, request in fresh.items():
            seen[branch], pending = wire.now, request
        if step in ("wait", "silence"):
            wire.advance(40 if step == "silence" else 3)
        elif step == "stop":
            wire.core.unregister(wire.now)
        elif pending is not None:
            data = {
                "grant": granted(pending, chance.choice([0, 1, 60, 10**9])),
                "brief": reply(pending, 423, extra=f"Min-Expires: {chance.choice([0, 900, 10**9])}"),
                "challenge": challenge(pending, f"n{chance.randrange(9)}"),
                "refuse": reply(pending, chance.choice([403, 500, 503, 600])),
            }
            pending = None
            wire.send(data[step], TRUNK_A)
    if "stop" in steps:
        wire.advance(200)
        assert wire.core.unregistering == 0
    stamps = list(seen.values())
    assert all(sum(at <= other < at + 4.9 for other in stamps) <= 6 for at in stamps)
