"""What a decision went by, kept for whoever judges the attempt again, and an attempt made of it. Pure.

Beside the two numbers, which have columns of their own, a record keeps the header fields that policy reads, as they
came; `edge policy replay` and `edge explain --call` judge by them. Bounds are narrow, since callers write them.
"""

from typing import Final

from edge.policy.attempt import CallAttempt

JUDGED_HEADERS: Final = (
    b"p-asserted-identity", b"p-preferred-identity", b"remote-party-id", b"diversion", b"history-info", b"privacy",
)  # fmt: skip
"""Canonical names of what stages read, beside the headers that a trunk of the policy is marked with."""
SIGNATURES: Final = (b"identity", b"p-identity-bypass", b"identity-bypass")
"""RFC 8224, and the token by which an operator says that it cannot sign for now: policy asks whether one is there."""
THERE: Final = "there"
"""What is kept of it: a signature is long, and nothing of it is judged."""
_JUDGED: Final = frozenset(JUDGED_HEADERS + SIGNATURES)
MAX_FIELDS: Final = 12
MAX_VALUE: Final = 160
"""Characters of a value; a longer one is cut, and cannot be judged again exactly."""


def evidence(attempt: CallAttempt) -> list[tuple[str, str]]:
    """(name, value) of each header field that policy reads, in the order of `JUDGED_HEADERS`."""
    request, ingress = attempt.request, attempt.ingress
    is_marking = ingress is not None and (ingress.automated_header is not None or ingress.purpose_header is not None)
    if not is_marking and not request.has_any(_JUDGED):
        return []
    names: tuple[bytes, ...] = JUDGED_HEADERS
    if is_marking and ingress is not None:
        names += tuple([name for name in (ingress.automated_header, ingress.purpose_header) if name is not None])
    signed = [(name.decode("latin-1"), THERE) for name in SIGNATURES if request.has(name)]
    found = [(name, value) for name in names for value in request.values(name)]
    return signed + [
        (name.decode("latin-1"), value[:MAX_VALUE].decode("utf-8", "replace"))
        for name, value in found[: MAX_FIELDS - len(signed)]
    ]
