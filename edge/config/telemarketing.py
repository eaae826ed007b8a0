"""The law on calling consumers to sell, as data: the packaged ruleset, and what a policy document says of it. Pure.

Imports pydantic and this room. Every rule is dated: it holds from its first day until, not including, its last.
"""

import tomllib
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints

from edge.config.fields import MAX_LIST, ClassName, Identifier, Section
from edge.config.hours import DAYS, parse_window, parse_zone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
assert get_args(Day) == DAYS


def _window(text: str) -> str:
    parse_window(text)
    return text


def _zone(text: str) -> str:
    parse_zone(text)
    return text


def _month_day(text: str) -> str:
    month, _, day = text.partition("-")
    try:
        date(2024, int(month), int(day))  # a leap year: 02-29 is a day
    except ValueError as error:
        raise ValueError(f"expected a day of the year such as 05-01, got {text!r}") from error
    return text


Window = Annotated[str, StringConstraints(max_length=11), AfterValidator(_window)]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
MonthDay = Annotated[str, StringConstraints(max_length=5), AfterValidator(_month_day)]
Digits = Annotated[str, StringConstraints(pattern="^[0-9]{1,15}$")]
Span = Annotated[int, Field(strict=True, ge=0, le=366)]


class DatedEntry(Section):
    """A rule with the days on which it holds."""

    id: ClassName = Field(description="Name of the rule, in the CDR of every call it refused.", examples=["d223-9"])
    since: date | None = Field(default=None, alias="from", description="First day; left out: always.", examples=[])
    until: date | None = Field(
        default=None, description="Last day, not itself inside; left out: to this day.", examples=[]
    )
    basis: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="house", description="What it rests on: `law: …`, `contract: …` or `house`.", examples=["house"]
    )
    conf: Annotated[str, StringConstraints(max_length=16)] = Field(
        default="design", description="How well that is known.", examples=["P"]
    )


class HoursEntry(DatedEntry):
    """Days and hours on which consumers may be called, in their own time zone."""

    days: tuple[Day, ...] = Field(
        default=(), max_length=7, description="Days of the week. Empty: all.", examples=[["mon", "tue"]]
    )
    windows: tuple[Window, ...] = Field(
        default=(),
        max_length=8,
        description="Hours of those days; the end is not inside. Empty: all day.",
        examples=[["10:00-13:00", "14:00-20:00"]],
    )
    holidays: bool = Field(
        default=False, strict=True, description="May consumers be called on public holidays?", examples=[True]
    )


class AttemptsEntry(DatedEntry):
    """How often one professional may try to reach one consumer."""

    most: Annotated[int, Field(strict=True, ge=0, le=1_000)] = Field(description="Attempts, answered or not.")
    window_days: Annotated[int, Field(strict=True, ge=1, le=366)] = Field(description="Days of the calendar.")


class RefusalsEntry(DatedEntry):
    """How long nobody is called who has refused."""

    days: Span = Field(description="Full days of the calendar.")


class ConsentsEntry(DatedEntry):
    """Must a consumer have consented to be called?"""

    model: Literal["opt-in", "opt-out"] = Field(description="Is a consent needed, or is a refusal?")
    max_age_days: Span = Field(default=0, description="Days after which a consent is too old.")
    proof_years: Annotated[int, Field(strict=True, ge=0, le=3)] = Field(
        default=0,
        description="Years for which its proof must be kept. The edge keeps every proof for three (decree 2026-662).",
    )
    contract_in_progress: bool = Field(
        default=True, strict=True, description="Does a contract in progress stand for the consent?"
    )


class MaskedEntry(DatedEntry):
    """A number must be shown."""


class HolidaysEntry(Section):
    """Holidays of one place."""

    id: ClassName
    prefixes: tuple[Digits, ...] = Field(default=(), max_length=MAX_LIST)
    """Beginnings of called numbers, without the plus; none: everywhere."""
    fixed: tuple[MonthDay, ...] = Field(default=(), max_length=64)
    easter: tuple[Annotated[int, Field(strict=True, ge=-100, le=100)], ...] = ()
    basis: str = "house"
    conf: str = "design"


class ZoneEntry(Section):
    """A time zone and the called numbers in it."""

    timezone: TimeZone
    prefixes: tuple[Digits, ...] = Field(max_length=MAX_LIST)


class TelemarketingRuleset(Section):
    """A whole ruleset, as it is packaged."""

    ruleset: ClassName
    title: str
    version: date
    reviewed: date
    timezone: TimeZone
    zones: tuple[ZoneEntry, ...]
    holidays: tuple[HolidaysEntry, ...]
    hours: tuple[HoursEntry, ...]
    attempts: tuple[AttemptsEntry, ...]
    refusals: tuple[RefusalsEntry, ...]
    consents: tuple[ConsentsEntry, ...]
    masked: tuple[MaskedEntry, ...]


class Telemarketing(Section):
    """Calls to consumers, to sell: those of accounts whose `purpose` is `telemarketing-b2c`."""

    rules: Literal["fr-telemarketing", "off"] = Field(
        default="fr-telemarketing", description="The law that is applied.", examples=["off"]
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce",
        description="`shadow`: what would be refused is noted and counted, and passes.",
        examples=["shadow"],
    )
    local_holidays: bool = Field(
        default=True,
        strict=True,
        description="Are the holidays of single territories (Alsace-Moselle, overseas) kept too?",
        examples=[False],
    )
    hours: tuple[HoursEntry, ...] = Field(
        default=(), max_length=32, description="Instead of the ruleset's own.", examples=[]
    )
    attempts: tuple[AttemptsEntry, ...] = Field(
        default=(), max_length=32, description="Instead of the ruleset's own.", examples=[]
    )
    refusals: tuple[RefusalsEntry, ...] = Field(
        default=(), max_length=32, description="Instead of the ruleset's own.", examples=[]
    )
    consents: tuple[ConsentsEntry, ...] = Field(
        default=(), max_length=32, description="Instead of the ruleset's own.", examples=[]
    )


class NumberCeiling(Section):
    """How often an account may call one number, whatever for."""

    calls: Annotated[int, Field(strict=True, ge=0, le=1_000)] = Field(
        description="Attempts to one called number in the window.", examples=[10]
    )
    window_s: Annotated[int, Field(strict=True, ge=1, le=2_678_400)] = Field(
        default=86_400, description="Seconds of the window.", examples=[3600]
    )


class Calling(Section):
    """How an account may call: whom, when, how often, where to."""

    consent: Literal["list", "attested"] = Field(
        default="list",
        description="How it shows that the consumers it calls have consented, where they must have. `list`: each is "
        "recorded with `edge contacts`. `attested`: it has attested in writing that it holds every consent.",
        examples=["attested"],
    )
    professional: Identifier | None = Field(
        default=None,
        description="For whom it calls consumers, where other accounts call for the same professional too: attempts, "
        "refusals, consents and contracts are counted and recorded for all of them together. Left out: the account is "
        "one professional.",
        examples=["acme-sa"],
    )
    hours_waiver: Literal["none", "list", "attested"] = Field(
        default="none",
        description="Express prior consent to be called outside the permitted days and hours: `list`: recorded for "
        "each consumer; `attested` in writing for all. It does not lift the number of attempts.",
        examples=["list"],
    )
    days: tuple[Day, ...] = Field(
        default=(), max_length=7, description="Days on which it calls at all, in `timezone`. Empty: all.", examples=[]
    )
    hours: tuple[Window, ...] = Field(
        default=(),
        max_length=8,
        description="Hours in which it calls at all, in `timezone`, whatever for. Empty: all.",
        examples=[["08:00-22:00"]],
    )
    timezone: TimeZone = Field(default="Europe/Paris", description="Of `days` and `hours`.", examples=["Europe/Paris"])
    number_ceiling: NumberCeiling | None = Field(
        default=None, description="How often it may call one number; left out: as often as it likes.", examples=[]
    )
    small_system: bool = Field(
        default=False,
        strict=True,
        description="Does its automated system claim to be a small one (numbering plan 2.3.2 f)? Then the different "
        "numbers it calls are counted, its automated calls and the calls it receives too, and it may show what small "
        "systems may as long as the numbers are few, or the calls few against those received.",
        examples=[True],
    )
    international: Literal["all", "eu", "national", "listed"] = Field(
        default="all",
        description="Where it may call: anywhere; the European Union; the countries of the national plan; those and "
        "`countries` only.",
        examples=["national"],
    )
    countries: tuple[Annotated[str, StringConstraints(pattern=r"^\+[0-9]{1,15}$")], ...] = Field(
        default=(),
        max_length=MAX_LIST,
        description="Beginnings of numbers it may call beside those that `international` names.",
        examples=[["+41", "+44"]],
    )


class PingCalls(Section):
    """Calls so short that nobody could talk, at volume: bait for a call back (contract article 9.2.3)."""

    mode: Literal["off", "tag", "refuse"] = Field(
        default="tag",
        description="`tag`: such calls are marked in their CDR, and a log line tells when they are many. `refuse`: "
        "then further attempts of the same account from the same number are refused, until they are few again.",
        examples=["refuse"],
    )
    ring_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=5.0,
        description="Given up by the caller after at most so many seconds without an answer.",
        examples=[3],
    )
    talk_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=3.0, description="Answered, and over in less than so many seconds.", examples=[3]
    )
    most: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=20,
        description="Such calls of one account from one number in the window that are still few.",
        examples=[50],
    )
    window_s: Annotated[int, Field(strict=True, ge=1, le=86_400)] = Field(
        default=600, description="Seconds of the window.", examples=[3600]
    )


@cache
def built_in(name: str) -> TelemarketingRuleset:
    """The packaged ruleset of this name."""
    file = resources.files("edge.config") / "rulesets" / f"{name}.toml"
    return TelemarketingRuleset.model_validate(tomllib.loads(file.read_text("utf-8")))
