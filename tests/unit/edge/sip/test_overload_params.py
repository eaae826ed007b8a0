"""The Via parameters of overload control, as RFC 7339 §9 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.overload_params import OverloadParams, announced, cleaned, filled, read, stamped, taken_off

SECTION_6 = (
    (b";branch=z9hG4bK2d4790.1;oc;oc-algo=\"loss,A\"", (True, None, (b"loss", b"a"), None, None)),
    (b";branch=x;received=192.0.2.111;oc=0;oc-algo=\"loss\";oc-validity=0", (True, 0, (b"loss",), 0, None)),
    (
        b";branch=x;oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782",
        (True, 20, (b"loss",), 500, (1282321615, 78200)),
    ),
    (b";OC=7;Oc-Algo=rate", (True, 7, (b"rate",), None, None)),
)  # fmt: skip


@pytest.mark.parametrize(("params", "expected"), SECTION_6)
def test_what_the_examples_of_section_6_say(params, expected):
    """Names without case, as all parameters (RFC 3261 §7.3.1)."""
    assert read(params) == OverloadParams(*expected)


@pytest.mark.parametrize(
    "params",
    [
        b";branch=z9hG4bKoc",
        b";branch=x;ocx=1",
        b";oc-validity=5",
        b";oc=-1",
        b";oc=1.5",
        b";oc=x",
        b";oc=1;oc-validity=x",
        b";oc=" + 13 * b"9",
    ],
)
def test_what_says_nothing_or_makes_no_sense(params):
    """It is not obeyed."""
    assert read(params) is None


def test_a_malformed_sequence_number_is_none():
    """The rest still counts."""
    assert read(b";oc=5;oc-seq=yesterday") == OverloadParams(True, 5, (), None, None)


def test_later_sequence_numbers_are_larger():
    """§4.4: numbers from an increasing sequence, read as they were written."""
    told = [read(filled(oc=1, algorithm=b"loss", validity_ms=500, seq=seq)).seq for seq in (1.5, 1.50001, 2.0, 2.1)]
    assert told == sorted(told)
    assert len(set(told)) == 4


@pytest.mark.parametrize(
    ("via", "left"),
    [
        (b'SIP/2.0/UDP a:1;oc;branch=x;oc-algo="loss,A"', b"SIP/2.0/UDP a:1;branch=x"),
        (b"SIP/2.0/UDP a ; oc ; branch=x;oc-seq=1.2", b"SIP/2.0/UDP a ; branch=x"),
        (b"SIP/2.0/UDP a;ocean=1;branch=z9hG4bK;oc", b"SIP/2.0/UDP a;ocean=1;branch=z9hG4bK"),
        (b"SIP/2.0/UDP a;branch=x", b"SIP/2.0/UDP a;branch=x"),
    ],
)
def test_they_come_off_and_nothing_else_does(via, left):
    """§5.6."""
    assert taken_off(via) == left


RESPONSE = b"SIP/2.0 180 Ringing\r\n%b\r\nTo: <sip:x@y>;tag=1\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"Via: SIP/2.0/UDP a:1;branch=x", b"Via: SIP/2.0/UDP a:1;branch=x;oc=5"),
        (b"v:SIP/2.0/UDP a:1;branch=x , SIP/2.0/UDP b", b"v:SIP/2.0/UDP a:1;branch=x;oc=5 , SIP/2.0/UDP b"),
        (b'Via: SIP/2.0/UDP a;x="p,q";branch=x\r\nVia: b', b'Via: SIP/2.0/UDP a;x="p,q";branch=x;oc=5\r\nVia: b'),
        (b"To: x\r\nVIA : SIP/2.0/UDP a\r\n ;branch=x", b"To: x\r\nVIA : SIP/2.0/UDP a;oc=5\r\n ;branch=x"),
    ],
)
def test_the_top_via_is_stamped_wherever_it_stands(lines, expected):
    """§5.2: the Via of the neighbour, and no other."""
    assert stamped(RESPONSE % lines, b";oc=5") == RESPONSE % expected


def test_values_in_other_vias_are_cleaned_away():
    """§5.4: what a server further on has written is not for those before us; a flag that a client set stays his."""
    dirty = b"Via: SIP/2.0/UDP a;oc=99;oc-validity=60000;oc-seq=1.1;branch=x\r\nv: SIP/2.0/UDP b;OC=1;branch=oc, c;oc"
    assert cleaned(RESPONSE % dirty) == (RESPONSE % b"Via: SIP/2.0/UDP a;branch=x\r\nv: SIP/2.0/UDP b;branch=oc, c;oc")


def test_the_body_is_nobodys_affair():
    """Whatever stands in it."""
    data = RESPONSE % b"Via: a" + b"\r\nVia: b;oc=5\r\n\r\n"
    assert cleaned(data) == data


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data):
    """What comes from outside may be anything."""
    for function in (read, taken_off, cleaned):
        function(data)
    stamped(data, b";oc=0")


def test_what_a_client_announces():
    """§4.1: without a value; §4.2: `loss` at least."""
    assert read(announced(b"rate,loss")) == OverloadParams(True, None, (b"rate", b"loss"), None, None)
