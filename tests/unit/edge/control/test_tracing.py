"""Which messages a trace is about, and what becomes of them: through the whole core, as the pump shows them."""

import pytest
from network import CALLER, FOREIGN, STRANGER, TRUNK_A, WALL_OFFSET, Caller, Established, hang_up

from edge.control.questions import TracedMessage, TraceEnd, TraceStart, TraceWanted
from edge.control.tracing import MAX_CHOSEN, MAX_QUEUED, MAX_TRACES, MAX_WAITING, Tap, without_secrets
from edge.sip.flow import Flow
from edge.sip.message import parse


class Ended(list):
    """The records of a wire, each shown as it is written."""

    def __init__(self, show):
        super().__init__()
        self._show = show

    def __iadd__(self, more):
        for facts in more:
            self._show(facts)
        return super().__iadd__(more)


class Watched:
    """A wire whose every message passes the tap: what comes before the core has it, what goes when it goes."""

    def __init__(self, wire):
        self.wire = wire
        self.tap = Tap(wire.core, wire.listeners, node="edge1", wall_offset=WALL_OFFSET)
        self.switched = []
        self.tap.switch = self.switched.append
        arrive, keep = wire._arrive, wire._keep

        def see_received(data, flow):
            self.tap.saw(True, data, flow, wire.now)
            arrive(data, flow)

        def see_sent(data, flow):
            self.tap.saw(False, data, flow, wire.now)
            keep(data, flow)

        wire._arrive, wire._keep = see_received, see_sent
        wire.ended = Ended(lambda facts: self.tap.ended(facts, wire.now))

    def start(self, *, seconds=300, messages=1_000, name="aa", **wanted):
        return self.tap.start(TraceStart(name, TraceWanted(**wanted), seconds, messages), self.wire.now)

    def rungs(self):
        """(way, first word or status, who) of what waits to be handed on."""
        found = []
        while self.tap.queue:
            one = self.tap.queue.popleft()
            if isinstance(one, TraceEnd):
                found.append(("end", one.why, one.messages))
            else:
                first = one.text.split(" ")
                found.append((one.way, first[1] if first[0] == "SIP/2.0" else first[0], one.remote[0]))
        return found


@pytest.fixture
def watched(wire):
    return Watched(wire)


WHOLE = [
    ("<", "INVITE", CALLER[0]),
    (">", "100", CALLER[0]),
    (">", "INVITE", TRUNK_A[0]),
    ("<", "180", TRUNK_A[0]),
    (">", "180", CALLER[0]),
    ("<", "200", TRUNK_A[0]),
    (">", "200", CALLER[0]),
    ("<", "ACK", CALLER[0]),
    (">", "ACK", TRUNK_A[0]),
]


@pytest.mark.parametrize(
    "wanted",
    [
        {"account": "acme"},
        {"number": "06 12 34 56 78"},
        {"number": "+33170000001"},
        {"source": "192.0.2.1"},
        {"source": "192.0.2.0/24"},
        {"account": "acme", "number": "0612345678", "source": "192.0.2.1"},
    ],
)
def test_a_call_is_seen_whole_on_both_sides(watched, wire, wanted):
    """From its INVITE on, whatever it is known by; an account only once the core has judged it."""
    watched.start(**wanted)
    Established(wire)
    assert watched.rungs() == WHOLE


@pytest.mark.parametrize(
    "wanted",
    [
        {"account": "slow"},
        {"number": "0612345679"},
        {"source": "192.0.2.2"},
        {"account": "acme", "number": "0612345679"},
        {"account": "acme", "source": "192.0.2.2"},
        {"call": "somebody-else@caller"},
    ],
)
def test_other_calls_are_not_seen(watched, wire, wanted):
    """All that is given must be so."""
    watched.start(**wanted)
    hang_up(Established(wire))
    assert watched.rungs() == []


def test_a_running_call_is_picked_up_by_its_uid_or_call_id(watched, wire):
    """From its next message on; another call is none of it."""
    call = Established(wire)
    (held,) = wire.core.calls.live()
    Established(wire)
    watched.start(call=held.uid[:10])
    watched.start(name="bb", call=call.caller.call_id)
    hang_up(call)
    found = watched.rungs()
    assert found[0::2] == found[1::2] == [
        ("<", "BYE", CALLER[0]), (">", "BYE", TRUNK_A[0]), ("<", "200", TRUNK_A[0]), (">", "200", CALLER[0]),
    ]  # fmt: skip


def test_a_refused_attempt_is_seen_with_its_answer(watched, wire):
    """It never became a call: its record tells whose it was, and the INVITE that waited comes out."""
    watched.start(account="acme")
    for _ in range(3):
        Established(wire)
    watched.rungs()
    refused = Caller(wire)
    refused.start()
    (answer,) = wire.responses_to(CALLER)
    refused.ack_failure(answer)
    assert watched.rungs() == [("<", "INVITE", CALLER[0]), (">", "503", CALLER[0]), ("<", "ACK", CALLER[0])]


def test_a_neighbour_is_seen_with_what_belongs_to_no_call(watched, wire):
    """OPTIONS, and what cannot be read at all."""
    watched.start(source="192.0.2.2")
    wire.send(Caller(wire, source=FOREIGN).request("OPTIONS"), FOREIGN)
    wire.send(b"\x01rubbish\r\n\r\n", FOREIGN)
    wire.send(b"\x01rubbish\r\n\r\n", STRANGER)
    assert watched.rungs()[:3] == [
        ("<", "OPTIONS", FOREIGN[0]),
        (">", "200", FOREIGN[0]),
        ("<", "\x01rubbish\r\n\r\n", FOREIGN[0]),
    ]


def test_a_trace_ends_by_its_number_by_its_time_and_by_hand(watched, wire):
    """Its last word says why and how many; then nobody looks at messages any more."""
    watched.start(account="acme", messages=4)
    Established(wire)
    assert watched.rungs() == [*WHOLE[:4], ("end", "messages", 4)]
    watched.start(name="bb", account="acme", seconds=10)
    wire.advance(9)
    watched.tap.expire(wire.now)
    assert len(watched.tap) == 1
    wire.advance(1)
    watched.tap.expire(wire.now)
    watched.start(name="cc", account="acme")
    assert (watched.tap.stop("cc"), watched.tap.stop("cc")) == (True, False)
    assert watched.rungs() == [("end", "time", 0), ("end", "stopped", 0)]
    tap = watched.tap
    assert watched.switched == [tap, None, tap, None, tap, None]


def test_what_cannot_be_traced_is_refused(watched):
    """Nothing wanted, no network, more at a time than a node runs; the same one twice is one."""
    with pytest.raises(ValueError, match="needs an account"):
        watched.start()
    with pytest.raises(ValueError, match="nowhere"):
        watched.start(source="nowhere")
    for number in range(MAX_TRACES):
        assert watched.start(name=f"a{number}", account="acme") is None
    assert watched.start(name="a0", account="acme") is None
    assert (watched.start(name="ff", account="acme"), len(watched.tap)) == ("too_many", MAX_TRACES)


def test_what_strangers_send_is_kept_in_bounds(watched, wire):
    """Calls that wait, calls that are followed, copies that wait: each has an end, and what was left out is told."""
    watched.start(account="nobody")
    watched.start(name="bb", source="0.0.0.0/0", messages=10_000)
    (waiting, open_) = watched.tap._traces.values()
    data = Caller(wire).request("INVITE")
    for number in range(MAX_CHOSEN + MAX_WAITING):
        copy = data.replace(b"Call-ID: ", b"Call-ID: %d-" % number)
        for _ in range(2):
            watched.tap.saw(True, copy, Flow(0, STRANGER), wire.now)
    assert (len(waiting._waiting), len(open_._chosen), len(watched.tap.queue)) == (MAX_WAITING, MAX_CHOSEN, MAX_QUEUED)
    assert open_.left_out == 2 * (MAX_CHOSEN + MAX_WAITING) - MAX_QUEUED


def test_a_copy_says_between_whom_and_when(watched, wire):
    """By the listener's own address, in UTC microseconds."""
    watched.start(account="acme")
    Established(wire)
    first = watched.tap.queue[0]
    assert isinstance(first, TracedMessage)
    assert (first.transport, first.local, first.remote) == ("udp", ("192.0.2.10", 5060), CALLER)
    assert first.at_us == int((wire.now + WALL_OFFSET) * 1_000_000)
    assert parse(first.data).method == b"INVITE"


@pytest.mark.parametrize(
    ("line", "blotted"),
    [
        (
            b'Authorization: Digest username="u", nonce="n0n0n0n0", response="0123456789abcdef0123456789abcdef"',
            b'Authorization: Digest username="u", nonce="n0n0n0n0", response="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
        ),
        (
            b"PROXY-AUTHORIZATION: Digest RESPONSE = 0123456789ABCDEF",
            b"PROXY-AUTHORIZATION: Digest RESPONSE = xxxxxxxxxxxxxxxx",
        ),
        (b"a=crypto:1 AES_CM_128 inline:d0RmdmcmVCspeEc3|2^20", b"a=crypto:1 AES_CM_128 inline:xxxxxxxxxxxxxxxx|2^20"),
        (b"Subject: the response= of nobody", b"Subject: the response= of nobody"),
    ],
)
def test_secrets_are_blotted_out_at_their_length(line, blotted):
    """So that bodies stay as long as they say."""
    assert (without_secrets(line), len(line)) == (blotted, len(blotted))
