"""What a ruleset may say: `RulesetDocument`, frozen models of one country's law as a TOML file. Pure.

Shapes are judged here and what one part says of another in `rulesets`. A rule has a first and a last day; the days are
those of the ruleset's time zone. Each rule says what it rests on and how well that is known.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from edge.config.fields import Section

Digits = Annotated[str, StringConstraints(pattern="^[0-9]{1,15}$")]
Word = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,31}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
NumberRange = Annotated[str, StringConstraints(pattern="^[0-9]{2,6}(-[0-9]{2,6})?$")]
Basis = Annotated[str, StringConstraints(pattern="^(law|contract|house)(: .{1,200})?$")]
Confidence = Literal["P", "S", "S2", "U", "GAP", "derived", "design"]
Action = Annotated[
    str, StringConstraints(pattern="^(allow|deny|mask|substitute|allow_if_listed|tag|switch:[a-z][a-z0-9_]{0,31})$")
]
ACTIONS = ("allow", "tag", "allow_if_listed", "substitute", "mask", "deny")
"""From the mildest to the hardest: where several apply, the hardest does."""


class Dated(Section):
    """In force from the first instant of one day to the first instant of another."""

    since: date | None = Field(default=None, alias="from")
    """First day; none: always was."""
    until: date | None = None
    """First day on which it is no longer so; none: no end is known."""


class CodeEntry(Section):
    """A country code of the plan."""

    code: Digits
    digits: tuple[Annotated[int, Field(strict=True, ge=3, le=14)], ...] = Field(min_length=1)
    """Digits that may follow it, the usual number first."""


class RootEntry(Section):
    """National forms that belong to a country code other than home."""

    code: Digits
    roots: tuple[Digits, ...]


class PlanEntry(Section):
    """How numbers are written. The first code is home."""

    codes: tuple[CodeEntry, ...] = Field(min_length=1)
    trunk_prefix: Annotated[str, StringConstraints(pattern="^[0-9]{0,3}$")] = ""
    international_prefixes: tuple[Digits, ...] = ("00",)
    roots: tuple[RootEntry, ...] = ()
    home_exceptions: tuple[Digits, ...] = ()
    extended_prefixes: tuple[Digits, ...] = ()
    extended_digits: Annotated[int, Field(strict=True, ge=0, le=14)] = 0
    portability_digits: Annotated[int, Field(strict=True, ge=0, le=8)] = 0
    bare_national: StrictBool = False
    """A whole national number without its trunk prefix is one of the plan."""


class ContextEntry(Section):
    """A way for a call to come, by which rules differ."""

    id: Word
    title: Text
    classes: tuple[Word, ...] = ()
    """Ingress classes."""
    kinds: tuple[Literal["human", "automated"], ...] = ()
    """Kinds of caller, where no class above has taken the call."""
    beside: bool = False
    """Its kinds count beside a context that was found by class."""


class SwitchEntry(Section):
    """A fact that is not certain, or a matter of choice: the policy document may say otherwise."""

    id: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,31}$")]
    question: Text
    values: tuple[Literal["allow", "deny", "mask", "substitute", "allow_if_listed", "tag"], ...]
    default: str
    basis: Basis
    conf: Confidence


class RuleEntry(Dated):
    """What becomes of a CLI of this category in these contexts, while the rule is in force."""

    contexts: tuple[Word, ...] = Field(min_length=1)
    action: Action
    reason: Literal["cli_refused", "cli_withheld", "cli_invalid", "identity_missing"] = "cli_refused"
    """Token of the refusal where the action is `deny`."""
    unless: Word | None = None
    """A counted fact of the account that lifts the rule."""
    signed: Action | None = None
    """The action instead, where the call carries a signature, or a token that stands for one, not verified here."""
    basis: Basis
    conf: Confidence


class CategoryEntry(Dated):
    """Numbers of one sort."""

    id: Word
    title: Text
    prefixes: tuple[Digits, ...] = ()
    """E.164 beginnings without the plus; the longest over all categories wins."""
    short: tuple[NumberRange, ...] = ()
    """National short numbers, as dialled."""
    is_state: bool = False
    """It is no number, but what the caller wrote instead: withheld, unavailable, malformed, unreadable."""
    is_foreign: bool = False
    """Every number outside the plan."""
    delegation: Literal["allowed", "forbidden"] = "allowed"
    """May anybody but the number's own access show it?"""
    requires: Word | None = None
    """Word among an account's tags without which nobody may show it."""
    basis: Basis
    conf: Confidence
    rules: tuple[RuleEntry, ...] = ()


class AlwaysEntry(Dated):
    """A CLI that nothing may stop."""

    number: Digits
    why: Text
    basis: Basis
    conf: Confidence


class ServiceEntry(Section):
    """A service of RFC 5031, and what is dialled for it here."""

    service: Annotated[str, StringConstraints(pattern=r"^sos(\.[a-z0-9]([a-z0-9-]{0,25}[a-z0-9])?)*$", max_length=100)]
    number: Annotated[str, StringConstraints(pattern="^[0-9]{2,6}$")]


class EmergencyEntry(Section):
    """Whom to call in need."""

    numbers: tuple[NumberRange, ...] = Field(min_length=1)
    prefixes: tuple[Digits, ...] = ()
    services: tuple[ServiceEntry, ...] = ()
    """What is dialled for `urn:service:sos` and its parts. Without a line such a call leaves as it came."""
    basis: Basis
    conf: Confidence


class ThresholdEntry(Section):
    """The small systems that a rule with `unless` spares: any one fact is enough."""

    id: Word
    distinct_called_max: Annotated[int, Field(strict=True, ge=0)]
    window_days: Annotated[int, Field(strict=True, ge=1)]
    outbound_to_inbound_percent_max: Annotated[int, Field(strict=True, ge=0)]
    basis: Basis
    conf: Confidence


class RulesetDocument(Section):
    """One country's rules about the numbers a caller may show."""

    ruleset: Word
    title: Text
    version: date
    """Of the law it states."""
    reviewed: date
    """Day on which the facts were last looked up."""
    timezone: Annotated[str, StringConstraints(max_length=64)]
    """Whose days the dates are."""
    plan: PlanEntry
    emergency: EmergencyEntry
    contexts: tuple[ContextEntry, ...] = Field(min_length=1)
    switches: tuple[SwitchEntry, ...] = ()
    cli_allow_always: tuple[AlwaysEntry, ...] = ()
    thresholds: tuple[ThresholdEntry, ...] = ()
    test_numbers: tuple[str, ...] = ()
    """Ranges kept for fiction: safe in examples and tests."""
    categories: tuple[CategoryEntry, ...] = Field(min_length=1)
