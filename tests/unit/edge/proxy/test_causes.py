"""How an attempt ended, in one token and one Q.850 cause."""

import pytest

from edge.proxy.causes import cause_of, q850_of
from edge.sip.message import parse

KNOWN = [
    (486, ("busy", 17)),
    (404, ("not_found", 1)),
    (487, ("cancelled", 16)),
    (603, ("rejected", 21)),
    (500, ("failed", 41)),
]
BY_CLASS = [(302, ("redirected", 23)), (499, ("rejected", 21)), (599, ("failed", 41)), (699, ("rejected", 21))]


@pytest.mark.parametrize(("status", "expected"), [*KNOWN, *BY_CLASS])
def test_the_cause_of_a_status(status, expected):
    """By status, else by its class."""
    assert expected == cause_of(status)


def test_every_failure_has_a_cause():
    """Token and a cause of Q.850."""
    for status in range(300, 700):
        token, cause = cause_of(status)
        assert token
        assert 0 < cause < 128


REASONS = [
    ([], 99),
    (["Reason: Q.850;cause=16"], 16),
    (['Reason: SIP;cause=486, q.850 ; text="a, b" ;cause=17'], 17),
    (["Reason: SIP;cause=486", "reason: Q.850;cause=1"], 1),
    (["Reason: Q.850"], 99),
    (["Reason: Q.850;cause=0"], 99),
    (["Reason: Q.850;cause=128"], 99),
    (["Reason: Q.850;cause=0000016"], 99),
    (["Reason: Q.850;cause=x"], 99),
    (["Reason: Q.850;cause=-1"], 99),
    (["Reason: " + ",".join(["Q.850"] * 200)], 99),
]


@pytest.mark.parametrize(("lines", "expected"), REASONS)
def test_the_cause_a_peer_gives(lines, expected):
    """RFC 3326; what cannot be read is the default."""
    head = ["SIP/2.0 486 Busy", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", *lines, "From: <sip:a@h>", "To: <sip:b@h>"]
    message = parse("\r\n".join([*head, "Call-ID: c", "CSeq: 1 INVITE", "", ""]).encode())
    assert expected == q850_of(message, 99)
