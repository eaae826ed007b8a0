"""What workers say to each other is read as it was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.flow import Flow
from edge.workers.frames import NOWHERE, Frame, Kind, about, is_here, pack, unpack

FLOWS = st.builds(
    Flow,
    st.integers(0, 31),
    st.tuples(st.sampled_from(["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]), st.integers(0, 65_535)),
    st.integers(0, 2**40),
    st.integers(0, 65_535),
    st.lists(st.sampled_from(["a.example", "*.b.example", "192.0.2.1"]), max_size=3).map(tuple),
)


@given(st.sampled_from(Kind), FLOWS, st.binary(max_size=200))
def test_a_frame_keeps_everything(kind, flow, data):
    """Flow and message, byte for byte."""
    assert unpack(pack(kind, flow, data)) == Frame(kind, flow, data)


def test_a_frame_about_a_connection_has_its_number():
    """And no message."""
    assert unpack(about(Kind.CONNECTED, 7)) == Frame(Kind.CONNECTED, NOWHERE._replace(connection=7), b"")


@pytest.mark.parametrize("data", [b"", b"\1", pack(Kind.RECEIVED, Flow(0, ("192.0.2.1", 5060)), b"")[:-1]])
def test_what_is_no_frame_is_refused(data):
    """A fault of ours, then."""
    with pytest.raises(ValueError, match="frame"):
        unpack(data)


@pytest.mark.parametrize(("number", "worker", "here"), [(8, 0, True), (9, 1, True), (9, 0, False), (11, 3, True)])
def test_the_number_of_a_connection_says_whose_it_is(number, worker, here):
    """Of four workers."""
    assert is_here(number, worker, 4) is here
