"""`edge policy at`: a day's law as text, as JSON, and as a page of the manual. Pure: text out."""

from collections.abc import Iterable
from datetime import date

import orjson

from edge.config.law import Law, Line, law_on, numbers_text, span_text
from edge.config.rulebook import RuleBook, days_of
from edge.config.ruleset_schema import ContextEntry, RulesetDocument

_CONF = "P official text, S one secondary source, S2 several, U unverified, GAP not found, derived, design"


def page(book: RuleBook, day: date) -> str:
    """For a terminal: one block a category, one line a context."""
    law = law_on(book, day)
    lines = [f"{law.name} on {day}", *_changes(law), ""]
    lines += [f"  {context.id:<14} {_who(context)}" for context in book.document.contexts]
    for category in law.categories:
        lines += ["", f"{category.id}: {category.title}", f"  {numbers_text(category)}"]
        lines += [_told(line) for line in law.lines if line.category == category.id]
    lines += ["", f"never stopped: {', '.join(law.always) or 'none'}"]
    lines += [f"switch {name} = {value}" for name, value in book.choices.items()]
    return "\n".join(lines)


def json_text(book: RuleBook, day: date) -> str:
    """The same for programs."""
    law = law_on(book, day)
    return orjson.dumps(
        {
            "ruleset": book.document.ruleset,
            "version": book.document.version,
            "day": day,
            "in_force_since": law.changed,
            "next_change": law.changes,
            "switches": book.choices,
            "always": law.always,
            "categories": [
                {
                    "id": category.id,
                    "title": category.title,
                    "prefixes": [f"+{prefix}" for prefix in category.prefixes],
                    "short": category.short,
                    "rules": [_mapping(line) for line in law.lines if line.category == category.id],
                }
                for category in law.categories
            ],
        },
        option=orjson.OPT_INDENT_2,
    ).decode()


def reference(document: RulesetDocument) -> str:
    """docs/rulesets.md: every rule of a ruleset with its days."""
    lines = [
        f"## `{document.ruleset}`, version {document.version}",
        "",
        f"{document.title}.",
        "",
        f"The facts were last looked up on {document.reviewed}; days are those of {document.timezone}.",
        f"Confidence: {_CONF}.",
        "",
        "Something changes on " + ", ".join(str(day) for day in days_of(document)[1:]) + ".",
        "",
        "| context | a call |",
        "|---|---|",
        *[f"| `{context.id}` | {context.title}: {_who(context)} |" for context in document.contexts],
        "",
        f"Emergency numbers: {', '.join(document.emergency.numbers)} ({document.emergency.basis}).",
        *[f"`urn:service:{entry.service}` (RFC 5031): {entry.number}." for entry in document.emergency.services],
        "",
        "| switch | question | values | rests on |",
        "|---|---|---|---|",
    ]
    for switch in document.switches:
        values = ", ".join(f"**`{value}`**" if value == switch.default else f"`{value}`" for value in switch.values)
        lines.append(f"| `{switch.id}` | {switch.question} | {values} | {switch.basis} ({switch.conf}) |")
    lines += ["", "The value in bold is in force unless `[numbers.switches]` says otherwise.", ""]
    for always in document.cli_allow_always:
        lines.append(
            f"Never stopped: +{always.number}, {always.why} ({span_text(always.since, always.until)}; {always.basis})."
        )
    for category in document.categories:
        lines += ["", f"### `{category.id}`", "", f"{category.title}; {span_text(category.since, category.until)}.", ""]
        alone = " Nobody but the number's own access may show it." if category.delegation == "forbidden" else ""
        lines += [f"Numbers: {numbers_text(category)}. {category.basis} ({category.conf}).{alone}", ""]
        lines += ["| context | action | days | rests on | confidence |", "|---|---|---|---|---|"]
        for rule in category.rules:
            action = f"`{rule.action}`" + (f", unless `{rule.unless}`" if rule.unless else "")
            action += f"; signed, not verified: `{rule.signed}`" if rule.signed else ""
            contexts = ", ".join(f"`{context}`" for context in rule.contexts)
            days = span_text(rule.since, rule.until)
            lines.append(f"| {contexts} | {action} | {days} | {rule.basis} | {rule.conf} |")
    return "\n".join(lines) + "\n"


def _changes(law: Law) -> Iterable[str]:
    since = "always" if law.changed is None else f"since {law.changed}"
    yield f"in force {since}; " + ("no later change is known" if law.changes is None else f"changes on {law.changes}")


def _who(context: ContextEntry) -> str:
    if context.classes:
        return "ingress class " + " or ".join(context.classes)
    return "account kind " + " or ".join(context.kinds)


def _told(line: Line) -> str:
    if not line.basis:
        return f"  {line.context:<14} {line.action}, no rule"
    action = f"{line.action} (switch {line.switch})" if line.switch else line.action
    unless = f", unless {line.unless}" if line.unless else ""
    unless += f"; signed, not verified: {line.signed}" if line.signed else ""
    return f"  {line.context:<14} {action}{unless}, {span_text(line.since, line.until)}; {line.basis} [{line.conf}]"


def _mapping(line: Line) -> dict[str, str | date | None]:
    return {name: value for name, value in line._asdict().items() if name != "category"}
