"""Stage 2: is the call placed by an automated system, and what is it for? Pure.

Contract articles 9.2.3 and 9.2.4, French numbering plan 2.3.2 f. The account says it for all its calls, an ingress
trunk for all that it brings, a header of a trusted trunk for one call. A mark may add that a call is automated and not
take that away: what an account has declared itself to be, no message undoes.
"""

from typing import Final, get_args

from edge.config.accounts import Purpose
from edge.config.snapshot import PolicySnapshot
from edge.config.trunks import IngressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Refuse

PURPOSES: Final = frozenset(get_args(Purpose))
SMALL: Final = "small_system"
"""The exception of the ruleset that a small system's counted facts may lift a rule by."""
_SMALL_SYSTEM: Final = frozenset({SMALL})
_NOT_MARKED: Final = frozenset({b"", b"no", b"false", b"0"})


def mark(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill `automated` and `purpose`; never refuses."""
    account, ingress = attempt.account, attempt.ingress
    if account is not None:
        attempt.automated = account.kind == "automated"
        attempt.purpose = account.purpose
    if ingress is not None:
        _by_trunk(attempt, ingress)
    if attempt.automated and account is not None and account.calling.is_small_system:
        attempt.exceptions = _SMALL_SYSTEM
    return None


def _by_trunk(attempt: CallAttempt, ingress: IngressTrunk) -> None:
    if ingress.automated:
        attempt.automated = True
    elif ingress.automated_header is not None:
        values = attempt.request.values(ingress.automated_header)
        if any([value.strip().lower() not in _NOT_MARKED for value in values]):
            attempt.automated = True
    if ingress.purpose_header is not None:
        named = attempt.request.value(ingress.purpose_header)
        if named is not None:
            purpose = named.strip().lower().decode("latin-1")
            if purpose in PURPOSES:  # a word nobody knows changes nothing
                attempt.purpose = purpose
