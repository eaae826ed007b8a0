"""Stage 3: the house's own CLI rules, in order; the first that matches decides, shadow rules only take a note. Pure.

The rules are data, of the policy document. What the law says is the next stage's (`lawfulness`).
"""

from collections.abc import Sequence

from edge.config.rulebook import Era
from edge.config.snapshot import CliRule, PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.spelling import ABSENT, Reading
from edge.policy.verdicts import Refuse


def screen(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Ask the rules of the CLI. An emergency call is not screened (R16)."""
    if attempt.emergency or attempt.account is None or not snapshot.normalise:
        return None
    era = attempt.era = snapshot.book.at(attempt.wall)
    ingress_class, kind = attempt.ingress_class, "automated" if attempt.automated else "human"
    for rule in snapshot.rules:
        if rule.ingress_classes and ingress_class not in rule.ingress_classes:
            continue
        if rule.account_kinds and kind not in rule.account_kinds:
            continue
        if not _matches(rule, judged(rule.which, attempt), era):
            continue
        if rule.action == "shadow-refuse":
            attempt.shadow.append(rule.id)
            continue
        attempt.rule = rule.id
        if rule.action == "refuse":
            return Refuse(rule.reason)
        attempt.is_cleared = True
        return None
    return None


def judged(which: str, attempt: CallAttempt) -> Sequence[Reading]:
    """The readings a rule looks at. Nothing at all reads as `unavailable`."""
    if which == "presented":
        return (attempt.presented or ABSENT,)
    if which == "network":
        return attempt.network or (ABSENT,)
    return (attempt.sender or ABSENT, *attempt.network)


def _matches(rule: CliRule, readings: Sequence[Reading], era: Era) -> bool:
    for reading in readings:
        e164 = reading.e164
        if rule.categories and era.category_of_reading(reading) not in rule.categories:
            continue
        if rule.prefixes and not e164.startswith(rule.prefixes):
            continue
        if rule.except_prefixes and e164.startswith(rule.except_prefixes):
            continue
        return True
    return False
