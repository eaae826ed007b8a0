"""edge.proxy.usual: which requests inside a dialog are known at once."""

import pytest
from hypothesis import given
from network import Established, Wire
from roads import ODDITIES, lines_of, written

from edge.proxy import usual
from edge.sip.message import parse


def request_of(call: Established, change: tuple[str, str] = ("", ""), uri: str = "sip:x@198.51.100.1:5060"):
    lines = lines_of(call, "BYE", True)
    if change[0]:
        lines[change[0]] = written(change[1], call, "192.0.2.1:5060")
    return parse("\r\n".join([f"BYE {uri} SIP/2.0", *[line for line in lines.values() if line], "", ""]).encode())


def test_what_nearly_everyone_sends_is_known_at_once():
    """As a request of its call; and it is not touched."""
    wire = Wire()
    request = request_of(Established(wire))
    before = request.render()
    (call,) = wire.core.calls.live()
    assert usual.call_of(request, wire.core.calls, wire.listeners) is call
    assert request.render() == before


USUAL_ALL_THE_SAME = (
    "rport",
    "branch=1",
    "tag=other",
    "oc",
    "Proxy-Authorization",
    "Reason",
    "X-Account",
    "P-Asserted",
)


@given(ODDITIES)
def test_whatever_is_odd_takes_the_complete_road(odd):
    """And is not touched by the short one."""
    wire = Wire()
    request = request_of(Established(wire), odd)
    before = request.render()
    found = usual.call_of(request, wire.core.calls, wire.listeners)
    if not any(word in odd[1] for word in USUAL_ALL_THE_SAME):
        assert (found, request.render()) == (None, before)


@pytest.mark.parametrize("uri", ["sip:x@h;transport=udp", "sip:x@h?a=b", "tel:+331", "sip:", "urn:x:y"])
def test_so_does_a_target_with_more_in_it(uri):
    """A strict router, an maddr of ours, a scheme without a host."""
    wire = Wire()
    request = request_of(Established(wire), uri=uri)
    assert usual.call_of(request, wire.core.calls, wire.listeners) is None


@pytest.mark.parametrize("at", [0, 7, 8, 40, 50])
def test_so_does_a_route_that_is_not_the_token_of_the_call(at):
    """The uid alone proves nothing: the signature counts, and the spelling before it."""
    wire = Wire()
    request = request_of(Established(wire))
    line = next(line for line in request.lines if line.startswith(b"Route"))
    forged = line[:at] + (b"0" if line[at : at + 1] != b"0" else b"1") + line[at + 1 :]
    changed = parse(request.render().replace(line, forged if at else b"route" + line[5:]))
    assert usual.call_of(changed, wire.core.calls, wire.listeners) is None


def test_so_does_a_call_that_is_over():
    """A node that does not know the call reads the token's signature."""
    wire = Wire()
    call = Established(wire)
    assert usual.call_of(request_of(call), wire.new_core().calls, wire.listeners) is None
