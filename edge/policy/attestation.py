"""What a trusted neighbour says of the calling number's attestation: read for the record, verified by nobody. Pure.

Three ways, the first that says something counts: an Identity header with a PASSporT whose `attest` claim is A, B or C
(RFC 8224 §4, RFC 8225 §3, RFC 8588 §4; the signature is not checked, and a compact form has no claims to read); an
Attestation-Info header or its older name P-Attestation-Indicator (3GPP TS 24.229 §7.2.18); the `verstat` parameter of
P-Asserted-Identity or From where it ends in a level (TS 24.229 §7.2A.20: TN-Validation-Passed, with -A, -B or -C after
it by those who tell the level). Only trunks inside our trust domain are believed; any other caller could write it.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from typing import Final, NamedTuple

from edge.sip.errors import FieldError
from edge.sip.message import Request

MAX_PAYLOAD: Final = 4_096
"""Characters of a PASSporT's payload that are read; true ones have some 200."""
MAX_IDENTITIES: Final = 8
LEVELS: Final = frozenset({"A", "B", "C"})
_TOLD: Final = (b"attestation-info", b"p-attestation-indicator")
_SHOWN: Final = (b"p-asserted-identity", b"from")
_TELLING: Final = frozenset((b"identity", *_TOLD, _SHOWN[0]))
"""Most say nothing: what is left is From, which all have."""
_VERSTAT: Final = re.compile(rb";verstat=TN-Validation-Passed-([ABC])(?![A-Za-z0-9-])", re.IGNORECASE)


class Attestation(NamedTuple):
    """A level, and what said so."""

    level: str = ""
    """`A`, `B` or `C`; empty: nobody told one."""
    source: str = ""
    """`identity`, `attestation_info` or `verstat`."""


NONE: Final = Attestation()


def attestation_of(request: Request) -> Attestation:
    """Of an INVITE from a trusted trunk. Never raises: what cannot be read says nothing."""
    if not request.has_any(_TELLING) and _from(request).lower().find(b"verstat") < 0:
        return NONE
    for value in request.values(b"identity")[:MAX_IDENTITIES]:
        level = _claimed(value)
        if level:
            return Attestation(level, "identity")
    for name in _TOLD:
        told = (request.value(name) or b"").strip().decode("latin-1").upper()
        if told in LEVELS:
            return Attestation(told, "attestation_info")
    for name in _SHOWN:
        for value in request.values(name):
            found = _VERSTAT.search(value)
            if found is not None:
                return Attestation(found[1].decode().upper(), "verstat")
    return NONE


def _from(request: Request) -> bytes:
    try:
        return request.from_().raw
    except FieldError:
        return request.value(b"from") or b""


def _claimed(identity: bytes) -> str:
    """The `attest` claim of `header.payload.signature;info=…` (RFC 8224 §4)."""
    parts = identity.partition(b";")[0].strip().split(b".")
    if len(parts) != 3 or not 0 < len(parts[1]) <= MAX_PAYLOAD:
        return ""
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    level = claims.get("attest") if isinstance(claims, dict) else None
    return level if isinstance(level, str) and level in LEVELS else ""
