"""Overload control as a server: what neighbours that announce it are told (RFC 7339 §4, §5; RFC 7415 §3.4)."""

import pytest
from network import CALLER, FOREIGN, POLICY, STRANGER, TRUNK_A, Callee, Caller, Wire

from edge.proxy.node import Settings
from edge.proxy.oc_feedback import MAX_CLIENTS, STABLE_S, OcFeedback
from edge.proxy.overload import Measures, Overload, Priority
from edge.sip.overload_params import OverloadParams, read

STRAINED, CALM = Measures(0.5, 0.0, 0.0), Measures(0.0, 0.0, 0.0)
LOSS, RATE = ';oc;oc-algo="loss"', ';oc;oc-algo="rate,loss"'


def announcing(caller: Caller, params: str = LOSS) -> bytes:
    return caller.request("INVITE").replace(b";rport", b";rport" + params.encode())


def answers(wire: Wire, address=CALLER) -> list[OverloadParams | None]:
    return [read(response.via().params) for response in wire.responses_to(address)]


def strained(wire: Wire, seconds: float, *, params: str = LOSS) -> None:
    """Emergency calls take all the room there is, so that the others find none; a neighbour that announces overload
    control is among the callers."""
    for _ in range(round(seconds * 10)):
        for _ in range(6):
            wire.core.overload.force(wire.now)
        for _ in range(6):
            wire.core.overload.passes(Priority.NORMAL, 0, wire.now)
        wire.send(announcing(Caller(wire), params), CALLER)
        wire.now += 0.1
        wire.core.measured(STRAINED, 0.1, wire.now)
    wire.sent.clear()


def test_a_neighbour_that_announces_it_is_told_that_all_is_well():
    """§5.1: oc=0 and oc-validity=0, the chosen algorithm alone, a sequence number; in responses that are ours and in
    those that are relayed, and nothing of it goes further on (§5.6)."""
    wire = Wire()
    caller = Caller(wire)
    wire.send(announcing(caller), CALLER)
    (invite,) = wire.requests_to(TRUNK_A)
    wire.now += 1
    Callee(wire, invite).answer(180)
    wire.now += 1
    Callee(wire, invite).answer(200)
    told = answers(wire)

    assert [(params.oc, params.algorithms, params.validity_ms) for params in told] == [(0, (b"loss",), 0)] * 3
    assert [params.seq for params in told] == sorted({params.seq for params in told})
    assert b"oc" not in b"".join(invite.values(b"via")).replace(b"branch", b"")


@pytest.mark.parametrize(
    ("params", "source"),
    [
        ("", CALLER),
        (';oc=5;oc-algo="loss"', CALLER),
        (';oc;oc-algo="A"', CALLER),
        (";oc", CALLER),
        (LOSS, STRANGER),
    ],
)
def test_who_is_told_nothing(params, source):
    """Who has not announced it, not as §4.1 and §4.2 ask; and whoever is no neighbour (§5.2: it would tell strangers
    what this server can do)."""
    wire = Wire()
    caller = Caller(wire, source=source)
    wire.send(announcing(caller, params), source)

    assert {params and params.oc for params in answers(wire, source)} <= {None}


def test_while_calls_are_refused_a_percentage_is_asked_that_decays_slowly():
    """§5.3: of all requests. A neighbour that obeys has nothing refused any more; it is not told at once to go on as
    before, and in the end it is."""
    wire = Wire(POLICY, Settings(node="edge1", overload_floor=1.0))
    strained(wire, 6)
    assert wire.core.asked_percent > 30
    wire.send(announcing(Caller(wire)), CALLER)
    (told,) = answers(wire)[:1]
    assert 1 <= told.oc <= 100
    assert (told.algorithms, told.validity_ms) == ((b"loss",), 500)
    asked = []
    for _ in range(300):
        wire.now += 0.1
        wire.core.measured(CALM, 0.1, wire.now)
        asked.append(wire.core.asked_percent)

    assert asked[10] > 10
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] == 0


def test_rate_is_a_share_of_what_passes():
    """RFC 7415 §3.4: an upper bound, in requests a second, for this neighbour."""
    wire = Wire(POLICY, Settings(node="edge1", overload_floor=1.0))
    strained(wire, 6, params=RATE)
    wire.send(announcing(Caller(wire), RATE), CALLER)
    (told,) = answers(wire)[:1]

    assert told.algorithms == (b"rate",)
    assert told.oc >= 1
    assert told.validity_ms == 500


def test_a_503_at_the_door_tells_it_too():
    """The answer that matters most."""
    wire = Wire(POLICY, Settings(node="edge1", overload_floor=1.0))
    strained(wire, 6)
    for _ in range(60):
        wire.core.overload.force(wire.now)
    wire.send(announcing(Caller(wire)), CALLER)
    (answer,) = wire.responses_to(CALLER)

    assert answer.status == 503
    assert read(answer.via().params).oc >= 1


def test_the_algorithm_stays_for_an_hour():
    """§5.8: the first choice holds, unless the neighbour no longer knows it."""
    wire = Wire()

    def chosen(params: str, source=CALLER) -> bytes:
        wire.send(announcing(Caller(wire, source=source), params), source)
        return answers(wire, source)[0].algorithms[0]

    assert chosen(RATE) == b"rate"
    assert chosen(';oc;oc-algo="loss,rate"') == b"rate"
    assert chosen(LOSS, FOREIGN) == b"loss"
    assert chosen(RATE, FOREIGN) == b"loss"
    wire.now += STABLE_S
    assert chosen(';oc;oc-algo="loss,rate"') == b"loss"
    assert chosen(RATE, FOREIGN) == b"rate"
    assert chosen(LOSS, FOREIGN) == b"loss"


def test_what_is_kept_is_bounded():
    """A neighbour may have many ports."""
    wire = Wire()
    for port in range(20_000, 20_000 + MAX_CLIENTS + 20):
        wire.send(announcing(Caller(wire, source=(CALLER[0], port))), (CALLER[0], port))

    assert len(wire.core._node.feedback._clients) == MAX_CLIENTS


@pytest.mark.parametrize("obeying", [1.0, 0.5])
def test_neighbours_that_obey_get_their_share(obeying):
    """A process that carries 100 calls a second is offered 300: those that obey are asked for what would do if all of
    them did, neither pushed out by those that do not, nor let in again at once; the process is kept at what it can."""
    overload = Overload(target_s=0.03, floor=10.0)
    feedback = OcFeedback(overload, lambda: 0.0)
    client = feedback._client(CALLER, (b"loss",), 0.0)
    now, backlog, passed = 0.0, 0.0, [0.0, 0.0]
    for tick in range(600):
        sent = [300 * obeying * (1 - feedback.reduction), 300 * (1 - obeying)]
        client.new = round(sent[0] * 0.1)
        taken = [0, 0]
        for who, rate in enumerate(sent):
            for number in range(round(rate * 0.1)):
                taken[who] += overload.passes(Priority.NORMAL, 0, now + number * 0.1 / max(rate * 0.1, 1))
        backlog = max(0.0, backlog + sum(taken) - 10.0)
        now += 0.1
        overload.measured(Measures(backlog / 100, 0.0, 0.0), 0.1, now)
        feedback.measured(0.1, 300, 100)
        if tick >= 300:
            passed = [passed[0] + taken[0] / 30, passed[1] + taken[1] / 30]

    assert 80 <= sum(passed) <= 105
    assert passed[0] >= 0.3 * obeying * sum(passed)
    assert 0.4 < feedback.reduction < 0.9
