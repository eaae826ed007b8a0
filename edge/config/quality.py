"""The sections `quality`, `penalties` and `billing` of a policy document: contract articles 17.3, 24.4 and 26 to 28 as
data.

Pure; imports pydantic and this room. The defaults are the contract's; what it leaves open has the default that claims
less.
"""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from edge.config.amounts import Credit
from edge.config.fields import MAX_LIST, Cause, ClassName, Identifier, Section


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError('expected a time zone of the IANA list, such as "Europe/Paris"') from error
    return text


Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]


class QualityRuleEntry(Section):
    """One threshold. A rule of the contract is changed by writing one with its name."""

    id: ClassName = Field(description="Name of the rule: in log lines, in the penalty ledger.", examples=["asr"])
    metric: Literal["asr", "ner", "acd", "short", "pdd"] = Field(
        description="What is judged: `asr`, `ner` (%), `acd` (s) are to be above the threshold, `short` (%), `pdd` "
        "(mean, "
        "ms) under it. To stand at it is a breach.",
        examples=["acd"],
    )
    threshold: Annotated[int, Field(strict=True, ge=0, le=86_400_000)] = Field(
        description="In the unit of the metric.", examples=[15]
    )
    minimum: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        default=20,
        description="Samples below which nothing is judged: attempts (`asr`, `ner`), answered calls (`acd`, `short`), "
        "calls "
        "that rang (`pdd`). The contract names none: 1 is its letter.",
        examples=[1],
    )
    margin: Annotated[int, Field(strict=True, ge=0, le=86_400_000)] = Field(
        default=0,
        description="Hysteresis: a breach is over once the threshold is beaten by so much, in its unit.",
        examples=[5],
    )
    window: Literal["clock", "rolling"] = Field(
        default="clock",
        description="What a penalty goes by: the clock hour, or any 60 whole minutes that end in it. Breaches are "
        "told by "
        "the rolling hour in both cases.",
        examples=["rolling"],
    )
    penalty: Credit = Field(
        default=0, description="For each call of `per` in a clock hour of a breach. 0: none.", examples=["0.02"]
    )
    per: Literal["attempts", "answered", "short"] = Field(
        default="attempts", description="The calls of the clock hour that are charged.", examples=["short"]
    )
    action: Literal["notify", "throttle", "suspend"] = Field(
        default="notify",
        description="On a breach besides the event: lower CAPS to `throttle_caps`, or suspend the account, for "
        "`rest_s`; then "
        "half open for as long again.",
        examples=["throttle"],
    )
    throttle_caps: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        default=1, description="Call attempts per second while throttled, and while half open.", examples=[2]
    )
    rest_s: Annotated[int, Field(strict=True, ge=60, le=86_400)] = Field(
        default=600, description="Seconds a restriction rests before new calls are judged.", examples=[900]
    )
    accounts: tuple[Identifier, ...] = Field(
        default=(), max_length=MAX_LIST, description="Only these accounts. Empty: all.", examples=[["acme"]]
    )
    of: Literal["accounts", "trunks"] = Field(
        default="accounts",
        description="Whom it judges: accounts, or egress trunks over all accounts (told only, nothing is charged).",
        examples=["trunks"],
    )


TAKEN_KINDS = frozenset({"cli", "regulator", "ticket_33700", "complaint", "judicial", "support", "correction"})
"""Kinds of entries in the penalty ledger that no rule may be named like."""

CONTRACT_RULES: tuple[dict[str, object], ...] = (
    {"id": "asr", "metric": "asr", "threshold": 60, "margin": 5, "penalty": "0.02", "per": "attempts"},
    {"id": "acd", "metric": "acd", "threshold": 15, "margin": 3, "penalty": "0.02", "per": "answered"},
    {
        "id": "short_calls", "metric": "short", "threshold": 10, "margin": 2, "window": "rolling", "penalty": "0.02",
        "per": "short",
    },
)  # fmt: skip
"""Contract article 26 with the amounts of article 27."""


class Quality(Section):
    """What counts as an attempt, in which hour, and what is good enough."""

    contract_rules: StrictBool = Field(
        default=True,
        description="Judge by `asr`, `acd` and `short_calls` of contract article 26, where `rules` has none of that "
        "name.",
        examples=[False],
    )
    rules: tuple[QualityRuleEntry, ...] = Field(default=(), max_length=32)
    time_zone: Zone = Field(
        default="Europe/Paris",
        description="Whose clock hours and months are meant. Days have 23 or 25 hours where its clock is changed.",
        examples=["Europe/London"],
    )
    counted_at: Literal["released", "received"] = Field(
        default="released",
        description="Which instant places a call in its hour: when it ended, or when it came. With `received` the "
        "hour is "
        "closed before its long calls have ended, unless `close_after_s` waits for them.",
        examples=["received"],
    )
    uncounted: tuple[Literal["refused", "abandoned", "cancelled", "emergency", "lost"], ...] = Field(
        default=("refused", "abandoned", "emergency", "lost"),
        max_length=5,
        description="Attempts that count in no figure: refused by the edge; given up before they were sent; given up "
        "by the "
        "caller later; emergency calls; calls of a node that died.",
        examples=[["refused", "abandoned", "cancelled", "emergency", "lost"]],
    )
    short_s: Annotated[int, Field(strict=True, ge=1, le=3_600)] = Field(
        default=8, description="Answered calls shorter than so many seconds are short.", examples=[6]
    )
    effective_statuses: tuple[Annotated[int, Field(strict=True, ge=300, le=699)], ...] = Field(
        default=(480, 486, 600, 603),
        max_length=64,
        description="NER: final responses after which the network has done its part (ITU-T E.425: busy, no answer, "
        "rejected "
        "by the callee). Answered calls and those that rang are effective anyway.",
        examples=[[404, 480, 486, 600, 603]],
    )
    effective_causes: tuple[Cause, ...] = Field(
        default=(17, 18, 19, 20), max_length=64, description="The same by Q.850 cause.", examples=[[17, 18, 19, 20, 21]]
    )
    close_after_s: Annotated[int, Field(strict=True, ge=60, le=86_400)] = Field(
        default=600,
        description="Seconds after its end at which a clock hour is closed: from then on it takes nothing more, and "
        "what it "
        "costs is entered. What comes later is counted as late.",
        examples=[1_800],
    )
    keep_days: Annotated[int, Field(strict=True, ge=2, le=400)] = Field(
        default=35, description="Days for which the counts of each hour are kept in the store.", examples=[92]
    )


class Penalties(Section):
    """Contract article 27: what each case costs. Amounts may be given again where a case is entered."""

    cli: Credit = Field(default=2_000_000_000, description="CLI not wired or not authorised.", examples=["2000"])
    regulator: Credit = Field(
        default=10_000_000_000, description="Regulator's decision not respected.", examples=["10000"]
    )
    ticket_33700: Credit = Field(default=200_000_000, description="Spam report to 33700.", examples=["200"])
    complaint: Credit = Field(default=200_000_000, description="Consumer complaint.", examples=["200"])
    judicial: Credit = Field(default=200_000_000, description="Judicial request handled.", examples=["200"])
    support: Credit = Field(default=100_000_000, description="Abusive support ticket.", examples=["100"])
    cli_findings: Literal["off", "candidate", "charge"] = Field(
        default="candidate",
        description="What becomes of attempts that the edge refused for the caller's number: nothing; one entry of 0 "
        "for "
        "each hour, which an operator decides on; or one case for each hour.",
        examples=["charge"],
    )


class Billing(Section):
    """What is exported for billing beside the calls."""

    caps_lot_month: Credit = Field(
        default=150_000_000, description="One lot of CAPS for a month (article 28).", examples=["150"]
    )
    call_lot_month: Credit = Field(
        default=30_000_000, description="One lot of concurrent calls for a month (article 28).", examples=["30"]
    )
    lots_by: Literal["month", "day"] = Field(
        default="month",
        description="A month bills the most lots that were in force at once, or each lot for the days on which it was.",
        examples=["day"],
    )
    minimum_month: Credit = Field(
        default=200_000_000, description="Least amount billed for a month (article 24.4).", examples=["200"]
    )
    idle_months: Annotated[int, Field(strict=True, ge=1, le=120)] = Field(
        default=6, description="An account without a call for so long may be closed (article 17.3).", examples=[12]
    )
    close_idle: StrictBool = Field(
        default=False, description="Close such accounts without being asked.", examples=[True]
    )


def rules_in_force(quality: Quality) -> tuple[QualityRuleEntry, ...]:
    """Those of the document, then those of the contract that it does not replace."""
    own = {rule.id for rule in quality.rules}
    built_in = CONTRACT_RULES if quality.contract_rules else ()
    return (*quality.rules, *[QualityRuleEntry.model_validate(rule) for rule in built_in if rule["id"] not in own])
