"""A byte stream cut into messages: the same messages wherever the network cut it, and one certain end at a fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip import framing
from edge.sip.framing import MAX_HEAD, MAX_MESSAGE, Framer

HEAD = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\n"


def message(length: bytes = b"Content-Length: 4\r\n", body: bytes = b"body") -> bytes:
    return HEAD + length + b"\r\n" + body


WHOLE = message()
EMPTY = message(b"l:0\r\n", b"")
FOLDED = message(b"CONTENT-LENGTH :\r\n 2\r\n", b"\r\n")
STREAM = b"\r\n" + WHOLE + b"\r\n\r\n" + EMPTY + FOLDED + b"\r\n" + WHOLE + b"\r\n\r\n\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_it_does_not_matter_where_the_network_cuts(cut):
    """One cut at any byte: the same four messages, the same three pings, nothing left over."""
    framer = Framer()
    messages = framer.feed(STREAM[:cut]) + framer.feed(STREAM[cut:])
    assert [WHOLE, EMPTY, FOLDED, WHOLE] == messages
    assert (3, False, None) == (framer.pings, framer.is_partial, framer.fault)


def test_byte_by_byte():
    """The smallest pieces there are."""
    framer = Framer()
    messages = [found for byte in STREAM for found in framer.feed(bytes([byte]))]
    assert ([WHOLE, EMPTY, FOLDED, WHOLE], 3) == (messages, framer.pings)


bodies = st.binary(max_size=60)
pieces = st.lists(
    st.one_of(
        bodies.map(lambda body: message(b"Content-Length: %d\r\n" % len(body), body)),
        st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"]),
    ),
    max_size=8,
)


@given(pieces=pieces, cuts=st.lists(st.integers(0, 900), max_size=12))
def test_what_comes_out_is_what_went_in(pieces, cuts):
    """Any messages with any bodies, any line ends between them, any cuts: every message, whole and in order."""
    stream = b"".join(pieces)
    framer, out, at = Framer(), [], 0
    for cut in sorted(min(cut, len(stream)) for cut in cuts):
        out += framer.feed(stream[at:cut])
        at = cut
    out += framer.feed(stream[at:])
    whole = Framer()
    assert [piece for piece in pieces if piece.strip(b"\r\n")] == out == whole.feed(stream)
    assert framer.pings == whole.pings
    assert framer.fault is None


@given(chunks=st.lists(st.binary(max_size=400), max_size=20))
def test_no_bytes_break_it(chunks):
    """Whatever comes: no exception, bounded memory, and nothing after a fault."""
    framer = Framer()
    for chunk in chunks:
        had_fault = framer.fault is not None
        found = framer.feed(chunk)
        assert not (had_fault and found)
        assert len(framer._buffer) <= MAX_MESSAGE + 400


FAULTS = [
    (HEAD + b"\r\n", "no Content-Length header", 400),
    (message(b""), "no Content-Length header", 400),
    (message(b"X: Content-Length: 4\r\n"), "no Content-Length header", 400),
    (message(b"Content-Length: 4\r\nl: 4\r\n"), "more than one Content-Length header", 400),
    (message(b"Content-Length: 4\r\nContent-Length: 5\r\n"), "more than one Content-Length header", 400),
    (message(b"Content-Length: -4\r\n"), "bad Content-Length header", 400),
    (message(b"Content-Length: 4, 4\r\n"), "bad Content-Length header", 400),
    (message(b"Content-Length:\r\n"), "bad Content-Length header", 400),
    (message(b"Content-Length: 0x4\r\n"), "bad Content-Length header", 400),
    (message(b"Content-Length: 99999999999999999999\r\n"), "message too long", 413),
    (message(b"Content-Length: %d\r\n" % MAX_MESSAGE), "message too long", 413),
    (HEAD + b"X: " + b"x" * MAX_HEAD, "header too long", 413),
    (HEAD + b"X: " + b"x" * MAX_HEAD + b"\r\n\r\n", "header too long", 413),
    (b"\x16\x03\x01\x02\x00\x01\x00", "no start line", 400),
    (b"\r\n INVITE", "no start line", 400),
    (b"\n\n", "no start line", 400),
]


@pytest.mark.parametrize(("stream", "reason", "status"), FAULTS, ids=range(len(FAULTS)))
def test_a_stream_that_cannot_be_cut(stream, reason, status):
    """The messages before it still count; what follows does not; the header is kept for the answer."""
    framer = Framer()
    assert framer.feed(WHOLE + stream + WHOLE) == [WHOLE]
    assert framer.fault is not None
    assert (reason, status) == framer.fault[:2]
    assert stream.lstrip(b"\r\n").startswith(framer.fault.head[: len(HEAD)])
    assert framer.feed(WHOLE) == []
    assert framer.is_partial is False


def test_the_largest_message_there_may_be():
    """One byte more, and it is a fault before its body has come."""
    head = len(message(b"Content-Length: 99999\r\n", b""))
    fits = message(b"Content-Length: %d\r\n" % (MAX_MESSAGE - head), b"x" * (MAX_MESSAGE - head))
    assert MAX_MESSAGE == len(fits)
    assert Framer().feed(fits) == [fits]
    framer = Framer()
    assert framer.feed(message(b"Content-Length: %d\r\n" % (MAX_MESSAGE - head + 1), b"")) == []
    assert framer.fault is not None


def test_a_header_is_looked_through_once():
    """Many small pieces cost no more than one: the search goes on where it stopped."""
    framer = Framer()
    for _ in range(200):
        framer.feed(b"X: yyyyyyy\r\n")
    assert len(framer._buffer) - 3 <= framer._searched


def test_a_partial_message_is_known_as_one():
    """Between messages the connection is idle; a begun one has a deadline."""
    framer = Framer()
    assert framer.is_partial is False
    framer.feed(b"\r\n\r\n")
    assert framer.is_partial is False
    framer.feed(WHOLE[:-1])
    assert framer.is_partial is True
    framer.feed(WHOLE[-1:])
    assert framer.is_partial is False
    assert framing.PONG == b"\r\n"
