"""Stage 5: is this number the account's own to present? Pure.

Contract article 9.1.8, CPCE L44, Arcep 2025-2215: the numbers of each customer are listed and it is held to the list.
What becomes of another number is the account's setting: refused, replaced by its default number, masked, or marked.
"""

from typing import Final

from edge.config.account_policy import AccountPolicy
from edge.config.plan import UNAVAILABLE, WITHHELD, Reading
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.lawfulness import MASK, SUBSTITUTE
from edge.policy.numbers import diverting_numbers
from edge.policy.spelling import ABSENT
from edge.policy.verdicts import Reason, Refuse

UNDECLARED: Final = "cli_undeclared"
UNOWNED: Final = "cli_unowned"
FORWARDED: Final = "cli_forwarded"
UNIDENTIFIED: Final = "cli_unidentified"
NOT_DELEGABLE: Final = "cli_not_delegable"
"""Tags: no list is kept; not its own, let pass; not its own, in a call it forwards; withheld, and nothing asserted; on
its list, but of a category that only the number's own access may show: whether this is that access cannot be seen."""


def be_entitled(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Compare the numbers of the attempt with the account's list, where the law or its absence asks for it."""
    account = attempt.account
    if account is None or attempt.is_cleared or not attempt.must_own:
        return None
    if attempt.withheld and account.cli.withheld == "refuse":
        return _refuse(attempt, Reason.CLI_WITHHELD, "withheld")
    if not snapshot.ownership.is_declared(account.id):
        if snapshot.undeclared == "deny" and snapshot.rules_mode == "enforce":
            return _refuse(attempt, Reason.CLI_NOT_OWNED, UNDECLARED)
        if snapshot.undeclared != "allow" and snapshot.rules_mode != "off":
            attempt.tags.append(UNDECLARED)
        return None
    sender = attempt.sender or ABSENT
    if sender.state == WITHHELD or (sender.state == UNAVAILABLE and attempt.withheld):
        return _judge_withheld(attempt, account, snapshot)
    if not _owns(account, sender, snapshot):
        return _judge_unowned(attempt, account, snapshot)
    if not _is_delegable(attempt, sender):
        attempt.tags.append(NOT_DELEGABLE)
    return _judge_network(attempt, account, sender, snapshot)


def _judge_withheld(attempt: CallAttempt, account: AccountPolicy, snapshot: PolicySnapshot) -> Refuse | None:
    """Nothing is shown. What is asserted must be the account's own; where nothing is, its default number is."""
    if not attempt.network:
        if account.cli.default is None:
            attempt.tags.append(UNIDENTIFIED)
        else:
            attempt.substitute = account.cli.default
        return None
    return _judge_network(attempt, account, None, snapshot)


def _judge_unowned(attempt: CallAttempt, account: AccountPolicy, snapshot: PolicySnapshot) -> Refuse | None:
    """From shows another's number: is it a call that the account forwards?"""
    forwarded = account.cli.forwarded
    if forwarded != "refuse":
        diverting = diverting_numbers(attempt.request, snapshot.plan)
        if any(_owns(account, reading, snapshot) for reading in diverting):
            if forwarded == "substitute":
                _treat(attempt, account, SUBSTITUTE, FORWARDED)
                return None
            attempt.tags.append(FORWARDED)
            return None
    if account.cli.unowned == "refuse":
        return _refuse(attempt, Reason.CLI_NOT_OWNED, UNOWNED)
    _treat(attempt, account, account.cli.unowned, UNOWNED)
    return None


def _judge_network(
    attempt: CallAttempt, account: AccountPolicy, sender: Reading | None, snapshot: PolicySnapshot
) -> Refuse | None:
    """P-Asserted-Identity beside From. `sender`: From, where it shows a number."""
    mismatch = account.cli.mismatch
    if mismatch == "ignore":
        return None
    for reading in attempt.network:
        is_same = sender is not None and reading[:2] == sender[:2]
        if is_same or (_owns(account, reading, snapshot) and (mismatch == "owned" or sender is None)):
            continue
        if account.cli.unowned == "refuse":
            return _refuse(attempt, Reason.CLI_MISMATCH, "cli_mismatch")
        _treat(attempt, account, account.cli.unowned, "cli_mismatch")
        return None
    attempt.is_vouched = True
    return None


def _owns(account: AccountPolicy, reading: Reading, snapshot: PolicySnapshot) -> bool:
    number = reading.number
    return number != "" and snapshot.ownership.owns(account.id, number)


def _is_delegable(attempt: CallAttempt, reading: Reading) -> bool:
    era = attempt.era
    category = None if era is None else era.category(era.category_of_reading(reading))
    return category is None or category.is_delegable


def _refuse(attempt: CallAttempt, reason: Reason, rule: str) -> Refuse:
    attempt.rule, attempt.ruleset = rule, ""
    return Refuse(reason)


def _treat(attempt: CallAttempt, account: AccountPolicy, how: str, tag: str) -> None:
    """Mask, substitute or mark. A mask that the law wants stays."""
    attempt.tags.append(tag)
    if how == "tag":
        return
    if attempt.treatment != MASK:
        attempt.treatment = how
        attempt.rule, attempt.ruleset = tag, ""
    if account.cli.default is not None:
        attempt.substitute = account.cli.default
