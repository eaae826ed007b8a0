"""What is in force of the sections `quality`, `penalties` and `billing`: from the policy document, kept in the store
for all.

Every node writes them there when it loads its policy; what counts, judges, closes and prints reads them there, so that
all of it goes by one text. Where nobody has written any, the contract's defaults are in force. Pure.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ValidationError

from edge.config.fields import Section
from edge.config.money import format_money, parse_money
from edge.config.quality import Billing, Penalties, Quality, rules_in_force
from edge.quality.penalties import CASES
from edge.quality.rules import Metric, Rule
from edge.quality.sampling import Definition

if TYPE_CHECKING:
    from edge.config.schema import PolicyDocument

DOCUMENT = "quality"
"""Its name among the store's documents."""


class Lots(NamedTuple):
    """What lots cost a month, in micro-units, and how a part of a month is billed."""

    caps_micros: int
    calls_micros: int
    by: str


@dataclass(frozen=True)
class Terms:
    """Built once, then only read."""

    quality: Quality = field(default_factory=Quality.unwritten)
    penalties: Penalties = field(default_factory=Penalties.unwritten)
    billing: Billing = field(default_factory=Billing.unwritten)
    currency: str = "EUR"

    @cached_property
    def definition(self) -> Definition:
        """What counts."""
        quality = self.quality
        return Definition(
            zone=self.zone,
            counted_at=quality.counted_at,
            uncounted=frozenset(quality.uncounted),
            short_ms=quality.short_s * 1_000,
            effective_statuses=frozenset(quality.effective_statuses),
            effective_causes=frozenset(quality.effective_causes),
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        """Whose clock hours and months."""
        return ZoneInfo(self.quality.time_zone)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """What judges."""
        return tuple(
            Rule(
                id=entry.id,
                metric=Metric(entry.metric),
                threshold=entry.threshold,
                minimum=entry.minimum,
                margin=entry.margin,
                window=entry.window,
                penalty_micros=entry.penalty,
                per=entry.per,
                action=entry.action if entry.of == "accounts" else "notify",
                throttle_caps=entry.throttle_caps,
                rest_s=entry.rest_s,
                accounts=frozenset(entry.accounts),
                is_of_trunks=entry.of == "trunks",
            )
            for entry in rules_in_force(self.quality)
        )

    def rules_for(self, holder: str) -> tuple[Rule, ...]:
        """Those that judge this account or trunk (`trunk:ID`)."""
        return tuple([rule for rule in self.rules if rule.applies_to(holder)])

    def case_micros(self, kind: str) -> int:
        """What a case of `penalties.CASES` costs."""
        amounts = {name: getattr(self.penalties, name) for name in CASES}
        return int(amounts[kind])

    @property
    def keep_s(self) -> int:
        """For how long the counts of an hour are kept."""
        return self.quality.keep_days * 86_400

    def to_text(self) -> str:
        """As the store keeps it."""
        sections = {"quality": self.quality, "penalties": self.penalties, "billing": self.billing}
        written = {name: _written(section) for name, section in sections.items()}
        return json.dumps({"currency": self.currency, **written}, sort_keys=True)


def terms_of(document: "PolicyDocument") -> Terms:
    """What a policy document says."""
    return Terms(document.quality, document.penalties, document.billing, document.currency)


def read_terms(text: str | None) -> Terms:
    """From the store; None or something unreadable (a newer version's): the contract's defaults."""
    if text is None:
        return Terms()
    try:
        found = json.loads(text)
        return Terms(
            Quality.model_validate(found["quality"]),
            Penalties.model_validate(found["penalties"]),
            Billing.model_validate(found["billing"]),
            str(found["currency"]),
        )
    except (ValueError, KeyError, TypeError, ValidationError):
        return Terms()


def _written(section: Section) -> dict[str, object]:
    """As an operator would write it: amounts as decimal text."""
    written: dict[str, object] = {}
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if BeforeValidator(parse_money) in info.metadata:
            written[name] = format_money(value)
        elif isinstance(value, tuple):
            written[name] = [_written(item) if isinstance(item, Section) else item for item in value]
        else:
            written[name] = value
    return written
