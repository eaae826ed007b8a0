"""What a ruleset says on one day, line by line: for `edge policy at` and for the reference. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from edge.config.rulebook import RuleBook, chosen_action, days_of, is_on
from edge.config.ruleset_schema import CategoryEntry


class Line(NamedTuple):
    """What becomes of one category of CLI in one context."""

    category: str
    context: str
    action: str
    """What is done, a switch already turned."""
    switch: str
    """The switch that says so; empty: none does."""
    since: date | None
    until: date | None
    unless: str
    basis: str
    conf: str
    signed: str = ""
    """What is done instead with a call that carries a signature nobody has verified; empty: the same."""


class Law(NamedTuple):
    """A ruleset on one day."""

    name: str
    day: date
    categories: tuple[CategoryEntry, ...]
    """Those that exist on that day."""
    lines: tuple[Line, ...]
    always: tuple[str, ...]
    """CLIs that nothing may stop."""
    changed: date | None
    """The day since which all this holds; None: always."""
    changes: date | None
    """The next day on which some of it changes, as far as is known."""


def law_on(book: RuleBook, day: date) -> Law:
    """The ruleset in force on this day, with the operator's choices in it."""
    document = book.document
    categories = tuple(entry for entry in document.categories if is_on(entry, day))
    days = days_of(document)[1:]
    return Law(
        name=book.name,
        day=day,
        categories=categories,
        lines=tuple(_lines(book, categories, day)),
        always=tuple(f"+{entry.number}" for entry in document.cli_allow_always if is_on(entry, day)),
        changed=max((one for one in days if one <= day), default=None),
        changes=min((one for one in days if one > day), default=None),
    )


def numbers_text(category: CategoryEntry) -> str:
    """The numbers of a category, as a reader wants them."""
    words = [f"+{prefix}" for prefix in category.prefixes] + list(category.short)
    if category.is_foreign:
        words.append("every number outside the plan")
    return " ".join(words) or ("not a number" if category.is_state else "none")


def span_text(since: date | None, until: date | None) -> str:
    """`2023-01-01 to 2025-12-31`, `from 2026-01-01`, `always`: both days are ones on which it holds."""
    if until is None:
        return "always" if since is None else f"from {since}"
    last = date.fromordinal(until.toordinal() - 1)
    return f"until {last}" if since is None else f"{since} to {last}"


def _lines(book: RuleBook, categories: Iterable[CategoryEntry], day: date) -> Iterator[Line]:
    for category in categories:
        ruled: set[str] = set()
        for rule in category.rules:
            if is_on(rule, day):
                switch = rule.action.removeprefix("switch:") if rule.action.startswith("switch:") else ""
                action = book.choices[switch] if switch else rule.action
                ruled.update(rule.contexts)
                for context in rule.contexts:
                    span = (rule.since or category.since, rule.until or category.until)
                    said = (rule.unless or "", rule.basis, rule.conf, chosen_action(rule.signed or "", book.choices))
                    yield Line(category.id, context, action, switch, *span, *said)
        for entry in book.document.contexts:
            if entry.id not in ruled:
                yield Line(category.id, entry.id, "allow", "", None, None, "", "", "")
