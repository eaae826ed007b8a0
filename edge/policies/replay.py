"""Attempts of the past under another document: what would be decided otherwise, before it is in force. Pure.

Each attempt is judged at its own instant. The limits are not asked again: what they refused counts as let pass by
policy. How often somebody was called is counted within the records (`stream_counts`), beside the verdicts.

`Replay` adds up as records come, so that a day of them takes no more memory than an hour.
"""

from collections import Counter
from typing import NamedTuple

from edge.config.snapshot import PolicySnapshot
from edge.policies.rebuilt import PASSED, Record, Then, Unreadable, attempt_of, lacks, number, text, then
from edge.policies.stream_counts import StreamCounts
from edge.policy.attempt import CallAttempt
from edge.policy.explain import explain
from edge.policy.pipeline import judge
from limits.rates import cost

MAX_EXAMPLES = 3
"""Calls told of each change."""
MAX_ACCOUNTS = 10_000
"""Accounts told apart; the rest are together."""
MAX_KINDS = 1_000
"""Kinds of change told apart."""
OTHERS = "(others)"
_ANONYMOUS = "anonymous"
"""As the record names a number that was masked."""


class Change(NamedTuple):
    """A kind of change: from which verdict to which, and by what."""

    before: str
    after: str
    rule_before: str = ""
    """The CLI rule that refused then; empty: none did."""
    rule_after: str = ""
    """The rule, list, route or trunk by which it would be refused now."""

    def __str__(self) -> str:
        return f"{_with_rule(self.before, self.rule_before)} -> {_with_rule(self.after, self.rule_after)}"


def _with_rule(verdict: str, rule: str) -> str:
    return f"{verdict} by {rule}" if rule else verdict


def _is_of_rule(verdict: str) -> bool:
    """Only what is refused for its CLI was refused by the rule that the record names."""
    return verdict.startswith("cli_")


class Example(NamedTuple):
    """One call that would fare otherwise."""

    uid: str
    account: str
    cli: str
    called: str
    received_at: str


class Replay:
    """The sum of what was judged again."""

    def __init__(self, snapshot: PolicySnapshot) -> None:
        self._snapshot = snapshot
        self._weighted = {route.id for routes in snapshot.routes.values() for route in routes if route.is_weighted}
        self.records = 0
        self.attempts = 0
        """More than records, where one stands for several of a stranger."""
        self.first = self.last = ""
        """Instants of the earliest and the latest record."""
        self.same = 0
        self.changes: Counter[Change] = Counter()
        self.examples: dict[Change, list[Example]] = {}
        self.bases: dict[Change, str] = {}
        """What a refusal that is new rests on."""
        self.by_account: dict[str, Counter[Change]] = {}
        self.rerouted: Counter[tuple[str, str]] = Counter()
        """(trunk tried first then, now)"""
        self.shown: Counter[tuple[str, str]] = Counter()
        """How the number leaves: (then, now)"""
        self.shadow: Counter[str] = Counter()
        """What would have been noted in the shadow."""
        self.priced = 0
        """Answered calls whose price is known both ways."""
        self.cost_before = self.cost_after = 0
        """Of those, in micro-units."""
        self.unjudged: Counter[str] = Counter()
        self.lacking: Counter[str] = Counter()
        self.counts = StreamCounts()
        self.by_limits = 0
        """Attempts that limits or the network had refused after policy had let them pass."""

    def add(self, record: Record) -> None:
        """One record. What is none of ours is counted."""
        self.records += 1
        count = max(1, number(record, "attempts"))
        self.attempts += count
        try:
            before = then(record)
            attempt = attempt_of(record, self._snapshot)
        except Unreadable as why:
            self.unjudged[str(why)] += count
            return
        lack = lacks(record)
        if lack:
            self.lacking[lack] += count
        instant = text(record, "received_at")
        self.first, self.last = min(self.first or instant, instant), max(self.last, instant)
        if before.verdict == PASSED and text(record, "outcome") == "refused":
            self.by_limits += count
        verdict = judge(attempt, self._snapshot)
        after = PASSED if verdict is None else verdict.reason.value
        for word in (*attempt.shadow, *attempt.shadowed):
            self.shadow[word] += count
        if after == before.verdict:
            self.same += count
        else:
            rule, basis = self._decisive(record) if verdict is not None else ("", "")
            change = Change(before.verdict, after, before.rule if _is_of_rule(before.verdict) else "", rule)
            self._note(change, basis, record, count)
        if verdict is None:
            self.counts.add(attempt, record)
        if after == before.verdict == PASSED:
            self._compare(before, attempt, record)

    def _decisive(self, record: Record) -> tuple[str, str]:
        """The rule that refuses now, and what it rests on."""
        step = explain(attempt_of(record, self._snapshot), self._snapshot).steps[-1]
        return step.rule, str(step.basis or "")

    def _note(self, change: Change, basis: str, record: Record, count: int) -> None:
        if change not in self.changes and len(self.changes) >= MAX_KINDS:
            change = Change(OTHERS, OTHERS)
        self.changes[change] += count
        self.bases[change] = basis
        account = text(record, "account")
        if account not in self.by_account and len(self.by_account) >= MAX_ACCOUNTS:
            account = OTHERS
        self.by_account.setdefault(account, Counter())[change] += count
        examples = self.examples.setdefault(change, [])
        if len(examples) < MAX_EXAMPLES:
            cli = text(record, "cli_presented") or text(record, "cli_original")
            called = text(record, "called") or text(record, "called_original")
            examples.append(Example(text(record, "uid"), account, cli, called, text(record, "received_at")))

    def _compare(self, before: Then, attempt: CallAttempt, record: Record) -> None:
        """Policy let it pass, and would again: the same way, at the same price, with the same number shown?"""
        names = [trunk.id for trunk in attempt.candidates]
        if before.trunk and names:
            is_weighted = attempt.route in self._weighted
            if before.trunk not in names if is_weighted else before.trunk != names[0]:
                self.rerouted[before.trunk, names[0]] += 1
        after = _ANONYMOUS if attempt.treatment == "mask" else attempt.substitute
        if after != before.rewritten:
            self.shown[before.rewritten or "as it came", after or "as it came"] += 1
        if text(record, "outcome") == "answered" and (attempt.rate is not None or number(record, "first_s")):
            self.priced += 1
            self.cost_before += number(record, "cost_micros")
            self.cost_after += 0 if attempt.rate is None else cost(attempt.rate.price, number(record, "duration_ms"))
