"""What a decision leaves in the record of an attempt: what policy found out, what the limits answered. Pure."""

from typing import Final

from edge.config.account_policy import AccountPolicy
from edge.policy.attempt import CallAttempt
from edge.policy.attestation import attestation_of
from edge.policy.evidence import evidence
from edge.policy.identity import known_by
from edge.proxy.facts import CallFacts
from limits.model import GROUP, KINDS, Admitted, Denied, InForce, Limit, Unavailable

ANONYMOUS: Final = "anonymous"
"""`cli_rewritten` of a masked caller."""


def note_judged(attempt: CallAttempt, facts: CallFacts) -> None:
    """What policy found out, for the record."""
    if attempt.account is not None:
        note_account(facts, attempt.account)
    facts.automated = attempt.automated
    if attempt.purpose != "none":
        facts.purpose = attempt.purpose
        facts.tags += (attempt.purpose,)
    if attempt.ingress is not None:
        facts.ingress_trunk = attempt.ingress.id
        facts.identified_by = known_by(attempt)
        if attempt.ingress.trusted:
            facts.attestation, facts.attestation_source = attestation_of(attempt.request)
    facts.ingress_class = attempt.ingress_class
    facts.cli_original = attempt.cli_original
    facts.cli_presented = attempt.cli_presented
    facts.cli_network = attempt.cli_network
    facts.called_original = attempt.called_original
    facts.called = attempt.called
    facts.withheld = attempt.withheld
    facts.emergency = attempt.emergency
    facts.listener = attempt.listener
    facts.route = attempt.route
    facts.rule = attempt.rule
    facts.headers = evidence(attempt)
    if attempt.shadowed:
        facts.shadowed = tuple(attempt.shadowed)
    facts.ruleset = attempt.ruleset
    if attempt.tags:
        facts.tags += tuple(attempt.tags)
    if attempt.treatment == "mask":
        facts.cli_rewritten = ANONYMOUS
    elif attempt.substitute:
        facts.cli_rewritten = attempt.substitute
    if attempt.shadow:
        facts.cli_shadowed = tuple(attempt.shadow)
    if attempt.rate is not None:
        facts.rate_prefix, facts.zone, facts.price = attempt.rate


def note_account(facts: CallFacts, account: AccountPolicy) -> None:
    """Whose attempt it is."""
    facts.account = account.id
    facts.external_id = account.external_id
    facts.tags = account.tags
    facts.account_kind = account.kind
    facts.automated = account.kind == "automated"


def note_decided(facts: CallFacts, holder: str, outcome: Admitted | Denied | Unavailable, now: float) -> None:
    """The limits' answer for the account, its group or its professional."""
    facts.decided_at = now
    is_own = holder == facts.account or not holder.startswith(KINDS)
    if not is_own and holder.startswith(GROUP):
        facts.group = holder[len(GROUP) :]
    if isinstance(outcome, Admitted):
        facts.decided_by = "limits"
        facts.shadowed += outcome.shadowed
        if is_own:
            facts.in_use = outcome.in_use
            facts.hold_micros = outcome.held_micros
            facts.holds = 1 if outcome.paid_s else 0
            # Not through its own constructor, which costs four times as much.
            facts.in_force = tuple.__new__(
                InForce, (outcome.generation, outcome.caps, outcome.ceiling, outcome.caps_lots, outcome.call_lots)
            )
    elif isinstance(outcome, Denied):
        facts.decided_by = "limits"
        facts.limit, facts.ceiling = outcome.limit.value, outcome.ceiling
        if outcome.name:
            facts.limit += f":{outcome.name}"
        facts.limit_holder, facts.limit_in_use = holder, outcome.in_use
        if is_own:
            facts.in_force = outcome.in_force
            if outcome.limit is Limit.CALLS:
                facts.in_use = outcome.in_use
    else:
        facts.decided_by = "store_away"
