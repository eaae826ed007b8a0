"""A ruleset compiled for use: what it says at an instant, as look-ups. Pure.

The dates of a ruleset cut time into eras; within one nothing changes. An attempt is judged by the era of its instant,
so that yesterday's attempts can be judged by yesterday's law.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge.config.plan import CACHE_LIMIT, FOREIGN, NUMBER, UNREADABLE, Reading
from edge.config.refusals import Reason
from edge.config.ruleset_schema import (
    ACTIONS,
    CategoryEntry,
    ContextEntry,
    Dated,
    RuleEntry,
    RulesetDocument,
    ThresholdEntry,
)
from edge.config.rulesets import ends_of, plan_of

ALWAYS = float("inf")
"""The instant after every date: the rules that are in force last."""

_SEVERITY = {action: place for place, action in enumerate(ACTIONS)}


class Ruling(NamedTuple):
    """What becomes of a CLI."""

    action: str
    """`allow`, `tag`, `allow_if_listed`, `substitute`, `mask` or `deny`."""
    id: str
    """`geographic.intl_unauth`: category and context; in the CDR."""
    reason: Reason
    unless: str
    """A counted fact of the account that lifts it; empty: none."""
    basis: str
    conf: str
    signed: str = ""
    """The action instead, where the call carries a signature that nobody here has verified; empty: the same."""


class Category(NamedTuple):
    """What holds of its numbers whatever the context."""

    id: str
    is_delegable: bool
    requires: str
    """A tag without which no account may show it; empty: none."""


class Era:
    """The rules between two instants."""

    __slots__ = (
        "_categories",
        "_lengths",
        "_longest",
        "_prefixes",
        "_rulings",
        "_seen",
        "_short",
        "always",
        "contexts",
        "end",
        "rules",
        "start",
    )

    def __init__(
        self,
        start: float,
        end: float,
        contexts: tuple[ContextEntry, ...],
        rules: Mapping[tuple[str, str], Ruling],
        categories: Sequence[CategoryEntry],
        prefixes: Mapping[str, str],
        always: frozenset[str],
    ) -> None:
        """`rules`: by category and context. `prefixes`: E.164 beginning with its plus -> category."""
        self.start = start
        """UTC seconds."""
        self.end = end
        self.contexts = contexts
        self.rules = dict(rules)
        self.always = always
        """CLIs that nothing may stop."""
        self._prefixes = dict(prefixes)
        self._lengths = tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True))
        self._longest = max(self._lengths, default=0)
        """No prefix looks further: what is known of a beginning is known of every number that has it."""
        self._short = tuple((*ends_of(text), entry.id) for entry in categories for text in entry.short)
        self._categories = {
            entry.id: Category(entry.id, entry.delegation == "allowed", entry.requires or "") for entry in categories
        }
        self._seen: dict[str, str] = {}
        self._rulings: dict[tuple[str, str, str], Ruling] = {}

    def category_of(self, e164: str) -> str:
        """The category of a number in E.164, by the longest prefix."""
        beginning = e164[: self._longest]
        found = self._seen.get(beginning)
        if found is None:
            found = FOREIGN
            for length in self._lengths:
                category = self._prefixes.get(beginning[:length])
                if category is not None:
                    found = category
                    break
            if len(self._seen) >= CACHE_LIMIT:
                self._seen.clear()
            self._seen[beginning] = found
        return found

    def category_of_reading(self, reading: Reading) -> str:
        """The category of what was written: of the number, of the short number, else its state."""
        e164, state, text = reading
        if state == NUMBER:
            return self.category_of(e164)
        if state == UNREADABLE and reading.number:
            for first, last, category in self._short:
                if len(text) == len(first) and first <= text <= last:
                    return category
        return state

    def category(self, name: str) -> Category | None:
        """What holds of a category; None for one that the ruleset does not have."""
        return self._categories.get(name)

    def ruling(self, category: str, ingress_class: str, kind: str) -> Ruling:
        """What becomes of a CLI of this category: the hardest of what the contexts of such a call say."""
        key = (category, ingress_class, kind)
        found = self._rulings.get(key)
        if found is None:
            found = self._rulings[key] = self._rule(category, ingress_class, kind)
        return found

    def contexts_of(self, ingress_class: str, kind: str) -> list[ContextEntry]:
        """The contexts of a call: the first one by its class, else by its kind; then those that count beside."""
        by_class = [context for context in self.contexts if ingress_class in context.classes][:1]
        return by_class + [
            context for context in self.contexts if kind in context.kinds and (not by_class or context.beside)
        ]

    def is_customers(self, ingress_class: str) -> bool:
        """Does no context claim this class: is it one by which customers call?"""
        return not any(ingress_class in context.classes for context in self.contexts)

    def _rule(self, category: str, ingress_class: str, kind: str) -> Ruling:
        found = Ruling("allow", "", Reason.CLI_REFUSED, "", "", "")
        if category not in self._categories:  # one of the policy document's own: no law, but the account's list
            action = "allow_if_listed" if self.is_customers(ingress_class) else "allow"
            return found._replace(action=action, id=f"{category}.house" if action != "allow" else "")
        for context in self.contexts_of(ingress_class, kind):
            rule = self.rules.get((category, context.id))
            if rule is not None and _SEVERITY[rule.action] >= _SEVERITY[found.action]:
                found = rule
        return found


class RuleBook:
    """A ruleset with an operator's choices in it."""

    __slots__ = ("_starts", "choices", "document", "eras", "name", "plan", "thresholds")

    def __init__(
        self,
        document: RulesetDocument,
        *,
        switches: Mapping[str, str] | None = None,
        categories: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`switches`: values chosen, by switch. `categories`: more prefixes, with their plus, by category."""
        self.document = document
        self.name = f"{document.ruleset} {document.version}"
        """As the CDR has it."""
        self.plan = plan_of(document)
        chosen = {switch.id: switch.default for switch in document.switches} | dict(switches or {})
        more = {prefix: name for name, prefixes in (categories or {}).items() for prefix in prefixes}
        self.thresholds: Mapping[str, ThresholdEntry] = {entry.id: entry for entry in document.thresholds}
        """Counted facts that lift a rule, by their name."""
        self.choices = chosen
        """Value of every switch."""
        days = days_of(document)
        self._starts = [_instant(day, document.timezone) for day in days]
        ends = [*self._starts[1:], ALWAYS]
        self.eras = tuple(_era(document, day, end, chosen, more) for day, end in zip(days, ends, strict=True))

    def at(self, wall: float) -> Era:
        """The era of an instant in UTC seconds."""
        last = self.eras[-1]
        # Nearly every attempt is of now, and now is most often after the latest date.
        return last if wall >= last.start else self.eras[max(0, bisect_right(self._starts, wall) - 1)]

    def choice(self, switch: str, otherwise: str) -> str:
        """The value of a switch; `otherwise` where the ruleset has no such."""
        return self.choices.get(switch, otherwise)

    def on(self, day: date) -> Era:
        """The era in which a day of the ruleset's time zone begins."""
        return self.at(_instant(day, self.document.timezone))


def is_on(entry: Dated, day: date) -> bool:
    """Is it in force on this day?"""
    return (entry.since or date.min) <= day < (entry.until or date.max)


def days_of(document: RulesetDocument) -> list[date]:
    """The first day of every era; the first era has no beginning."""
    entries: list[Dated] = [*document.categories, *document.cli_allow_always]
    entries += [rule for category in document.categories for rule in category.rules]
    return [date.min, *sorted({day for entry in entries for day in (entry.since, entry.until) if day is not None})]


def _instant(day: date, timezone: str) -> float:
    if day == date.min:
        return -ALWAYS
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).timestamp()


def _era(document: RulesetDocument, day: date, end: float, chosen: Mapping[str, str], more: Mapping[str, str]) -> Era:
    categories = [entry for entry in document.categories if is_on(entry, day)]
    foreign = next((entry.id for entry in categories if entry.is_foreign), FOREIGN)
    prefixes = {"+": foreign} if foreign != FOREIGN else {}
    prefixes |= {f"+{prefix}": entry.id for entry in categories for prefix in entry.prefixes}
    rules = {}
    for entry in categories:
        for rule in entry.rules:
            if is_on(rule, day):
                for context in rule.contexts:
                    rules[entry.id, context] = _ruling(entry, context, rule, chosen)
    always = frozenset(f"+{entry.number}" for entry in document.cli_allow_always if is_on(entry, day))
    start = _instant(day, document.timezone)
    return Era(start, end, document.contexts, rules, categories, prefixes | dict(more), always)


def _ruling(category: CategoryEntry, context: str, rule: RuleEntry, chosen: Mapping[str, str]) -> Ruling:
    action, signed = chosen_action(rule.action, chosen), chosen_action(rule.signed or "", chosen)
    unless, reason = rule.unless or "", Reason(rule.reason)
    return Ruling(action, f"{category.id}.{context}", reason, unless, rule.basis, rule.conf, signed)


def chosen_action(action: str, chosen: Mapping[str, str]) -> str:
    """What an action is with these values of the switches."""
    switch = action.removeprefix("switch:")
    return action if switch == action else chosen[switch]
