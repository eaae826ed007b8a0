"""Stage 1: whose call is this? Source address and listener, or a certificate's name, give the trunk (R10). Pure.

The account is, on a trunk with digest, that of the user name. Else the first of these that says one: the header of a
trusted trunk, the tech prefix of the called number, the trunk itself. A header is believed only from a trunk that
policy marks as trusted; a name that nobody knows is nobody's, and none of the others is asked instead.
"""

from edge.config.dialling import NO_PREFIXES
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.numbers import is_emergency_call
from edge.policy.tech_prefix import take_off
from edge.policy.verdicts import Reason, Refuse


def identify(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill ingress, class and account, or refuse: unknown source, unknown account, credentials missing."""
    ingress = snapshot.ingress_of(attempt.source_host, attempt.listener, attempt.tls_names)
    if ingress is None:
        return Refuse(Reason.UNKNOWN_SOURCE)
    attempt.ingress = ingress
    attempt.ingress_class = ingress.ingress_class
    attempt.account = ingress.account
    if ingress.needs_digest:
        if not attempt.username and not is_emergency_call(attempt, snapshot):
            return Refuse(Reason.CREDENTIALS_MISSING)
        known = snapshot.secrets.get(attempt.username.encode())
        attempt.account = None if known is None else snapshot.accounts.get(known.account)
    if ingress.tech_prefixes is not NO_PREFIXES:
        by_prefix = take_off(attempt, ingress.tech_prefixes, snapshot)
        if by_prefix:
            attempt.account = snapshot.accounts.get(by_prefix)
    if ingress.account_header is not None:
        named = attempt.request.value(ingress.account_header)
        if named is not None:
            attempt.account = snapshot.accounts.get(named.decode("latin-1"))
    # R16: an emergency call of a known trunk passes even if nobody knows the account it names.
    if attempt.account is None and not is_emergency_call(attempt, snapshot):
        return Refuse(Reason.UNKNOWN_ACCOUNT)
    return None


def known_by(attempt: CallAttempt) -> str:
    """What told whose call it is, in the order in which it was asked, with spaces between: the trunk by `tls:NAME` or
    `source`; then the account, where it was not the trunk's own, by `digest:USER`, `prefix:DIGITS`, `header:NAME`."""
    ingress = attempt.ingress
    if ingress is None:
        return ""
    words = "source"
    for name in attempt.tls_names:
        if name in ingress.tls_names:
            words = f"tls:{name}"
            break
    if attempt.username and ingress.needs_digest:
        words += f" digest:{attempt.username}"
    if attempt.tech_prefix:
        words += f" prefix:{attempt.tech_prefix}"
    header = ingress.account_header
    if header is not None and attempt.request.has(header):
        words += f" header:{header.decode()}"
    return words
