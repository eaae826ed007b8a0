"""Rulesets: one country's law as a document, read from a text with the exact place of every fault. Pure.

The built-in ones are packaged beside the code (`rulesets/NAME.toml`) and read like it, once. What a ruleset says at an
instant is compiled in `rulebook`.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from edge.config.errors import PolicyError, Problem
from edge.config.faults import close_or_all, details_of, message_of, path_of, read_toml
from edge.config.plan import STATES, NumberPlan
from edge.config.ruleset_schema import CategoryEntry, Dated, PlanEntry, RuleEntry, RulesetDocument

BUILT_IN_RULESETS = ("fr-arcep",)
"""Names a policy document may use without a file."""


def parse_ruleset(text: str, file_name: str = "") -> RulesetDocument:
    """A ruleset from TOML. Raises PolicyError with every fault found, each with `file_name` before its place."""
    mapping = read_toml(text, PolicyError, file_name)
    before = f"{file_name}: " if file_name else ""
    try:
        document = RulesetDocument.model_validate(mapping)
    except ValidationError as error:
        raise PolicyError(
            Problem(before + path_of(detail["loc"]), message_of(detail, "")) for detail in details_of(error)
        ) from error
    problems = [Problem(before + problem.path, problem.message) for problem in _check(document)]
    if problems:
        raise PolicyError(problems)
    return document


@cache
def built_in_ruleset(name: str) -> RulesetDocument:
    """The packaged ruleset of this name."""
    file = resources.files("edge.config") / "rulesets" / f"{name}.toml"
    return parse_ruleset(file.read_text("utf-8"), f"{name}.toml")


def plan_of(document: RulesetDocument) -> NumberPlan:
    """The numbering plan of a ruleset."""
    entry = document.plan
    return NumberPlan(
        nsn_digits={code.code: code.digits for code in entry.codes},
        trunk_prefix=entry.trunk_prefix,
        international_prefixes=entry.international_prefixes,
        roots={root: group.code for group in entry.roots for root in group.roots},
        home_exceptions=entry.home_exceptions,
        extended_prefixes=entry.extended_prefixes,
        extended_digits=entry.extended_digits,
        portability_digits=entry.portability_digits,
        emergency=[number for text in document.emergency.numbers for number in numbers_of(text)],
        emergency_prefixes=[f"+{prefix}" for prefix in document.emergency.prefixes],
        services={entry.service: entry.number for entry in document.emergency.services},
        is_bare_national=entry.bare_national,
    )


def numbers_of(text: str) -> list[str]:
    """The short numbers of `15` or `17-18`."""
    first, last = ends_of(text)
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]


def ends_of(text: str) -> tuple[str, str]:
    """First and last of a range of short numbers; both have one length."""
    first, _, last = text.partition("-")
    return first, last or first


def overlap(one: Dated, other: Dated) -> bool:
    """Is there a day on which both are in force?"""
    return (one.since or date.min) < (other.until or date.max) and (other.since or date.min) < (one.until or date.max)


def _check(document: RulesetDocument) -> Iterator[Problem]:
    try:
        ZoneInfo(document.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Problem("timezone", f"expected a time zone such as Europe/Paris, got {document.timezone!r}")
    yield from _check_plan(document.plan)
    for name, ids in (
        ("contexts", [context.id for context in document.contexts]),
        ("switches", [switch.id for switch in document.switches]),
        ("categories", [category.id for category in document.categories]),
        ("thresholds", [threshold.id for threshold in document.thresholds]),
    ):
        for index, word in enumerate(ids):
            if word in ids[:index]:
                yield Problem(f"{name}[{index}].id", f"{word!r} is defined twice")
    for index, switch in enumerate(document.switches):
        if switch.default not in switch.values:
            yield Problem(f"switches[{index}].default", f"expected one of {', '.join(switch.values)}")
    for index, always in enumerate(document.cli_allow_always):
        yield from _check_days(f"cli_allow_always[{index}]", always)
    yield from _check_emergency(document)
    yield from _check_services(document)
    for index, category in enumerate(document.categories):
        yield from _check_category(document, index, category)


def _check_plan(plan: PlanEntry) -> Iterator[Problem]:
    codes = [entry.code for entry in plan.codes]
    for index, code in enumerate(codes):
        if code[0] == "0" or len(code) > 3:
            yield Problem(f"plan.codes[{index}].code", "expected a country code: 1 to 3 digits, the first not 0")
        if code in codes[:index]:
            yield Problem(f"plan.codes[{index}].code", f"country code {code!r} is defined twice")
    for index, entry in enumerate(plan.roots):
        if entry.code not in codes:
            yield Problem(f"plan.roots[{index}].code", f"no country code {entry.code!r}; known: {', '.join(codes)}")
        for place, root in enumerate(entry.roots):
            if not root.startswith(plan.trunk_prefix):
                expected = f"expected it to begin with the trunk prefix {plan.trunk_prefix}"
                yield Problem(f"plan.roots[{index}].roots[{place}]", expected)
    if bool(plan.extended_prefixes) != bool(plan.extended_digits):
        yield Problem("plan.extended_digits", "expected together with extended_prefixes, or neither")


def _check_emergency(document: RulesetDocument) -> Iterator[Problem]:
    for place, text in enumerate(document.emergency.numbers):
        if not _is_range(text):
            yield Problem(
                f"emergency.numbers[{place}]", f"expected the lower number first, of one length, got {text!r}"
            )


def _check_services(document: RulesetDocument) -> Iterator[Problem]:
    known = {number for text in document.emergency.numbers for number in numbers_of(text)}
    names = [entry.service for entry in document.emergency.services]
    for place, entry in enumerate(document.emergency.services):
        if entry.service in names[:place]:
            yield Problem(f"emergency.services[{place}].service", f"{entry.service!r} is defined twice")
        if entry.number not in known:
            yield Problem(f"emergency.services[{place}].number", f"{entry.number} is not among emergency.numbers")


def _check_category(document: RulesetDocument, index: int, category: CategoryEntry) -> Iterator[Problem]:
    path = f"categories[{index}]"
    yield from _check_days(path, category)
    if category.is_state != (category.id in STATES):
        yield Problem(f"{path}.is_state", f"expected true for {', '.join(STATES)}, and for no other")
    for place, text in enumerate(category.short):
        if not _is_range(text):
            yield Problem(f"{path}.short[{place}]", f"expected the lower number first, of one length, got {text!r}")
    for earlier in document.categories[:index]:
        if overlap(earlier, category):
            if category.is_foreign and earlier.is_foreign:
                yield Problem(f"{path}.is_foreign", f"{earlier.id!r} is that already")
            for place, prefix in enumerate(category.prefixes):
                if prefix in earlier.prefixes:
                    yield Problem(f"{path}.prefixes[{place}]", f"{prefix!r} already belongs to {earlier.id!r}")
    contexts = [context.id for context in document.contexts]
    switches = {f"switch:{switch.id}" for switch in document.switches}
    for place, rule in enumerate(category.rules):
        where = f"{path}.rules[{place}]"
        yield from _check_days(where, rule)
        for name, action in (("action", rule.action), ("signed", rule.signed or "")):
            if action.startswith("switch:") and action not in switches:
                yield Problem(f"{where}.{name}", f"no switch named {action[7:]!r}")
        if rule.unless is not None and rule.unless not in [threshold.id for threshold in document.thresholds]:
            yield Problem(f"{where}.unless", f"no threshold named {rule.unless!r}")
        for context in rule.contexts:
            if context not in contexts:
                fault = f"no context named {context!r}; {close_or_all(context, dict.fromkeys(contexts))}"
                yield Problem(f"{where}.contexts", fault)
            elif _is_twice(context, rule, category.rules[:place]):
                yield Problem(where, f"another rule for context {context!r} is in force on some of these days")


def _is_twice(context: str, rule: RuleEntry, earlier: Sequence[RuleEntry]) -> bool:
    return any(context in other.contexts and overlap(rule, other) for other in earlier)


def _check_days(path: str, entry: Dated) -> Iterator[Problem]:
    if entry.since is not None and entry.until is not None and entry.since >= entry.until:
        yield Problem(f"{path}.until", f"expected a day after {entry.since}, got {entry.until}")


def _is_range(text: str) -> bool:
    first, _, last = text.partition("-")
    return not last or (len(first) == len(last) and first <= last)
