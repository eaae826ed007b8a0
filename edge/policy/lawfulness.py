"""Stage 4: what the law in force at this instant says of the CLI: allow, mask, refuse, or only if it is listed. Pure.

The rules are data, a dated ruleset (`edge.config.rulesets`); contract articles 7.1.1, 9.1.15, 9.2.3 and 9.2.4. From and
every P-Asserted-Identity are judged, since each could be the one that is shown; the hardest ruling decides.
"""

from typing import Final

from edge.config.rulebook import Era, Ruling
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.evidence import SIGNATURES
from edge.policy.spelling import ABSENT, Reading
from edge.policy.verdicts import Reason, Refuse

UNVERIFIED: Final = "natl_unverified"
"""In place of the context, in the name of a ruling on a call whose signature nobody here has verified."""
_SIGNATURES: Final = frozenset(SIGNATURES)
MASK: Final = "mask"
SUBSTITUTE: Final = "substitute"
"""Treatments: what is done to the CLI before it leaves."""


def obey_law(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Ask the ruleset. Nothing is asked of an emergency call (R16), nor where a rule of the house has let it pass."""
    era, account = attempt.era, attempt.account
    if attempt.emergency or account is None or era is None or attempt.is_cleared:
        return None
    sender = attempt.sender or ABSENT
    network = attempt.network
    if len(snapshot.do_not_originate):
        for reading in (sender, *network):
            number = reading.number
            if number and snapshot.do_not_originate.owns("", number):
                attempt.rule = "do_not_originate"
                return Refuse(Reason.CLI_DO_NOT_ORIGINATE)
    if snapshot.rules_mode == "off":
        attempt.must_own = era.is_customers(attempt.ingress_class)
        return None
    refusal = _rule(attempt, ruling_of(sender, attempt, era), snapshot)
    for reading in network:
        if refusal is not None:
            break
        refusal = _rule(attempt, ruling_of(reading, attempt, era), snapshot)
    return refusal


def ruling_of(reading: Reading, attempt: CallAttempt, era: Era) -> Ruling:
    """What the law says of one number of this attempt."""
    account = attempt.account
    assert account is not None
    if reading.e164 in era.always:
        return _ALWAYS
    category = era.category_of_reading(reading)
    ruling = era.ruling(category, attempt.ingress_class, "automated" if attempt.automated else "human")
    if ruling.signed and attempt.request.has_any(_SIGNATURES):
        ruling = ruling._replace(action=ruling.signed, id=f"{category}.{UNVERIFIED}")
    if ruling.unless and ruling.unless in attempt.exceptions:
        return ruling._replace(action="allow_if_listed")
    known = era.category(category)
    lacks = known is not None and known.requires and known.requires not in account.tags
    return ruling._replace(action="deny") if lacks and ruling.action == "allow_if_listed" else ruling


_ALWAYS: Final = Ruling("allow", "", Reason.CLI_REFUSED, "", "", "")


def _rule(attempt: CallAttempt, ruling: Ruling, snapshot: PolicySnapshot) -> Refuse | None:
    """Do what the ruling says, or in shadow mode note what it would have done."""
    action = ruling.action
    if action == "allow":
        return None
    if action == "allow_if_listed":
        attempt.must_own = True
        return None
    if snapshot.rules_mode == "shadow":
        if action != "tag" and ruling.id not in attempt.shadow:
            attempt.shadow.append(ruling.id)
        return None
    if action == "tag":
        if ruling.id not in attempt.tags:
            attempt.tags.append(ruling.id)
        return None
    attempt.rule, attempt.ruleset = ruling.id, snapshot.book.name
    account = attempt.account
    assert account is not None
    if action == "deny" or (action == SUBSTITUTE and account.cli.default is None):
        return Refuse(ruling.reason)
    if attempt.treatment != MASK:
        attempt.treatment = action
        attempt.substitute = account.cli.default or ""
    return None
