"""edge.policy.attestation: the level a trusted neighbour tells, whatever else is in its headers."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.attestation import MAX_IDENTITIES, MAX_PAYLOAD, NONE, Attestation, attestation_of
from edge.sip.message import Request, parse


def part(claims: object) -> bytes:
    return urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")


def identity(claims: object, *, ppt: bytes = b";ppt=shaken") -> bytes:
    """An Identity header (RFC 8224 §4, RFC 8588 §4) with any signature."""
    header = part({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://cert.example/a.pem"})
    return b"Identity: %b.%b.c2ln;info=<https://cert.example/a.pem>;alg=ES256%b" % (header, part(claims), ppt)


SHAKEN = {
    "attest": "A",
    "dest": {"tn": ["33170000001"]},
    "iat": 1795600000,
    "orig": {"tn": "33612345678"},
    "origid": "x",
}


def invite(*lines: bytes, from_: bytes = b"<sip:+33612345678@a>;tag=1") -> Request:
    head = [b"INVITE sip:+33170000001@b SIP/2.0", b"Via: SIP/2.0/UDP a;branch=z9hG4bK1", b"From: " + from_]
    rest = [b"To: <sip:b@b>", b"Call-ID: a", b"CSeq: 1 INVITE", *lines, b"Content-Length: 0", b"", b""]
    found = parse(b"\r\n".join([*head, *rest]))
    assert isinstance(found, Request)
    return found


@pytest.mark.parametrize(
    ("lines", "level", "source"),
    [
        ((identity(SHAKEN),), "A", "identity"),
        ((identity({**SHAKEN, "attest": "C"}, ppt=b""),), "C", "identity"),
        ((identity({"div": {}}, ppt=b";ppt=div"), identity({**SHAKEN, "attest": "B"})), "B", "identity"),
        ((b"Attestation-Info: B",), "B", "attestation_info"),
        ((b"P-Attestation-Indicator: c",), "C", "attestation_info"),
        ((b"P-Asserted-Identity: <sip:+33612345678;verstat=TN-Validation-Passed-A@a;user=phone>",), "A", "verstat"),
        ((b"P-Asserted-Identity: <tel:+33612345678;verstat=TN-Validation-Passed-b>",), "B", "verstat"),
        ((identity({**SHAKEN, "attest": "C"}), b"Attestation-Info: A"), "C", "identity"),
        ((), "", ""),
        ((b"P-Asserted-Identity: <tel:+33612345678;verstat=TN-Validation-Passed>",), "", ""),
        ((b"P-Asserted-Identity: <tel:+33612345678;verstat=TN-Validation-Failed>",), "", ""),
        ((b"P-Asserted-Identity: <tel:+33612345678;verstat=TN-Validation-Passed-All>",), "", ""),
        ((b"Attestation-Info: D",), "", ""),
        ((identity({**SHAKEN, "attest": "a"}),), "", ""),
        ((identity({**SHAKEN, "attest": ["A"]}),), "", ""),
        ((identity(["attest", "A"]),), "", ""),
        ((identity({**SHAKEN, "filler": "x" * MAX_PAYLOAD}),), "", ""),
        ((b"Identity: ..c2ln;info=<https://a>;alg=ES256",), "", ""),  # compact: no claims to read
        ((b"Identity: a.b.c;info=<https://a>",), "", ""),
        ((b"Identity: x." + urlsafe_b64encode(b"[" * 3_000) + b".y;info=<https://a>",), "", ""),
        ((*[b"Identity: a.b.c"] * MAX_IDENTITIES, identity(SHAKEN)), "", ""),
    ],
)
def test_the_level_is_read_from_what_says_it_first(lines, level, source):
    """A PASSporT, then the network's own word, then a level behind verstat; nothing is made up."""
    assert attestation_of(invite(*lines)) == Attestation(level, source)


def test_from_may_carry_verstat():
    """Where there is no P-Asserted-Identity."""
    from_ = b"<sip:+33612345678;verstat=TN-Validation-Passed-C@a;user=phone>;tag=1"
    assert attestation_of(invite(from_=from_)) == Attestation("C", "verstat")


@given(st.binary(max_size=200))
def test_no_bytes_raise(value):
    """Every byte from outside is hostile."""
    line = b"Identity: " + value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    assert attestation_of(invite(line)) == NONE or b"." in value
