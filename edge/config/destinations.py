"""Where calls may go: zones, barring lists by account and time of day, guards against dear surprises. Pure.

Imports pydantic and this room. Contract articles 9.1.17, 9.2.3 and 24.2.2.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from edge.config.fields import MAX_LIST, CalledPrefix, Identifier, Section
from edge.config.money import parse_money
from edge.config.telemarketing import Day, TimeZone, Window
from limits.rates import MAX_MONEY_MICROS

Spend = Annotated[int, BeforeValidator(parse_money), Field(ge=0, le=MAX_MONEY_MICROS)]
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Prefixes = Annotated[tuple[CalledPrefix, ...], Field(max_length=MAX_LIST)]


class DestinationEntry(Section):
    """A zone: called numbers that are treated alike."""

    zone: ZoneName = Field(
        description="Its name. A zone of the rate deck may be given more prefixes.", examples=["dear"]
    )
    prefixes: Prefixes = Field(
        min_length=1,
        description="Beginnings of called numbers, as in routes. The longest over all zones wins; a number in none has "
        "the zone of its rate.",
        examples=[["+3389", "+338"]],
    )


class DestinationChoice(Section):
    """Which calls a barring list or a guard is about: all the conditions given must hold."""

    accounts: tuple[Identifier, ...] = Field(
        default=(), max_length=MAX_LIST, description="Only of these accounts. Empty: of all.", examples=[["acme"]]
    )
    zones: tuple[ZoneName, ...] = Field(
        default=(), max_length=MAX_LIST, description="Only to these zones. Empty: to all.", examples=[["dear"]]
    )
    prefixes: Prefixes = Field(
        default=(), description="Only to numbers that begin so. Empty: to all.", examples=[["+3389"]]
    )
    lists: tuple[Literal["dear", "premium", "satellite", "irsf"], ...] = Field(
        default=(),
        max_length=4,
        description="Or to the numbers of a built-in list: `premium` (French surcharged numbers), `satellite` (and "
        "codes of no country), `irsf` (countries that revenue share fraud likes), `dear` (all three). Generally known, "
        "verified by nobody: see policy.md.",
        examples=[["dear"]],
    )
    except_prefixes: Prefixes = Field(
        default=(), description="But not to numbers that begin so.", examples=[["+338910"]]
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce",
        description="`shadow`: what would be refused is noted and counted, and passes.",
        examples=["shadow"],
    )


class BarringEntry(DestinationChoice):
    """Numbers that are not to be called; the first list that matches refuses."""

    id: Identifier = Field(description="Name of the list, in the CDR of every call it barred.", examples=["night"])
    days: tuple[Day, ...] = Field(
        default=(), max_length=7, description="Only on these days. Empty: on all.", examples=[["sat", "sun"]]
    )
    hours: tuple[Window, ...] = Field(
        default=(),
        max_length=8,
        description="Only in these hours of those days; 22:00-06:00 goes over midnight. Empty: all day.",
        examples=[["22:00-06:00"]],
    )
    timezone: TimeZone = Field(default="Europe/Paris", description="Of `days` and `hours`.", examples=["Europe/Paris"])


class GuardEntry(DestinationChoice):
    """How much each account may call to one kind of destination; the first guard that matches a call counts it."""

    id: Identifier = Field(description="Name of the guard, in the CDR of every call it refused.", examples=["premium"])
    calls: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = Field(
        default=None, description="Attempts in `window_s`; left out: no ceiling.", examples=[20]
    )
    window_s: Annotated[int, Field(strict=True, ge=1, le=2_678_400)] = Field(
        default=3_600, description="Seconds of the window of `calls`.", examples=[3600]
    )
    spend: Spend | None = Field(
        default=None,
        description="Most that calls under it may spend and hold in one UTC hour; left out: no ceiling. Running calls "
        "are cut when it is used up.",
        examples=["50.00"],
    )
