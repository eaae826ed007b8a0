"""What to ask of the limits, and how to read the answer. Pure; knows `limits.model` only.

Not a stage of the loop: between the question and the answer the core goes on with other work. Only an attempt that has
passed every stage is asked for, so that what policy refuses spends no token (R6).
"""

from collections.abc import Callable
from typing import Final

from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import (
    CALLED_NUMBER,
    PING,
    REASON_OF_GROUP,
    REASON_OF_LIMIT,
    REASON_OF_NAME,
    TELEMARKETING,
    Reason,
    Refuse,
)
from limits.frequency import Counts, Frequency
from limits.model import DEFAULT_LEASE_MS, GROUP, PROFESSIONAL, QUANTUM_S, Admit, Admitted, Denied, Outcome, Unavailable

Digest = Callable[[str], str]
"""A number to the word it is counted under: the store never has the number itself."""

OF_NUMBERS: Final = frozenset({TELEMARKETING, CALLED_NUMBER, PING})
"""Frequencies whose key is a number."""


def ask(
    attempt: CallAttempt,
    *,
    uid: str,
    node: str,
    digest: Digest,
    lease_ms: int = DEFAULT_LEASE_MS,
    record: bytes = b"",
    quantum_s: int = QUANTUM_S,
) -> Admit | None:
    """The question for this attempt; None: there is nothing to ask, the call passes without a lease (R16)."""
    if attempt.emergency or attempt.account is None:
        return None
    rate = attempt.rate
    price = None if rate is None else rate.price
    frequencies = tuple([hidden(one, digest) for one in attempt.frequencies]) if attempt.frequencies else ()
    contact = attempt.contact
    if contact is not None:
        contact = contact._replace(key=digest(contact.key))
        if attempt.account.calling.professional:
            # What others of the same professional have recorded is asked there; a refusal recorded here stays one.
            contact = contact._replace(consent_since_ms=0, hours_since_ms=0)
    # Not through Admit's own constructor, which costs four times as much.
    return tuple.__new__(
        Admit,
        (
            attempt.account.id, uid, node, lease_ms, price, attempt.called, "", 0, record, quantum_s, frequencies,
            contact, attempt.guard,
        ),
    )  # fmt: skip


def hidden(one: Frequency, digest: Digest) -> Frequency:
    """The same, with digests in place of numbers."""
    if one.name in OF_NUMBERS:
        # Written out, since `_replace` takes twice as long.
        key = digest(one.key)
        return Frequency(one.name, key, one.most, one.window_ms, one.counts, one.item, one.mode, one.unless_percent)
    return one._replace(item=digest(one.item)) if one.counts == Counts.DISTINCT else one


def ask_group(
    attempt: CallAttempt,
    admitted: Admitted,
    *,
    uid: str,
    node: str,
    lease_ms: int = DEFAULT_LEASE_MS,
    quantum_s: int = QUANTUM_S,
) -> Admit | None:
    """The question for the account's group, after the account itself has said yes; None: it has none."""
    if not admitted.group or attempt.account is None:
        return None
    price = None if attempt.rate is None else attempt.rate.price
    holder = GROUP + admitted.group
    return Admit(holder, uid, node, lease_ms, price, "", attempt.account.id, admitted.reserved, b"", quantum_s)


def ask_professional(
    attempt: CallAttempt, *, uid: str, node: str, digest: Digest, lease_ms: int = DEFAULT_LEASE_MS
) -> Admit | None:
    """The question of whom and how often for all who call for the same professional, after account and group have said
    yes; None: the account is its own, or it calls no consumer to sell."""
    account, contact = attempt.account, attempt.contact
    if account is None or contact is None or not account.calling.professional:
        return None
    often = tuple([hidden(one, digest) for one in attempt.frequencies if one.name == TELEMARKETING])
    holder = PROFESSIONAL + account.calling.professional
    whom = contact._replace(key=digest(contact.key))
    return Admit(holder, uid, node, lease_ms, frequencies=often, contact=whom)


def ask_trunk(trunk: EgressTrunk, *, uid: str, node: str, lease_ms: int) -> Admit | None:
    """The question for the trunk that is to be tried; None: it has no ceilings."""
    return Admit(trunk.holder, uid, node, lease_ms) if trunk.holder else None


def read(
    outcome: Outcome, attempt: CallAttempt, *, of_group: bool = False, local: Callable[[], bool] | None = None
) -> Refuse | None:
    """None: go on (`attempt.degraded` says whether nobody knows the usage). Any outcome but Denied and Unavailable is a
    yes. `local`: is there room in this node's share of the ceilings?"""
    if attempt.emergency:
        return None
    if isinstance(outcome, Denied):
        reasons = REASON_OF_GROUP if of_group else REASON_OF_LIMIT
        reason = REASON_OF_NAME.get(outcome.name) or reasons[outcome.limit]
        return Refuse(reason, outcome.retry_after_ms)
    if isinstance(outcome, Unavailable):
        choice = "refuse" if attempt.account is None or attempt.needs_store else attempt.account.store_away
        if choice == "refuse" or (choice == "local" and (local is None or not local())):
            return Refuse(Reason.STORE_AWAY)
        attempt.degraded = True
    return None
