"""Overload control as a client: rows of RFC 7339 §4, §5, §7 and RFC 7415 §3.5."""

import pytest
from network import CALLER, POLICY, TRUNK_A, TRUNK_B, Callee, Caller, Wire, reply

from edge.proxy.oc_throttle import MAX_SERVERS, MAX_VALIDITY_S, OcThrottle
from edge.sip.overload_params import read

LOSSY = POLICY.replace('id = "a"', 'id = "a"\noverload_control = "loss"')
RATED = POLICY.replace('id = "a"', 'id = "a"\noverload_control = "rate"')
ADDRESS = TRUNK_A


def throttle(algorithm: str = "loss") -> tuple[OcThrottle, object]:
    trunk = Wire(LOSSY if algorithm == "loss" else RATED).snapshot.trunks["a"]
    room = OcThrottle()
    room.takes(trunk, ADDRESS, 100.0, 0.5)
    return room, trunk


def share(room: OcThrottle, trunk, now: float = 100.0) -> float:
    """Of a hundred new calls with evenly spread chances."""
    return sum(room.takes(trunk, ADDRESS, now, number / 100) for number in range(100)) / 100


ROWS = (
    ("4.1: a server that does not know it leaves the parameter as it was", [b";oc;oc-algo=\"loss\""], 1.0),
    ("5.1: not overloaded", [b";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1.1"], 1.0),
    ("7.2: 40 % of all requests are half of what may be left out", [b";oc=40;oc-algo=\"loss\";oc-seq=1.1"], 0.5),
    ("7.2: more than there is to leave out", [b";oc=90;oc-algo=\"loss\";oc-seq=1.1"], 0.0),
    ("4.2: loss is what is meant where nothing is said", [b";oc=40;oc-seq=1.1"], 0.5),
    ("4.2: an algorithm we have not named", [b";oc=40;oc-algo=\"A\";oc-seq=1.1"], 1.0),
    ("4.2: not one but two", [b";oc=40;oc-algo=\"loss,rate\";oc-seq=1.1"], 1.0),
    ("4.3: a validity without a value", [b";oc-validity=5000;oc-algo=\"loss\""], 1.0),
    ("7.1: no percentage", [b";oc=101;oc-algo=\"loss\";oc-seq=1.1"], 1.0),
    ("5.4: the same number again changes nothing", [b";oc=40;oc-seq=1.1", b";oc=80;oc-seq=1.1"], 0.5),
    ("4.4: a late response", [b";oc=40;oc-seq=9.1", b";oc=80;oc-seq=8.9"], 0.5),
    ("5.4: a newer one", [b";oc=80;oc-seq=8.9", b";oc=40;oc-seq=9.1"], 0.5),
    ("4.4: a count that began anew", [b";oc=80;oc-seq=999999.1", b";oc=40;oc-seq=1.1"], 0.5),
    ("5.7: stop", [b";oc=80;oc-seq=1.1", b";oc=0;oc-validity=0;oc-seq=1.2"], 1.0),
    ("5.7: oc is to be disregarded with validity 0", [b";oc=80;oc-seq=1.1", b";oc=50;oc-validity=0;oc-seq=1.2"], 1.0),
)  # fmt: skip


@pytest.mark.parametrize(("row", "said", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_loss(row, said, expected):
    """What a server says, one response after another, and the share of new calls that still goes."""
    room, trunk = throttle()
    for params in said:
        room.heard(ADDRESS, b";branch=x" + params, 100.0)

    assert share(room, trunk) == pytest.approx(expected, abs=0.011)


@pytest.mark.parametrize(
    ("validity", "until"),
    [(b"", 0.5), (b";oc-validity=2000", 2.0), (b";oc-validity=999999999", MAX_VALIDITY_S)],
)
def test_it_ends_by_itself(validity, until):
    """§4.3: 500 ms by default; §5.7: when the time is over. Never longer than a minute: the server may have died."""
    room, trunk = throttle()
    room.heard(ADDRESS, b";oc=100;oc-seq=1.1" + validity, 100.0)

    assert share(room, trunk, 100.0 + until - 0.01) == 0
    assert room.active(100.0 + until - 0.01) == 1
    assert share(room, trunk, 100.0 + until) == 1


def test_the_mix_is_counted():
    """§7.2, note: of requests that are all new calls, 40 % is 40 % of them."""
    room, trunk = throttle()
    for second in range(12):
        room.heard(ADDRESS, b";oc=40;oc-seq=%d.1;oc-validity=5000" % second, 100.0 + second)
        share(room, trunk, 100.0 + second)

    assert share(room, trunk, 111.5) == pytest.approx(0.6, abs=0.011)


def test_rate():
    """RFC 7415 §3.5: ten a second, from the moment it is said; what belongs to running calls goes, and counts."""
    room, trunk = throttle("rate")
    room.heard(ADDRESS, b';oc=10;oc-algo="rate";oc-validity=60000;oc-seq=1.1', 100.0)
    alone = sum(room.takes(trunk, ADDRESS, 100.0 + number / 100, 0.0) for number in range(1_000))
    for number in range(1_000):
        room.sent(ADDRESS, 110.0 + number / 200)
    beside = sum(room.takes(trunk, ADDRESS, 110.0 + number / 200, 0.0) for number in range(1_000))

    assert alone == pytest.approx(100, abs=7)
    assert beside < 10


def test_rate_0_is_none_at_all_and_validity_0_the_end():
    """RFC 7415 §3.5.1."""
    room, trunk = throttle("rate")
    room.heard(ADDRESS, b';oc=0;oc-algo="rate";oc-validity=1000;oc-seq=1.1', 100.0)
    assert share(room, trunk) == 0
    room.heard(ADDRESS, b';oc=0;oc-algo="rate";oc-validity=0;oc-seq=1.2', 100.1)
    assert share(room, trunk) == 1


def test_a_server_may_choose_loss_though_rate_was_named_first():
    """§4.2."""
    room, trunk = throttle("rate")
    room.heard(ADDRESS, b';oc=40;oc-algo="loss";oc-seq=1.1', 100.0)

    assert share(room, trunk) == 0.5


def test_what_is_kept_is_bounded():
    """A trunk's name may lead anywhere."""
    room, trunk = throttle()
    for port in range(MAX_SERVERS + 50):
        room.takes(trunk, ("192.0.2.200", port), 100.0, 0.0)

    assert len(room.servers) == MAX_SERVERS


# -- through the whole core --------------------------------------------------------------------------------------------


def told(wire: Wire, request, params: str, status: int = 100) -> None:
    """The trunk answers this request of ours, with these parameters in our Via."""
    data = reply(request, status).replace(b';oc;oc-algo="loss"', params.encode(), 1)
    wire.send(data, TRUNK_A)


def test_every_request_to_the_trunk_announces_it_and_to_no_other():
    """§4.1: INVITE, ACK, BYE and CANCEL."""
    wire = Wire(LOSSY)
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    Callee(wire, invite).answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    caller.say("BYE")
    requests = [invite, *wire.requests_to(TRUNK_A)]

    assert [request.method for request in requests] == [b"INVITE", b"ACK", b"BYE"]
    assert [read(request.via().params).algorithms for request in requests] == [(b"loss",)] * 3
    assert all(read(request.via().params).oc is None for request in requests)
    plain = Wire()
    Caller(plain).start()
    assert read(plain.requests_to(TRUNK_A)[0].via().params) is None


def test_a_trunk_that_asks_for_nothing_is_passed_over():
    """§5.10: the calls go elsewhere; an emergency call and what belongs to running calls go there all the same."""
    wire = Wire(LOSSY)
    first = Caller(wire)
    first.start()
    (invite,) = wire.requests_to(TRUNK_A)
    told(wire, invite, ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1')
    Caller(wire).start()
    Caller(wire, called="112").start()
    Callee(wire, invite).answer(200)
    first.learn(wire.responses_to(CALLER)[-1])
    first.ack()

    assert wire.methods_to(TRUNK_B) == [b"INVITE"]
    assert wire.methods_to(TRUNK_A) == [b"INVITE", b"ACK"]
    assert wire.core.throttled == {"a": 1}


def test_without_another_trunk_it_is_a_503_without_retry_after():
    """§5.10, and nothing is left behind."""
    wire = Wire(LOSSY.replace('trunks = ["a", "b"]', 'trunks = ["a"]'))
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    told(wire, invite, ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1')
    wire.responses_to(CALLER)
    Caller(wire).start()
    answer = wire.responses_to(CALLER)[-1]

    assert (answer.status, answer.value(b"retry-after")) == (503, None)
    assert wire.in_use() == 1
    assert [facts.reason for facts in wire.ended] == ["trunk_ceilings"]


def test_only_the_server_that_was_asked_is_believed():
    """The branch of the request is known to nobody else; parameters of other Vias are for nobody here."""
    wire = Wire(LOSSY)
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    forged = reply(invite, 180).replace(b"branch=z9hG4bK", b"oc=100;oc-validity=5000;branch=z9hG4bKx", 1)
    wire.send(forged, TRUNK_A)
    below = reply(invite, 180).replace(b"rport", b"rport;oc=100;oc-validity=5000")
    wire.send(below, TRUNK_A)
    Caller(wire).start()

    assert wire.methods_to(TRUNK_A) == [b"INVITE"]
    (ringing,) = [response for response in wire.responses_to(CALLER) if response.status == 180]
    assert b"oc" not in ringing.via().params
