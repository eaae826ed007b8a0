"""What a registrar grants: whose Contact, for how long, and how much of it is believed."""

import pytest

from edge.proxy.bindings import MAX_EXPIRES_S, granted_s, least_s, retry_after_s
from edge.sip.message import parse

OURS = b"sip:trunkgate@192.0.2.10:5060"


def response(*lines, status=200):
    head = [f"SIP/2.0 {status} X", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1", "To: <sip:b@h>;tag=2"]
    return parse("\r\n".join([*head, "Call-ID: c", "CSeq: 1 REGISTER", *lines, "Content-Length: 0", "", ""]).encode())


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        (["Contact: <sip:trunkgate@192.0.2.10:5060>;expires=600"], 600),
        (["Contact: <sip:trunkgate@192.0.2.10>;expires=600;q=0.5"], 600),
        (["Contact: <sip:trunkgate@192.0.2.10:5060;ob>;expires=600", "Expires: 900"], 600),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>", "Expires: 900"], 900),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>"], 3600),
        (["Contact: <sip:other@203.0.113.1>;expires=60, <sip:trunkgate@192.0.2.10>;expires=120"], 120),
        (["Contact: <sip:trunkgate@203.0.113.77:1024>;expires=300"], 300),  # rewritten on the way: the only one
        (["Expires: 300"], 300),
        ([], 0),
        (["Contact: <sip:other@203.0.113.1>;expires=60, <sip:third@203.0.113.2>;expires=120"], 0),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>;expires=0"], 0),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>", "Expires: 0"], 0),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>;expires=99999999"], 3600),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>;expires=999999999999999999999999"], 3600),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>;expires=-5", "Expires: soon"], 3600),
        (["Contact: <sip:trunkgate@192.0.2.10:5060>;expires=4294967296"], 3600),
        (["Contact: *"], 3600),
        (["Contact: <sip:"], 0),
    ],
)
def test_what_is_granted(lines, seconds):
    """Ours among several, by its own expires, by Expires, as asked; never more than that."""
    assert granted_s(response(*lines), OURS, asked_s=3600) == seconds


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [(["Min-Expires: 7200"], 7200), ([], 0), (["Min-Expires: x"], 0), ([f"Min-Expires: {MAX_EXPIRES_S + 1}"], 0)],
)
def test_how_brief_is_too_brief(lines, seconds):
    """A registrar that wants more than a day is not gone along with."""
    assert least_s(response(*lines, status=423)) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [("120", 120), ("120 (soon);duration=3600", 120), ("x", 0), ("", 0), ("1" * 11, 0)]
)
def test_how_long_to_stay_away(value, seconds):
    assert retry_after_s(response(f"Retry-After: {value}", status=500)) == seconds
