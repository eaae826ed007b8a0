"""What a caller asks to be kept private, and whether that can be had on the way the call would take. Pure.

RFC 3323 §4.2 and §5, RFC 3325 §7. Inside our trust domain what is asked goes on with the call: another privacy service
may fulfil it. Where the call leaves the domain the edge is the last that could: it gives `id`, and `header` where
topology is hidden. Whoever marks the rest as critical gets 500 rather than a call that tells what was to be hidden. An
emergency call is not asked.
"""

from typing import Final

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Reason, Refuse
from edge.sip.grammar import LWS, is_token
from edge.sip.message import Request

_GIVEN: Final = frozenset((b"id", b"critical", b"none"))
_SHOWN: Final = 4
"""Services named in the answer at most."""


def asked(request: Request) -> list[bytes]:
    """The values of Privacy, in lower case; commas are read as the semicolons that were meant."""
    return [
        word.strip(LWS).lower() for line in request.values(b"privacy") for word in line.replace(b",", b";").split(b";")
    ]


def keep_promises(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Leave only trunks on which critical privacy can be had; refuse where there is none."""
    if not attempt.request.has(b"privacy") or attempt.emergency:
        return None
    words = asked(attempt.request)
    if b"critical" not in words or b"none" in words:
        return None
    missing = [word for word in dict.fromkeys(words) if word not in _GIVEN and word]
    if not missing:
        return None
    is_hiding_enough = missing == [b"header"]
    attempt.candidates = [
        trunk for trunk in attempt.candidates if trunk.is_trusted or (is_hiding_enough and trunk.boundary.hides)
    ]
    if attempt.candidates:
        return None
    named = [word.decode() for word in missing if is_token(word) and len(word) <= 16][:_SHOWN]
    return Refuse(Reason.PRIVACY_UNAVAILABLE, detail=", ".join(named))
