"""edge.proxy.short_road: what takes it comes to what the complete road comes to, byte for byte."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network import CALLER, FOREIGN
from roads import ANSWERS, ODDITIES, POLICIES, URIS, datagram, established, outcome

METHODS = ["ACK", "BYE", "INFO", "UPDATE", "INVITE", "OPTIONS"]
MEANT = [
    [("Content-Length", "X-Account: acme\r\nX-Y: z")],
    [("Content-Length", "P-Asserted-Identity: <sip:x@y>\r\nPrivacy: id")],
    [("Via", "Via: SIP/2.0/UDP h;branch=z9hG4bKa;rport")],
    [("Via", "Via: SIP/2.0/UDP {via};branch=z9hG4bKa;OC")],
    [("Content-Length", "X-Long: " + 1300 * "x")],
]
ANSWERED = [
    [],
    [(200, "", "as they came"), (200, "", "as they came")],
    [(100, "", "on one line"), (200, "X-Y: z", "on one line")],
    [(200, "P-Asserted-Identity: <sip:x@y>\r\nPrivacy: id", "oc")],
    [(183, "", "as they came"), (404, 'Reason: Q.850;cause=31', "as they came")],
    [(200, "", "ours alone")],
    [(200, "", "bad To"), (200, "", "as they came")],
    [(503, "", "as they came")],
    [(401, "", "as they came")],
]  # fmt: skip


@settings(max_examples=20)
@pytest.mark.parametrize("method", METHODS)
@given(
    from_caller=st.booleans(),
    uri=URIS,
    odd=st.lists(ODDITIES, max_size=2),
    order=st.randoms(use_true_random=False),
    answers=ANSWERS,
    document=st.sampled_from(sorted(POLICIES.values())),
)
def test_both_roads_send_the_same_bytes(method, from_caller, uri, odd, order, answers, document):
    """Whatever the request and its answers: what leaves, what is counted, what becomes of the call."""
    data = datagram(established(document), method, from_caller, uri, odd, order)
    short = outcome(data, from_caller, True, answers, document)
    assert short == outcome(data, from_caller, False, answers, document)


@pytest.mark.parametrize("caller", [CALLER, FOREIGN], ids=["caller shown", "caller masked"])
@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("method", ["ACK", "BYE"])
@pytest.mark.parametrize("from_caller", [True, False])
def test_whatever_the_policy_asks_of_them(from_caller, method, name, caller):
    """Names, headers, causes, places: each header that means something, each kind of answer."""
    document = POLICIES[name]
    call = established(document, caller)
    uri = "sip:callee@198.51.100.1:5060" if from_caller else "sip:x@10.0.0.7:5060"
    for meant in MEANT:
        data = datagram(call, method, from_caller, uri, meant, Random(1))
        for answers in ANSWERED if method == "BYE" else [[]]:
            short = outcome(data, from_caller, True, answers, document, caller)
            assert short == outcome(data, from_caller, False, answers, document, caller)


def test_an_ack_is_noted():
    """What waits for it may go on, and the call is not ended for want of it."""
    call = established()
    (live,) = call.wire.core.calls.live()
    (dialog,) = live.dialogs.values()
    dialog.acked = False
    call.wire.send(datagram(call, "ACK", True, "sip:callee@198.51.100.1:5060", [], Random(1)), CALLER)
    assert dialog.acked
